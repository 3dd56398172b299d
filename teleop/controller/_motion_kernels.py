"""Small sums over joints and fixtures, compiled: numpy takes longer to begin than these take to end."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from kinematics.joint_bounds import keep_stop_in_range, stop_time
from kinematics.pose import matrix_to_quat, pose_difference
from teleop.compiled import kernel

Array = npt.NDArray[np.float64]


@kernel
def moved_by(jacobian: Array, q_to: Array, q_from: Array) -> float:
    """``|J_v (q_to - q_from)|``, m: motion of the tip to first order; jacobian (>= 3, n), linear first."""
    square = 0.0
    for i in range(3):
        moved = 0.0
        for j in range(q_to.shape[0]):
            moved += jacobian[i, j] * (q_to[j] - q_from[j])
        square += moved * moved
    return math.sqrt(square)


@kernel
def any_negative(values: Array, counts: npt.NDArray[np.bool_]) -> bool:
    """Whether one of the values (k,) that count is below zero."""
    for k in range(values.shape[0]):
        if counts[k] and values[k] < 0.0:
            return True
    return False


@kernel
def worst_excess(a: Array, b: Array, limit: Array) -> tuple[int, float]:
    """Joint where ``|a - b|`` is most above its limit, all (n,), and by how much; below zero if none is."""
    worst, most = 0, -math.inf
    for j in range(a.shape[0]):
        excess = abs(a[j] - b[j]) - limit[j]
        if not excess <= most:
            worst, most = j, excess
    return worst, most


@kernel
def ask(
    p_desired: Array,
    quat_desired: Array,
    T_world_tip: Array,
    quat_tip: Array,
    p_new: Array,
    quat_new: Array,
    error: Array,
    feedforward: Array,
) -> float:
    """What is asked of the tip in a tick; the new desired pose becomes the desired one.

    Args:
        p_desired: (3,) desired position of the last tick, overwritten.
        quat_desired: (4,) xyzw, overwritten.
        T_world_tip: (4, 4) commanded pose of the tip.
        quat_tip: (4,) its orientation.
        p_new: (3,) desired position of this tick.
        quat_new: (4,).
        error: (6,) out: desired less commanded pose as of the last tick [m, rad].
        feedforward: (6,) out: how the desired pose moves in this tick.

    Returns:
        How far the sum of both moves the tip [m].
    """
    error[:] = pose_difference(p_desired, quat_desired, T_world_tip[:3, 3], quat_tip)
    feedforward[:] = pose_difference(p_new, quat_new, p_desired, quat_desired)
    square = 0.0
    for i in range(3):
        square += (error[i] + feedforward[i]) ** 2
        p_desired[i] = p_new[i]
    for i in range(4):
        quat_desired[i] = quat_new[i]
    return math.sqrt(square)


@kernel
def orientation(T: Array, quat_xyzw: Array) -> None:
    """Write the unit quaternion (4,) of a pose (4, 4)."""
    quat_xyzw[:] = matrix_to_quat(T[:3, :3])


@kernel
def part_way(
    q: Array,
    stop_v: Array,
    wanted: Array,
    fraction: float,
    q_min: Array,
    q_max: Array,
    a: Array,
    period: float,
    v: Array,
) -> float:
    """Write ``v = stop_v + fraction (wanted - stop_v)``, all (n,), less if its stop left the joint range.

    That the stops of both ends stay inside is not enough: how far a joint runs on grows with its speed times
    the time of the slowest joint, and a product bulges between two points. Returns the time of its stop, s.
    """
    for j in range(q.shape[0]):
        v[j] = stop_v[j] + fraction * (wanted[j] - stop_v[j])
    keep_stop_in_range(q, v, stop_v, q_min, q_max, a, period)
    return stop_time(v, a, period)


@kernel
def advance(q: Array, v: Array, sent: Array, q_min: Array, q_max: Array, a: Array, period: float) -> float:
    """Take a tick's velocity as sent: ``v = sent``, ``q += v T``, all (n,). Returns the stop time, s.

    What rounding adds beyond the joint range, one bit of the position, is cut off.
    """
    for j in range(q.shape[0]):
        v[j] = sent[j]
        q[j] = min(q_max[j], max(q_min[j], q[j] + sent[j] * period))
    return stop_time(v, a, period)
