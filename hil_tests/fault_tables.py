"""The tables and pictures of the fault matrix, and the parts of one that was made in several sittings."""

from __future__ import annotations

import json
import math
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from hil_tests.faults import Outcome
from hil_tests.stack import SERVO_M
from teleop.conform.page import Section, page
from teleop.conform.plot import Plot

HEAD = (
    *("fault", "stream or process", "condition", "detected", "by", "step", "arm step", "speed", "commands"),
    *("arm", "its error", "state after it", "way back", "verdict"),
)


_PROCESSES = {"controller", "arm driver", "master", "everybody", "controller and arm"}


def length(um: float) -> str:
    """A length in a unit that fits it."""
    if not math.isfinite(um):
        return "-"
    return f"{um / 1e3:.2f} mm" if abs(um) >= 1e3 else f"{um:.1f} um"


def row(o: Outcome) -> tuple[str, ...]:
    """One line of the table, as :data:`HEAD` names it."""
    detected = "-" if o.detected_ms is None else f"{max(o.detected_ms, 0.0):.0f} ms"
    back = o.recovered if not o.recovered_s else f"{o.recovered}, {o.recovered_s:.1f} s"
    return (
        *(o.fault, o.stream, o.condition, detected, o.detected_by),
        *(
            f"{o.step:.2f}",
            f"{max(o.measured_step, 0.0):.2f}",
            f"{o.speed_mm_s:.0f} mm/s",
            length(o.commanded_um),
            length(o.clearance_um),
            length(o.error_um),
        ),
        *(o.ended, back, "; ".join(o.wrong) or "pass"),
    )


def summary(outcomes: Sequence[Outcome]) -> str:
    """The worst of each, in two sentences."""
    bad = sum(bool(o.wrong) for o in outcomes)
    commanded = min((o.commanded_um for o in outcomes), default=0.0)
    measured = min((o.clearance_um for o in outcomes), default=0.0)
    step, arm = (
        max((o.step for o in outcomes), default=0.0),
        max((o.measured_step for o in outcomes), default=0.0),
    )
    return (
        f"{len(outcomes)} scenarios, {bad} failed. Smallest clearance of a command {commanded:.1f} um, "
        f"of the measured arm {measured:.1f} um; greatest step of a command {step:.2f}, "
        f"of the arm {arm:.2f} of the limit."
    )


INTRO = """# What faults do

Made by `make fault-matrix`; do not edit. Each row is one fault of a running stack: controller, simulated PSM,
a hand, a `trocar impair` where the fault is, all in processes of their own over `ipc`.
`docs/safety.md` says for each kind of fault who detects it and why; `docs/hil.md` how to run this.

{summary} Taken in {minutes:.0f} minutes on {processors} processors shared with other work.

- **detected**: from the beginning of the fault until the controller or the arm driver says so; `-`: nobody
  did, because nothing that matters was lost.
- **step**, **arm step**: greatest step of a command, and of the measured arm, in units of the velocity
  limit times the time it took. A command above 1 fails, and an arm above 1.2, the headroom of its motors.
- **commands**, **arm**: smallest distance from the forbidden floor, by plain formulas from the joint
  positions that were commanded, and from those that the arm published itself.
- The fixture declares a margin of {margin:.0f} um for the servo. A command inside that margin fails. An arm
  that is enabled anew begins where its encoders say, which may be in the margin; then a command deeper than
  the arm was measured in the 50 ms before fails.
- **its error**: what the arm itself may put between a command and a reading, from its data sheet: encoder
  counts and noise, and the chord that a servo cuts (`hil_tests/judge.py` has the formulas). An arm inside the
  region, by more than that, fails.
- **way back**: what the operator had to send, and the time until the arm followed again.
- contact: the hand presses some 15 mm into the floor and slides; free: a circle of 8 mm at 0.8 Hz.

"""


def markdown(outcomes: Sequence[Outcome], seconds: float, left: Sequence[Outcome] = ()) -> str:
    """The page of the docs; ``left`` are those that were not tried, and it says so."""
    text = summary(outcomes)
    if left:
        counts = Counter(("a process" if o.stream in _PROCESSES else o.stream, o.condition) for o in left)
        named = ", ".join(f"{n} on {stream} ({condition})" for (stream, condition), n in counts.items())
        text += f" **Not tried this time: {named}.**"
    intro = INTRO.format(
        summary=text, margin=1e6 * SERVO_M, minutes=seconds / 60.0, processors=os.cpu_count()
    )
    rows = [HEAD, ("---",) * len(HEAD), *map(row, outcomes)]
    return intro + "".join("| " + " | ".join(cell.replace("|", "/") for cell in r) + " |\n" for r in rows)


def html(outcomes: Sequence[Outcome]) -> str:
    """The page with pictures."""
    sections = [Section("All", HEAD, tuple(row(o) for o in outcomes), text=summary(outcomes))]
    worth = [o for o in outcomes if o.plot is not None and (o.wrong or o.condition != "rest")]
    sections.append(Section("Pictures", plots=tuple(o.plot for o in worth if o.plot is not None)))
    return page("Fault matrix", "each fault x each stream x rest, free motion, contact", sections)


def write_part(path: Path, outcomes: Sequence[Outcome], seconds: float) -> None:
    """What one sitting found."""
    rows = [asdict(o) for o in outcomes]
    path.write_text(json.dumps({"seconds": seconds, "outcomes": rows}, indent=1) + "\n", encoding="utf-8")


def merge_parts(paths: Sequence[Path]) -> tuple[list[Outcome], float]:
    """What several sittings found, in the order given, and how long they took together, s."""
    outcomes: list[Outcome] = []
    seconds = 0.0
    for path in paths:
        part: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        seconds += part["seconds"]
        for row_ in part["outcomes"]:
            plot = row_.pop("plot")
            outcomes.append(Outcome(**row_, plot=None if plot is None else Plot(**plot)))
    return outcomes, seconds
