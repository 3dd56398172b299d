"""The commanded motion of one arm: the only place where a command comes into being.

A command is ``(q, v, S)``: where the joints shall be, how fast, and how long the stop lasts that follows if
nothing else comes. It changes in two ways only: along the stop it fixed itself, or by a step that the inverse
kinematics found and the gate certified together with the stop after it.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from fixtures.gate import Certificate
from fixtures.rows import SceneRows
from kinematics.arm import ArmModel
from kinematics.ik import DifferentialIK
from kinematics.ik_result import LIMITERS, IKResult
from kinematics.joint_bounds import stop_time, stop_velocity
from kinematics.pose import pose_difference
from kinematics.rows import RowSet
from kinematics.task import TipTask
from teleop.controller._motion_kernels import advance, ask, moved_by, orientation, part_way
from teleop.controller.guard import Guard
from teleop.controller.guided import GuidedPose
from teleop.controller.remote_centre import RemoteCentre
from teleop.haptics.free import FreeTracker
from teleop.haptics.planes import PlaneMaker
from teleop.wire.messages import LedgerLine

Array = npt.NDArray[np.float64]

# Less than this of a tick's motion is rounding, not an act worth a line in the ledger.
_NOTABLE_M = 1e-9
_WHOLE = np.eye(6)
# What the gate tries between the stop, which it certified a tick ago, and the step that was asked for.
_FRACTIONS = (1.0, 0.5, 0.25)
_CLEAR = Certificate(True)
_NOTHING = np.zeros(6)


class Motion:
    """Commanded joint motion of one arm.

    Attributes:
        q: last commanded joint positions, shape (n,), rad or m. Read only.
        v: last commanded joint velocities, ``(q - q_before) / T``, shape (n,). Read only.
        stop_s: time of the stop after the last command, s.
        asked_m: tip motion asked for in this tick, m.
        sent_m: tip motion sent in this tick, m.
        ledger: who took how much of it away in this tick.
        quat_world_tip_xyzw: commanded orientation of the tip, shape (4,); overwritten by the next step.
        p_before: where the tip was commanded to be a tick ago, shape (3,), m.
        solved: what the inverse kinematics decided in this tick and under which rows; None while stopping.
        unsafe: name of a fixture that closes in on an arm that can do nothing about it; else empty.
    """

    def __init__(
        self,
        arm: ArmModel,
        ik: DifferentialIK,
        guard: Guard,
        period_s: float,
        free: FreeTracker | None = None,
    ) -> None:
        """At rest at the arm's home; :meth:`sync` comes before the first step.

        ``free`` is the tool that nothing clamps, for a hand that shall feel the difference.
        """
        self._arm = arm
        self._ik = ik
        self._guard = guard
        self._period_s = period_s
        self._free = free
        self._a = arm.limits.effective_acceleration(period_s)
        self.q = np.array(arm.home)
        self.v = np.zeros(arm.n)
        self.stop_s = period_s
        self._proven = -1
        self._stop_v = np.zeros(arm.n)
        self._p_desired = np.zeros(3)
        self._quat_desired = np.array([0.0, 0.0, 0.0, 1.0])
        self._guided = GuidedPose(guard, period_s)
        self._posture = np.array(arm.home) if arm.n > 6 else None
        software = arm.rcm is not None and arm.rcm.kind == "software"
        self._centre = RemoteCentre(arm, guard, period_s) if software else None
        self.quat_world_tip_xyzw = np.empty(4)
        self._error, self._feedforward = np.zeros(6), np.zeros(6)
        self.solved: tuple[IKResult, SceneRows | None] | None = None
        self.p_before = np.zeros(3)
        self._clear()
        self._place()

    def _clear(self) -> None:
        self.asked_m = self.sent_m = 0.0
        self.ledger: list[LedgerLine] = []
        self.unsafe = ""

    def _put(self, q: Array) -> None:
        """Take joint positions as commanded, within the joint range: rounding may be a bit beyond it."""
        np.clip(q, self._arm.limits.q_min, self._arm.limits.q_max, out=self.q)

    def _place(self) -> None:
        self._state = self._arm.at(self.q)
        orientation(self._state.T_world_tip, self.quat_world_tip_xyzw)

    @property
    def T_world_tip(self) -> Array:
        """Commanded pose of the tip, shape (4, 4); overwritten by the next step."""
        return self._state.T_world_tip

    @property
    def p_world_tip(self) -> Array:
        """Commanded position of the tip, shape (3,), m; overwritten by the next step."""
        return self._state.T_world_tip[:3, 3]

    @property
    def fixture_names(self) -> tuple[str, ...]:
        """Names of the scene's fixtures, in its order."""
        return self._guard.scene.names

    @property
    def at_rest(self) -> bool:
        """Whether the command stands still."""
        return not any(self.v.tolist())

    def sync(self, q: Array) -> None:
        """Take the measured arm as the command, at rest: for as long as nothing is being commanded.

        Outside its limits an arm is taken at the limit, so that the first command is one it accepts.
        """
        self._put(q)
        self.v[:] = 0.0
        self.stop_s = self._period_s
        self._proven = -1
        self._place()
        self._guard.rest()

    def reference(self, p_world: Array, quat_world_xyzw: Array) -> None:
        """Following starts here: the desired pose as it is now, so that its first step is its own motion."""
        self._p_desired[:] = p_world
        self._quat_desired[:] = quat_world_xyzw
        self._guided.start(p_world, quat_world_xyzw)
        if self._free is not None:
            self._free.reset()

    def catch_up(self, dt: float) -> None:
        """Be where the arm is now, ``dt`` after the last command: along its stop for all but the last period.

        The driver ran that stop while deadlines were skipped. A next command from where the last one was
        would lead it back across a way that nobody certified: straight in joint space, it dips below a
        surface that the arm slid along.
        """
        missed_s = (round(dt / self._period_s) - 1) * self._period_s
        if missed_s <= 0.0 or self.at_rest:
            return
        # As the driver goes: summed up over whole periods, n of them fall n v T²/(2S) short of it.
        s, stop_s = min(missed_s, self.stop_s), self.stop_s
        self._put(self.q + self.v * (s - s * s / (2.0 * stop_s)))
        self.v *= 1.0 - s / stop_s
        self.stop_s = stop_time(self.v, self._a, self._period_s)
        self._place()

    def stop(self) -> None:
        """Go one tick along the stop that the last command fixed."""
        self._clear()
        self._rows()
        self.solved = None
        if self._free is not None:
            self._free.reset()
        stop_velocity(self.v, self._a, self._period_s, self._stop_v)
        self._stand_by(self._certify(self._stop_v, stop_time(self._stop_v, self._a, self._period_s)))
        if not self.at_rest:
            self._commit(self._stop_v)

    def brake_from(self, q: Array, v: Array) -> None:
        """Go one tick along the stop of the command ``(q, v)``, shape (n,) each, that was sent last.

        For when a tick broke off: asks nothing of solver, fixtures or kinematics, any of which may be broken.
        The way was certified with that command.
        """
        stop_velocity(v, self._a, self._period_s, self._stop_v)
        self.v[:] = self._stop_v
        self._put(q + self._stop_v * self._period_s)
        self.stop_s = stop_time(self.v, self._a, self._period_s)

    def follow(self, p_world: Array, quat_world_xyzw: Array) -> None:
        """Go one tick towards the desired pose, as far as limits and fixtures let it.

        Args:
            p_world: desired position of the tip, shape (3,), m.
            quat_world_xyzw: desired orientation of the tip, shape (4,).
        """
        self._clear()
        self._guided.step(p_world, quat_world_xyzw, self.ledger)
        p_world, quat_world_xyzw = self._guided.p, self._guided.quat_xyzw
        error, feedforward = self._error, self._feedforward
        self.asked_m = ask(
            self._p_desired,
            self._quat_desired,
            self._state.T_world_tip,
            self.quat_world_tip_xyzw,
            p_world,
            quat_world_xyzw,
            error,
            feedforward,
        )
        task = None
        if self._centre is not None:
            error, feedforward = self._centre.ask(self._state, error, feedforward)
            task = self._centre.task
        rows = self._rows()
        stop_velocity(self.v, self._a, self._period_s, self._stop_v)
        result = self._solve(error, feedforward, rows, task)
        self._note(result, rows)
        self.solved = (result, rows)
        self.p_before[:] = self.p_world_tip
        sent = self._gated(self._on_trocar(result.v))
        if self._free is not None:
            self._free.step(
                v_before=self.v,
                v_sent=sent,
                jacobian=self._state.jacobian,
                task=task,
                error=error,
                feedforward=feedforward,
                result=result,
            )
        self._commit(sent)
        self.sent_m = math.dist(self.p_world_tip.tolist(), self.p_before.tolist())

    def push(self, out: Array) -> Array:
        """How far the clamp keeps the tip from where it would be if nothing held it, (6,), world [m, rad]."""
        if self._free is None:
            out[:] = 0.0
            return out
        return self._free.push(
            self._p_desired, self._quat_desired, self._state.T_world_tip, self.quat_world_tip_xyzw, out
        )

    def planes(self, maker: PlaneMaker, *, R_wm: Array, scale: float, p_hand: Array) -> None:
        """Let ``maker`` find the planes of this tick; see :mod:`teleop.haptics.planes`."""
        maker.clear()
        if self.solved is None or self._guard.empty:
            return
        result, rows = self.solved
        fixtures = self._guard.scene.fixtures
        pressing = []
        if rows is not None:
            for row, shift in zip(result.active.tolist(), result.active_shift, strict=True):
                if row < len(rows.b) and not fixtures[rows.owner[row]].guards:
                    pressing.append((int(rows.owner[row]), shift[:3]))
        maker.make(
            self._guard.near(),
            pressing,
            jacobian=self._state.jacobian,
            hold=_WHOLE if self._centre is None else self._centre.task.P,
            R_wm=R_wm,
            scale=scale,
            p_hand=p_hand,
            apart=self.p_before - self._p_desired,
        )

    def guidance(self, p_world: Array, quat_world_xyzw: Array) -> Array:
        """How far guidance moved the pose that was asked for in this tick, (6,), world [m, rad]."""
        if not self._guided.acts:
            return _NOTHING
        return pose_difference(self._p_desired, self._quat_desired, p_world, quat_world_xyzw)

    def violated(self) -> bool:
        """Whether the last command but one was inside a hard region or its margin."""
        return not self._guard.empty and self._guard.violated()

    def _solve(
        self, error: Array, feedforward: Array, scene_rows: SceneRows | None, task: TipTask | None
    ) -> IKResult:
        """One QP, under the rows of the scene and of a software remote centre."""
        rows = None
        if scene_rows is not None and len(scene_rows.b):
            s = scene_rows
            rows = RowSet(s.A, s.b, s.priority, s.weight, s.max_slack)
        if self._centre is not None:
            rows = self._centre.with_rows(rows)
        return self._ik.solve(
            q=self.q,
            v_prev=self.v,
            jacobian=self._state.jacobian,
            error=error,
            feedforward=feedforward,
            rows=rows,
            posture=self._posture,
            stop_v=self._stop_v,
            task=task,
        )

    def behind(self, q_measured: Array) -> float:
        """Distance between commanded and measured tip, m: ``|J (q_measured - q)|``, to first order."""
        return moved_by(self._state.jacobian, q_measured, self.q)

    def clearance(self) -> dict[str, float]:
        """Smallest clearance to each fixture, m, of the last command but one."""
        return {} if self._guard.empty else self._guard.clearance()

    def _rows(self) -> SceneRows | None:
        return None if self._guard.empty else self._guard.rows(self.q, self.v, self.stop_s)

    def _certify(self, v: Array, stop_s: float) -> Certificate:
        return _CLEAR if self._guard.empty else self._guard.certify(self.q, v, stop_s)

    def _on_trocar(self, wanted: Array) -> Array:
        """As much of the wanted velocity as keeps the stop after it on a software remote centre."""
        if self._centre is None:
            return wanted
        fraction = self._centre.fraction(self.q, self._stop_v, wanted)
        if fraction < 1.0:
            lost = (1.0 - fraction) * (wanted - self._stop_v)
            self._lose("trocar", "limited", "shaft", lost)
        return self._stop_v + fraction * (wanted - self._stop_v)

    def _lose(self, who: str, what: str, body: str, v: Array) -> None:
        """A line in the ledger for a joint velocity that is not sent."""
        by_m = math.hypot(*(self._state.jacobian[:3] @ v).tolist()) * self._period_s
        self.ledger.append(LedgerLine(who, what, body, by_m))

    def _gated(self, wanted: Array) -> Array:
        """The largest certified part of the wanted velocity; at least the stop."""
        limits = self._arm.limits
        for fraction in _FRACTIONS:
            v = np.empty(len(wanted))
            stop_s = part_way(
                self.q, self._stop_v, wanted, fraction, limits.q_min, limits.q_max, self._a, self._period_s, v
            )
            certificate = self._certify(v, stop_s)
            if certificate.certified:
                break
            if fraction == 1.0:
                self._lose(certificate.fixture, "stopped", certificate.body, wanted - self._stop_v)
        else:
            v = self._stop_v
            certificate = self._certify(v, stop_time(v, self._a, self._period_s))
        self._stand_by(certificate)
        return v

    def _stand_by(self, certificate: Certificate) -> None:
        """Remember that the command is certified, or raise the alarm; say where a body is inside a region.

        Where nothing has moved or changed since, a stop that is refused now, for want of evaluations or by
        rounding, is still the one that was certified with the command before it.
        """
        scene = self._guard.scene
        if certificate.certified:
            self._proven = scene.revision
        elif scene.moving or self._proven != scene.revision:
            self._proven = -1
            self._warn(certificate)
        if certificate.recovering:
            self.ledger.append(LedgerLine(certificate.fixture, "recovering", certificate.body, 0.0))

    def _warn(self, certificate: Certificate) -> None:
        """Even the stop is not clear: a region appeared, or one comes nearer than the arm can stop."""
        self.unsafe = certificate.fixture
        self.ledger.append(LedgerLine(certificate.fixture, "unsafe", certificate.body, 0.0))

    def _note(self, result: IKResult, rows: SceneRows | None) -> None:
        for who, by_m in zip(LIMITERS, result.lost_m.tolist(), strict=True):
            if who != "rows" and by_m > _NOTABLE_M:
                self.ledger.append(LedgerLine(who, "limited", "tip", by_m))
        if result.status.holds:
            asked_m = self.asked_m if math.isfinite(self.asked_m) else 0.0
            self.ledger.append(LedgerLine("inverse kinematics", "held", "tip", asked_m))
        if rows is None:
            return
        clamped = list(zip(result.active.tolist(), result.active_m.tolist(), strict=True))
        if len(result.relaxed):
            # Relaxed rows get a little inside for the solver; what stands against them need not press then.
            tight = rows.A @ result.v * self._period_s - rows.b < _NOTABLE_M
            tight[[k for k in (*result.active, *result.relaxed) if k < len(rows.b)]] = False
            clamped += [(k, 0.0) for k in np.flatnonzero(tight)]
        names, bodies = self._guard.scene.names, self._guard.view.body_names
        for k, by_m in clamped:
            if k < len(rows.b):
                body = bodies[rows.body[k]] if rows.body[k] >= 0 else "tip"
                self.ledger.append(LedgerLine(names[rows.owner[k]], "clamped", body, by_m))
        for k in result.relaxed:
            if k < len(rows.b):
                self.ledger.append(LedgerLine(names[rows.owner[k]], "relaxed", "", float(result.slack[k])))

    def _commit(self, v: Array) -> None:
        limits = self._arm.limits
        self.stop_s = advance(self.q, self.v, v, limits.q_min, limits.q_max, self._a, self._period_s)
        self._place()
