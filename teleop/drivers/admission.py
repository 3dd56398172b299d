"""Which ``servo_jp`` a driver executes. Everything else is counted by its reason and moves nothing."""

from __future__ import annotations

import enum

import numpy as np
import numpy.typing as npt

from teleop.drivers.lease import Lease
from teleop.drivers.limits import DriverLimits
from teleop.wire.messages import ServoJp
from teleop.wire.passage import Passage, clock_was_set

Array = npt.NDArray[np.float64]

# Rounding of a sender that works exactly at a limit: relative for speeds, rad or m for positions.
_RELATIVE = 1e-6
_ABSOLUTE = 1e-9
# A stamp may lie this far in the future before it is called wrong; one host has one monotonic clock.
_FUTURE_NS = 1_000_000


class Reject(enum.StrEnum):
    """Why a command was not executed; the key of ``rejected`` in ``measured_js``."""

    LEASE = "lease"
    SESSION = "session"
    SEQ = "seq"
    AGE = "age"
    MODE = "mode"
    SHAPE = "shape"
    NOT_FINITE = "not_finite"
    POSITION = "position_limit"
    VELOCITY = "velocity_limit"
    STOP = "stop"
    JAW = "jaw_limit"
    STEP = "step"
    DISABLED = "disabled"
    PAUSED = "paused"
    FAULT = "fault"
    BUSY = "busy"
    NOT_HOMED = "not_homed"


MODES = ("SERVO", "HOLD", "DISABLED")


class Admission:
    """Checks a command in the order of :class:`Reject`, from who sent it to what it asks.

    Attributes:
        last_seq: sequence number of the last command executed under this lease, -1 before the first.
    """

    def __init__(
        self, limits: DriverLimits, lease: Lease, *, period_s: float, stop_max_s: float, shared_clock: bool
    ) -> None:
        """Rules of one driver.

        Args:
            limits: the driver's own.
            lease: the lease commands must carry.
            period_s: nominal period of the commands, s.
            stop_max_s: longest stop the driver agrees to run, s.
            shared_clock: sender and driver read the same monotonic clock (one host), so that age is the
                difference of stamps; otherwise age is counted from the quickest passage seen lately.
        """
        self._limits = limits
        self._lease = lease
        self._period_s = period_s
        self._stop_max_s = stop_max_s
        self._shared_clock = shared_clock
        self._passage = Passage()
        self.forget()

    def forget(self) -> None:
        """A new lease: any sequence number and any clock may come."""
        self.last_seq = -1
        self._heard_seq = -1
        self._heard_ns: int | None = None
        self._in_time: tuple[int, int] | None = None
        self._passage.reset()

    def rest(self) -> None:
        """The driver stands still of its own accord; the next command must start where it stands."""
        self._heard_ns = None

    def sender(self, command: ServoJp, now_ns: int) -> Reject | None:
        """Is it from the holder of the lease, new, and in time? The numbers may still be wrong."""
        if not self._lease.held or command.lease != self._lease.token:
            return Reject.LEASE
        if command.session != self._lease.session:
            return Reject.SESSION
        if command.seq <= self.last_seq:
            return Reject.SEQ
        if not command.ttl_ms > 0.0 or command.ttl_ms == np.inf:
            return Reject.AGE
        if self._in_time is not None:
            stamp_ns, seq = self._in_time
            early_ns = -self._passage.age_ns(now_ns, command.stamp_ns)
            period_ns = round(self._period_s * 1e9)
            if clock_was_set(command.stamp_ns - stamp_ns, command.seq - seq, early_ns, period_ns):
                return Reject.AGE
        if self._shared_clock:
            age_ns = now_ns - command.stamp_ns
        else:
            self._passage.update(now_ns, command.stamp_ns)
            age_ns = self._passage.age_ns(now_ns, command.stamp_ns)
        if not -_FUTURE_NS <= age_ns < command.ttl_ms * 1e6:
            return Reject.AGE
        if self._shared_clock:  # only now: a wrong stamp must not shift what is due when
            self._passage.update(now_ns, command.stamp_ns)
        self._in_time = command.stamp_ns, command.seq
        return None

    def numbers(self, command: ServoJp) -> Reject | None:
        """Are the numbers ones this arm can live with, the stop that the command fixes included?

        A command that moves nothing (HOLD, DISABLED) is asked only for its shape and finite numbers.
        """
        limits = self._limits
        if command.mode not in MODES:
            return Reject.MODE
        if len(command.q) != limits.n or len(command.qd) != limits.n:
            return Reject.SHAPE
        q, qd = np.array(command.q), np.array(command.qd)
        if not (np.isfinite(q).all() and np.isfinite(qd).all() and np.isfinite(command.jaw_rad)):
            return Reject.NOT_FINITE
        if not np.isfinite(command.stop_s):
            return Reject.STOP
        if command.mode != "SERVO":
            return None
        low, high = limits.q_min - _ABSOLUTE, limits.q_max + _ABSOLUTE
        if (q < low).any() or (q > high).any():
            return Reject.POSITION
        if (np.abs(qd) > limits.qd_max * (1.0 + _RELATIVE)).any():
            return Reject.VELOCITY
        if not 0.0 <= command.stop_s <= self._stop_max_s or (command.stop_s == 0.0 and qd.any()):
            return Reject.STOP
        end = q + 0.5 * command.stop_s * qd
        if (end < low).any() or (end > high).any():
            return Reject.STOP
        jaw = limits.jaw
        if jaw is not None and not jaw.min_rad - _ABSOLUTE <= command.jaw_rad <= jaw.max_rad + _ABSOLUTE:
            return Reject.JAW
        return None

    def due_ns(self, command: ServoJp, now_ns: int) -> int:
        """When this command would have been here, had its passage been as quick as the quickest lately.

        Two loops of 1 kHz that are nearly in phase see each other's jitter as commands that come one tick
        late, then two at once. Counted from when it was due, a command late by a tick is a tick further
        along its stop, and the setpoint moves on evenly.
        """
        return now_ns - self._passage.age_ns(now_ns, command.stamp_ns)

    def step(self, command: ServoJp, covered: tuple[Array, Array], now_ns: int) -> Reject | None:
        """Could the arm have got to the command within its velocity limit?

        One command is worth one period of travel; several that were lost on the way are worth one each,
        and real time always counts. A command refused here does not earn the next one more travel, so a
        sender that jumped is refused until the driver holds.

        Args:
            command: one whose numbers passed.
            covered: least and greatest position, (n,) each, of the way from the last command to where
                the stop after it had brought the setpoint a tick ago.
            now_ns: the driver's clock.
        """
        period = self._period_s
        if self._heard_ns is None:
            travel_s = 2.0 * period
        else:
            elapsed = (now_ns - self._heard_ns) * 1e-9
            # Both clocks jitter: two ticks late at either end may bring two commands in less than a period.
            by_seq = min((command.seq - self._heard_seq) * period, elapsed + 2.0 * period)
            travel_s = max(elapsed, by_seq)
        self.heard(command, now_ns)
        reach = self._limits.qd_max * (travel_s * (1.0 + _RELATIVE)) + _ABSOLUTE
        q, (low, high) = np.array(command.q), covered
        return Reject.STEP if (q < low - reach).any() or (q > high + reach).any() else None

    def heard(self, command: ServoJp, now_ns: int) -> None:
        """A command of the holder arrived now; travel is counted from here."""
        self._heard_ns, self._heard_seq = now_ns, command.seq
