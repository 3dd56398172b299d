"""What goes into a tick of the controller and what comes out: numbers and records, nothing alive."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from teleop.safety.reasons import Reason
from teleop.safety.states import Operating, Teleop
from teleop.wire.messages import ConstraintPlane, LedgerLine, MeasuredCp, MeasuredJs, Reply, Request

Array = npt.NDArray[np.float64]


class CommandMode(enum.Enum):
    """``mode`` of ``servo_jp``."""

    SERVO = "SERVO"
    HOLD = "HOLD"
    DISABLED = "DISABLED"


@dataclass(slots=True)
class PairInputs:
    """What came in for one pair since the last tick; ``None`` where nothing new came."""

    master: MeasuredCp | None = None
    arm: MeasuredJs | None = None
    arm_replies: tuple[Reply, ...] = ()


@dataclass(slots=True)
class ControllerInputs:
    """Everything one tick consumes.

    Attributes:
        now_ns: the controller's monotonic clock at the start of the tick. Data, so that a replay is exact.
        pairs: one entry per pair, in the order of the session.
        requests: token and request, in order of arrival; the reply carries the same token.
        estops: ``(source, why)`` of emergency stops that arrived.
        shut_down: the process is to end: brake, disable and let go of the arms from this tick on.
        mistake: what went wrong around the core in the tick before, in sockets or telemetry; else empty.
    """

    now_ns: int
    pairs: tuple[PairInputs, ...]
    requests: tuple[tuple[int, Request], ...] = ()
    estops: tuple[tuple[str, str], ...] = ()
    shut_down: bool = False
    mistake: str = ""


@dataclass(slots=True)
class Command:
    """What to send to one arm.

    Attributes:
        mode: see :class:`CommandMode`.
        q: joint positions, shape (n,), rad or m.
        qd: joint velocities, shape (n,).
        stop_s: time of the stop that follows this command, s.
        jaw_rad: jaw opening, rad.
        lease: the lease under which it is sent.
    """

    mode: CommandMode
    q: Array
    qd: Array
    stop_s: float
    jaw_rad: float
    lease: bytes


@dataclass(slots=True)
class PairOutputs:
    """What one pair did in a tick.

    Attributes:
        command: what to send to the arm; ``None`` while there is no lease.
        arm_requests: requests for the arm driver.
        teleop: teleop state.
        reason: why, where it is not following.
        p_desired_world: desired tip position, shape (3,), m.
        quat_desired_world_xyzw: desired tip orientation, shape (4,).
        T_world_tip: pose of the tip that was commanded, shape (4, 4).
        asked_m: tip motion asked for in this tick, m.
        sent_m: tip motion sent in this tick, m.
        ledger: every limiter and fixture that acted.
        clearance_m: smallest clearance by fixture, m.
        hand_age_ns: age of the newest sample of the hand, ns.
        master_stamp_ns: stamp of the hand sample that first took effect in this tick, else 0.
        round_trip_ns: age of the command that the arm reported as executed, else -1.
        violation: the last command but one was inside a hard region or its margin.
        tracking_error_m: distance between commanded and measured tip, m.
        force_n: what the hand shall feel, shape (3,), master's frame, N.
        torque_nm: the same about the handle, shape (3,), N m.
        beside_n: the part of ``force_n`` that no plane stands for, shape (3,), N.
        remote_n: the force of the arm, shape (3,), master's frame, N; not in ``force_n``.
        energy_j: what the arm's surroundings put in so far, J.
        planes: constraint planes near the hand, master's frame.
    """

    command: Command | None
    arm_requests: tuple[Request, ...]
    teleop: Teleop
    reason: Reason
    p_desired_world: Array
    quat_desired_world_xyzw: Array
    T_world_tip: Array
    asked_m: float = 0.0
    sent_m: float = 0.0
    ledger: list[LedgerLine] = field(default_factory=list)
    clearance_m: dict[str, float] = field(default_factory=dict)
    hand_age_ns: int = -1
    master_stamp_ns: int = 0
    round_trip_ns: int = -1
    violation: bool = False
    tracking_error_m: float = 0.0
    force_n: Array = field(default_factory=lambda: np.zeros(3))
    torque_nm: Array = field(default_factory=lambda: np.zeros(3))
    beside_n: Array = field(default_factory=lambda: np.zeros(3))
    remote_n: Array = field(default_factory=lambda: np.zeros(3))
    energy_j: float = 0.0
    planes: list[ConstraintPlane] = field(default_factory=list)


@dataclass(slots=True)
class EventRecord:
    """A change worth telling, before the wire's header is put on it."""

    kind: str
    pair: str
    state: Operating
    teleop: Teleop
    reason: Reason
    detail: str = ""


@dataclass(slots=True)
class ControllerOutputs:
    """Everything one tick produces.

    Attributes:
        state: CRTK operating state.
        pairs: one entry per pair, in the order of the session.
        replies: token and reply, one for each request that came in.
        events: what changed.
        error: a traceback, in a tick that the core could not finish; else empty.
    """

    state: Operating
    pairs: tuple[PairOutputs, ...]
    replies: tuple[tuple[int, Reply], ...]
    events: tuple[EventRecord, ...]
    error: str = ""
