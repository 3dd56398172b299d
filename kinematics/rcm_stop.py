"""A straight stop in joint space bends away from the trocar: how fast a software remote centre may go.

A software remote centre is kept by moving the joints on a curve. The stop after a command is straight in
joint space (that is what a driver runs when commands fail to come), so at its end the shaft is off the trocar
by about half the curvature times the square of the stop's length, and the length grows with the square of the
speed: ``offset ~ v^4``. On a Panda it is below 1 um at 20 mm/s and above 200 um at 100. So the speed is held
where the stop still ends within the limit.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kinematics.arm import ArmModel
from kinematics.joint_bounds import stop_time
from kinematics.rcm import AT_REST

Array = NDArray[np.float64]

LIMIT_M = 45e-6
"""Offset of the shaft [m] allowed at the end of a stop; 5 um below the promised 50."""


class RcmStop:
    """Bounds the velocity of an arm with a software remote centre.

    Args:
        arm: The arm; its shaft must be rigid with its tip.
        period_s: Tick [s].
        limit_m: Offset allowed at the end of the stop [m].
    """

    def __init__(self, arm: ArmModel, period_s: float, limit_m: float = LIMIT_M) -> None:
        """Find the shaft in the frame of the tip."""
        self._arm = arm
        self._a = arm.limits.effective_acceleration(period_s)
        self._period = period_s
        self._limit = limit_m
        state = arm.at(arm.home)
        R_tip_world = state.T_world_tip[:3, :3].T
        self._point = R_tip_world @ (state.shaft_point - state.T_world_tip[:3, 3])
        self._axis = R_tip_world @ state.shaft_axis

    def offset(self, q: Array, trocar: Array) -> float:
        """Distance [m] of a point (3,) from the shaft's axis at ``q (n,)``; the model's state stays."""
        T = self._arm.forward(q)
        away = trocar - T[:3, 3] - T[:3, :3] @ self._point
        return float(np.linalg.norm(np.cross(away, T[:3, :3] @ self._axis)))

    def _end(self, q: Array, v: Array, trocar: Array, v_trocar: Array) -> float:
        """Offset at the end of the stop from where a shaft would be that had moved with the trocar.

        While it stops, that shaft goes ``u S / 2`` and the trocar twice as far: what an arm that stands
        loses to a trocar that breathes is not the command's doing.
        """
        ahead = self._period + 0.5 * stop_time(v, self._a, self._period)
        return self.offset(q + v * ahead, trocar + v_trocar * ahead)

    def fraction(self, q: Array, stop_v: Array, v: Array, trocar: Array, v_trocar: Array = AT_REST) -> float:
        """How far to go from the stop's velocity towards the wanted one, in [0, 1].

        A shaft that is off its trocar already may go where its stop ends no farther off than without it.

        Args:
            q: Last commanded joint positions, shape ``(n,)``.
            stop_v: Velocity of the stop in this tick, shape ``(n,)``: what 0 means.
            v: Wanted velocity, shape ``(n,)``: what 1 means.
            trocar: Where the trocar is, shape ``(3,)`` [m].
            v_trocar: How it moves, shape ``(3,)`` [m/s].
        """
        end = self._end(q, v, trocar, v_trocar)
        if end <= self._limit:
            return 1.0
        limit = max(self._limit, self._end(q, stop_v, trocar, v_trocar))
        if end <= limit:
            return 1.0
        wanted, least = float(np.linalg.norm(v)), float(np.linalg.norm(stop_v))
        if wanted <= least:
            return 0.0
        slower = wanted * (limit / end) ** 0.25
        fraction = min(1.0, max(0.0, (slower - least) / (wanted - least)))
        slowed = stop_v + fraction * (v - stop_v)
        return fraction if self._end(q, slowed, trocar, v_trocar) <= limit else 0.0
