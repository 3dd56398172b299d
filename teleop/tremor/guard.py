"""Stands before every filter core: garbage, gaps, odd intervals and restarts, handled once."""

from __future__ import annotations

import math

import numpy as np

from teleop.tremor.contract import Array, FilterCore

BELIEVABLE = 1e3
"""A hand is never further than this from the origin (m) or turned by more (rad); beyond is garbage."""

SHORTEST_DT = 0.25
"""Intervals are clamped from below to this fraction of the nominal period: bursts must not stop time."""


class GuardedFilter:
    """An :class:`~teleop.tremor.contract.AxisFilter` that cannot be fed anything that hurts its core.

    - The first good sample after a reset passes exactly, and the core starts there at rest.
    - A sample with a non-finite or unbelievable value is answered with the last output, and resets.
    - ``dt`` longer than ``max_gap_s`` resets, so that nobody extrapolates over a hole.
    - ``dt`` that is not finite counts as the nominal period; a short one is clamped.

    Before any good sample has come, the output is zero.

    Attributes:
        started: whether a first sample has been seen since the last reset.
        resets: how often garbage or a gap has forced a reset, since construction.
    """

    def __init__(self, core: FilterCore, axes: int, period_s: float, max_gap_s: float) -> None:
        """Guard ``core`` for ``axes`` axes at the nominal ``period_s``, resetting after ``max_gap_s``."""
        self.core = core
        self.axes = axes
        self.period_s = period_s
        self.max_gap_s = max_gap_s
        self.started = False
        self.resets = 0
        self._last = np.zeros(axes)

    def reset(self) -> None:
        """Forget the past; the next good sample passes unchanged."""
        self.started = False

    def step(self, x: Array, dt: float, out: Array) -> Array:
        """Filter one sample; see :meth:`teleop.tremor.contract.AxisFilter.step`."""
        for value in x.tolist():
            if not -BELIEVABLE < value < BELIEVABLE:
                self._forced_reset()
                out[:] = self._last
                return out
        return self.believe(x, dt, out)

    def believe(self, x: Array, dt: float, out: Array) -> Array:
        """:meth:`step` for a caller that has looked at the sample itself."""
        if not math.isfinite(dt):
            dt = self.period_s
        if self.started and dt > self.max_gap_s:
            self._forced_reset()
        if not self.started:
            self.core.start(x)
            self.started = True
            out[:] = x
        else:
            self.core.advance(x, max(dt, SHORTEST_DT * self.period_s), out)
        self._last[:] = out
        return out

    def transport(self, jacobian: Array, before: Array, after: Array, curvature: Array) -> None:
        """Carry the memory to new coordinates; see :meth:`teleop.tremor.contract.FilterCore.transport`."""
        if self.started:
            self.core.transport(jacobian, before, after, curvature)
        self._last[:] = after

    def _forced_reset(self) -> None:
        self.resets += self.started
        self.started = False
