"""Which part of the tip motion is followed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


POSITION_WEIGHT = 10.0
"""Where a joint range or a row lets the tip not have both, its position goes before its orientation."""


@dataclass(frozen=True, eq=False, slots=True)
class TipTask:
    """Rows ``P`` that make what is followed of the tip twist (linear, angular; world-aligned at the tip).

    Attributes:
        P: Shape ``(m, 6)``, ``m <= 6``.
        angular: Which rows are rotations [rad]; the others are lengths [m]. Shape ``(m,)``.
        weight: Weight of a row's residual in the QP: counts where a row or a joint range is in the way.
        Shape ``(m,)``.
        exact: Rows that come first where the joint accelerations are at their limit; the others wait. Shape
            ``(m,)``.
    """

    P: Array
    angular: NDArray[np.bool_]
    weight: Array
    exact: NDArray[np.bool_]

    @property
    def m(self) -> int:
        """Number of rows."""
        return len(self.P)

    @classmethod
    def full(cls) -> TipTask:
        """Position and orientation of the tip, six rows."""
        angular = np.arange(6) >= 3
        return cls(np.eye(6), angular, np.where(angular, 1.0, POSITION_WEIGHT), np.zeros(6, dtype=np.bool_))

    @classmethod
    def position(cls) -> TipTask:
        """Position of the tip only, three rows."""
        none = np.zeros(3, dtype=np.bool_)
        return cls(np.eye(6)[:3].copy(), none, np.ones(3), none)
