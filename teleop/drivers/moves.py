"""Motions of the driver's own, such as homing: planned from rest to rest, not commanded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from teleop.drivers.limits import DriverLimits

Array = npt.NDArray[np.float64]


class Move(Protocol):
    """A motion inside the driver's limits, smooth from rest to rest."""

    @property
    def duration_s(self) -> float:
        """From start to rest, s."""
        ...

    def at(self, t_s: float) -> tuple[Array, Array]:
        """Position (n,) and velocity (n,) at ``t_s`` after the start."""
        ...


@dataclass(frozen=True, slots=True)
class MinimumJerkMove:
    """From ``start`` to ``end``, straight, as ``10 u³ - 15 u⁴ + 6 u⁵`` of the way, ``u = t/duration``."""

    start: Array
    end: Array
    duration_s: float

    @classmethod
    def plan(
        cls, start: Array, end: Array, limits: DriverLimits, *, speed: float, least_s: float
    ) -> MinimumJerkMove:
        """The shortest such move inside the limits on speed and acceleration.

        The greatest speed is ``15/8 way/duration``, the greatest acceleration ``10/sqrt(3) way/duration²``.

        Args:
            start: joint positions, shape (n,).
            end: joint positions, shape (n,).
            limits: the driver's.
            speed: greatest speed as a fraction of the limit.
            least_s: shortest duration, s.
        """
        way = np.abs(end - start)
        by_speed = float(np.max(1.875 * way / (speed * limits.qd_max)))
        by_acceleration = float(np.max(np.sqrt(10.0 / np.sqrt(3.0) * way / limits.qdd_max)))
        return cls(start.copy(), end.copy(), max(least_s, by_speed, by_acceleration))

    def at(self, t_s: float) -> tuple[Array, Array]:
        """Position (n,) and velocity (n,) at ``t_s``; at rest before and after."""
        u = min(max(t_s / self.duration_s, 0.0), 1.0)
        way = self.end - self.start
        blend = u**3 * (10.0 + u * (6.0 * u - 15.0))
        rate = 30.0 * u**2 * (1.0 - u) ** 2 / self.duration_s
        return (self.end.copy() if u == 1.0 else self.start + blend * way), rate * way
