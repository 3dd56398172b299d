"""Linear constraints ``A dq >= b`` on the joint step of a tick, and their scaled form inside the QP."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kinematics.compiled import kernel
from kinematics.errors import KinematicsError

Array = NDArray[np.float64]
Index = NDArray[np.int64]

NEGLIGIBLE_M_S = 1e-9
"""A row whose body moves slower than this at full joint speed constrains nothing: at most 1e-12 m in a
tick."""


@dataclass(eq=False, slots=True)  # not frozen, see `IKResult`
class RowSet:
    """Rows ``A dq >= b`` for the joint step ``dq`` of this tick; the arrays are used as they are, not copied.

    Attributes:
        A: Shape ``(k, n)``, C-contiguous [m/rad, or m/m for a prismatic joint].
        b: Shape ``(k,)`` [m per tick]; ``-inf`` switches a row off.
        priority: Shape ``(k,)`` int64. 0 is hard: never given up below what the stop step gives.
            1, 2, ... are soft; the highest number gives way first.
        weight: Shape ``(k,)``, > 0: cost of slack beside the other rows of the same priority.
        max_slack: Shape ``(k,)`` [m per tick], >= 0: how far a soft row may give way before harder rows do.
    """

    A: Array
    b: Array
    priority: Index
    weight: Array
    max_slack: Array

    @classmethod
    def empty(cls, n: int) -> RowSet:
        """Return no rows for an arm of ``n`` joints."""
        return cls.hard(np.zeros((0, n)), np.zeros(0))

    @classmethod
    def hard(cls, A: Array, b: Array) -> RowSet:
        """Return hard rows, ``A`` shape ``(k, n)``, ``b`` shape ``(k,)``."""
        k = len(b)
        return cls(
            np.ascontiguousarray(A, dtype=np.float64),
            np.ascontiguousarray(b, dtype=np.float64),
            np.zeros(k, dtype=np.int64),
            np.ones(k),
            np.zeros(k),
        )

    @classmethod
    def soft(
        cls,
        A: Array,
        b: Array,
        priority: int,
        weight: float = 1.0,
        max_slack: float = math.inf,
    ) -> RowSet:
        """Return soft rows of one priority (>= 1), ``A`` shape ``(k, n)``, ``b`` shape ``(k,)``."""
        k = len(b)
        hard = cls.hard(A, b)
        return cls(hard.A, hard.b, np.full(k, priority), np.full(k, weight), np.full(k, max_slack))

    @classmethod
    def join(cls, *sets: RowSet) -> RowSet:
        """Return all rows of ``sets``, in order."""
        return cls(
            np.concatenate([s.A for s in sets]),
            np.concatenate([s.b for s in sets]),
            np.concatenate([s.priority for s in sets]),
            np.concatenate([s.weight for s in sets]),
            np.concatenate([s.max_slack for s in sets]),
        )

    def check(self, n: int) -> None:
        """Raise `KinematicsError` if the shapes do not belong to an arm of ``n`` joints."""
        k = self.b.shape[0]
        if self.A.shape != (k, n):
            raise KinematicsError(
                f"rows: A has shape {self.A.shape}, expected ({k}, {n}) for b of shape ({k},)"
            )
        if self.priority.shape == self.weight.shape == self.max_slack.shape == (k,):
            return
        for name in ("priority", "weight", "max_slack"):
            shape = getattr(self, name).shape
            if shape != (k,):
                raise KinematicsError(f"rows: {name} has shape {shape}, expected ({k},)")


@kernel
def scale_rows(
    A: Array,
    b: Array,
    qd_max: Array,
    period: float,
    scaled: Array,
    bound: Array,
    norm: Array,
    index: Index,
) -> int:
    """Write the rows for scaled joint speeds ``y = v / qd_max``, of unit length; return how many there are.

    ``A dq >= b`` with ``dq = diag(qd_max) y T`` becomes ``scaled y >= bound`` after division by
    ``norm = |A diag(qd_max)|`` [m/s]. Rows that are off or negligible are dropped; ``index`` maps kept to
    given rows.
    """
    kept = 0
    n = qd_max.shape[0]
    for i in range(b.shape[0]):
        if b[i] == -math.inf:
            continue
        square = 0.0
        for j in range(n):
            value = A[i, j] * qd_max[j]
            scaled[kept, j] = value
            square += value * value
        length = math.sqrt(square)
        if length <= NEGLIGIBLE_M_S:
            continue
        for j in range(n):
            scaled[kept, j] /= length
        bound[kept] = b[i] / (length * period)
        norm[kept] = length
        index[kept] = i
        kept += 1
    return kept


@kernel
def keep_reachable(
    scaled: Array, bound: Array, norm: Array, index: Index, kept: int, lo: Array, hi: Array, qd_max: Array
) -> int:
    """Drop the rows that no ``v`` in the box ``lo <= v <= hi`` can violate; return how many are left.

    With a tick's acceleration the box is small, so most rows of a scene go; the solution stays the same.
    """
    left = 0
    for i in range(kept):
        least = 0.0
        for j in range(qd_max.shape[0]):
            least += min(scaled[i, j] * lo[j], scaled[i, j] * hi[j]) / qd_max[j]
        if least >= bound[i] + 1e-9:
            continue
        scaled[left] = scaled[i]
        bound[left], norm[left], index[left] = bound[i], norm[i], index[i]
        left += 1
    return left


@kernel
def meets(scaled: Array, bound: Array, kept: int, y: Array) -> bool:
    """Return whether ``scaled y >= bound`` holds for the first ``kept`` rows."""
    for i in range(kept):
        value = 0.0
        for j in range(y.shape[0]):
            value += scaled[i, j] * y[j]
        if not value >= bound[i]:
            return False
    return True
