"""What one tick of the controller's core took in and gave out, whole: what a recording is made of.

Not for drivers: the controller sends it to a recorder that was asked for (``trocar run --record``).
Everything the core consumed is here, so that the same core given the same records does the same again, to the
bit.
"""

from __future__ import annotations

from typing import Any

import msgspec

from teleop.wire.messages import (
    ConstraintPlane,
    Event,
    Header,
    MeasuredCp,
    MeasuredJs,
    Reply,
    Request,
    Telemetry,
)


class CommandRecord(msgspec.Struct):
    """The command of one arm as it was sent, see ``servo_jp``."""

    mode: str
    q: list[float]
    qd: list[float]
    stop_s: float
    jaw_rad: float
    lease: bytes


class PairRecord(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One master-arm pair in one tick.

    Attributes:
        pair: name of the pair.
        master: the sample that came for this tick, as it came.
        arm: the arm's state that came for this tick, as it came.
        arm_replies: answers of the arm driver.
        command: what was sent to the arm; ``None`` while there was no lease.
        arm_requests: what was asked of the arm driver.
        planes: the constraint planes that the hand was given, see ``servo_cf``.
        beside_n: the force that no plane stands for, N; ``None`` in recordings that have neither.
        remote_n: the arm's own force on the hand, N; ``None`` while there is none.
    """

    pair: str
    master: MeasuredCp | None = None
    arm: MeasuredJs | None = None
    arm_replies: list[Reply] = []
    command: CommandRecord | None = None
    arm_requests: list[Request] = []
    planes: list[ConstraintPlane] = []
    beside_n: list[float] | None = None
    remote_n: list[float] | None = None


class RequestRecord(msgspec.Struct, kw_only=True, omit_defaults=True):
    """A request to the controller, and the number under which its reply is filed."""

    token: int
    request: Request


class ReplyRecord(msgspec.Struct, kw_only=True, omit_defaults=True):
    """The controller's answer to the request of the same ``token``."""

    token: int
    reply: Reply


class EstopRecord(msgspec.Struct):
    """An emergency stop that arrived."""

    source: str
    why: str


class TimingRecord(msgspec.Struct):
    """How long a tick took, ns; -1 where nothing was measured.

    Attributes:
        lateness_ns: deadline to begin.
        compute_ns: begin to end.
        latency_ns: master stamp to command sent; the worst pair counts.
        stages_ns: each stage of the loop: sample, step, command, tell.
    """

    lateness_ns: int
    compute_ns: int
    latency_ns: int
    stages_ns: list[int]


class TickRecord(Header, kw_only=True, omit_defaults=True):
    """One tick. ``session`` in the header is the controller's, under which it commands.

    Attributes:
        tick: counted from 1.
        now_ns: the controller's monotonic clock at the start of the tick.
        dt_s: time since the tick before, s.
        shut_down: the process was asked to end: the arms are braked and let go.
        mistake: what went wrong around the core in the tick before.
        pairs: in the order of the session.
        requests: requests to the controller, in order of arrival.
        estops: emergency stops.
        replies: the controller's answers.
        events: what it told.
        before: timing of the tick before this one; this one's is not over yet.
        telemetry: the tick's telemetry message.
    """

    tick: int
    now_ns: int
    dt_s: float
    shut_down: bool = False
    mistake: str = ""
    pairs: list[PairRecord]
    requests: list[RequestRecord] = msgspec.field(default_factory=list)
    estops: list[EstopRecord] = msgspec.field(default_factory=list)
    replies: list[ReplyRecord] = msgspec.field(default_factory=list)
    events: list[Event] = msgspec.field(default_factory=list)
    before: TimingRecord | None = None
    telemetry: Telemetry | None = None


class RecordedArgs(msgspec.Struct):
    """Stands for a value of free form that JSON would change: its MessagePack bytes."""

    msgpack: bytes = msgspec.field(name="$msgpack")


def json_safe(value: Any) -> Any:
    """``value`` where JSON gives it back exactly, else :class:`RecordedArgs`.

    Bytes, numbers that are not finite, and maps with keys that are no strings do not survive JSON.
    """
    packed = msgspec.msgpack.encode(value)
    ambiguous = isinstance(value, dict) and "$msgpack" in value
    try:
        back = msgspec.json.decode(msgspec.json.encode(value))
    except (TypeError, ValueError):
        ambiguous = True
    if ambiguous or msgspec.msgpack.encode(back) != packed:
        return RecordedArgs(packed)
    return value


def from_json_safe(value: Any) -> Any:
    """The value that :func:`json_safe` was given, from what JSON made of its result."""
    if isinstance(value, dict) and len(value) == 1 and "$msgpack" in value:
        return msgspec.msgpack.decode(msgspec.convert(value, RecordedArgs).msgpack)
    return value
