"""Where the time of each tick went: a preallocated ring, one row a tick, read only after the loop."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from teleop.loop.schedule import Schedule

_LATENESS, _COMPUTE, _LATENCY, _STAGES = range(4)
_NOT_MEASURED = -1


class Percentiles(msgspec.Struct, frozen=True):
    """Order statistics in microseconds, each a value that was observed; the maximum is never left out."""

    p50: float
    p99: float
    p99_9: float
    max: float


class LoopSummary(msgspec.Struct, frozen=True):
    """What a loop did; the timing part of ``--json``.

    Attributes:
        ticks: ticks that ran.
        skipped: deadlines passed over.
        overruns: ticks whose work lasted beyond the next deadline.
        on_time: share of all deadlines met within a quarter of a period; skipped ones were not.
        compute_us: begin to end of a tick.
        lateness_us: deadline to begin.
        latency_us: master stamp to command sent, of ticks that used a fresh sample.
        stages_us: each named stage, of ticks that ran it.
        recorded: the newest ticks that the percentiles are of; below ``ticks`` if the ring wrapped.
    """

    ticks: int
    skipped: int
    overruns: int
    on_time: float
    compute_us: Percentiles | None
    lateness_us: Percentiles | None
    latency_us: Percentiles | None
    stages_us: dict[str, Percentiles | None]
    recorded: int

    def format(self) -> str:
        """A table for people."""
        rows = {
            "compute": self.compute_us,
            "lateness": self.lateness_us,
            "latency": self.latency_us,
            **{f"  {name}": p for name, p in self.stages_us.items()},
        }
        lines = [
            f"{self.ticks} ticks, {self.skipped} skipped, {self.overruns} overran, "
            f"{self.on_time:.3%} on time",
            f"{'µs':<16}{'p50':>10}{'p99':>10}{'p99.9':>10}{'max':>10}",
        ]
        for name, p in rows.items():
            if p is not None:
                lines.append(f"{name:<16}{p.p50:>10.1f}{p.p99:>10.1f}{p.p99_9:>10.1f}{p.max:>10.1f}")
        return "\n".join(lines)


def percentiles_us(durations_ns: NDArray[np.int64]) -> Percentiles | None:
    """Percentiles of durations in ns; ``None`` of nothing."""
    if durations_ns.size == 0:
        return None
    # "higher" takes the observation at or above the rank: interpolation would soften a short run's tail.
    p50, p99, p99_9, top = np.percentile(durations_ns, [50, 99, 99.9, 100], method="higher") / 1e3
    return Percentiles(p50=float(p50), p99=float(p99), p99_9=float(p99_9), max=float(top))


class Timing:
    """Times the stages of a tick without allocating.

    ::

        timing.begin(schedule.wait(), schedule.lateness_ns)
        ...sample...
        timing.mark(SAMPLE)
        ...compute...
        timing.mark(COMPUTE)
        timing.end()
    """

    def __init__(
        self,
        stages: Sequence[str],
        *,
        capacity: int = 300_000,
        clock: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        """Allocate the ring.

        Args:
            stages: names of the stages; :meth:`mark` takes their index.
            capacity: ticks kept, five minutes at 1 kHz; a row takes ``8 * (3 + stages)`` bytes.
            clock: monotonic clock in ns, the schedule's.
        """
        self.stages = tuple(stages)
        self._capacity = capacity
        self._width = _STAGES + len(self.stages)
        # Written once here, so that no page is first touched inside a tick.
        self._table = np.full((capacity, self._width), _NOT_MEASURED, dtype=np.int64)
        self._cells: Any = self._table.reshape(-1).data
        self._blank: Any = np.full(self._width, _NOT_MEASURED, dtype=np.int64).data
        self._clock = clock
        self._count = 0
        self._row = 0
        self._began_ns = 0
        self._marked_ns = 0

    def begin(self, now_ns: int, lateness_ns: int) -> None:
        """A tick begins: its time and lateness from the schedule."""
        self._row = row = (self._count % self._capacity) * self._width
        self._cells[row : row + self._width] = self._blank
        self._cells[row + _LATENESS] = lateness_ns
        self._began_ns = self._marked_ns = now_ns

    def mark(self, stage: int) -> None:
        """Stage ``stage`` ends: it lasted since the mark before it, or since the tick began."""
        now = self._clock()
        self._cells[self._row + _STAGES + stage] = now - self._marked_ns
        self._marked_ns = now

    def latency(self, latency_ns: int) -> None:
        """Note a master-stamp-to-command-sent latency; of several pairs the worst counts."""
        cell = self._row + _LATENCY
        if latency_ns > self._cells[cell]:
            self._cells[cell] = latency_ns

    def end(self) -> int:
        """The tick ends; returns how long it took, ns. A tick that never ends is not recorded."""
        compute_ns = self._clock() - self._began_ns
        self._cells[self._row + _COMPUTE] = compute_ns
        self._count += 1
        return compute_ns

    def last(self) -> tuple[int, int, int, list[int]] | None:
        """Lateness, compute, latency and stages of the newest tick that ended, ns; -1 is not measured."""
        if not self._count:
            return None
        begin = (self._count - 1) % self._capacity * self._width
        row = self._cells[begin : begin + self._width].tolist()
        return row[_LATENESS], row[_COMPUTE], row[_LATENCY], row[_STAGES:]

    def summary(self, schedule: Schedule) -> LoopSummary:
        """The percentiles of what is in the ring, and the schedule's counts."""
        recorded = min(self._count, self._capacity)
        columns = self._table[:recorded].T

        def of(column: int) -> Percentiles | None:
            values = columns[column]
            return percentiles_us(values[values != _NOT_MEASURED])

        return LoopSummary(
            ticks=schedule.ticks,
            skipped=schedule.skipped,
            overruns=schedule.overruns,
            on_time=schedule.on_time / max(1, schedule.ticks + schedule.skipped),
            compute_us=of(_COMPUTE),
            lateness_us=of(_LATENESS),
            latency_us=of(_LATENCY),
            stages_us={name: of(_STAGES + k) for k, name in enumerate(self.stages)},
            recorded=recorded,
        )
