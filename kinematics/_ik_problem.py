"""Compiled, before the QP of `kinematics.ik`: checks, the wanted motion, and the problem as it is tried."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from kinematics._ik_memory import Array, Codes, Index, Limits, Workspace, gains_in, limits_in, workspace_in
from kinematics._relax_kernels import MARGIN, room
from kinematics.compiled import kernel
from kinematics.joint_bounds import ACCELERATION, brakeable_speed, stop_time, stop_velocity, velocity_box
from kinematics.rows import keep_reachable, meets, scale_rows
from kinematics.tracking import ACCELERATION_LIMIT, task_directions, track

INVALID, REACHED, QP = -1, 0, 1

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
        lower[n + i] = bound[i] - (room(priority[i]) + MARGIN)
