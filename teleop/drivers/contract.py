"""The arm driver's side of the protocol without sockets: lease, admission, watchdog, states, requests.

A driver of real hardware owns one :class:`ArmContract`, gives it what arrives and what it measures, and
sends :attr:`ArmContract.setpoint` to its drives in each tick. See ``docs/arm-driver.md``.
"""

from __future__ import annotations

import enum
from collections import Counter
from collections.abc import Callable, Iterable, Sequence

import numpy as np
import numpy.typing as npt

from teleop.drivers.admission import Admission, Reject
from teleop.drivers.lease import Lease
from teleop.drivers.limits import DriverLimits
from teleop.drivers.moves import Move
from teleop.drivers.requests import answer
from teleop.drivers.setpoint import Setpoint
from teleop.drivers.watchdog import HOLD_AFTER_S, Silence, Watchdog
from teleop.wire.messages import Reply, Request, ServoJp

Array = npt.NDArray[np.float64]

_MAX_REASON = 300


class State(enum.StrEnum):
    """CRTK operating states."""

    DISABLED = "DISABLED"
    ENABLED = "ENABLED"
    PAUSED = "PAUSED"
    FAULT = "FAULT"


class ArmContract:
    """What an arm driver owes the protocol.

    Attributes:
        name: name of the arm.
        joint_names: one a joint.
        limits: the driver's own limits.
        period_s: nominal period of the commands, s.
        lease: who may command.
        setpoint: where the joints should be now.
        jaw_rad: where the jaw should be; a lost stream leaves the grasp as it is.
        state: CRTK operating state.
        reason: why it is in this state, and what to do; empty when all is well.
        is_homed: the joints' positions are known.
        echo_seq: sequence number of the last command executed, -1 before the first.
        echo_stamp_ns: the stamp of that command.
        executed: commands executed.
        rejected: commands refused, by reason.
    """

    def __init__(
        self,
        *,
        name: str,
        joint_names: Sequence[str],
        limits: DriverLimits,
        q: Array,
        jaw_rad: float,
        period_s: float,
        lease_ttl_s: float,
        stop_max_s: float,
        shared_clock: bool,
        is_homed: bool,
        plan_home: Callable[[Array], Move],
        new_token: Callable[[], bytes],
    ) -> None:
        """A driver that has just started: DISABLED at ``q``, nobody's.

        Args:
            name: name of the arm.
            joint_names: one a joint.
            limits: the driver's own limits.
            q: measured joint positions, shape (n,).
            jaw_rad: measured jaw opening, rad.
            period_s: nominal period of the commands, s.
            lease_ttl_s: the lease lapses when no command came for this long, s.
            stop_max_s: longest stop a command may ask for, s.
            shared_clock: the controller reads the same monotonic clock (same host).
            is_homed: absolute encoders; otherwise ``home`` must come before the first motion.
            plan_home: plans the homing motion from a setpoint at rest.
            new_token: fresh, unguessable bytes for each lease.
        """
        self.name = name
        self.joint_names = tuple(joint_names)
        self.limits = limits
        self.period_s = period_s
        self.lease = Lease(lease_ttl_s, new_token)
        self.setpoint = Setpoint(q, limits.qd_max, limits.qdd_max, stall_s=HOLD_AFTER_S, period_s=period_s)
        self.jaw_rad = jaw_rad
        self.state = State.DISABLED
        self.reason = "not enabled yet: acquire the lease, then enable"
        self.is_homed = is_homed
        self.echo_seq = -1
        self.echo_stamp_ns = 0
        self.executed = 0
        self.rejected: Counter[str] = Counter()
        self._admission = Admission(
            limits, self.lease, period_s=period_s, stop_max_s=stop_max_s, shared_clock=shared_clock
        )
        self._plan_home = plan_home
        self._move: Move | None = None
        self._move_start_ns = 0
        self._watchdog = Watchdog(period_s)
        self._q_measured = np.array(q, dtype=float)

    # -- what the driver calls -------------------------------------------------------------------------

    def tick(
        self, now_ns: int, q_measured: Array, commands: Iterable[ServoJp] = (), at_ns: int | None = None
    ) -> None:
        """One tick: watch the silence, execute what may be executed, move the setpoint.

        Args:
            now_ns: the driver's monotonic clock.
            q_measured: measured joint positions, shape (n,).
            commands: what came since the last tick, at most one from each connection.
            at_ns: when the drives take the setpoint, if they keep time by themselves: the deadline of this
                tick. The driver's own lateness is then no part of the motion: at 10 rad/s, 0.3 ms of it is
                a step of 3 mrad. Left out, it is ``now_ns``.
        """
        self._q_measured[:] = q_measured
        self._watch(now_ns)
        for command in commands:
            reject = self._execute(command, now_ns)
            if reject is not None:
                self.rejected[reject.value] += 1
        self.coast(now_ns if at_ns is None else at_ns)

    def coast(self, at_ns: int) -> None:
        """Move the setpoint to ``at_ns``, and nothing else: for periods that the driver's own loop missed."""
        if self._move is None:
            self.setpoint.advance(at_ns)
        else:
            self._carry(self._move, at_ns)

    def request(self, client: bytes, request: Request, now_ns: int) -> Reply:
        """Answer a request that came over the connection ``client``."""
        return answer(self, client, request, now_ns)

    def estop(self, source: str, why: str, now_ns: int) -> None:
        """Stop now on the line of the last command, as fast as the arm can, and latch FAULT."""
        self._abandon_move()
        self.setpoint.brake(now_ns)
        self._enter(
            State.FAULT,
            f"e-stop from {source or 'unknown'}: {why or 'no reason given'}; "
            "clear the cause, then `reset_fault`, then `enable`",
        )

    def fault(self, why: str, now_ns: int) -> None:
        """The driver's own fault, e.g. a drive that tripped: stops and latches like an e-stop."""
        self._abandon_move()
        self.setpoint.brake(now_ns)
        self._enter(State.FAULT, why)

    @property
    def is_busy(self) -> bool:
        """The arm moves on its own: homing, or running out a stop that nobody steers any more."""
        return self._move is not None or (self.state is not State.ENABLED and not self.setpoint.at_rest)

    @property
    def powered(self) -> bool:
        """Whether the drives must hold: not before a stop has ended does a disabled arm lose its power."""
        return self.state in (State.ENABLED, State.PAUSED) or not self.setpoint.at_rest

    # -- what requests call ----------------------------------------------------------------------------

    def acquire(self, client: bytes, session: bytes, proof: bytes, now_ns: int) -> bool:
        """Give the lease to ``client``; ``False`` if another holds it."""
        fresh = not self.lease.held
        if not self.lease.acquire(client, session, now_ns, proof):
            return False
        if fresh:
            self._admission.forget()
        return True

    def enable(self, now_ns: int) -> str:
        """Arm, from DISABLED or PAUSED; returns why not, or an empty string."""
        if self.state is State.FAULT:
            return f"in FAULT ({self.reason}); send `reset_fault` first"
        if self.state is State.ENABLED:
            return ""
        if not self.setpoint.at_rest:
            return "the arm still runs out its stop; ask again when is_busy is false"
        if self.state is State.DISABLED:
            if not np.isfinite(self._q_measured).all():
                return f"the measured position {self._q_measured.tolist()} is not finite"
            self.setpoint.rest_at(self._q_measured)
        self._begin(now_ns)
        return ""

    def disable(self, why: str, now_ns: int, *, reset_fault: bool = False) -> None:
        """Run out the stop, then power off. FAULT is left only with ``reset_fault``."""
        if self.state is State.FAULT and not reset_fault:
            return
        self._abandon_move()
        self._enter(State.DISABLED, why)

    def home(self, now_ns: int) -> str:
        """Start homing; returns why not, or an empty string. ``is_homed`` and ``is_busy`` show its end."""
        if self.state is not State.ENABLED:
            return f"the arm is {self.state}, homing needs ENABLED; send `enable` first"
        if self._move is not None:
            return ""
        if not self.setpoint.at_rest:
            return "the arm is moving; stop commanding motion first"
        self._move, self._move_start_ns = self._plan_home(self.setpoint.q), now_ns
        return ""

    # -- the rules -------------------------------------------------------------------------------------

    def _watch(self, now_ns: int) -> None:
        """The policy on silence. Homing is the driver's own and needs no stream of commands."""
        if self._move is not None:
            self._watchdog.feed(now_ns)
            self.lease.renew(now_ns)
        if self.lease.lapse(now_ns) and self.state is not State.FAULT:
            self._enter(State.DISABLED, "the lease lapsed: no command came; acquire and enable again")
        if self.state not in (State.ENABLED, State.PAUSED):
            return
        silence = self._watchdog.check(now_ns)
        if silence is Silence.DISABLE:
            after = "command" if self._watchdog.streaming else "`enable`"
            self._enter(State.DISABLED, f"nothing to execute for 100 ms after the last {after}; enable again")
        elif self.state is State.ENABLED and silence is Silence.HOLD:
            self._enter(State.PAUSED, "nothing to execute for 20 ms; engage again with HOLD or `enable`")
        elif self.state is State.ENABLED:
            self.reason = "command missing: running the stop of the last one" if silence else ""

    def _execute(self, command: ServoJp, now_ns: int) -> Reject | None:
        """Execute a command, or say why not."""
        reject = self._admission.sender(command, now_ns)
        if reject is not None:
            return reject
        self.lease.renew(now_ns)
        reject = self._admission.numbers(command)
        if reject is not None:
            return reject
        if command.mode == "DISABLED":
            # One that was sent before the answer to `enable` arrived must not undo it.
            if self._watchdog.streaming and self.state in (State.ENABLED, State.PAUSED):
                self.disable("the controller commands DISABLED", now_ns)
            self._echo(command)
            return None
        if self.state is State.FAULT:
            return Reject.FAULT
        if self.state is State.DISABLED:
            return Reject.DISABLED
        if command.mode == "SERVO":
            return self._servo(command, now_ns)
        self._hold(command, now_ns)
        return None

    def _hold(self, command: ServoJp, now_ns: int) -> None:
        """Nothing to move; but a controller that lives, and from PAUSED it engages again."""
        self._admission.heard(command, now_ns)
        self.setpoint.forget_way()
        self._came(command, now_ns)
        if self.state is State.PAUSED and self.setpoint.at_rest:
            self._begin(now_ns)
            self._watchdog.command(now_ns)

    def _servo(self, command: ServoJp, now_ns: int) -> Reject | None:
        if self.state is State.PAUSED:
            return Reject.PAUSED
        if self._move is not None:
            return Reject.BUSY
        if not self.is_homed:
            self._watchdog.feed(now_ns)  # it stands still, and its controller lives: no reason to disarm
            return Reject.NOT_HOMED
        reject = self._admission.step(command, self.setpoint.covered, now_ns)
        if reject is not None:
            return reject
        due_ns = self._admission.due_ns(command, now_ns)
        self.setpoint.command(np.array(command.q), np.array(command.qd), command.stop_s, due_ns)
        if self.limits.jaw is not None:
            self.jaw_rad = command.jaw_rad
        self._came(command, now_ns)
        return None

    def _came(self, command: ServoJp, now_ns: int) -> None:
        self._echo(command)
        self._watchdog.command(now_ns)
        if self.state is State.ENABLED:
            self.reason = ""

    def _echo(self, command: ServoJp) -> None:
        self.executed += 1
        self._admission.last_seq = command.seq
        self.echo_seq, self.echo_stamp_ns = command.seq, command.stamp_ns

    def _carry(self, move: Move, now_ns: int) -> None:
        t = max(now_ns - self._move_start_ns, 0) * 1e-9
        q, v = move.at(min(t, move.duration_s))
        self.setpoint.carry(q, v, now_ns)
        if t >= move.duration_s:
            self._move = None
            self.is_homed = True
            self._begin(now_ns)

    def _abandon_move(self) -> None:
        if self._move is not None:
            self._move = None
            self.setpoint.brake_move()

    def _begin(self, now_ns: int) -> None:
        """ENABLED at rest, waiting for the first command."""
        self._enter(State.ENABLED, "")
        self._watchdog.start(now_ns)
        self._admission.rest()
        self.setpoint.forget_way()

    def _enter(self, state: State, reason: str) -> None:
        self.state, self.reason = state, reason[:_MAX_REASON]
