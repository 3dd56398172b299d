"""Which part of the tip motion is followed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False, slots=True)
class TipTask:
    """Rows ``P`` that make what is followed of the tip twist (linear, angular; world-aligned at the tip).

    Attributes:
        P: Shape ``(m, 6)``, ``m <= 6``.
        angular: Which rows are rotations [rad]; the others are lengths [m]. Shape ``(m,)``.
        weight: Weight of a row's residual beside the others where not all can be had. Shape ``(m,)``.
    """

    P: Array
    angular: NDArray[np.bool_]
    weight: Array

    @property
    def m(self) -> int:
        """Number of rows."""
        return len(self.P)

    @classmethod
    def full(cls) -> TipTask:
        """Position and orientation of the tip, six rows."""
        return cls(np.eye(6), np.arange(6) >= 3, np.ones(6))

    @classmethod
    def position(cls) -> TipTask:
        """Position of the tip only, three rows."""
        return cls(np.eye(6)[:3].copy(), np.zeros(3, dtype=np.bool_), np.ones(3))
