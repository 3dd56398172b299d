"""The jaw: the gripper's opening, rate limited, caught up with slowly after each engage."""

from __future__ import annotations

import math

from kinematics.arm import JawLimits

# After an engage the jaw closes in on the hand this slowly until it has caught up (dVRK: 36 deg/s, 2 deg).
_CATCH_UP_RAD_S = math.radians(36.0)
_CAUGHT_UP_RAD = math.radians(2.0)


class Jaw:
    """Commanded opening of the jaw.

    The jaw of the arm holds tissue while the hand is away, so an engage must not move it at full speed to
    wherever the gripper happens to be.

    Attributes:
        position_rad: commanded opening, rad.
    """

    def __init__(self, limits: JawLimits | None, rate_max_rad_s: float, period_s: float) -> None:
        """A jaw at rest; ``limits`` is ``None`` for a tool without one."""
        self._limits = limits
        self._rate = 0.0 if limits is None else min(rate_max_rad_s, limits.qd_max_rad_s)
        self._period_s = period_s
        self._catching_up = True
        self.position_rad = 0.0

    def sync(self, measured_rad: float) -> None:
        """Take the measured opening as the commanded one."""
        self.position_rad = measured_rad

    def follow(self, wanted_rad: float, starts: bool) -> None:
        """Move towards ``wanted_rad`` by one tick; ``starts`` marks the tick in which following starts."""
        if self._limits is None:
            return
        self._catching_up = self._catching_up or starts
        wanted = min(max(wanted_rad, self._limits.min_rad), self._limits.max_rad)
        away = wanted - self.position_rad
        if abs(away) <= _CAUGHT_UP_RAD:
            self._catching_up = False
        rate = min(self._rate, _CATCH_UP_RAD_S) if self._catching_up else self._rate
        most = rate * self._period_s
        self.position_rad += min(max(away, -most), most)
