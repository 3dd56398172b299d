"""The tracking law: the joint velocity that follows the tip where no row and no joint range is in the way.

Works in scaled joint speeds ``y = v / qd_max`` (1 is full speed). See docs/inverse-kinematics.md for the
reasons.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from kinematics._ik_memory import Gains, Limits, Workspace
from kinematics.compiled import kernel
from kinematics.joint_bounds import ACCELERATION, SPEED
from kinematics.singular import curvature, decompose, singular_rate

Array = NDArray[np.float64]

# Rows of `lost`: who took how much of the asked motion.
CATCH_UP, SINGULARITY, SPEED_LIMIT, ACCELERATION_LIMIT, POSITION_LIMIT, ROWS, HOLD = range(7)
STAGES = 7

_NULL_SHARE = 0.2
"""Part of the acceleration that motion in the null space of the task may use to change."""


@kernel
def catch_up_fraction(slowest: float, share: float, period: float) -> float:
    """Return the fraction of a remaining joint displacement to cover in this tick, in (0, 1].

    ``slowest = max_j |delta_j| / a_j`` [s²]. The displacement is covered as one straight joint motion of
    length 1 with the acceleration ``A = share / slowest``, at the speed that can still be braked,
    ``A (sqrt(T² + 2/A) - T)``: all of it in one tick (deadbeat) if it is small beside ``a T²``, and the
    square-root braking profile if it is large. Written without cancellation: ``2 / (1 + sqrt(1 + 2/(A
    T²)))``.
    """
    return 2.0 / (1.0 + math.sqrt(1.0 + 2.0 * slowest / (share * period * period)))


@kernel
def task_directions(
    task: Array,
    scale: Array,
    jacobian: Array,
    qd_max: Array,
    rows: Array,
    scaled: Array,
    left: Array,
    right: Array,
    sigma: Array,
) -> None:
    """Write ``rows = P J``, ``scaled = diag(scale) P J diag(qd_max)``, both (m, n), and its decomposition.

    ``left``, ``right`` and ``sigma`` are those of `kinematics.singular.decompose`.
    """
    m, n = rows.shape
    for i in range(m):
        for j in range(n):
            total = 0.0
            for k in range(6):
                total += task[i, k] * jacobian[k, j]
            rows[i, j] = total
            scaled[i, j] = scale[i] * total * qd_max[j]
    decompose(scaled, left, right, sigma)


@kernel
def _travel_time_squared(
    right: Array, sigma: Array, parts: Array, threshold: float, qd_max: Array, a: Array
) -> float:
    """``max_j |delta_j| / a_j`` [s²] of the joint displacement for an error with components ``parts`` [m]."""
    m, n = right.shape
    slowest = 0.0
    for j in range(n):
        delta = 0.0
        for i in range(m):
            delta += right[i, j] * parts[i] * sigma[i] / max(sigma[i] * sigma[i], threshold * threshold)
        slowest = max(slowest, abs(delta) * qd_max[j] / a[j])
    return slowest


@kernel
def _add_null_motion(
    y: Array, null: Array, null_before: Array, qd_max: Array, a: Array, period: float
) -> None:
    """Add the motion that does not move the task, changing by at most `_NULL_SHARE` of the acceleration.

    Only what speed the task leaves free is used, so the posture never slows the task down.
    """
    n = y.shape[0]
    part = 1.0
    for j in range(n):
        change, allowed = abs(null[j] - null_before[j]), _NULL_SHARE * a[j] * period / qd_max[j]
        if change * part > allowed:
            part = allowed / change
    free = 1.0
    for j in range(n):
        null[j] = null_before[j] + part * (null[j] - null_before[j])
        if null[j] * free > max(0.0, 1.0 - y[j]):
            free = max(0.0, 1.0 - y[j]) / null[j]
        if -null[j] * free > max(0.0, 1.0 + y[j]):
            free = max(0.0, 1.0 + y[j]) / -null[j]
    for j in range(n):
        y[j] += free * null[j]


@kernel
def _reach(
    scaled: Array,
    exact: NDArray[np.bool_],
    y_target: Array,
    v_prev: Array,
    qd_max: Array,
    a: Array,
    period: float,
    y_reach: Array,
) -> int:
    """Go as far as the accelerations allow on the straight line to the wanted speeds.

    Returns the limiting joint, or -1.

    The exact rows come first: with little acceleration left over, the line would correct them too slowly (a
    shaft drifts off its trocar by the curvature of its path). The line therefore starts at the smallest
    change of the last speeds that gives the exact rows what they want.
    """
    m, n = scaled.shape
    start, allowed = np.empty(n), np.empty(n)
    limiting = -1
    for j in range(n):
        start[j] = v_prev[j] / qd_max[j]
        allowed[j] = a[j] * period / qd_max[j]
        if abs(y_target[j] - start[j]) > allowed[j]:
            limiting = j
    if limiting < 0:
        for j in range(n):
            y_reach[j] = y_target[j]
        return -1
    before = start.copy()
    # Kaczmarz sweeps with joints weighed by their acceleration: two rows across a shaft are nearly
    # orthogonal.
    for _ in range(8 if exact.any() else 0):
        for i in range(m):
            if not exact[i]:
                continue
            missing = square = 0.0
            for j in range(n):
                missing += scaled[i, j] * (y_target[j] - start[j])
                square += (scaled[i, j] * allowed[j]) ** 2
            for j in range(n):
                start[j] += missing / max(square, 1e-300) * scaled[i, j] * allowed[j] ** 2
    first = 1.0
    for j in range(n):
        first = min(first, allowed[j] / max(abs(start[j] - before[j]), 1e-300))
    part = 1.0 if first >= 1.0 else 0.0
    for j in range(n):
        start[j] = before[j] + first * (start[j] - before[j])
        change = y_target[j] - start[j]
        room = allowed[j] - (start[j] - before[j]) if change > 0.0 else allowed[j] + (start[j] - before[j])
        if abs(change) * part > room:
            part, limiting = max(0.0, room) / abs(change), j
    for j in range(n):
        y_reach[j] = start[j] + part * (y_target[j] - start[j])
    return limiting


@kernel
def track(
    jacobian: Array,
    task: Array,
    scale: Array,
    angular: NDArray[np.bool_],
    exact: NDArray[np.bool_],
    error: Array,
    feedforward: Array,
    v_prev: Array,
    null_speed: Array,
    position_lo: Array,
    position_hi: Array,
    period: float,
    arm: Limits,
    gains: Gains,
    work: Workspace,
    y_target: Array,
    y_reach: Array,
    lost: Array,
    joint_active: NDArray[np.int8],
) -> float:
    """Write the wanted joint speeds of this tick; return the smallest singular value [m/s].

    The step asked of the tip is ``u = feedforward + f(error)`` per tick, row by row of the task.
    ``y_target`` is the joint speed for it, scaled down as a whole where a joint would pass its speed limit.
    ``y_reach`` is the point on the straight line from the last speed to ``y_target`` that the accelerations
    allow: it keeps a straight tip path straight while speeding up and slowing down.

    Args:
        jacobian: Tip Jacobian, shape ``(6, n)``.
        task: ``P``, shape ``(m, 6)``: task rows as combinations of the tip twist.
        scale: Metres per unit of each row, shape ``(m,)``.
        angular: Which rows are rotations, shape ``(m,)``.
        exact: Which rows come first where accelerations are limited, shape ``(m,)``.
        error: Desired minus commanded, shape ``(m,)`` [m, rad].
        feedforward: Motion of the desired pose in this tick, shape ``(m,)`` [m, rad].
        v_prev: Last joint velocity, shape ``(n,)``.
        null_speed: Joint velocity wanted where it does not move the task, shape ``(n,)`` [1/s].
        position_lo: Lowest velocity that the joint ranges alone allow, shape ``(n,)``.
        position_hi: Highest velocity that the joint ranges alone allow, shape ``(n,)``.
        period: Tick [s].
        arm: Its speed limits and accelerations.
        gains: How fast to catch up, and where singular directions begin.
        work: What `task_directions` wrote in this tick; read only.
        y_target: Result, shape ``(n,)``.
        y_reach: Result, shape ``(n,)``.
        lost: Result, shape ``(STAGES, m)``: task motion [m, rad per tick] that each limiter took away.
        joint_active: Result, shape ``(n,)``: joints whose speed or acceleration limit acted.
    """
    qd_max, a, threshold = arm.qd_max, arm.a, gains.singular_m_s
    rows, left, right, sigma = work.rows, work.left, work.right, work.sigma
    m, n = rows.shape

    # How much of the error to reduce in this tick: linear and angular parts each have a share of the
    # acceleration, so that an orientation that cannot be reached does not slow the position down.
    linear_parts, angular_parts = np.zeros(m), np.zeros(m)
    linear_square = angular_square = 0.0
    for k in range(m):
        if angular[k]:
            angular_square += error[k] * error[k]
        else:
            linear_square += error[k] * error[k]
        for i in range(m):
            if angular[k]:
                angular_parts[i] += left[i, k] * scale[k] * error[k]
            else:
                linear_parts[i] += left[i, k] * scale[k] * error[k]
    linear_slowest = _travel_time_squared(right, sigma, linear_parts, threshold, qd_max, a)
    angular_slowest = _travel_time_squared(right, sigma, angular_parts, threshold, qd_max, a)
    linear_share = 0.2 + 0.6 * linear_slowest / max(linear_slowest + angular_slowest, 1e-300)
    linear = catch_up_fraction(linear_slowest, gains.braking_fraction * linear_share, period)
    angular_ = catch_up_fraction(angular_slowest, gains.braking_fraction * (1.0 - linear_share), period)
    linear = min(linear, gains.catch_up_m_s * period / max(math.sqrt(linear_square), 1e-300))
    angular_ = min(angular_, gains.catch_up_rad_s * period / max(math.sqrt(angular_square), 1e-300))

    wanted = np.empty(m)
    for k in range(m):
        fraction = angular_ if angular[k] else linear
        wanted[k] = feedforward[k] + fraction * error[k]
        lost[CATCH_UP, k] = (1.0 - fraction) * error[k]

    # Joint speeds, damped direction by direction; well-conditioned directions are not touched.
    y = np.zeros(n)
    null, null_before = np.empty(n), np.empty(n)
    for j in range(n):
        null[j] = null_speed[j] / qd_max[j]
        null_before[j] = v_prev[j] / qd_max[j]
    velocity, bend = np.empty(n), np.empty(6)
    smallest = math.inf
    for i in range(m):
        smallest = min(smallest, sigma[i])
        speed = 0.0
        for k in range(m):
            speed += left[i, k] * scale[k] * wanted[k]
        speed /= period
        slowest = 1e-300
        for j in range(n):
            velocity[j] = right[i, j] * qd_max[j]
            slowest = max(slowest, abs(velocity[j]) / a[j])
        curvature(jacobian, velocity, bend)
        curved = 0.0
        for k in range(m):
            for axis in range(6):
                curved += left[i, k] * scale[k] * task[k, axis] * bend[axis]
        rate = singular_rate(sigma[i], threshold, speed, curved, gains.braking_fraction / slowest, period)
        along = before_along = 0.0
        for j in range(n):
            y[j] += right[i, j] * rate
            along += right[i, j] * null[j]
            before_along += right[i, j] * null_before[j]
        for j in range(n):
            null[j] -= right[i, j] * along
            null_before[j] -= right[i, j] * before_along
    for k in range(m):
        moved = 0.0
        for j in range(n):
            moved += rows[k, j] * y[j] * qd_max[j]
        lost[SINGULARITY, k] = wanted[k] - moved * period

    # Speed limits: slow the whole motion down, so that its direction stays. A joint near the end of its
    # range is left to the QP, which lets the others go on.
    slow, slow_joint = 1.0, -1
    for j in range(n):
        v = y[j] * qd_max[j]
        room = position_hi[j] if v > 0.0 else -position_lo[j]
        if room >= qd_max[j] and abs(y[j]) * slow > 1.0:
            slow, slow_joint = 1.0 / abs(y[j]), j
    if slow_joint >= 0:
        joint_active[slow_joint] = SPEED
    for k in range(m):
        moved = 0.0
        for j in range(n):
            moved += rows[k, j] * y[j] * qd_max[j]
        lost[SPEED_LIMIT, k] = (1.0 - slow) * moved * period
    for j in range(n):
        y_target[j] = slow * y[j]
    if n > m:
        _add_null_motion(y_target, null, null_before, qd_max, a, period)

    limiting = _reach(work.scaled, exact, y_target, v_prev, qd_max, a, period, y_reach)
    if limiting >= 0:
        joint_active[limiting] = ACCELERATION
    return smallest
