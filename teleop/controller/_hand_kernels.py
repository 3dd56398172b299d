"""The arithmetic of the hand, compiled: it runs once a tick for each pair."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from kinematics.pose import quat_conj, quat_exp, quat_log, quat_mul
from teleop.compiled import kernel

Array = npt.NDArray[np.float64]


@kernel
def observe(
    p: Array, quat: Array, elapsed_s: float, smoothing_s: float, p_last: Array, quat_last: Array, twist: Array
) -> None:
    """Update the smoothed twist (6,) [m/s, rad/s] with a new pose, and make that pose the last one.

    A low pass of the difference quotient, ``v += b (dx / e - v)`` with ``b = e / (e + smoothing)``; written
    so that two samples of the same instant, ``e = 0``, are no division by zero.
    """
    span = elapsed_s + smoothing_s
    turn = quat_mul(quat, quat_conj(quat_last))
    if turn[3] < 0.0:
        turn = -turn
    angle = quat_log(turn)
    for k in range(3):
        twist[k] += (p[k] - p_last[k] - elapsed_s * twist[k]) / span
        twist[3 + k] += (angle[k] - elapsed_s * twist[3 + k]) / span
        p_last[k] = p[k]
    for k in range(4):
        quat_last[k] = quat[k]


@kernel
def carry(
    p_last: Array, quat_last: Array, twist: Array, age_s: float, decay_s: float, p: Array, quat: Array
) -> None:
    """Bring a pose ``age_s`` forward with a twist that decays: ``p + v tau (1 - exp(-age / tau))``."""
    ahead = decay_s * (1.0 - math.exp(-max(0.0, age_s) / decay_s))
    for k in range(3):
        p[k] = p_last[k] + ahead * twist[k]
    quat[:] = quat_mul(quat_exp(ahead * twist[3:]), quat_last)
