"""The messages of schema 1 as msgspec structs: one MessagePack map each, string keys, SI units.

Every message starts with the same header (:class:`Header`). Unknown keys are ignored. Shapes and types
are checked while decoding; values (finite, unit quaternion, limits) are checked by whoever admits the
message, because only the receiver knows what it may believe.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta

Vec3 = Annotated[list[float], Meta(min_length=3, max_length=3)]
Quat = Annotated[list[float], Meta(min_length=4, max_length=4)]
Vec6 = Annotated[list[float], Meta(min_length=6, max_length=6)]
Joints = Annotated[list[float], Meta(min_length=1, max_length=32)]
SessionId = Annotated[bytes, Meta(min_length=16, max_length=16)]


class Header(msgspec.Struct, kw_only=True):
    """What every message carries.

    Attributes:
        schema: schema number of the protocol, 1.
        stream: full stream name, e.g. ``"left/measured_cp"``.
        session: 16 random bytes, fresh at each start of the sender.
        seq: grows by one a message.
        stamp_ns: sender's monotonic clock when the content was sampled.
    """

    schema: int
    stream: str
    session: SessionId
    seq: Annotated[int, Meta(ge=0)]
    stamp_ns: int


class Signal(msgspec.Struct):
    """A button with its own stamp: one that stops being reported is a released one."""

    value: bool
    stamp_ns: int


class MeasuredCp(Header, kw_only=True):
    """Pose of the hand in the master's frame. ``twist``: linear (m/s) first, then angular (rad/s).

    ``echo_*`` name the last ``servo_cf`` received, so that the controller can measure the round trip; a
    master may leave them out. ``energy_j``: work that the hand did against ``remote_n`` so far, J, never
    falling; below 0 from a master that does not count it, which is given no ``remote_n``.
    """

    p_m: Vec3
    quat_xyzw: Quat
    twist: Vec6 | None = None
    gripper_rad: float = 0.0
    valid: bool
    present: Signal
    clutch: Signal
    echo_seq: int = -1
    echo_stamp_ns: int = 0
    energy_j: float = -1.0


class Steer(Header, kw_only=True):
    """What a person at a console does with the hand of a master of ``kind = "console"``.

    Attributes:
        drive: a person drives; else the master's own idle motion, if it has one, goes on.
        epoch: grows with each new grip; the hand's pose at its first message is the origin of ``p_m``.
        p_m: displacement of the hand since the grip began, m, master frame.
        quat_xyzw: rotation since then about the master's axes, unit.
        gripper_rad: opening of the gripper.
        present: the deadman, with the time at which the person's own device last reported it.
        clutch: the clutch, likewise.
    """

    drive: bool
    epoch: Annotated[int, Meta(ge=0)]
    p_m: Vec3
    quat_xyzw: Quat
    gripper_rad: float = 0.0
    present: Signal
    clutch: Signal


class ConstraintPlane(msgspec.Struct, array_like=True):
    """A local constraint plane ``n . p >= offset_m`` for a master that closes the spring itself."""

    n: Vec3
    offset_m: float
    stiffness_n_m: float
    damping_ns_m: float
    fixture: str


class ServoCf(Header, kw_only=True):
    """What the hand should feel, in the master's frame.

    Attributes:
        force_n: the whole force, for a master that renders just this.
        torque_nm: the torque about the handle.
        planes: for a master that closes the spring itself, at its own rate; it then renders ``beside_n`` and
            the planes instead of ``force_n``.
        beside_n: the part of ``force_n`` that no plane stands for.
        remote_n: force of the arm, on top of the rest, for a master that counts its energy.
        energy_j: work that the arm's surroundings did on the tool so far, J at the hand, never falling.
        ttl_ms: when nothing newer came for so long, all of it fades to zero.
    """

    force_n: Vec3
    torque_nm: Vec3
    planes: Annotated[list[ConstraintPlane], Meta(max_length=16)] = []
    beside_n: Vec3 = msgspec.field(default_factory=lambda: [0.0, 0.0, 0.0])
    remote_n: Vec3 = msgspec.field(default_factory=lambda: [0.0, 0.0, 0.0])
    energy_j: float = 0.0
    ttl_ms: float


class ServoJp(Header, kw_only=True):
    """What the arm should do: absolute joint positions and the stop that follows if nothing else comes.

    Attributes:
        mode: ``"SERVO"``, ``"HOLD"`` or ``"DISABLED"``.
        q: joint positions, rad or m, shape (n,).
        qd: joint velocities at ``q``, shape (n,).
        stop_s: duration of the stop: straight in joint space to ``q + qd * stop_s / 2``.
        jaw_rad: jaw opening.
        ttl_ms: age above which the driver must not execute this command.
        lease: the lease acquired from the driver.
    """

    mode: str
    q: Joints
    qd: Joints
    stop_s: float
    jaw_rad: float = 0.0
    ttl_ms: float
    lease: Annotated[bytes, Meta(max_length=64)]


class MeasuredJs(Header, kw_only=True):
    """What the arm does. ``state`` is the CRTK operating state; ``echo_*`` name the last command executed."""

    q: Joints
    qd: Joints
    effort: Joints | None = None
    jaw_rad: float = 0.0
    state: str
    is_homed: bool
    is_busy: bool
    reason: str = ""
    echo_seq: int = -1
    echo_stamp_ns: int = 0
    rejected: dict[str, int] = {}


class Request(msgspec.Struct, kw_only=True):
    """A request to the controller or to an arm driver; answered by a :class:`Reply` with the same ``id``."""

    id: int
    op: Annotated[str, Meta(max_length=64)]
    args: dict[str, Any] = {}


class Reply(msgspec.Struct, kw_only=True, omit_defaults=True):
    """The answer to a request: ``result`` when ``ok``, else ``error`` in a sentence."""

    id: int
    ok: bool
    result: Any = None
    error: str = ""


class Estop(Header, kw_only=True):
    """Stop now. Latching: leaves only by ``reset_fault`` and a new ``enable``."""

    source: Annotated[str, Meta(max_length=256)]
    why: Annotated[str, Meta(max_length=1024)]


class Event(Header, kw_only=True):
    """A change worth telling: what happened, why, and what the person should do next."""

    kind: str
    state: str
    teleop_state: str
    reason: str
    action: str
    data: dict[str, Any] = {}


class LedgerLine(msgspec.Struct):
    """One limiter or fixture that acted in a tick.

    Attributes:
        who: its name, e.g. ``"carotid"`` or ``"joint velocity: insertion"``.
        what: in one word: ``"limited"``, ``"clamped"``, ``"stopped"``, ``"relaxed"``, ``"held"``, ...
        body: the body or joint it acted for, e.g. ``"shaft"``.
        by_m: how much of the asked tip motion it took away, or by how much it moved what was asked, m.
        by_rad: by how much it turned what was asked, rad.
    """

    who: str
    what: str
    body: str = ""
    by_m: float = 0.0
    by_rad: float = 0.0


class PairTelemetry(msgspec.Struct):
    """One master-arm pair in one tick. Poses are position (m) and quaternion (xyzw), in the world frame.

    Attributes:
        p_filtered_m: newest sample of the hand after the tremor filter, master frame, m.
        p_hand_m: the same carried to the time of the tick, as it was mapped.
        quat_hand_xyzw: its orientation.
        asked_m: tip motion asked for in this tick, m.
        sent_m: tip motion sent.
        violation: the last command but one was inside a hard region or its margin.
        arm_state: CRTK operating state of the arm driver.
        jaw_rad: commanded opening of the jaw.
        force_n: what the hand was told to feel, in the master's frame, N.
        torque_nm: the same about the handle, N m.
    """

    pair: str
    teleop_state: str
    reason: str
    p_desired_m: list[float]
    quat_desired_xyzw: list[float]
    p_command_m: list[float]
    quat_command_xyzw: list[float]
    q_command: list[float]
    qd_command: list[float]
    q_measured: list[float]
    tracking_error_m: float
    clearance_m: dict[str, float]
    ledger: list[LedgerLine]
    scale: float
    clutch: bool
    input_age_us: float
    round_trip_us: float
    rejected: dict[str, int]
    p_filtered_m: list[float] = []
    p_hand_m: list[float] = []
    quat_hand_xyzw: list[float] = []
    asked_m: float = 0.0
    sent_m: float = 0.0
    violation: bool = False
    arm_state: str = ""
    jaw_rad: float = 0.0
    force_n: list[float] = msgspec.field(default_factory=lambda: [0.0, 0.0, 0.0])
    torque_nm: list[float] = msgspec.field(default_factory=lambda: [0.0, 0.0, 0.0])


class Telemetry(Header, kw_only=True):
    """One tick of the controller for consoles and recorders."""

    tick: int
    skipped: int
    overruns: int
    state: str
    compute_us: float
    lateness_us: float
    pairs: list[PairTelemetry]
