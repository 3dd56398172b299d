"""Requests to an arm driver, checked and answered."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from teleop.wire.messages import Reply, Request

if TYPE_CHECKING:
    from teleop.drivers.contract import ArmContract

SESSION_BYTES = 16


class _Refused(Exception):
    """A request that was refused; its text is the answer."""


def answer(arm: ArmContract, client: bytes, request: Request, now_ns: int) -> Reply:
    """Do what ``request`` asks, or say in a sentence why not."""
    handler = _HANDLERS.get(request.op)
    if handler is None:
        error = f"unknown op {request.op!r}; an arm driver knows: {', '.join(_HANDLERS)}"
        return Reply(id=request.id, ok=False, error=error)
    try:
        return Reply(id=request.id, ok=True, result=handler(arm, client, request.args, now_ns))
    except _Refused as refused:
        return Reply(id=request.id, ok=False, error=str(refused))


def _bytes(args: dict[str, Any], key: str) -> bytes:
    value = args.get(key, b"")
    return value if isinstance(value, bytes) else b""


def _holder_only(arm: ArmContract, client: bytes, args: dict[str, Any], op: str) -> None:
    if not arm.lease.allows(client, _bytes(args, "lease")):
        state = "another client holds it" if arm.lease.held else "nobody holds it; it may have lapsed"
        raise _Refused(f"`{op}` is for the holder of the lease ({state}); `acquire` it first")


def _refuse_if(why: str) -> None:
    if why:
        raise _Refused(why)


def _acquire(arm: ArmContract, client: bytes, args: dict[str, Any], now_ns: int) -> dict[str, Any]:
    session = _bytes(args, "session")
    if len(session) != SESSION_BYTES:
        raise _Refused(f"`acquire` needs `session`: {SESSION_BYTES} bytes, the one your commands carry")
    if not arm.acquire(client, session, _bytes(args, "lease"), now_ns):
        raise _Refused(
            "another client holds the lease; it lapses if no command of it comes within "
            f"{arm.lease.remaining_s(now_ns):.2f} s"
        )
    return {"lease": arm.lease.token, "ttl_s": arm.lease.ttl_s}


def _release(arm: ArmContract, client: bytes, args: dict[str, Any], now_ns: int) -> None:
    _holder_only(arm, client, args, "release")
    arm.disable("the lease was released", now_ns)
    arm.lease.release()


def _enable(arm: ArmContract, client: bytes, args: dict[str, Any], now_ns: int) -> None:
    _holder_only(arm, client, args, "enable")
    _refuse_if(arm.enable(now_ns))


def _disable(arm: ArmContract, client: bytes, args: dict[str, Any], now_ns: int) -> None:
    # Anybody may stop an arm; only the holder may clear a fault.
    reset = args.get("reset_fault") is True
    if reset:
        _holder_only(arm, client, args, "disable` with `reset_fault")
    arm.disable("disabled on request", now_ns, reset_fault=reset)


def _reset_fault(arm: ArmContract, client: bytes, args: dict[str, Any], now_ns: int) -> None:
    _holder_only(arm, client, args, "reset_fault")
    arm.disable("the fault was reset", now_ns, reset_fault=True)


def _home(arm: ArmContract, client: bytes, args: dict[str, Any], now_ns: int) -> None:
    _holder_only(arm, client, args, "home")
    _refuse_if(arm.home(now_ns))


def _get_info(arm: ArmContract, client: bytes, args: dict[str, Any], now_ns: int) -> dict[str, Any]:
    limits = arm.limits
    jaw = limits.jaw
    return {
        "name": arm.name,
        "joints": list(arm.joint_names),
        "limits": {
            "q_min": limits.q_min.tolist(),
            "q_max": limits.q_max.tolist(),
            "qd_max": limits.qd_max.tolist(),
            "qdd_max": limits.qdd_max.tolist(),
            "jaw_rad": None if jaw is None else [jaw.min_rad, jaw.max_rad],
        },
        "rate_hz": 1.0 / arm.period_s,
    }


_HANDLERS: dict[str, Callable[[ArmContract, bytes, dict[str, Any], int], Any]] = {
    "acquire": _acquire,
    "release": _release,
    "enable": _enable,
    "disable": _disable,
    "home": _home,
    "get_info": _get_info,
    "reset_fault": _reset_fault,
}

OPS = tuple(_HANDLERS)
"""What can be asked of an arm driver."""
