"""Requests to the controller: validated, applied at one tick boundary, answered in a sentence."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any

import numpy as np
from annotated_types import Len
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from fixtures.display import plain
from fixtures.errors import FixtureError
from fixtures.fixture import Fixture
from fixtures.geometry.baked import Workshop
from fixtures.kinds.region import RegionSpec
from fixtures.motion.streamed import Streamed
from fixtures.scene import Scene
from fixtures.spec import AnyFixture
from kinematics.pose import quat_to_matrix
from teleop.config.errors import suggest
from teleop.controller.pair import Pair
from teleop.safety.reasons import Reason
from teleop.safety.states import Operating, OperatingMachine
from teleop.tremor import FilterSpec, make_pose_filter
from teleop.wire.liveness import InputMonitor
from teleop.wire.messages import Reply, Request

_OLDEST_STAMP_NS = 1_000_000_000
"""A pose or shape older than this says nothing about now."""


class RefusedError(Exception):
    """A request that cannot be carried out now; the text is the answer."""


class _Args(BaseModel):
    model_config = ConfigDict(extra="forbid", allow_inf_nan=False, strict=True)


class _PairArgs(_Args):
    pair: str | None = None


class _ScaleArgs(_PairArgs):
    scale: float | None = None
    rotation_scale: float | None = None


class _FilterArgs(_PairArgs):
    filter: dict[str, Any]


class _FixtureArgs(_Args):
    fixture: dict[str, Any] | None = None
    name: str | None = None
    enabled: bool | None = None


class _FixturePoseArgs(_Args):
    name: str
    p_m: Annotated[list[float], Len(3, 3)]
    quat_xyzw: Annotated[list[float], Len(4, 4)]
    twist: Annotated[list[float], Len(6, 6)] = [0.0] * 6
    stamp_ns: int | None = None


class _NameArgs(_Args):
    name: str


_filter_adapter: TypeAdapter[FilterSpec] = TypeAdapter(FilterSpec)
_fixture_adapter: TypeAdapter[AnyFixture] = TypeAdapter(AnyFixture)


class RequestDesk:
    """Carries out the requests that PROTOCOL.md names."""

    def __init__(self, config: Mapping[str, Any], rate_hz: float, scene: Scene) -> None:
        """Serve a controller.

        Args:
            config: the effective configuration, for ``get_config``.
            rate_hz: of the loop, for filters.
            scene: the fixtures, shared by all pairs.
        """
        self._scene = scene
        self._config = dict(config)
        self._rate_hz = rate_hz
        self._ops: dict[str, tuple[type[_Args], Callable[[Any, OperatingMachine, Sequence[Pair]], Any]]] = {
            "enable": (_Args, self._enable),
            "disable": (_Args, self._plain("disable")),
            "pause": (_Args, self._plain("pause")),
            "resume": (_Args, self._plain("resume")),
            "reset_fault": (_Args, self._reset_fault),
            "home": (_PairArgs, self._home),
            "unhome": (_PairArgs, self._unhome),
            "engage": (_PairArgs, self._engage),
            "release": (_PairArgs, self._release),
            "set_scale": (_ScaleArgs, self._set_scale),
            "set_filter": (_FilterArgs, self._set_filter),
            "set_fixture": (_FixtureArgs, self._set_fixture),
            "set_fixture_pose": (_FixturePoseArgs, self._set_fixture_pose),
            "remove_fixture": (_NameArgs, self._remove_fixture),
            "get_fixtures": (_Args, self._get_fixtures),
            "get_config": (_Args, lambda args, operating, pairs: self._config),
            "get_state": (_Args, self._get_state),
        }

    @property
    def ops(self) -> frozenset[str]:
        """The requests there are."""
        return frozenset(self._ops)

    def answer(self, request: Request, operating: OperatingMachine, pairs: Sequence[Pair]) -> Reply:
        """Carry out one request. Whatever it holds, the answer is a reply, never an exception."""
        if request.op not in self._ops:
            known = ", ".join(self._ops)
            error = f"there is no request `{request.op}`.{suggest(request.op, self._ops)} Known: {known}"
            return Reply(id=request.id, ok=False, error=error)
        model, carry_out = self._ops[request.op]
        try:
            args = model.model_validate(request.args)
            return Reply(id=request.id, ok=True, result=carry_out(args, operating, pairs))
        except ValidationError as error:
            lines = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
            return Reply(id=request.id, ok=False, error=f"`{request.op}`: {lines}")
        except (RefusedError, FixtureError, ValueError) as error:
            return Reply(id=request.id, ok=False, error=str(error))

    @staticmethod
    def _plain(op: str) -> Callable[[Any, OperatingMachine, Sequence[Pair]], str]:
        def carry_out(args: _Args, operating: OperatingMachine, pairs: Sequence[Pair]) -> str:
            refusal = operating.request(op)
            if refusal:
                raise RefusedError(refusal)
            return operating.state.value

        return carry_out

    def _enable(self, args: _Args, operating: OperatingMachine, pairs: Sequence[Pair]) -> str:
        for pair in pairs:
            link = pair.link
            if link.state == "FAULT" and not link.resetting and not link.stale:
                fault = Reason.ARM_FAULT
                raise RefusedError(f"{pair.name}: {fault.sentence} {fault.action} ({link.driver_reason})")
        refusal = operating.request("enable")
        if refusal:
            raise RefusedError(refusal)
        for pair in pairs:
            pair.link.ask_enable()
        return operating.state.value

    def _reset_fault(self, args: _Args, operating: OperatingMachine, pairs: Sequence[Pair]) -> str:
        refusal = operating.request("reset_fault")
        if refusal:
            raise RefusedError(refusal)
        for pair in pairs:
            pair.link.ask_reset()
        return operating.state.value

    @staticmethod
    def _chosen(name: str | None, pairs: Sequence[Pair]) -> Sequence[Pair]:
        if name is None:
            return pairs
        chosen = [pair for pair in pairs if pair.name == name]
        if not chosen:
            names = [pair.name for pair in pairs]
            raise RefusedError(f"there is no pair {name!r}.{suggest(name, names)} Pairs: {', '.join(names)}")
        return chosen

    def _home(self, args: _PairArgs, operating: OperatingMachine, pairs: Sequence[Pair]) -> None:
        if operating.state is not Operating.ENABLED:
            raise RefusedError("`home` needs the controller ENABLED; send `enable` first")
        for pair in self._chosen(args.pair, pairs):
            pair.link.ask_home()

    def _unhome(self, args: _PairArgs, operating: OperatingMachine, pairs: Sequence[Pair]) -> None:
        for pair in self._chosen(args.pair, pairs):
            pair.machine.release()
            pair.link.forget_home()

    def _engage(self, args: _PairArgs, operating: OperatingMachine, pairs: Sequence[Pair]) -> None:
        refusals = []
        for pair in self._chosen(args.pair, pairs):
            reason = pair.engage()
            if reason is not Reason.NONE:
                detail = pair.link.refusal or pair.link.driver_reason
                refusals.append(
                    f"{pair.name}: {reason.sentence} {reason.action}" + (f" ({detail})" if detail else "")
                )
        if refusals:
            raise RefusedError("; ".join(refusals))

    def _release(self, args: _PairArgs, operating: OperatingMachine, pairs: Sequence[Pair]) -> None:
        for pair in self._chosen(args.pair, pairs):
            pair.machine.release()

    def _set_scale(self, args: _ScaleArgs, operating: OperatingMachine, pairs: Sequence[Pair]) -> None:
        for pair in self._chosen(args.pair, pairs):
            pair.set_scale(args.scale, args.rotation_scale)

    def _set_filter(self, args: _FilterArgs, operating: OperatingMachine, pairs: Sequence[Pair]) -> None:
        spec = _filter_adapter.validate_python(args.filter)
        for pair in self._chosen(args.pair, pairs):
            pair.set_filter(make_pose_filter(spec, self._rate_hz))

    def _set_fixture(self, args: _FixtureArgs, operating: OperatingMachine, pairs: Sequence[Pair]) -> str:
        """Add or change a fixture, or switch one on or off; in force from this tick on."""
        if args.fixture is None:
            if args.name is None or args.enabled is None:
                raise RefusedError("give a whole fixture, or the name of one with enabled = true or false")
            self._scene.check(self._named(args.name))
            self._scene.enable(args.name, args.enabled)
            return args.name
        if args.name is not None or args.enabled is not None:
            raise RefusedError("give a whole fixture, or the name of one with enabled, not both")
        spec = _fixture_adapter.validate_python(args.fixture)
        known = {body for pair in pairs for body in (*pair.arm.bodies.body_names, "all")}
        unknown = sorted(set(spec.bodies) - known)
        if unknown:
            raise RefusedError(f"no arm has a body {', '.join(unknown)}; bodies: {', '.join(sorted(known))}")
        if isinstance(spec, RegionSpec) and spec.deforms is not None and spec.deforms.stamp_ns is not None:
            _check_stamp(spec.deforms.stamp_ns, pairs[0].now_ns)
        fixture = spec.build(Workshop(live=True))
        self._scene.check(fixture)
        self._scene.change(fixture)
        self._note(spec.name, spec.model_dump(mode="json"))
        return spec.name

    def _note(self, name: str, fixture: dict[str, Any] | None) -> None:
        """Keep ``get_config`` true: the fixture of this name is now this one, or gone."""
        held = list(self._config.get("fixture", []))
        at = next((k for k, table in enumerate(held) if table["name"] == name), len(held))
        held[at : at + 1] = [] if fixture is None else [fixture]
        self._config["fixture"] = held

    def _set_fixture_pose(
        self, args: _FixturePoseArgs, operating: OperatingMachine, pairs: Sequence[Pair]
    ) -> dict[str, float]:
        """A new pose and twist of a fixture whose motion is a stream; how far off the prediction it was."""
        motion = self._named(args.name).motion
        if not isinstance(motion, Streamed):
            raise RefusedError(
                f"fixture {args.name!r} does not follow a stream: motion = {{ type = 'stream', .. }}"
            )
        quat = np.array(args.quat_xyzw)
        if not abs(np.linalg.norm(quat) - 1.0) < 1e-3:
            raise RefusedError(f"quat_xyzw must have length 1, has {np.linalg.norm(quat):.4g}")
        now_ns = pairs[0].now_ns
        stamp_ns = now_ns if args.stamp_ns is None else args.stamp_ns
        _check_stamp(stamp_ns, now_ns)
        T, R, p = np.eye(4), np.empty((3, 3)), np.empty(3)
        T[:3, :3], T[:3, 3] = quat_to_matrix(quat), args.p_m
        motion.pose(stamp_ns * 1e-9, R, p)
        allowed = motion.speed_error * motion.age(stamp_ns * 1e-9)
        motion.update(T, np.array(args.twist[:3]), np.array(args.twist[3:]), stamp_ns * 1e-9)
        return {"off_m": float(np.linalg.norm(T[:3, 3] - p)), "allowed_m": allowed}

    def _named(self, name: str) -> Fixture:
        names = self._scene.names
        if name not in names:
            raise RefusedError(
                f"there is no fixture {name!r}.{suggest(name, names)} Fixtures: {', '.join(names) or 'none'}"
            )
        return self._scene.fixtures[names.index(name)]

    def _remove_fixture(self, args: _NameArgs, operating: OperatingMachine, pairs: Sequence[Pair]) -> None:
        self._named(args.name)
        self._scene.remove(args.name)
        self._note(args.name, None)

    def _get_fixtures(
        self, args: _Args, operating: OperatingMachine, pairs: Sequence[Pair]
    ) -> list[dict[str, Any]]:
        """Every fixture as plain data, with where its frame is now."""
        return [plain(fixture, self._scene.now) for fixture in self._scene.fixtures]

    @staticmethod
    def _get_state(args: _Args, operating: OperatingMachine, pairs: Sequence[Pair]) -> dict[str, Any]:
        return {
            "state": operating.state.value,
            "reason": operating.reason.code,
            "detail": operating.detail,
            "pairs": {
                pair.name: {
                    "teleop_state": pair.machine.state.value,
                    "reason": pair.machine.reason.code,
                    "action": pair.machine.reason.action,
                    "scale": pair.mapping.scale,
                    "round_trip_ms": round(pair.round_trip.total_ns * 1e-6, 3),
                    "arm_state": pair.link.state,
                    "is_homed": pair.link.is_homed,
                    "inputs": {
                        "measured_cp": _health(pair.hand.monitor, pair.now_ns),
                        "measured_js": _health(pair.link.monitor, pair.now_ns),
                    },
                }
                for pair in pairs
            },
        }


def _check_stamp(stamp_ns: int, now_ns: int) -> None:
    """Refuse the stamp of a pose or shape that says nothing about now."""
    if not 0 <= now_ns - stamp_ns <= _OLDEST_STAMP_NS:
        raise RefusedError(
            f"stamp_ns is {(now_ns - stamp_ns) * 1e-6:.1f} ms before this tick; it must be of the "
            f"controller's monotonic clock, not in the future and at most "
            f"{_OLDEST_STAMP_NS * 1e-6:.0f} ms old"
        )


def _health(monitor: InputMonitor, now_ns: int) -> dict[str, Any]:
    """The three answers of an input as plain data."""
    health = monitor.health(now_ns)
    return {
        "alive": health.alive,
        "rate_ok": health.rate_ok,
        "valid": health.valid,
        "rate_hz": round(health.rate_hz, 1),
        "missing": monitor.missing,
        "age_ms": None if health.age_ns is None else health.age_ns * 1e-6,
    }
