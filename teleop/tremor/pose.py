"""Filters a pose: position by axes, orientation by the log map. The gripper is not here, on purpose.

Quaternion components are never filtered. With a reference ``q_r``, the orientation is the rotation vector
``r = log(q_r^-1 q)`` in the hand's own frame, three axes like any other; the result is ``q_r exp(r')``. A
constant rotation of the world (``q -> g q``) leaves ``r`` alone, so it rotates the output and nothing else.
When ``|r|`` passes 0.3 rad, where the coordinates begin to bend, the reference moves to the filtered
orientation and the filter's memory is carried over.
"""

from __future__ import annotations

import math

import numpy as np

from kinematics.pose import quat_conj, quat_exp, quat_log, quat_mul, quat_normalize
from teleop.compiled import kernel
from teleop.tremor.contract import Array
from teleop.tremor.guard import BELIEVABLE, GuardedFilter

RECENTRE_RAD = 0.3
"""Distance from the reference at which it moves."""

LEAST_NORM = 1e-3
"""A quaternion shorter than this has no direction worth believing."""

FIRST_STEP = 1e-4
SECOND_STEP = 1e-3
"""Steps (rad) of the central differences of the coordinate change; truncation and rounding are below 1e-6."""


class PoseFilter:
    """Filters position and orientation together: both start, and both reset, at the same sample.

    Attributes:
        position: filter of the three position axes, m.
        rotation: filter of the three rotation axes, rad, about ``reference_xyzw``.
        reference_xyzw: unit quaternion, shape (4,).
        resets: how often garbage or a gap has forced a reset, since construction.
    """

    def __init__(self, position: GuardedFilter, rotation: GuardedFilter) -> None:
        """A pose filter of two three-axis filters."""
        self.position = position
        self.rotation = rotation
        self.reference_xyzw = np.array([0.0, 0.0, 0.0, 1.0])
        self.resets = 0
        self._p = np.zeros(3)
        self._r = np.zeros(3)
        self._turn = np.zeros(3)
        self._quat_xyzw = self.reference_xyzw.copy()

    @property
    def started(self) -> bool:
        """Whether a good pose has come since the last reset."""
        return self.position.started

    def reset(self) -> None:
        """Forget the past; the next good pose passes unchanged. For clutch, engage and every mode change."""
        self.position.reset()
        self.rotation.reset()

    def step(self, p: Array, quat_xyzw: Array, dt: float) -> tuple[Array, Array]:
        """Filter one pose.

        Args:
            p: measured position, m, shape (3,), any frame fixed in the master.
            quat_xyzw: measured orientation in that frame, shape (4,); normalised here, any sign.
            dt: seconds since the previous pose, as measured.

        Returns:
            filtered position (3,) and unit quaternion xyzw (4,), new arrays, always finite. A pose that is
            not finite gives the last output again and resets. After a reset the position passes bit for bit
            and the orientation as given, normalised.
        """
        if not believable(p, quat_xyzw):
            self.resets += self.started
            self.reset()
            return self._p.copy(), self._quat_xyzw.copy()
        if self.started and dt > self.position.max_gap_s:
            self.resets += 1
            self.reset()
        if not self.started:
            measured = quat_normalize(quat_xyzw)
            self.reference_xyzw = measured
            self.rotation.believe(np.zeros(3), dt, self._r)
            self.position.believe(p, dt, self._p)
            self._quat_xyzw[:] = measured
            return self._p.copy(), self._quat_xyzw.copy()
        self.position.believe(p, dt, self._p)
        relative(self.reference_xyzw, quat_xyzw, self._turn)
        self.rotation.believe(self._turn, dt, self._r)
        turned(self.reference_xyzw, self._r, self._quat_xyzw)
        if math.hypot(*self._r.tolist()) > RECENTRE_RAD:
            self._recentre()
        return self._p.copy(), self._quat_xyzw.copy()

    def _recentre(self) -> None:
        """Move the reference to the filtered orientation: there the coordinates of the output are zero."""
        jacobian, curvature = np.empty((3, 3)), np.empty((3, 3, 3))
        coordinate_change(self._r, jacobian, curvature)
        self.reference_xyzw = self._quat_xyzw.copy()
        self.rotation.transport(jacobian, self._r, np.zeros(3), curvature)
        self._r[:] = 0.0


def believable(p: Array, quat_xyzw: Array) -> bool:
    """Whether a pose can be filtered: finite, within reach, and with an orientation."""
    for value in p.tolist():
        if not -BELIEVABLE < value < BELIEVABLE:
            return False
    x, y, z, w = quat_xyzw.tolist()
    return LEAST_NORM < math.sqrt(x * x + y * y + z * z + w * w) < BELIEVABLE


@kernel
def relative(reference_xyzw: Array, quat_xyzw: Array, rotvec: Array) -> None:
    """Write ``log(reference^-1 q/|q|)``, rad, (3,), the shorter way round whatever the sign of ``q``."""
    rotvec[:] = quat_log(quat_mul(quat_conj(reference_xyzw), quat_normalize(quat_xyzw)))


@kernel
def turned(reference_xyzw: Array, rotvec: Array, quat_xyzw: Array) -> None:
    """Write ``reference exp(rotvec)``, unit quaternion (4,)."""
    quat_xyzw[:] = quat_normalize(quat_mul(reference_xyzw, quat_exp(rotvec)))


@kernel
def coordinate_change(rotvec: Array, jacobian: Array, curvature: Array) -> None:
    """Derivatives at ``rotvec`` (3,) of ``r -> log(exp(rotvec)^-1 exp(r))``, by central differences.

    The jacobian (3, 3) is the right Jacobian of the exponential map at ``rotvec``; the curvature (3, 3, 3)
    holds the second derivatives of component ``k`` at ``[k]``.
    """
    back = quat_conj(quat_exp(rotvec))
    point = np.empty(3)
    for i in range(3):
        point[:] = rotvec
        point[i] += FIRST_STEP
        ahead = quat_log(quat_mul(back, quat_exp(point)))
        point[i] -= 2.0 * FIRST_STEP
        behind = quat_log(quat_mul(back, quat_exp(point)))
        jacobian[:, i] = (ahead - behind) / (2.0 * FIRST_STEP)
    h = SECOND_STEP
    for i in range(3):
        for j in range(i + 1):
            total = np.zeros(3)
            for a in (-1.0, 1.0):
                for b in (-1.0, 1.0):
                    point[:] = rotvec
                    point[i] += a * h
                    point[j] += b * h
                    total += a * b * quat_log(quat_mul(back, quat_exp(point)))
            curvature[:, i, j] = total / (4.0 * h * h)
            curvature[:, j, i] = curvature[:, i, j]
