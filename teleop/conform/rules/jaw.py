"""The jaw: goes where it is told, inside its range, and keeps its grasp when the link is lost."""

from __future__ import annotations

import math

from teleop.conform.bench import Bench
from teleop.conform.probe import Message
from teleop.conform.rule import Finding, Needs, rule, skip, verdict
from teleop.conform.rules.admission import refused_among_good

_STEP_RAD_S = 0.5


def _target(bench: Bench) -> float:
    """A place for the jaw inside its range and the bounds."""
    if bench.jaw is None or bench.bounds is None:
        return bench.jaw_start
    reach = min(bench.bounds.jaw_rad, 0.3)
    up = bench.jaw[1] - bench.jaw_start
    return bench.jaw_start + (
        min(reach, up)
        if up >= bench.jaw_start - bench.jaw[0]
        else -min(reach, bench.jaw_start - bench.jaw[0])
    )


def _lead(bench: Bench, to: float) -> None:
    """Move the jaw there slowly, the joints at rest."""
    begin = float(bench.state.m.get("jaw_rad", bench.jaw_start))
    seconds = max(abs(to - begin) / _STEP_RAD_S, 0.05)
    low, high = min(bench.jaw_start, to), max(bench.jaw_start, to)

    def make(t: float) -> Message:
        jaw = begin + (to - begin) * min(t / seconds, 1.0)
        return bench.command("SERVO", jaw_rad=min(max(jaw, low), high))

    bench.probe.pump(seconds + 0.3, make)


@rule(
    "jaw.follow",
    "the jaw goes where it is commanded, and keeps its opening when commands fail to come",
    demanded="measured within 0.05 rad of the command; unchanged within 0.02 rad after 150 ms of silence",
    why="A lost link must drop nothing, a needle or a vessel least of all.",
    needs=Needs.JAW,
)
def follow(bench: Bench) -> Finding:
    """Lead it, then fall silent."""
    target = _target(bench)
    if bench.jaw is None:
        return skip("the arm has no jaw")
    if math.isclose(target, bench.jaw_start, abs_tol=0.02):
        return skip("the bounds leave the jaw no room")
    bench.ready()
    _lead(bench, target)
    there = float(bench.state.m["jaw_rad"])
    bench.probe.pump(0.15)
    kept = float(bench.state.m["jaw_rad"])
    bench.ready()
    _lead(bench, bench.jaw_start)
    good = abs(there - target) <= 0.05 and abs(kept - there) <= 0.02
    return verdict(good, f"asked {target:.3f}, measured {there:.3f}, after the silence {kept:.3f} rad")


@rule(
    "jaw.limit",
    "a jaw opening outside the range is refused",
    demanded="no echo, counted in `rejected`",
    why="Squeezing further than the range breaks the cable or what is held.",
    needs=Needs.FREE,
)
def limit(bench: Bench) -> Finding:
    """Just beyond the end of the range."""
    if bench.jaw is None:
        return skip("the arm has no jaw")
    low, high = bench.jaw
    bench.ready()
    return refused_among_good(
        bench, lambda k: {**bench.command("SERVO"), "jaw_rad": (low - 0.1, high + 0.1)[k % 2]}
    )


RULES = (follow, limit)
