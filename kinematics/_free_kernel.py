"""Compiled: an arm that only its own speed and acceleration hold back, beside that of `kinematics.ik`."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from kinematics._ik_memory import Array, Codes, gains_in, limits_in, workspace_in
from kinematics.compiled import kernel
from kinematics.joint_bounds import stop_velocity
from kinematics.tracking import STAGES, track


@kernel
def follow_freely(
    jacobian: Array,
    task: Array,
    scale: Array,
    angular: NDArray[np.bool_],
    exact: NDArray[np.bool_],
    period: float,
    block: Array,
    codes: Codes,
    error: Array,
    feedforward: Array,
    v: Array,
) -> None:
    """One tick of an arm without rows and joint ranges, with the directions that `prepare` has found.

    ``v`` (n,) is its last velocity and becomes that of this tick; ``error`` (m,) is what it lags behind and
    becomes what it does after the tick. Numbers that are not finite let it stop.
    """
    n, m = v.shape[0], error.shape[0]
    arm, gains, work = limits_in(block, n), gains_in(block, n), workspace_in(block, codes, n, m)
    nowhere, target, reach = np.zeros(n), np.empty(n), np.empty(n)
    lost, joint_active = np.empty((STAGES, m)), np.empty(n, np.int8)
    room = np.full(n, math.inf)
    track(
        jacobian,
        task,
        scale,
        angular,
        exact,
        error,
        feedforward,
        v,
        nowhere,
        -room,
        room,
        period,
        arm,
        gains,
        work,
        target,
        reach,
        lost,
        joint_active,
    )
    if np.isfinite(reach).all():
        for j in range(n):
            v[j] = reach[j] * arm.qd_max[j]
    else:
        stop_velocity(v, arm.a, period, v)
    for k in range(m):
        moved = 0.0
        for j in range(n):
            moved += work.rows[k, j] * v[j]
        error[k] += feedforward[k] - moved * period
