"""Compiled stages around the QP of `kinematics.ik`: before it, its explanation, and the checks after it."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from kinematics._ik_memory import Array, Codes, Index, Limits, Workspace, gains_in, limits_in, workspace_in
from kinematics._relax_kernels import MARGIN
from kinematics.compiled import kernel
from kinematics.joint_bounds import (
    ACCELERATION,
    POSITION,
    brakeable_speed,
    keep_stop_in_range,
    stop_time,
    stop_velocity,
    velocity_box,
)
from kinematics.rows import keep_reachable, meets, scale_rows
from kinematics.tracking import (
    ACCELERATION_LIMIT,
    HOLD,
    POSITION_LIMIT,
    ROWS,
    SPEED_LIMIT,
    task_directions,
    track,
)

INVALID, REACHED, QP = -1, 0, 1

MET_TOL = 1e-9
"""A row that lacks less than this [m per tick] counts as met."""

LOST_TOL = 1e-9
"""A limiter that took less than this [m or rad per tick] from every task row did not act."""

_NULL_WEIGHT = 0.1
"""Cost of a deviation in the null space of the task, as a part of the singular threshold (both [m/s]).

Much lower, and DAQP calls feasible problems infeasible (seen with a condition number of 6e11)."""


@kernel
def _finite(values: Array) -> bool:
    return bool(np.isfinite(values).all())


@kernel
def _rows_usable(A: Array, b: Array) -> bool:
    for i in range(b.shape[0]):
        if math.isnan(b[i]) or b[i] == math.inf:
            return False
        for j in range(A.shape[1]):
            if not math.isfinite(A[i, j]):
                return False
    return True


@kernel
def _safe_stop(v_prev: Array, arm: Limits, period: float, use_given: bool, stop: Array) -> None:
    """Leave in ``stop`` a finite velocity: as given, or the stop from ``v_prev``, or zero."""
    if not (use_given and _finite(stop)):
        if _finite(v_prev):
            stop_velocity(v_prev, arm.a, period, stop)
        else:
            stop[:] = 0.0


@kernel
def _objective(weight: Array, scale: Array, arm: Limits, s0: float, work: Workspace) -> None:
    """Write ``H`` and ``-H y*``: the cost of leaving ``y*``, in task speed squared.

    ``H = (W S P J D)ᵀ (W S P J D)``, raised to at least ``s0²`` along the damped directions and to ``(s0
    c)²`` along directions that do not move the task, with ``c`` = `_NULL_WEIGHT`.
    """
    m, n = work.right.shape
    H, right, sigma = work.hessian, work.right, work.sigma
    null = (_NULL_WEIGHT * s0) ** 2
    for r in range(n):
        for c in range(r + 1):
            total = null if r == c else 0.0
            for k in range(m):
                per = (weight[k] * scale[k]) ** 2 * arm.qd_max[r] * arm.qd_max[c]
                total += per * work.rows[k, r] * work.rows[k, c]
            for i in range(m):
                if sigma[i] < s0:
                    total += (s0 * s0 - sigma[i] * sigma[i]) * right[i, r] * right[i, c]
            H[r, c] = H[c, r] = total
    for r in range(n):
        total = 0.0
        for c in range(n):
            total += H[r, c] * work.target[c]
        work.linear[r] = -total


@kernel
def prepare(
    q: Array,
    v_prev: Array,
    jacobian: Array,
    task: Array,
    scale: Array,
    weight: Array,
    angular: NDArray[np.bool_],
    exact: NDArray[np.bool_],
    error: Array,
    feedforward: Array,
    posture: Array,
    use_posture: bool,
    use_stop: bool,
    A: Array,
    b: Array,
    period: float,
    block: Array,
    codes: Codes,
    scaled: Array,
    bound: Array,
    norm: Array,
    given: Index,
    lower: Array,
    upper: Array,
    lost: Array,
    joint_active: Codes,
) -> tuple[int, int, float]:
    """Check the inputs, find the wanted motion and set up the QP.

    ``block`` and ``codes`` are of `memory`; ``scaled`` to ``upper`` are the `RowBuffers`.

    Returns:
        ``INVALID`` (only ``work.stop`` is usable), ``REACHED`` (``work.reach`` meets everything) or ``QP``;
        the number of rows kept; the smallest singular value [m/s].
    """
    n, m = q.shape[0], error.shape[0]
    arm, gains, work = limits_in(block, n), gains_in(block, n), workspace_in(block, codes, n, m)
    _safe_stop(v_prev, arm, period, use_stop, work.stop)
    usable = _finite(q) and _finite(v_prev) and _finite(jacobian) and _finite(task) and _finite(error)
    usable = usable and _finite(feedforward) and _finite(posture) and _rows_usable(A, b)
    if not usable:
        return INVALID, 0, 0.0
    velocity_box(
        q,
        v_prev,
        work.stop,
        arm.q_min,
        arm.q_max,
        arm.qd_max,
        arm.a,
        period,
        work.lo,
        work.hi,
        work.lo_wanted,
        work.hi_wanted,
        work.lo_reason,
        work.hi_reason,
    )
    rest = np.zeros(n)
    room_lo, room_hi = np.empty(n), np.empty(n)
    stop_s = stop_time(v_prev, arm.a, period) + period
    for j in range(n):
        room_hi[j] = brakeable_speed(arm.q_max[j] - q[j], arm.a[j], period, stop_s)
        room_lo[j] = -brakeable_speed(q[j] - arm.q_min[j], arm.a[j], period, stop_s)
        if use_posture:
            fastest = gains.posture_speed_fraction * arm.qd_max[j]
            rest[j] = min(fastest, max(-fastest, gains.posture_per_s * (posture[j] - q[j])))
    task_directions(
        task, scale, jacobian, arm.qd_max, work.rows, work.scaled, work.left, work.right, work.sigma
    )
    smallest = track(
        jacobian,
        task,
        scale,
        angular,
        exact,
        error,
        feedforward,
        v_prev,
        rest,
        room_lo,
        room_hi,
        period,
        arm,
        gains,
        work,
        work.target,
        work.reach,
        lost,
        joint_active,
    )
    # A huge input can overflow on the way; that is no number to act on either.
    if not (_finite(work.target) and _finite(work.reach)):
        return INVALID, 0, 0.0
    kept = scale_rows(A, b, arm.qd_max, period, scaled, bound, norm, given)
    inside = True
    for j in range(n):
        reach = work.reach[j] * arm.qd_max[j]
        slop = 1e-12 * arm.qd_max[j]
        inside = inside and work.lo_wanted[j] - slop <= reach <= work.hi_wanted[j] + slop
    if inside and meets(scaled, bound, kept, work.reach):
        for k in range(m):
            moved = 0.0
            for j in range(n):
                moved += work.rows[k, j] * (work.target[j] - work.reach[j]) * arm.qd_max[j]
            lost[ACCELERATION_LIMIT, k] = moved * period
        return REACHED, kept, smallest
    kept = keep_reachable(scaled, bound, norm, given, kept, work.lo, work.hi, arm.qd_max)
    for j in range(n):
        if joint_active[j] == ACCELERATION:
            joint_active[j] = 0  # the QP aims at the target itself and will say what stops it
        lower[j] = work.lo_wanted[j] / arm.qd_max[j]
        upper[j] = work.hi_wanted[j] / arm.qd_max[j]
    for i in range(kept):
        lower[n + i] = bound[i]
    _objective(weight, scale, arm, gains.singular_m_s, work)
    return QP, kept, smallest


@kernel
def _cholesky(H: Array) -> Array:
    """Lower ``L (n, n)`` with ``L Lᵀ = H``; `_objective` bounds the eigenvalues of ``H`` from below."""
    n = H.shape[0]
    L = np.zeros((n, n))
    for r in range(n):
        for c in range(r + 1):
            total = H[r, c]
            for k in range(c):
                total -= L[r, k] * L[c, k]
            L[r, c] = math.sqrt(max(total, 1e-300)) if r == c else total / L[c, c]
    return L


@kernel
def _attribute(
    duals: Array,
    kept: int,
    period: float,
    arm: Limits,
    work: Workspace,
    scaled: Array,
    given: Index,
    lost: Array,
    joint_active: Codes,
    active: Index,
    shift: Array,
) -> int:
    """Divide the motion that the QP took away among the bounds and rows that took it.

    Exact by the optimality condition ``y - y* = -H⁻¹ Σ lambda_i a_i``.

    Returns:
        How many given rows have a multiplier. ``active`` receives their indices, ``shift`` the task motion
        each one caused [row units per tick].
    """
    m, n = work.rows.shape
    factor = _cholesky(work.hessian)
    at = 0
    step = np.empty(n)
    for i in range(n + kept):
        if duals[i] == 0.0:
            continue
        for r in range(n):  # factor factorᵀ step = a_i
            total = scaled[i - n, r] if i >= n else (1.0 if r == i else 0.0)
            for c in range(r):
                total -= factor[r, c] * step[c]
            step[r] = total / factor[r, r]
        for r in range(n - 1, -1, -1):
            total = step[r]
            for c in range(r + 1, n):
                total -= factor[c, r] * step[c]
            step[r] = total / factor[r, r]
        stage = ROWS
        if i < n:
            reason = work.lo_reason[i] if duals[i] < 0.0 else work.hi_reason[i]
            joint_active[i] = reason
            stage = SPEED_LIMIT
            if reason == POSITION:
                stage = POSITION_LIMIT
            elif reason == ACCELERATION:
                stage = ACCELERATION_LIMIT
        else:
            active[at] = given[i - n]
        for k in range(m):
            moved = 0.0
            for r in range(n):
                moved -= work.rows[k, r] * duals[i] * step[r] * arm.qd_max[r] * period
            lost[stage, k] -= moved
            if i >= n:
                shift[at, k] = moved
        at += i >= n
    return at


@kernel
def _lengths(motions: Array, count: int, out: Array) -> None:
    """Length [m] of the linear part, the first three columns, of the first ``count`` rows ``(k, m)``."""
    for i in range(count):
        total = 0.0
        for k in range(min(3, motions.shape[1])):
            total += motions[i, k] * motions[i, k]
        out[i] = math.sqrt(total)


@kernel
def finish(
    y: Array,
    duals: Array,
    kept: int,
    code: int,
    solved: bool,
    q: Array,
    A: Array,
    b: Array,
    period: float,
    block: Array,
    codes: Codes,
    scaled: Array,
    given: Index,
    v: Array,
    slack: Array,
    lost: Array,
    joint_active: Codes,
    active: Index,
    shift: Array,
    taken: Array,
) -> tuple[int, bool, int]:
    """Write the velocity to send, who took motion away, and how far each row is from being met.

    The solver's rounding is cut to the box, and the stop after the step is kept inside the joint ranges.
    Without a solution (``solved`` false) ``v`` is the stop. ``y`` is read only where a QP was solved, and
    ``duals`` with it. ``taken`` receives the lengths of the linear parts of ``lost``, then of ``shift``.

    Returns:
        How many rows are active, see `_attribute`; whether any limiter but the catching up took a notable
        part of the motion; how many rows are not met.
    """
    m, n = lost.shape[1], q.shape[0]
    arm, work = limits_in(block, n), workspace_in(block, codes, n, m)
    count = 0
    if solved and code == QP:
        count = _attribute(
            duals, kept, period, arm, work, scaled, given, lost, joint_active, active, shift
        )  # fmt: skip
    for j in range(n):
        if solved:
            fraction = y[j] if code == QP else work.reach[j]
            v[j] = min(work.hi[j], max(work.lo[j], fraction * arm.qd_max[j]))
        else:
            v[j] = work.stop[j]
    if code == INVALID:
        _lengths(lost, lost.shape[0], taken)
        return 0, False, 0
    before = np.empty(n)
    for j in range(n):
        before[j] = v[j] if solved else work.target[j] * arm.qd_max[j]
    if solved:
        keep_stop_in_range(q, v, work.stop, arm.q_min, arm.q_max, arm.a, period)
    for k in range(m):
        moved = 0.0
        for j in range(n):
            moved += work.rows[k, j] * (before[j] - v[j])
        lost[HOLD, k] = moved * period
    unmet = 0
    for i in range(b.shape[0]):
        value = 0.0
        for j in range(n):
            value += A[i, j] * v[j] * period
        slack[i] = max(0.0, b[i] - value)
        unmet += slack[i] > MET_TOL
    limited = False
    for stage in range(1, lost.shape[0]):
        for k in range(m):
            limited = limited or abs(lost[stage, k]) > LOST_TOL
    _lengths(lost, lost.shape[0], taken)
    _lengths(shift, count, taken[lost.shape[0] :])
    return count, limited, unmet


@kernel
def widen(
    block: Array, codes: Codes, m: int, bound: Array, priority: Index, lower: Array, upper: Array
) -> None:
    """Set the QP's bounds up for a second try: the whole box, and rows (k,) that leave one another an inside.

    Soft rows that only lack an inside, as opposite ones do, need nothing else.
    """
    n = lower.shape[0] - bound.shape[0]
    arm, work = limits_in(block, n), workspace_in(block, codes, n, m)
    for j in range(n):
        lower[j], upper[j] = work.lo[j] / arm.qd_max[j], work.hi[j] / arm.qd_max[j]
    for i in range(bound.shape[0]):
        lower[n + i] = bound[i] - (2.0 * MARGIN if priority[i] > 0 else MARGIN)


@kernel
def worst_residual(scaled: Array, lower: Array, kept: int, y: Array) -> float:
    """Return the largest violation of ``scaled y >= lower[n:]``, at least 0; inf if ``y`` is no number."""
    n = y.shape[0]
    worst = 0.0
    if not _finite(y):
        return math.inf
    for i in range(kept):
        value = 0.0
        for j in range(n):
            value += scaled[i, j] * y[j]
        worst = max(worst, lower[n + i] - value)
    return worst
