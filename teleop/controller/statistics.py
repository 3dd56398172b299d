"""What the controller remembers of a run for its closing summary: counted in preallocated memory."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from teleop.controller.pair import Pair
from teleop.controller.types import ControllerOutputs
from teleop.safety.states import Teleop
from teleop.tremor.trace import TremorTrace

Array = npt.NDArray[np.float64]

_CAPACITY = 300_000


class Series:
    """Every sample up to a fixed number; then the newest overwrite the oldest. Not sampled is not kept."""

    __slots__ = ("_count", "_data")

    def __init__(self, capacity: int = _CAPACITY) -> None:
        """Reserve the memory, and touch it, so that no page is missing later."""
        self._data = np.full(capacity, np.nan)
        self._count = 0

    def add(self, value: float) -> None:
        """Keep one sample."""
        self._data[self._count % len(self._data)] = value
        self._count += 1

    def percentiles(self) -> dict[str, float] | None:
        """``{p50, p99, p99_9, max}``, each a sample that was seen; ``None`` where there are none."""
        samples = self._data[: min(self._count, len(self._data))]
        if len(samples) == 0:
            return None
        p50, p99, p99_9, top = np.percentile(samples, [50, 99, 99.9, 100], method="higher")
        return {"p50": float(p50), "p99": float(p99), "p99_9": float(p99_9), "max": float(top)}


class RunStatistics:
    """Counts over a run, for all pairs together; times are in seconds of schedule.

    Attributes:
        internal_errors: ticks that a mistake of our own broke off.
    """

    def __init__(self, pairs: Sequence[Pair]) -> None:
        """Nothing has happened yet."""
        self._pairs = tuple(pairs)
        self._states: defaultdict[str, float] = defaultdict(float)
        self._reasons: defaultdict[str, float] = defaultdict(float)
        self._clearance: dict[str, float] = {}
        self._acted: dict[tuple[str, str], list[float]] = {}
        self._tracking = Series()
        self._round_trip = Series()
        self._violations = 0
        self.internal_errors = 0
        self._tremor = [TremorTrace() for _ in self._pairs]

    def add(self, outputs: ControllerOutputs, dt: float) -> None:
        """Take note of one tick that stands for ``dt`` seconds."""
        for pair, trace in zip(self._pairs, self._tremor, strict=True):
            if pair.hand.fresh_stamp_ns:
                trace.add(pair.hand.fresh_stamp_ns * 1e-9, pair.hand.raw_p, pair.hand.filtered_p)
        for out in outputs.pairs:
            self._states[out.teleop.value] += dt
            self._reasons[out.reason.code] += dt
            if out.round_trip_ns >= 0:
                self._round_trip.add(out.round_trip_ns * 1e-3)
            if out.teleop is Teleop.FOLLOWING:
                self._tracking.add(out.tracking_error_m)
            for fixture, clearance in out.clearance_m.items():
                self._clearance[fixture] = min(clearance, self._clearance.get(fixture, clearance))
            self._violations += out.violation
            told = set()
            for line in out.ledger:
                key = (line.who, line.what)
                acted = self._acted.get(key)
                if acted is None:
                    acted = self._acted[key] = [0.0, 0.0, 0.0]
                if key not in told:
                    told.add(key)
                    acted[0] += dt
                acted[1] += line.by_m
                acted[2] = max(acted[2], line.by_m)

    def summary(self, rejected_bytes: dict[str, int], rate_hz: float) -> dict[str, Any]:
        """The part of ``--json`` that is not timing.

        Args:
            rejected_bytes: what the sockets refused, by reason.
            rate_hz: of the loop, for the tremor's spectra.
        """
        rejected = Counter(rejected_bytes)
        for pair in self._pairs:
            rejected.update(pair.hand.rejected)
            rejected.update(pair.link.rejected)
        return {
            "min_clearance_m": dict(self._clearance),
            "acted": [
                {"who": who, "what": what, "seconds": round(seconds, 3), "by_m": by_m, "most_m": most_m}
                for (who, what), (seconds, by_m, most_m) in self._acted.items()
            ],
            "violations": self._violations,
            "internal_errors": self.internal_errors,
            "rejected": dict(rejected),
            "states": {state: round(s, 3) for state, s in self._states.items()},
            "reasons": {reason: round(s, 3) for reason, s in self._reasons.items()},
            "tracking_error_m": self._tracking.percentiles(),
            "round_trip_us": self._round_trip.percentiles(),
            "tremor": {
                pair.name: trace.summary(rate_hz)
                for pair, trace in zip(self._pairs, self._tremor, strict=True)
            },
        }
