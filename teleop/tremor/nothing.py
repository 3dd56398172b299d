"""No filter, to compare with and to switch to."""

from __future__ import annotations

from teleop.tremor.contract import Array


class Nothing:
    """Passes every sample."""

    def start(self, x: Array) -> None:
        """Nothing to remember."""

    def advance(self, x: Array, dt: float, out: Array) -> None:
        """``out = x``."""
        out[:] = x

    def transport(self, jacobian: Array, before: Array, after: Array, curvature: Array) -> None:
        """Nothing to carry."""
