"""What the controller knows of one arm driver, and what it asks of it.

The link acquires the lease, enables and homes the arm when the controller's user asked for it, and never
on its own account: a driver that disabled itself waits for a new ``enable``.
"""

from __future__ import annotations

import math
from typing import Annotated

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field

from kinematics.arm import ArmModel
from teleop.safety.reasons import Reason
from teleop.wire.liveness import InputMonitor, Verdict
from teleop.wire.messages import MeasuredJs, Reply, Request

Array = npt.NDArray[np.float64]

_ANSWER_NS = 500_000_000
_RETRY_NS = 100_000_000
_STATES = ("DISABLED", "ENABLED", "PAUSED", "FAULT")
# Words and tokens of the other side are bounded, so that none of ours outgrows the wire because of them.
_WORDS = 300
_LEASE_BYTES = 64
# An encoder jumped if a joint would have had to move this much faster than it may. What is refused so often
# in a row is no glitch.
_JUMP_SPEED = 3.0
_JUMP_SLACK_S = 0.005
_JUMPS = 3
# A fault that the driver refuses to clear this often is told as one again.
_RESETS = 5


class ArmLinkSpec(BaseModel):
    """What the controller accepts from an arm driver.

    Attributes:
        stale_ms: state older than this counts as silence; commands stop, ms.
        tracking_error_rad: revolute joints may differ this much from the command, rad. dVRK trips at 0.5.
        tracking_error_m: prismatic joints likewise, m. dVRK trips at 0.05.
    """

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False, frozen=True)

    stale_ms: Annotated[float, Field(gt=0.0, le=1000.0)] = 100.0
    tracking_error_rad: Annotated[float, Field(gt=0.0, le=1.0)] = 0.2
    tracking_error_m: Annotated[float, Field(gt=0.0, le=0.1)] = 0.02


class ArmLink:
    """State of one arm driver, its lease, and the requests under way.

    Attributes:
        seen: a state has been admitted since the driver's last start.
        state: CRTK operating state the driver reports.
        is_homed: it knows where its joints are.
        is_busy: it moves on its own, e.g. homing.
        driver_reason: the driver's own words.
        q: measured joint positions, shape (n,), rad or m.
        effort: measured with :attr:`q`, as the driver reports it; ``None`` where it does not.
        fresh: a state was admitted in this tick.
        jaw_rad: measured jaw opening, rad.
        age_ns: lateness of the newest state, ns.
        lease: the lease in force, empty without one.
        restarted: the driver came back as a new process in this tick.
        round_trip_ns: now minus the stamp of the command reported as executed last; -1 if none is new.
        rejected: refused states by reason.
        refusal: the driver's last refusal of a request, in its words.
        jumped: name of the joint whose encoder jumped and stayed there, in the tick in which that is certain.
        echo_stamp_ns: stamp of the last command that the driver says it executed, 0 if it does not say.
        monitor: whether the stream is alive and at its rate.
    """

    def __init__(self, arm: ArmModel, spec: ArmLinkSpec, session: bytes, rate_hz: float) -> None:
        """A driver that has not been seen. ``session`` is the controller's, under which it commands."""
        self.spec = spec
        self._n = arm.n
        self._joint_names = arm.joint_names
        self._jump_speed = (_JUMP_SPEED * arm.limits.qd_max).tolist()
        self._session_own = session
        self.q = np.array(arm.home)
        self.jaw_rad = 0.0
        self.rejected: dict[str, int] = {}
        self.refusal = ""
        self.monitor = InputMonitor(rate_hz, alive_within_s=spec.stale_ms * 1e-3)
        self._next_id = 0
        self._unhomed = False
        self._forget()

    def _forget(self) -> None:
        self.seen = False
        self.state = "DISABLED"
        self.is_homed = self.is_busy = False
        self.driver_reason = ""
        self.effort: Array | None = None
        self.age_ns = -1
        self.lease = b""
        self.restarted = self.fresh = False
        self.round_trip_ns = -1
        self.jumped = ""
        self.echo_stamp_ns = 0
        self._jumps = 0
        self._stamp_ns = 0
        self._reset_op = "reset_fault"
        self._resets_refused = 0
        self._echo_seq = -1
        self._want_enabled = False
        self._want_home = False
        self._want_reset = False
        self._pending: tuple[int, str, int] | None = None
        self._not_before_ns = 0

    @property
    def stale(self) -> bool:
        """Whether the driver has fallen silent."""
        return self.seen and self.age_ns > self.spec.stale_ms * 1e6

    def update(self, measured: MeasuredJs | None, replies: tuple[Reply, ...], now_ns: int) -> None:
        """Take in what came since the last tick."""
        self.restarted = False
        self.round_trip_ns = -1
        self.jumped = ""
        if measured is not None:
            reject, verdict = self._refuse(measured, now_ns)
            if reject:
                self.rejected[reject] = self.rejected.get(reject, 0) + 1
            else:
                self._admit(measured, now_ns, verdict)
        for reply in replies:
            self._settle(reply, now_ns)
        if self.seen:
            self.age_ns = self.monitor.age_ns(now_ns) or 0
        if self.stale:
            self.lease = b""

    def _refuse(self, measured: MeasuredJs, now_ns: int) -> tuple[str, Verdict | None]:
        """Why this state cannot be believed, or an empty string; and what its header says, if looked at."""
        if len(measured.q) != self._n or len(measured.qd) != self._n:
            return "wrong_shape", None
        if not all(map(math.isfinite, (*measured.q, *measured.qd, measured.jaw_rad))):
            return "not_finite", None
        if measured.state not in _STATES:
            return "unknown_state", None
        verdict = self.monitor.judge(measured, now_ns)
        if not verdict.admitted:
            return verdict.value, verdict
        return "jump" if verdict is Verdict.ACCEPTED and self._jump(measured) else "", verdict

    def _jump(self, measured: MeasuredJs) -> bool:
        """Whether a joint moved further than it can. After three in a row the new place is believed."""
        elapsed_s = (measured.stamp_ns - self._stamp_ns) * 1e-9 + _JUMP_SLACK_S
        for name, new, old, speed in zip(
            self._joint_names, measured.q, self.q.tolist(), self._jump_speed, strict=True
        ):
            if abs(new - old) > speed * elapsed_s:
                self._jumps += 1
                if self._jumps < _JUMPS:
                    return True
                self.jumped = name
                break
        self._jumps = 0
        return False

    def _admit(self, measured: MeasuredJs, now_ns: int, verdict: Verdict | None) -> None:
        self.monitor.observe(measured, now_ns, judged=verdict)
        if verdict is Verdict.NEW_SESSION and self.seen:
            self._forget()
            self.restarted = True
        self.seen = True
        self._stamp_ns = measured.stamp_ns
        self.fresh = True
        self.q[:] = measured.q
        self.effort = None if measured.effort is None else np.array(measured.effort)
        self.jaw_rad = measured.jaw_rad
        self.state = measured.state
        self.is_homed, self.is_busy = measured.is_homed, measured.is_busy
        self.driver_reason = measured.reason[:_WORDS]
        if measured.echo_seq != self._echo_seq and measured.echo_seq >= 0:
            self._echo_seq = measured.echo_seq
            self.echo_stamp_ns = measured.echo_stamp_ns
            self.round_trip_ns = now_ns - measured.echo_stamp_ns

    def _settle(self, reply: Reply, now_ns: int) -> None:
        if self._pending is None or reply.id != self._pending[0]:
            return
        op = self._pending[1]
        self._pending = None
        self.refusal = ""
        if not reply.ok:
            self.refusal = f"{op}: {reply.error}"[:_WORDS]
            if op == self._reset_op and self._want_reset:
                self._resets_refused += 1
                self._reset_op = "disable"  # a driver that does not know the operation may know this
                self._want_reset = self._resets_refused < _RESETS
            self._not_before_ns = now_ns + _RETRY_NS
            if op != "acquire" and self.state != "ENABLED":
                # While nothing is commanded a lease lapses by itself; acquire it anew before asking again.
                self.lease = b""
        elif op == "release":
            self.lease = b""
        elif op == "acquire":
            lease = reply.result.get("lease") if isinstance(reply.result, dict) else None
            if isinstance(lease, bytes) and 0 < len(lease) <= _LEASE_BYTES:
                self.lease = lease
            else:
                self.refusal = f"acquire: the driver's reply has no lease of 1 to {_LEASE_BYTES} bytes"
                self._not_before_ns = now_ns + _RETRY_NS

    def ask_enable(self) -> None:
        """The user asked for the arm to be enabled; pursue it until the driver agrees."""
        self._want_enabled = True

    def ask_home(self) -> None:
        """The user asked for the arm to be homed; pursue it until the driver agrees."""
        self._want_home = True
        self._unhomed = False

    def forget_home(self) -> None:
        """The user wants the arm homed anew before it follows again."""
        self._unhomed = True

    def ask_reset(self) -> None:
        """The user cleared the fault; clear the driver's too, if it has one."""
        self._want_reset = self.state == "FAULT"
        self._reset_op = "reset_fault"
        self._resets_refused = 0

    @property
    def resetting(self) -> bool:
        """Whether a fault of the driver is being cleared."""
        return self._want_reset

    def drop(self) -> None:
        """The user disabled the controller, or it faulted: pursue no motion any more."""
        self._want_enabled = self._want_home = False

    def requests(self, now_ns: int, *, active: bool) -> tuple[Request, ...]:
        """The next request to the driver, at most one at a time.

        Args:
            now_ns: the tick's clock, for retries.
            active: the controller is ENABLED or PAUSED; otherwise the arm is to be disabled and let go.
        """
        if not self.seen or self.stale:
            self._pending = None
            return ()
        if self._pending is not None:
            if now_ns - self._pending[2] < _ANSWER_NS:
                return ()
            self._pending = None
        if now_ns < self._not_before_ns:
            return ()
        op = self._next_op(active)
        if not op:
            return ()
        self._next_id += 1
        self._pending = (self._next_id, op, now_ns)
        args: dict[str, object] = {"session": self._session_own} if op == "acquire" else {"lease": self.lease}
        if op == "disable" and self._want_reset:
            args["reset_fault"] = True
        return (Request(id=self._next_id, op=op, args=args),)

    def _next_op(self, active: bool) -> str:
        if self._want_reset:
            if self.state == "FAULT":
                return self._reset_op if self.lease else "acquire"
            self._want_reset = False
        if not active:
            if not self.lease:
                return ""
            return "disable" if self.state in ("ENABLED", "PAUSED") else "release"
        if not self.lease:
            return "acquire"
        if self._want_enabled:
            if self.state != "ENABLED":
                return "enable"
            self._want_enabled = False
        if self._want_home and not self.is_busy:
            if not self.is_homed:
                return "home"
            self._want_home = False
        return ""

    def blocked(self) -> Reason:
        """Why the arm cannot be commanded to follow, or ``Reason.NONE``."""
        if not self.seen:
            return Reason.ARM_ABSENT
        if self.stale:
            return Reason.ARM_STALE
        if self.state == "FAULT":
            return Reason.ARM_FAULT
        if not self.lease and self.refusal:
            return Reason.ARM_NO_LEASE
        if self.is_busy or not self.lease or self._want_enabled or self._want_home:
            return Reason.ARM_BUSY
        if self.state == "PAUSED":
            return Reason.ARM_HELD
        if self.state != "ENABLED":
            return Reason.ARM_NOT_ENABLED
        return Reason.NONE if self.is_homed and not self._unhomed else Reason.ARM_NOT_HOMED
