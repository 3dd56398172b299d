"""What the hand asks for, shaped by the guidances of the scene, without a jump when they come or go."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from kinematics.pose import matrix_to_quat, pose_difference, quat_exp, quat_mul, quat_to_matrix
from teleop.controller.guard import Guard
from teleop.wire.messages import LedgerLine

Array = npt.NDArray[np.float64]

FADE_S = 0.5
"""Time over which a guidance takes hold, or lets go, s."""


class GuidedPose:
    """The desired pose after guidance.

    Whatever changes at once, that following starts, or that a guidance is added, changed or removed, is
    taken up as a difference ``f`` to what was asked before, which fades: ``guided + (1 - s^2 (3 - 2 s)) f``,
    ``s`` from 0 to 1 in `FADE_S`. So the first step after a change is zero, whatever the guidance.

    Attributes:
        p: guided position, shape (3,), m. Overwritten by the next step.
        quat_xyzw: guided orientation, shape (4,).
        acts: a guidance is there, or one that is gone still fades: the pose may not be the one asked for.
    """

    def __init__(self, guard: Guard, period_s: float) -> None:
        """Nothing guided yet; :meth:`start` comes before the first step."""
        self._guard = guard
        self._step = period_s / FADE_S
        self.p = np.zeros(3)
        self.quat_xyzw = np.array([0.0, 0.0, 0.0, 1.0])
        self._fade = np.zeros(6)
        self._s = 1.0
        self._revision = -1
        self.acts = False

    def start(self, p: Array, quat_xyzw: Array) -> None:
        """Following starts at this pose: every guidance takes hold from here."""
        self.p[:] = p
        self.quat_xyzw[:] = quat_xyzw
        self._revision = -1
        self._s = 1.0
        self._guard.forget_guides()

    def step(self, p: Array, quat_xyzw: Array, ledger: list[LedgerLine]) -> None:
        """Shape the pose asked for in this tick, and note who acted.

        Args:
            p: position asked for, shape (3,), m.
            quat_xyzw: orientation asked for, shape (4,).
            ledger: a line for each guidance that acted is added.
        """
        revision = self._guard.scene.guides_revision
        # Where following starts without any guidance there is nothing to fade in.
        changed = revision != self._revision and (self._guard.guides or self._revision >= 0)
        self._revision = revision
        self.acts = self._guard.guides or changed or self._s < 1.0
        if not self.acts:
            self.p[:], self.quat_xyzw[:] = p, quat_xyzw
            return
        p_new, quat_new = p.copy(), quat_xyzw
        if self._guard.guides:
            R = quat_to_matrix(quat_xyzw)
            acted = self._guard.guide(p_new, R)
            ledger.extend(LedgerLine(who, "guided", "tip", by_m, by_rad) for who, by_m, by_rad in acted)
            if any(by_rad > 0.0 for _, _, by_rad in acted):
                quat_new = matrix_to_quat(R)
        if changed:
            self._fade = pose_difference(self.p, self.quat_xyzw, p_new, quat_new)
            self._s = 0.0 if self._fade.any() else 1.0
        if self._s < 1.0:
            left = 1.0 - self._s**2 * (3.0 - 2.0 * self._s)
            p_new += left * self._fade[:3]
            quat_new = quat_mul(quat_exp(left * self._fade[3:]), quat_new)
            self._s = min(1.0, self._s + self._step)
        self.p[:], self.quat_xyzw[:] = p_new, quat_new
