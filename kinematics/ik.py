"""Differential inverse kinematics: one small QP per tick, over the joint speeds of that tick."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kinematics._free_kernel import follow_freely
from kinematics._ik_memory import Gains, Limits, RowBuffers, memory, workspace_in
from kinematics._ik_outcome import MET_TOL, finish, worst_residual
from kinematics._ik_problem import INVALID, QP, prepare, widen
from kinematics._relax_kernels import MARGIN
from kinematics.errors import KinematicsError
from kinematics.ik_gains import IKGains
from kinematics.ik_result import IKResult, IKStatus
from kinematics.limits import JointLimits
from kinematics.relax import least_slack, slack_of_stop, solve_qp
from kinematics.rows import RowSet
from kinematics.task import TipTask
from kinematics.tracking import STAGES

Array = NDArray[np.float64]
Index = NDArray[np.int64]

_RESIDUAL_TOL = 1e-8
"""Largest row violation accepted from the solver, in scaled units: 1e-11 m per tick for a body at 1 m/s."""

_DAMPING = 0.1
"""Of the proximal steps in which a QP is solved that leaves little room [m²/s²]."""

_AS_ASKED, _WITH_ROOM, _LEAST_SLACK, _STOP_SLACK = range(4)

_NO_ROWS = np.empty(0, np.int64)
_FLOAT64 = np.dtype(np.float64)


class DifferentialIK:
    """Follows a tip pose under joint limits and rows ``A dq >= b``; one instance per arm.

    The decision variable is ``y = v / qd_max``, joint velocity as a part of full speed. The QP is

        ``min ½ (y - y*)ᵀ H (y - y*)   subject to   lo <= y <= hi,  A y >= b``

    where ``y*`` follows the tip (`kinematics.tracking`), ``H = Jtᵀ Jt`` is the tip speed it costs to
    deviate, damped in singular directions, and the box is the one the arm can stop from
    (`kinematics.joint_bounds`). Where ``y*``, after the acceleration limits, meets everything by itself, it
    is the solution and no QP is run.

    Nothing is kept between ticks but buffers: the same inputs give the same bits.

    Args:
        limits: Joint limits of the arm.
        period_s: Tick ``T`` [s].
        gains: Settings.
        task: Which combinations of the tip twist to follow; all six by default.

    Raises:
        KinematicsError: If the period is not a positive number.
    """

    def __init__(
        self,
        limits: JointLimits,
        period_s: float,
        gains: IKGains | None = None,
        task: TipTask | None = None,
    ) -> None:
        """Allocate the buffers and compile everything the loop calls."""
        if not (np.isfinite(period_s) and period_s > 0):
            raise KinematicsError(f"ik: period_s is {period_s!r}, expected a positive number of seconds")
        self.limits = limits
        self.period_s = float(period_s)
        self.gains = gains or IKGains()
        n = self._n = limits.n
        self._arm = Limits(
            limits.q_min, limits.q_max, limits.qd_max, limits.effective_acceleration(self.period_s)
        )
        g = self.gains
        self._gains = Gains(
            g.braking_fraction,
            g.catch_up_m_s,
            g.catch_up_rad_s,
            g.singular_m_s,
            g.posture_per_s,
            g.posture_speed_fraction,
        )
        self._task = task or TipTask.full()
        self._reserve(self._task.m)
        self._angular = self._task.angular
        self._scale = np.where(self._angular, self.gains.angular_length_m, 1.0)
        self._use(RowBuffers.of(n, 64))
        self._no_rows = RowSet.empty(n)
        self._no_posture = np.zeros(n)
        self._warm_up()

    def _reserve(self, m: int) -> None:
        """Memory for ``m`` task rows."""
        self._block, self._codes = memory(self._arm, self._gains, self._n, m)
        self._work = workspace_in(self._block, self._codes, self._n, m)

    def _use(self, buffers: RowBuffers) -> None:
        """Memory for given rows."""
        self._buffers = buffers
        self._active = np.zeros(len(buffers.bound), np.int64)

    def _warm_up(self) -> None:
        """Compile every kernel of the loop: the plain way, the QP, and the relaxed QP."""
        n, m = self._n, self._task.m
        middle, zero = 0.5 * (self.limits.q_min + self.limits.q_max), np.zeros(m)
        jacobian = np.zeros((6, n))
        jacobian[np.arange(n) % 6, np.arange(n)] = 1.0
        slow = 0.25 * self._arm.a * self.period_s**2
        for rows in (None, RowSet.hard(np.eye(n), slow), RowSet.soft(np.eye(n), 100.0 * slow, priority=1)):
            self.solve(
                q=middle, v_prev=np.zeros(n), jacobian=jacobian, error=zero, feedforward=zero, rows=rows
            )
        self.follow_freely(jacobian=jacobian, error=zero.copy(), feedforward=zero, v=np.zeros(n))

    def solve(
        self,
        *,
        q: ArrayLike,
        v_prev: ArrayLike,
        jacobian: ArrayLike,
        error: ArrayLike,
        feedforward: ArrayLike,
        rows: RowSet | None = None,
        posture: ArrayLike | None = None,
        stop_v: ArrayLike | None = None,
        task: TipTask | None = None,
    ) -> IKResult:
        """Return the joint velocity of this tick.

        Args:
            q: Last commanded joint positions, shape ``(n,)`` [rad or m].
            v_prev: Last commanded joint velocity, shape ``(n,)`` [1/s]: the backward difference of the sent
            positions.
            jacobian: Tip Jacobian at ``q``, shape ``(6, n)``, world-aligned at the tip, linear first, joints
            from base to
                tip.
            error: Desired pose of the *last* tick minus the last commanded pose, shape ``(m,)`` [m, rad].
            feedforward: Motion of the desired pose in *this* tick, shape ``(m,)`` [m, rad].
            rows: Further constraints on ``dq = v T``.
            posture: Joint positions a redundant arm returns to, shape ``(n,)``; None leaves them free.
            stop_v: Velocity of the certified stop in this tick, shape ``(n,)``; from ``v_prev`` by default.
            task: Rows to follow in this tick, instead of the ones given before; may change every tick (shaft
            axis).

        Raises:
            KinematicsError: If a shape is wrong. Values never raise: NaN or infinity gives the stop.
        """
        given = self._no_rows if rows is None else rows
        given.check(self._n)
        n, k = self._n, given.b.shape[0]
        task = self._task if task is None else task
        m = task.m
        if m != len(self._work.rows):
            self._reserve(m)
        if task.angular is not self._angular:
            self._angular = task.angular
            self._scale = np.where(task.angular, self.gains.angular_length_m, 1.0)
        if k > len(self._buffers.bound):
            self._use(RowBuffers.of(n, 2 * k))
        work, buffers, period = self._work, self._buffers, self.period_s
        joints = _shaped("q", q, (n,))
        if stop_v is not None:
            work.stop[:] = _shaped("stop_v", stop_v, (n,))
        lost, joint_active = np.zeros((STAGES, m)), np.zeros(n, np.int8)
        code, kept, sigma_min = prepare(
            joints,
            _shaped("v_prev", v_prev, (n,)),
            _shaped("jacobian", jacobian, (6, n)),
            task.P,
            self._scale,
            task.weight,
            task.angular,
            task.exact,
            _shaped("error", error, (m,)),
            _shaped("feedforward", feedforward, (m,)),
            self._no_posture if posture is None else _shaped("posture", posture, (n,)),
            posture is not None,
            stop_v is not None,
            given.A,
            given.b,
            period,
            self._block,
            self._codes,
            buffers.scaled,
            buffers.bound,
            buffers.norm,
            buffers.given,
            buffers.lower,
            buffers.upper,
            lost,
            joint_active,
        )
        y: Array | None = None if code == INVALID else work.reach
        duals, residual, solves = work.linear, 0.0, 0
        if code == QP:
            y, duals, residual, solves = self._constrain(kept, given)
        v, slack, shift, taken = np.empty(n), np.zeros(k), np.zeros((kept, m)), np.empty(STAGES + kept)
        count, limited, unmet = finish(
            work.reach if y is None else y,
            duals,
            kept,
            code,
            y is not None,
            joints,
            given.A,
            given.b,
            period,
            self._block,
            self._codes,
            buffers.scaled,
            buffers.given,
            v,
            slack,
            lost,
            joint_active,
            self._active,
            shift,
            taken,
        )
        relaxed = np.flatnonzero(slack > MET_TOL) if unmet else _NO_ROWS
        return IKResult(
            v=v,
            status=_status(code, y is not None, given, relaxed, count > 0, limited),
            active=self._active[:count].copy() if count else _NO_ROWS,
            active_shift=shift[:count],
            active_m=taken[STAGES : STAGES + count],
            relaxed=relaxed,
            slack=slack,
            joint_active=joint_active,
            lost=lost,
            lost_m=taken[:STAGES],
            sigma_min=sigma_min,
            singular=sigma_min < self.gains.singular_m_s,
            residual=residual,
            qp_solves=solves,
        )

    def follow_freely(
        self, *, jacobian: Array, error: Array, feedforward: Array, v: Array, task: TipTask | None = None
    ) -> None:
        """Move another follower of the same arm by one tick: one that no row and no joint range holds back.

        By the same law as :meth:`solve`, which comes before it in the tick, with the same ``jacobian`` and
        ``task``: their directions are found once for both. No QP, nothing of :meth:`solve` changes.

        Args:
            jacobian: As for :meth:`solve`, shape ``(6, n)``.
            error: What the follower lags behind, shape ``(m,)``; updated in place [m, rad].
            feedforward: Motion of the desired pose in this tick, shape ``(m,)`` [m, rad].
            v: Its joint velocity, shape ``(n,)``; updated in place [1/s].
            task: As for :meth:`solve`.
        """
        task = self._task if task is None else task
        follow_freely(
            jacobian,
            task.P,
            self._scale,
            task.angular,
            task.exact,
            self.period_s,
            self._block,
            self._codes,
            error,
            feedforward,
            v,
        )

    def _constrain(self, kept: int, given: RowSet) -> tuple[Array | None, Array, float, int]:
        """Solve the QP, relaxed if need be; return ``(y or None, duals, residual, number of QPs)``."""
        n, limit = self._n, self.gains.iteration_limit
        work, buffers = self._work, self._buffers
        scaled, size = buffers.scaled[:kept], n + kept
        lower, upper, sense = buffers.lower[:size], buffers.upper[:size], buffers.sense[:size]
        bound, rows, solves = buffers.bound[:kept], buffers.given[:kept], 0
        for attempt in (_AS_ASKED, _WITH_ROOM, _LEAST_SLACK, _STOP_SLACK):
            if attempt == _WITH_ROOM:
                priority = given.priority[rows]
                widen(self._block, self._codes, len(work.rows), bound, priority, lower, upper)
            elif attempt == _LEAST_SLACK:
                stop = work.stop / self.limits.qd_max
                slack = least_slack(
                    scaled,
                    bound,
                    priority,
                    given.weight[rows],
                    given.max_slack[rows] / (buffers.norm[:kept] * self.period_s),
                    lower[:n],
                    upper[:n],
                    work.target,
                    stop,
                    limit,
                )
                lower[n:] = bound - slack - MARGIN
            elif attempt == _STOP_SLACK:
                lower[n:] = bound - slack_of_stop(scaled, bound, stop) - MARGIN
            solves += 1
            damping = 0.0 if attempt == _AS_ASKED else _DAMPING
            found = solve_qp(work.hessian, work.linear, scaled, upper, lower, sense, limit, damping)
            if found is not None:
                residual = worst_residual(scaled, lower, kept, found[0])
                if residual <= _RESIDUAL_TOL:
                    return found[0], found[1], residual, solves
        return None, work.linear, 0.0, solves


def _status(
    code: int, solved: bool, given: RowSet, relaxed: Index, constrained: bool, limited: bool
) -> IKStatus:
    if code == INVALID:
        return IKStatus.HOLD_INVALID
    if not solved:
        return IKStatus.HOLD_SOLVER
    if len(relaxed):
        hard = bool((given.priority[relaxed] == 0).any())
        return IKStatus.RELAXED_HARD if hard else IKStatus.RELAXED_SOFT
    if constrained:
        return IKStatus.CONSTRAINED
    return IKStatus.LIMITED if limited else IKStatus.TRACKING


def _shaped(name: str, value: ArrayLike, shape: tuple[int, ...]) -> Array:
    if type(value) is np.ndarray and value.dtype is _FLOAT64 and value.flags.c_contiguous:
        array = value
    else:
        array = np.ascontiguousarray(value, dtype=np.float64)
    if array.shape != shape:
        raise KinematicsError(f"ik: {name} has shape {array.shape}, expected {shape}")
    return array
