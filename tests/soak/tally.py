"""Figures of the soak, and what of them must be zero."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np


@dataclass
class Tally:
    """Figures of one kind of scene; ``merge`` adds another's.

    Attributes:
        ticks: of the controller, times the number of arms.
        episodes: scenes.
        following: ticks in which an arm followed.
        skipped: ticks that were skipped in between.
        looked: exact distances that were evaluated.
        violations: a pair that was clear did not stay so, and no alarm was raised.
        deeper: a pair inside a standing region got deeper.
        returns: ticks on a stop that was fixed while a body was inside, and that leads this body out and in
            again, no deeper than it was.
        limits: sampled joint limits broken.
        off_trocar: the shaft left the trocar by more than 50 um.
        recovery: ticks in bounded recovery.
        alarms: ticks in which a region came on that the arm could not get away from.
        apart: two arms nearer than they may.
        walls: ticks with a body inside a region that came, of which the ledger says nothing.
        contact: ticks with a body nearer than 0.1 mm to a region.
        presses: how often a hand pressed and the tool came to rest before a region.
        far_presses: of these, at rest more than 0.1 mm before it.
        unexplained: presses at rest that no line of the ledger explains.
        smallest_m: smallest clearance of a pair that had to stay clear.
        driver_m: smallest clearance of the driver's setpoint where ticks were skipped.
        inside_m: deepest that a region which came or appeared got.
        rcm_m: largest distance of the shaft from the trocar.
        stops_m: where a pressed tool came to rest, from the margin; every one.
        worst: for the worst findings, seed and tick.
    """

    ticks: int = 0
    episodes: int = 0
    following: int = 0
    skipped: int = 0
    looked: int = 0
    violations: int = 0
    deeper: int = 0
    returns: int = 0
    limits: int = 0
    off_trocar: int = 0
    recovery: int = 0
    alarms: int = 0
    apart: int = 0
    walls: int = 0
    contact: int = 0
    presses: int = 0
    far_presses: int = 0
    unexplained: int = 0
    smallest_m: float = np.inf
    driver_m: float = np.inf
    inside_m: float = 0.0
    rcm_m: float = 0.0
    stops_m: list[float] = field(default_factory=list)
    worst: list[str] = field(default_factory=list)

    def merge(self, other: Tally) -> None:
        """Add another's figures."""
        for key, value in asdict(other).items():
            mine = getattr(self, key)
            if key in ("smallest_m", "driver_m"):
                setattr(self, key, min(mine, value))
            elif key in ("inside_m", "rcm_m"):
                setattr(self, key, max(mine, value))
            else:
                setattr(self, key, mine + value)

    @property
    def failures(self) -> int:
        """What must be zero."""
        entered = self.violations + self.deeper + self.apart + self.walls
        return entered + self.limits + self.off_trocar + self.unexplained

    def plain(self) -> dict[str, Any]:
        """As JSON takes it."""
        return asdict(self)
