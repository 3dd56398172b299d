"""The box of joint velocities from which an arm can always stop inside its limits.

All kernels work on arrays of shape ``(n,)``: positions ``q`` [rad or m], velocities ``v`` [1/s]; ``a`` is the
effective acceleration of `JointLimits.effective_acceleration` and ``period`` the tick ``T`` [s].

A command ``v`` moves the joints by ``v T`` in its tick. The stop after it is straight in joint space and
lasts ``S = max(T, max_j |v_j| / a_j)``, so it moves them by ``v S / 2`` more. Every joint shares the stop
time of the slowest one; a joint near the end of its range must therefore leave room for ``v_j (T + S/2)``,
which is more than its own braking distance.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from kinematics.compiled import kernel

Array = NDArray[np.float64]

FREE, POSITION, SPEED, ACCELERATION = 0, 1, 2, 3
"""Which limit of a joint a bound comes from, or which one acted on it (`IKResult.joint_active`)."""


@kernel
def stop_time(v: Array, a: Array, period: float) -> float:
    """Return ``S = max(T, max_j |v_j| / a_j)`` [s], how long the stop after a command lasts."""
    longest = period
    for j in range(v.shape[0]):
        longest = max(longest, abs(v[j]) / a[j])
    return longest


@kernel
def stop_velocity(v: Array, a: Array, period: float, out: Array) -> None:
    """Write the velocity of the next tick of the stop, ``v max(0, 1 - T/S)``, to ``out``."""
    shrink = max(0.0, 1.0 - period / stop_time(v, a, period))
    for j in range(v.shape[0]):
        out[j] = v[j] * shrink


@kernel
def brakeable_speed(distance: float, a: float, period: float, stop_s: float) -> float:
    """Return the highest speed [1/s] towards the end of a range at ``distance`` that can still be braked.

    The smaller of two laws:

    - alone, ``v T + v²/(2a) <= d`` gives ``v = a (sqrt(T² + 2 d/a) - T)``;
    - together with a joint that needs ``S`` to stop, ``v (T + S/2) <= d``. Following ``v = 2 d / S'`` with
      ``S' = S + 2 T`` asks a deceleration ``2 v / S'``, which the joint has only up to ``v = a S'/2``;
      beyond, the speed falls at ``a`` onto that point: ``v² = 2 a d - a² S'²/4``.

    Zero at or past the end.
    """
    if distance <= 0.0:
        return 0.0
    alone = a * (math.sqrt(period * period + 2.0 * distance / a) - period)
    shared_s = stop_s + 2.0 * period
    together = 2.0 * distance / shared_s
    if together > 0.5 * a * shared_s:
        together = math.sqrt(2.0 * a * distance - 0.25 * (a * shared_s) ** 2)
    return min(alone, together)


@kernel
def velocity_box(
    q: Array,
    v_prev: Array,
    stop_v: Array,
    q_min: Array,
    q_max: Array,
    qd_max: Array,
    a: Array,
    period: float,
    lo: Array,
    hi: Array,
    lo_wanted: Array,
    hi_wanted: Array,
    lo_reason: NDArray[np.int8],
    hi_reason: NDArray[np.int8],
) -> None:
    """Write the bounds ``lo <= v <= hi`` [1/s] of this tick and the limit each one comes from.

    Position (`brakeable_speed`), speed and acceleration ``v_prev ± a T``. The box always contains
    ``stop_v``: a start outside a limit is left by braking, never by a jump.

    ``lo_wanted`` and ``hi_wanted`` are the box without this widening, wherever a joint can reach that by
    itself: the stop brakes all joints, and where only one is near the end of its range only that one shall.
    """
    # This tick's command cannot need longer to stop than the last one and one tick of speeding up.
    stop_s = stop_time(v_prev, a, period) + period
    for j in range(q.shape[0]):
        up, up_reason = qd_max[j], SPEED
        position = brakeable_speed(q_max[j] - q[j], a[j], period, stop_s)
        if position < up:
            up, up_reason = position, POSITION
        faster = v_prev[j] + a[j] * period
        if faster < up:
            up, up_reason = faster, ACCELERATION
        hi[j] = max(up, stop_v[j])
        hi_wanted[j] = up if up >= v_prev[j] - a[j] * period else hi[j]
        hi_reason[j] = up_reason

        down, down_reason = -qd_max[j], SPEED
        position = -brakeable_speed(q[j] - q_min[j], a[j], period, stop_s)
        if position > down:
            down, down_reason = position, POSITION
        slower = v_prev[j] - a[j] * period
        if slower > down:
            down, down_reason = slower, ACCELERATION
        lo[j] = min(down, stop_v[j])
        lo_wanted[j] = down if down <= v_prev[j] + a[j] * period else lo[j]
        lo_reason[j] = down_reason


@kernel
def _fits(q: Array, v: Array, stop_v: Array, q_min: Array, q_max: Array, a: Array, period: float) -> bool:
    reach = period + 0.5 * stop_time(v, a, period)
    stop_reach = period + 0.5 * stop_time(stop_v, a, period)
    for j in range(q.shape[0]):
        # Where even the stop leaves the range (a start outside), going no further than it is the best there
        # is.
        if v[j] * reach > max(q_max[j] - q[j], stop_v[j] * stop_reach):
            return False
        if v[j] * reach < min(q_min[j] - q[j], stop_v[j] * stop_reach):
            return False
    return True


@kernel
def keep_stop_in_range(
    q: Array, v: Array, stop_v: Array, q_min: Array, q_max: Array, a: Array, period: float
) -> float:
    """Move ``v`` towards ``stop_v`` until the step and the stop after it stay in the joint range.

    The box bounds each joint with the longest stop time this tick *could* have; in rare ticks (a joint that
    was at the limit of its braking while another one sped up) only the joint speeds together decide. Changes
    ``v`` in place to ``stop_v + s (v - stop_v)`` and returns ``s``, in [0, 1]; bisected to 2⁻³⁰, on the safe
    side.
    """
    if _fits(q, v, stop_v, q_min, q_max, a, period):
        return 1.0
    n = q.shape[0]
    trial = np.empty(n)
    good, bad = 0.0, 1.0
    for _ in range(30):
        middle = 0.5 * (good + bad)
        for j in range(n):
            trial[j] = stop_v[j] + middle * (v[j] - stop_v[j])
        if _fits(q, trial, stop_v, q_min, q_max, a, period):
            good = middle
        else:
            bad = middle
    for j in range(n):
        v[j] = stop_v[j] + good * (v[j] - stop_v[j])
    return good
