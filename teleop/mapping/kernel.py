"""The arithmetic of the mapping, compiled: it runs once a tick for each pair."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from kinematics.pose import quat_conj, quat_exp, quat_log, quat_mul
from teleop.compiled import kernel

Array = npt.NDArray[np.float64]


@kernel
def desired_position(
    R_wm: Array, scale: float, p_master: Array, p_master0: Array, p_world0: Array, p_world: Array
) -> None:
    """``p_world = p_world0 + scale R_wm (p_master - p_master0)``, all (3,), R_wm (3, 3)."""
    for i in range(3):
        moved = 0.0
        for k in range(3):
            moved += R_wm[i, k] * (p_master[k] - p_master0[k])
        p_world[i] = p_world0[i] + scale * moved


@kernel
def desired_orientation(
    R_wm: Array, scale: float, quat_master: Array, quat_master0: Array, quat_world0: Array, quat_world: Array
) -> float:
    """``R_world = exp(scale log(R_wm R_m R_m0^T R_wm^T)) R_world0``; returns the hand's turn, rad."""
    quat_turn = quat_mul(quat_master, quat_conj(quat_master0))
    if quat_turn[3] < 0.0:
        quat_turn = -quat_turn
    turn = quat_log(quat_turn)
    scaled = np.empty(3)
    for i in range(3):
        scaled[i] = scale * (R_wm[i, 0] * turn[0] + R_wm[i, 1] * turn[1] + R_wm[i, 2] * turn[2])
    out = quat_mul(quat_exp(scaled), quat_world0)
    norm = math.sqrt((out * out).sum())
    for i in range(4):
        quat_world[i] = out[i] / norm
    return math.sqrt((turn * turn).sum())


@kernel
def difference(
    p_before: Array, quat_before: Array, p: Array, quat: Array, moved: Array, turned: Array
) -> tuple[float, float]:
    """What leads from one pose to another, ``moved`` and ``turned`` (3,); their lengths [m, rad]."""
    length = angle = 0.0
    turned[:] = quat_log(quat_mul(quat, quat_conj(quat_before)))
    for i in range(3):
        moved[i] = p[i] - p_before[i]
        length += moved[i] * moved[i]
        angle += turned[i] * turned[i]
    return math.sqrt(length), math.sqrt(angle)
