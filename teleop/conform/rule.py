"""One rule: what is demanded of a driver, why it matters, and the function that finds out."""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from teleop.conform.plot import Plot

if TYPE_CHECKING:
    from teleop.conform.bench import Bench


class Needs(enum.Enum):
    """What a rule does to the arm, from nothing to anything."""

    WIRE = "messages only; the drives stay off"
    MOTION = "drives on and motion within the bounds"
    FREE = "commands that a bad driver could turn into any motion: bounds that cover the arm's whole range"
    JAW = "motion of the jaw"
    RESTART = "a way to restart the driver"


class Verdict(enum.Enum):
    """What became of a rule."""

    PASS = "pass"
    FAIL = "fail"
    SKIP = "skip"


@dataclass(frozen=True, slots=True)
class Finding:
    """What a rule found.

    Attributes:
        verdict: pass, fail or skip.
        measured: what the driver did, with figures.
        plots: pictures for the report.
    """

    verdict: Verdict
    measured: str
    plots: tuple[Plot, ...] = ()


def verdict(ok: bool, measured: str, *plots: Plot) -> Finding:
    """A finding that passes if ``ok``."""
    return Finding(Verdict.PASS if ok else Verdict.FAIL, measured, plots)


def skip(why: str) -> Finding:
    """A finding of a rule that could not be tried."""
    return Finding(Verdict.SKIP, why)


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule of the protocol.

    Attributes:
        id: short name, e.g. ``"estop.latency"``.
        title: what a good driver does, in a sentence.
        demanded: the limit, in words.
        why: what happens with a driver that breaks it.
        needs: what it does to the arm.
        check: finds out.
    """

    id: str
    title: str
    demanded: str
    why: str
    needs: Needs
    check: Callable[[Bench], Finding]


def rule(
    id: str, title: str, *, demanded: str, why: str, needs: Needs = Needs.MOTION
) -> Callable[[Callable[[Bench], Finding]], Rule]:
    """Make a rule of a function."""

    def make(check: Callable[[Bench], Finding]) -> Rule:
        return Rule(id, title, demanded, why, needs, check)

    return make
