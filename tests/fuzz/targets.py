"""What takes bytes from outside, each as a function of bytes that must return, whatever they are.

`make test` feeds them with hypothesis for a second or two, `make fuzz` with atheris, guided by coverage.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np

from teleop.config.errors import ConfigError
from teleop.config.schema import SessionSpec
from teleop.config.toml import validate
from teleop.controller.requests import RequestDesk
from teleop.drivers.contract import ArmContract
from teleop.safety.states import OperatingMachine
from teleop.wire.codec import Codec, Rejected
from teleop.wire.endpoints import Participant
from teleop.wire.errors import EndpointError
from teleop.wire.gatekeeper import Gatekeeper
from teleop.wire.keys import Keyring
from teleop.wire.liveness import InputMonitor
from teleop.wire.messages import MeasuredCp, Reply, Request, ServoJp
from teleop.wire.record import TickRecord
from teleop.wire.streams import Role
from tests.drivers.rig import LIMITS, MS, SESSION, armed, bench
from tests.wire.samples import every_message

CODECS = [Codec(type(message), name) for name, message in every_message()]
_KEYS = Keyring("psm", b"p" * 40, b"s" * 40, {"controller": b"c" * 40}, frozenset(), frozenset())


def decode(data: bytes) -> None:
    """Every message of the wire."""
    for codec in CODECS:
        message = codec.decode(data)
        if not isinstance(message, Rejected):
            codec.encode(message)


def tick_record(data: bytes) -> None:
    """A tick on its way to the recorder."""
    try:
        msgspec.msgpack.decode(data, type=TickRecord)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return


def command(data: bytes) -> None:
    """A command as an enabled arm sees it: it may be refused, it may not make the setpoint jump."""
    arm = armed()
    message = Codec(ServoJp, "psm/servo_jp").decode(data)
    if isinstance(message, Rejected):
        return
    for own in (False, True):
        if own:  # as if from the holder of the lease, in time
            message.lease, message.session = arm.contract.lease.token, SESSION
            message.stamp_ns = arm.now_ns
        before = arm.contract.setpoint.q.copy()
        after = arm.tick(message)
        assert np.isfinite(after).all()
        assert (np.abs(after - before) <= LIMITS.qd_max * 1e-3 * (1 + 1e-9)).all()


def arm_request(data: bytes) -> None:
    """A request to an arm driver."""
    message = Codec(Request, None).decode(data)
    if isinstance(message, Rejected):
        return
    contract: ArmContract = bench().contract
    reply = contract.request(b"anyone", message, MS)
    assert reply.ok or reply.error
    Codec(Reply, None).encode(reply)


def controller_request(data: bytes) -> None:
    """A request to the controller, without an arm behind it."""
    message = Codec(Request, None).decode(data)
    if isinstance(message, Rejected):
        return
    from fixtures.scene import Scene

    desk = RequestDesk({}, 1000.0, Scene())
    reply = desk.answer(message, OperatingMachine(), ())
    assert reply.ok or reply.error


def sample(data: bytes) -> None:
    """A sample as the monitor of an input sees it, twice and a tick later."""
    message = Codec(MeasuredCp, "left/measured_cp").decode(data)
    if isinstance(message, Rejected):
        return
    monitor = InputMonitor(1000.0, 0.1)
    for now_ns in (0, 0, MS):
        monitor.observe(message, now_ns)
        monitor.health(now_ns)


def gate_question(data: bytes) -> None:
    """libzmq's question about a client, its parts split at zero bytes."""
    judge = object.__new__(Gatekeeper)
    from collections import Counter

    judge._keyring, judge.admitted, judge.refused = _KEYS, Counter(), Counter()
    answer = judge._judge(data.split(b"\0"))
    assert answer[2] in (b"200", b"400")


def endpoint(data: bytes) -> None:
    """An endpoint as somebody wrote it."""
    text = data.decode(errors="replace")
    for role in Role:
        try:
            Participant(role, "left", text)
        except EndpointError:
            continue


def session(data: bytes) -> None:
    """A session file."""
    try:
        validate(SessionSpec, tomllib.loads(data.decode(errors="replace")), Path("s.toml"))
    except (tomllib.TOMLDecodeError, ConfigError, RecursionError):
        return


TARGETS: dict[str, Callable[[bytes], None]] = {
    f.__name__: f
    for f in (
        decode,
        tick_record,
        command,
        arm_request,
        controller_request,
        sample,
        gate_question,
        endpoint,
        session,
    )
}


def seeds(name: str) -> list[bytes]:
    """A small corpus for a target, made from well-formed samples."""
    if name == "endpoint":
        return [b"ipc:///run/trocar/left", b"tcp://127.0.0.1:5600", b"tcp://[::1]:5600"]
    if name == "session":
        demo = Path(__file__).parents[2] / "configs" / "sessions" / "demo.toml"
        return [demo.read_bytes()]
    if name == "gate_question":
        return [b"\0".join([b"1.0", b"1", b"arm/request", b"10.0.0.1", b"", b"CURVE", b"k" * 32])]
    encoded = [codec.encode(m) for codec, (_, m) in zip(CODECS, every_message(), strict=True)]
    requests = [
        Request(id=1, op=op, args=args)
        for op, args in (
            ("acquire", {"session": SESSION}),
            ("reset_fault", {"lease": b"x"}),
            ("set_scale", {"scale": 0.5, "pair": "left"}),
            ("set_filter", {"filter": {"kind": "none"}}),
            ("set_fixture", {"fixture": {"kind": "forbidden", "name": "a"}}),
            ("get_state", {}),
        )
    ]
    return [*encoded, *(Codec(Request, None).encode(r) for r in requests)]
