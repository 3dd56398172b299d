"""The controller's own punctuality: deadlines it missed are counted, told, and in the end stop the arm.

One missed deadline is bridged by the stop that the last command fixed. Many make the motion a string of
starts and stops that no fixture and no surgeon asked for.
"""

from __future__ import annotations

from teleop.safety.lapses import Lapses

WARN_RATIO = 0.05
HOLD_RATIO = 0.20
GAP_S = 0.020
"""A gap after which the arm driver holds by itself."""


class Deadlines:
    """Missed deadlines of the last second.

    Attributes:
        missed_too_many: more than a fifth of them, or one gap over 20 ms, in the last second.
    """

    def __init__(self, period_s: float) -> None:
        """A loop of nominal ``period_s``."""
        self._period_s = period_s
        self._lapses = Lapses()
        self._warned = False
        self._warning = ""
        self.missed_too_many = False

    def update(self, now_ns: int, dt: float) -> None:
        """A tick began ``dt`` seconds of schedule after the one before."""
        missed_s = max(0.0, dt - self._period_s)
        if missed_s < 0.5 * self._period_s:
            missed_s = 0.0  # rounding
        # A gap over 20 ms counts like a fifth of a second.
        self._lapses.update(now_ns, missed_s if missed_s <= GAP_S else max(missed_s, 1.01 * HOLD_RATIO))
        bad_s = self._lapses.bad_s
        self.missed_too_many = bad_s > HOLD_RATIO
        if bad_s > WARN_RATIO and not self._warned:
            self._warning = f"{min(bad_s, 1.0):.0%} of the deadlines of the last second were missed"
        self._warned = bad_s > WARN_RATIO

    def warning(self) -> str:
        """A sentence in the tick in which the share of missed deadlines passed 5 %; else empty."""
        said, self._warning = self._warning, ""
        return said
