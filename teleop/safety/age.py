"""The policy on the age of the hand's samples (PROTOCOL.md, last paragraph)."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class Age(enum.IntEnum):
    """How late the newest sample is."""

    FRESH = 0
    LATE = 1
    STALE = 2
    LOST = 3


@dataclass(frozen=True, slots=True)
class AgePolicy:
    """Limits on lateness, ns: follow until ``late``, slow down until ``stale``, hold until ``lost``."""

    late_ns: int = 5_000_000
    stale_ns: int = 20_000_000
    lost_ns: int = 100_000_000

    def classify(self, age_ns: int) -> Age:
        """The band that ``age_ns`` falls into."""
        if age_ns <= self.late_ns:
            return Age.FRESH
        if age_ns <= self.stale_ns:
            return Age.LATE
        return Age.STALE if age_ns <= self.lost_ns else Age.LOST
