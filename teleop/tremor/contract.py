"""What a tremor filter is: the one small contract every filter here keeps.

A filter has two halves. The *core* is the algorithm: it sees only finite samples and believable intervals.
The *guard* (:mod:`teleop.tremor.guard`) stands before it and deals with garbage, gaps and restarts, once for
all algorithms.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


class AxisFilter(Protocol):
    """Filters ``k`` axes of one unit at once (m or rad), e.g. the three of a position."""

    def reset(self) -> None:
        """Forget everything; the next good sample passes unchanged."""

    def step(self, x: Array, dt: float, out: Array) -> Array:
        """Filter one sample.

        Args:
            x: measured values, shape (k,), m or rad. Not modified, not kept.
            dt: seconds since the previous sample, as measured.
            out: receives the filtered values, shape (k,). Always finite.

        Returns:
            ``out``.
        """


class FilterCore(Protocol):
    """An algorithm behind a guard: ``start`` with a first sample, then ``advance``."""

    def start(self, x: Array) -> None:
        """Begin anew at ``x`` (k,), at rest: the output then is ``x``."""

    def advance(self, x: Array, dt: float, out: Array) -> None:
        """Filter the finite sample ``x`` (k,), ``dt`` seconds after the last one, into ``out`` (k,)."""

    def transport(self, jacobian: Array, before: Array, after: Array, curvature: Array) -> None:
        """Carry the memory over to new coordinates, when a rotation's reference moves.

        The coordinates of the output change from ``before`` to ``after``; a small change ``d`` there becomes
        ``jacobian @ d``, and to second order ``+ 1/2 curvature[:, i, j] d_i d_j``.

        Args:
            jacobian: shape (k, k).
            before: the last output in the old coordinates, shape (k,).
            after: the same point in the new ones, shape (k,).
            curvature: second derivatives of the change of coordinates, shape (k, k, k).
        """
