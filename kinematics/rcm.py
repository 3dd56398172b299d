"""Software remote centre of motion: keep the shaft of a straight tool on a trocar, which may move.

A straight tool through a trocar has four freedoms: its tip position and its roll. The other two
rotations follow from the position, so asking for them would only pull the tip away. The task here therefore
has six rows: tip position, roll about the shaft, and the two offsets of the shaft from the trocar, which are
brought to zero.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from kinematics.compiled import kernel
from kinematics.errors import KinematicsError
from kinematics.joint_bounds import brakeable_speed
from kinematics.rows import RowSet
from kinematics.task import POSITION_WEIGHT, TipTask

Array = NDArray[np.float64]

TOLERANCE_M = 20e-6
"""Offset of the shaft [m] that the hard rows allow; leaves 30 µm of the promised 50 to curvature and
relaxing."""

CORRECTION_M = 2e-6
"""Largest part of an offset [m] that the task corrects in one tick: 2 mm/s at 1 kHz."""

AT_REST = np.zeros(3)
"""Velocity of a trocar that stands [m/s]."""

_LATERAL_ACCELERATION = 0.5  # m/s², with which the rows let the shaft brake towards the tolerance
_WEIGHT = 3.0 * POSITION_WEIGHT


@kernel
def _shaft_rows(
    p_tip: Array,
    axis: Array,
    p_rcm: Array,
    step: Array,
    jacobian: Array,
    period: float,
    tolerance: float,
    correction: float,
    P: Array,
    A: Array,
    b: Array,
    offset: Array,
    drift: Array,
) -> None:
    n = jacobian.shape[1]
    length = math.sqrt((axis * axis).sum())
    z = axis / length
    # Two directions across the shaft; the world axis least along it makes them well defined.
    least = 0
    for i in range(3):
        if abs(z[i]) < abs(z[least]):
            least = i
    helper = np.zeros(3)
    helper[least] = 1.0
    x = np.cross(helper, z)
    x /= math.sqrt((x * x).sum())
    y = np.cross(z, x)
    along = (z * (p_rcm - p_tip)).sum()
    lever = along * z  # from the tip to the point of the shaft next to the trocar
    for i in range(6):
        for k in range(6):
            P[i, k] = 1.0 if i < 3 and i == k else 0.0
    for k in range(3):
        P[3, 3 + k] = z[k]
    for side in range(2):
        e = x if side == 0 else y
        offset[side] = (e * (p_tip + lever - p_rcm)).sum()
        drift[side] = (e * step).sum()
        turn = np.cross(lever, e)  # e . (w x lever) = w . (lever x e)
        for k in range(3):
            P[4 + side, k] = e[k]
            P[4 + side, 3 + k] = turn[k]
        up = brakeable_speed(tolerance - offset[side], _LATERAL_ACCELERATION, period, period) * period
        down = brakeable_speed(tolerance + offset[side], _LATERAL_ACCELERATION, period, period) * period
        if offset[side] > tolerance:
            up = -min(correction, offset[side] - tolerance)
        if offset[side] < -tolerance:
            down = -min(correction, -tolerance - offset[side])
        for j in range(n):
            value = 0.0
            for k in range(6):
                value += P[4 + side, k] * jacobian[k, j]
            A[2 * side, j] = -value
            A[2 * side + 1, j] = value
        b[2 * side] = -up - drift[side]
        b[2 * side + 1] = -down + drift[side]


class SoftwareRcm:
    """Task and hard rows of one straight tool.

    Call `update` once a tick, then hand `task`, `rows`, `error` and `feedforward` to the solver. The arrays
    are overwritten by the next `update`.

    Attributes:
        task: Six rows: tip position (3) [m], roll about the shaft [rad], offsets of the shaft from the
        trocar (2) [m].
        rows: Four hard rows ``A dq >= b``: each offset stays within the tolerance from both sides,
        approaching
            it no faster than it can brake; outside it comes back.
        offset: Offsets of the shaft from the trocar across it, shape ``(2,)`` [m].
        drift: How far the trocar itself moves in this tick, in the same directions, shape ``(2,)`` [m].

    Args:
        n: Number of joints.
        period_s: Tick [s].
        tolerance_m: Offset allowed by the rows [m].

    Raises:
        KinematicsError: If the tolerance is not positive.
    """

    def __init__(self, n: int, period_s: float, tolerance_m: float = TOLERANCE_M) -> None:
        """Allocate and compile."""
        if not tolerance_m > 0:
            raise KinematicsError(f"rcm: tolerance_m is {tolerance_m!r}, expected above 0")
        self._period = period_s
        self._tolerance = tolerance_m
        self.task = TipTask(
            np.zeros((6, 6)),
            np.array([False, False, False, True, False, False]),
            np.array([*[POSITION_WEIGHT] * 3, 1.0, _WEIGHT, _WEIGHT]),
            np.array([False, False, False, False, True, True]),
        )
        self.rows = RowSet.hard(np.zeros((4, n)), np.zeros(4))
        self.offset, self.drift = np.zeros(2), np.zeros(2)
        self._jacobian = np.zeros((6, n))
        self.update(np.zeros(3), np.array([0.0, 0.0, 1.0]), np.zeros(3), self._jacobian)

    def update(
        self, p_tip: Array, axis: Array, p_rcm: Array, jacobian: Array, v_rcm: Array = AT_REST
    ) -> None:
        """Set the task and the rows for the arm's present state, all in world.

        Args:
            p_tip: Tip position, a point on the shaft, shape ``(3,)`` [m].
            axis: Direction of the shaft, shape ``(3,)``, any length above zero.
            p_rcm: Trocar, shape ``(3,)`` [m].
            jacobian: Tip Jacobian, shape ``(6, n)``, world-aligned, linear first.
            v_rcm: Velocity of the trocar, shape ``(3,)`` [m/s].
        """
        self._jacobian[:] = jacobian
        _shaft_rows(
            np.ascontiguousarray(p_tip, dtype=np.float64),
            np.ascontiguousarray(axis, dtype=np.float64),
            np.ascontiguousarray(p_rcm, dtype=np.float64),
            self._period * v_rcm,
            self._jacobian,
            self._period,
            self._tolerance,
            CORRECTION_M,
            self.task.P,
            self.rows.A,
            self.rows.b,
            self.offset,
            self.drift,
        )

    def error(self, pose_error: Array) -> Array:
        """Return the task error, shape ``(6,)``, of a tip pose error (6,) [m, rad] in world."""
        wanted = self.task.P @ pose_error
        wanted[4:] = 0.0
        return wanted

    def feedforward(self, pose_step: Array) -> Array:
        """Return the task feedforward, shape ``(6,)``, of a desired pose step (6,) [m, rad] in world.

        The offsets are corrected here, not as an error: they must not wait for the tip to catch up.
        """
        wanted = self.task.P @ pose_step
        wanted[4:] = np.clip(-self.offset, -CORRECTION_M, CORRECTION_M) + self.drift
        return wanted
