"""Absolute deadlines: ``origin + k * period``, never "now + period", which drifts by every lateness.

A deadline that cannot be met is skipped and counted; the loop never runs ticks in a burst to catch up. So
``ticks + skipped`` is exactly the number of periods that passed.
"""

from __future__ import annotations

import time
from collections.abc import Callable

SPIN_MAX_S = 150e-6
"""The kernel throttles a real-time process that never sleeps; more spinning than this is refused."""

MASTER_PHASE_S, CONTROLLER_PHASE_S, ARM_PHASE_S = 0.0, 160e-6, 550e-6
"""Phases on one host: a sample is there when the controller ticks, its command when the arm does."""


class Schedule:
    """Waits for deadlines and counts what happened at them.

    Attributes:
        period_ns: time between deadlines.
        deadline_ns: deadline of the current tick, on ``clock``.
        lateness_ns: how long after its deadline the current tick began.
        ticks: ticks begun.
        skipped: deadlines passed over, because the loop was at least a period late.
        overruns: ticks whose work lasted beyond the next deadline.
        on_time: ticks begun within a quarter of a period of their deadline.
    """

    def __init__(
        self,
        rate_hz: float,
        *,
        spin_s: float = SPIN_MAX_S,
        phase_s: float | None = None,
        clock: Callable[[], int] = time.monotonic_ns,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Prepare; deadlines begin with :meth:`start`.

        Args:
            rate_hz: deadlines a second.
            spin_s: how long before a deadline to stop sleeping and watch the clock, 0 to 150 us. A spin tail
                takes the wake-up latency out of the lateness, at the price of that much processor time.
            phase_s: put the deadlines this long after the full periods of the clock. Processes of one host
                share the clock: a chain of them in staggered phases passes a sample on within one period,
                and they do not wake up at once. Left out, the first deadline is one period after the start.
            clock: monotonic clock in ns.
            sleep: sleeps for seconds. ``time.sleep`` is ``clock_nanosleep`` on an absolute monotonic deadline
                since Python 3.11, and wakes as early as a direct call.

        Raises:
            ValueError: rate or spin outside their range.
        """
        if not 1.0 <= rate_hz <= 10_000.0:
            raise ValueError(f"a rate of {rate_hz} Hz is outside 1 to 10000 Hz")
        if not 0.0 <= spin_s <= SPIN_MAX_S:
            raise ValueError(f"a spin tail of {spin_s} s is outside 0 to {SPIN_MAX_S} s")
        self.period_ns = round(1e9 / rate_hz)
        self._spin_ns = round(spin_s * 1e9)
        self._phase_ns = None if phase_s is None else round(phase_s * 1e9)
        self._on_time_ns = self.period_ns // 4
        self._clock = clock
        self._sleep = sleep
        self.start()

    def start(self) -> None:
        """Begin now: the next tick is due in one period, and all counts are zero."""
        now = self._clock()
        if self._phase_ns is not None:
            now -= (now - self._phase_ns) % self.period_ns
        self.deadline_ns = now
        self.lateness_ns = 0
        self.ticks = self.skipped = self.overruns = self.on_time = 0

    def wait(self) -> int:
        """Wait for the next deadline that can still be met; returns when its tick began, ns."""
        due = self.deadline_ns + self.period_ns
        now = self._clock()
        if now < due:
            now = self._wait_until(due, now)
        elif self.ticks:
            self.overruns += 1
        behind = (now - due) // self.period_ns
        self.skipped += behind
        self.deadline_ns = due + behind * self.period_ns
        self.lateness_ns = now - self.deadline_ns
        self.on_time += self.lateness_ns <= self._on_time_ns
        self.ticks += 1
        return now

    def _wait_until(self, due_ns: int, now_ns: int) -> int:
        if due_ns - now_ns > self._spin_ns:
            self._sleep((due_ns - now_ns - self._spin_ns) * 1e-9)
        while (now_ns := self._clock()) < due_ns:
            pass
        return now_ns
