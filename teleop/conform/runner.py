"""Tries the rules one after the other, each from a known beginning."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from teleop.conform.bench import Bench, BenchError
from teleop.conform.probe import DISTURBED_S, SilentError
from teleop.conform.rule import Finding, Needs, Rule, Verdict, skip

TRIES = 3


@dataclass(frozen=True, slots=True)
class Result:
    """A rule and what became of it.

    Attributes:
        rule: which.
        finding: what was found.
        seconds: how long it took.
        tries: how often it was tried, more than once where this machine was too busy to measure.
    """

    rule: Rule
    finding: Finding
    seconds: float
    tries: int = 1


def _missing(bench: Bench, needs: Needs) -> str:
    """Why a rule cannot be tried on this bench, or an empty string."""
    if needs is Needs.RESTART:
        return "" if bench.restart else "no way to restart the driver was given (--restart)"
    if needs is Needs.WIRE:
        return ""
    if bench.bounds is None:
        return "needs motion: allow it with --allow-motion and bounds"
    if needs is Needs.FREE and not bench.free:
        return "a bad driver could go anywhere: needs bounds that cover the whole range of the arm"
    if needs is Needs.JAW and not bench.bounds.jaw_rad:
        return "needs motion of the jaw: allow it with --jaw-excursion"
    return ""


def run_rule(bench: Bench, rule: Rule) -> Result:
    """Try one rule; whatever the driver does, there is a finding."""
    begin_s = time.monotonic()
    if why := _missing(bench, rule.needs):
        return Result(rule, skip(why), 0.0)
    finding, attempt, disturbed = skip("not tried"), 0, True
    while disturbed and attempt < TRIES:
        attempt += 1
        bench.probe.cut()
        try:
            finding = rule.check(bench)
        except (BenchError, SilentError) as error:
            finding = Finding(Verdict.FAIL, str(error))
        except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
            # A message without the fields of the protocol; rules read them as they come.
            finding = Finding(Verdict.FAIL, f"the driver's messages lack what the rule reads: {error!r}")
        disturbed = bench.probe.gap_s > DISTURBED_S
        if finding.verdict is not Verdict.FAIL:
            break
    if finding.verdict is Verdict.FAIL and disturbed:
        note = (
            f" (this machine stood still for {1e3 * bench.probe.gap_s:.0f} ms meanwhile, in {attempt} tries)"
        )
        finding = Finding(finding.verdict, finding.measured + note, finding.plots)
    return Result(rule, finding, time.monotonic() - begin_s, attempt)


def run_rules(
    bench: Bench, rules: Iterable[Rule], tell: Callable[[Result], None] = lambda _: None
) -> list[Result]:
    """Try rules in order; the arm is left disabled and without a lease, however it ends."""
    results = []
    try:
        for rule in rules:
            results.append(run_rule(bench, rule))
            tell(results[-1])
    finally:
        try:
            bench.release()
        except (BenchError, SilentError):
            pass  # it does not listen any more; its own watchdog is what is left
    return results
