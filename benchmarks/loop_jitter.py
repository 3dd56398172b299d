"""Lateness of our schedule beside the usual "sleep the rest of the period", interleaved.

Run:  python benchmarks/loop_jitter.py [--seconds N] [--rounds N] [--work-us N] [--no-realtime]

Both loops do the same work in each tick. They take turns, so that what the machine does meanwhile meets both.
Each also shows the rate of the ticks it ran: re-arming from "now" drifts. Lateness is against the absolute
schedule of each turn; against its own last wake-up, a drifting loop would look punctual.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np

from teleop.loop.realtime import format_grants, make_realtime
from teleop.loop.schedule import Schedule

PERIOD_NS = 1_000_000


def burn(work_us: float) -> None:
    """Keep the processor busy, as a tick would."""
    until = time.monotonic_ns() + round(work_us * 1e3)
    while time.monotonic_ns() < until:
        pass


def absolute(seconds: float, work_us: float, spin_s: float) -> tuple[list[int], int, float]:
    """Our schedule: lateness of each tick (ns), deadlines skipped, achieved rate (Hz)."""
    schedule = Schedule(1000.0, spin_s=spin_s)
    lateness, begin = [], time.monotonic_ns()
    end = begin + round(seconds * 1e9)
    while (now := schedule.wait()) < end:
        lateness.append(schedule.lateness_ns)
        burn(work_us)
    return lateness, schedule.skipped, schedule.ticks * 1e9 / (now - begin)


def rearm(seconds: float, work_us: float) -> tuple[list[int], int, float]:
    """The usual loop: work, then sleep what is left of the period since the tick began."""
    lateness, begin = [], time.monotonic_ns()
    end = begin + round(seconds * 1e9)
    tick, now = 0, begin
    while now < end:
        lateness.append(now - begin - tick * PERIOD_NS)
        burn(work_us)
        time.sleep(max(0.0, (now + PERIOD_NS - time.monotonic_ns()) * 1e-9))
        tick, now = tick + 1, time.monotonic_ns()
    return lateness, 0, tick * 1e9 / (now - begin)


def steal_ticks() -> int:
    """Time the hypervisor took from this machine, in clock ticks of all processors."""
    with open("/proc/stat") as stat:
        return int(stat.readline().split()[8])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=2.0, help="length of one turn")
    parser.add_argument("--rounds", type=int, default=3, help="turns of each loop")
    parser.add_argument("--work-us", type=float, default=150.0, help="work in each tick")
    parser.add_argument("--no-realtime", action="store_true", help="stay an ordinary process")
    arguments = parser.parse_args()
    if not arguments.no_realtime:
        print(format_grants(make_realtime()))
    seconds, work_us = arguments.seconds, arguments.work_us
    loops: dict[str, Callable[[], tuple[list[int], int, float]]] = {
        "absolute, spin 150 us": lambda: absolute(seconds, work_us, 150e-6),
        "absolute, no spin": lambda: absolute(seconds, work_us, 0.0),
        "sleep and re-arm": lambda: rearm(seconds, work_us),
    }
    results: dict[str, list[tuple[list[int], int, float]]] = {name: [] for name in loops}
    steal = steal_ticks()
    for _ in range(arguments.rounds):
        for name, run in loops.items():
            results[name].append(run())
    print(f"{'lateness, us':<24}{'p50':>9}{'p99':>9}{'p99.9':>9}{'max':>9}{'skipped':>9}{'rate Hz':>11}")
    for name, turns in results.items():
        p = np.percentile(np.concatenate([lateness for lateness, _, _ in turns]) / 1e3, [50, 99, 99.9, 100])
        skipped = sum(s for _, s, _ in turns)
        rate = float(np.mean([r for _, _, r in turns]))
        print(f"{name:<24}{p[0]:>9.1f}{p[1]:>9.1f}{p[2]:>9.1f}{p[3]:>9.1f}{skipped:>9}{rate:>11.3f}")
    print(f"steal meanwhile: {steal_ticks() - steal} clock ticks")


if __name__ == "__main__":
    main()
