"""What ``trocar replay --config`` prints: what was set otherwise, where the runs part, and their figures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from teleop.recorder.replay.what_if import Acts, Moment, WhatIf, acted
from teleop.wire.messages import PairTelemetry

_MOST_CHANGES = 12
_LONGEST = 60


def print_what_if(console: Console, path: Path, result: WhatIf) -> None:
    """Both runs side by side."""
    console.print(f"{path}: {result.ticks} ticks under the new configuration")
    _print_changes(console, result.changed)
    console.print("\nWhere the commands part", style="bold")
    told: set[int] = set()
    for distance, moment in result.parted.items():
        if moment is None:
            console.print(f"tips more than {1e3 * distance:g} mm apart: never")
        else:
            console.print(f"tips more than {1e3 * distance:g} mm apart: from {_when(moment)} on")
            _print_moment(console, moment, told)
    if result.largest is not None and result.largest.away_m > 0.0:
        most = result.largest
        console.print(f"farthest apart: {1e3 * most.away_m:.3f} mm at {_when(most)}")
        _print_moment(console, most, told)
    console.print("\nOver the whole run", style="bold")
    _print_totals(console, result.then, result.now)
    for note in result.notes:
        console.print(f"note: {note}")


def _print_changes(console: Console, changed: list[tuple[str, Any, Any]]) -> None:
    if not changed:
        console.print("The new configuration sets nothing otherwise.")
        return
    console.print("Set otherwise, then and now:")
    for key, then, now in changed[:_MOST_CHANGES]:
        console.print(f"  {key}: {_short(then)} -> {_short(now)}")
    if len(changed) > _MOST_CHANGES:
        console.print(f"and {len(changed) - _MOST_CHANGES} more settings (--json has all)")


def _when(moment: Moment) -> str:
    return f"{moment.at_s:.3f} s (tick {moment.tick}, pair {moment.pair})"


def _short(value: Any) -> str:
    if value is None:
        return "-"
    text = json.dumps(value)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."


def _print_moment(console: Console, moment: Moment, told: set[int]) -> None:
    """One tick of both runs, once."""
    if moment.tick in told:
        return
    told.add(moment.tick)
    then, now = moment.then, moment.now
    table = _table("  in that tick")
    table.add_row("  state", then.teleop_state, now.teleop_state)
    for name in dict.fromkeys([*then.clearance_m, *now.clearance_m]):
        table.add_row(f"  clearance to {name}", *(_mm(p.clearance_m.get(name)) for p in (then, now)))
    table.add_row("  tip asked for", *(_point(p.p_desired_m) for p in (then, now)))
    table.add_row("  tip sent", *(_point(p.p_command_m) for p in (then, now)))
    table.add_row("  who acted", *(_who(p) for p in (then, now)))
    console.print(table)


def _who(pair: PairTelemetry) -> str:
    by = sorted(acted(pair).items(), key=lambda item: -item[1])
    return "\n".join(f"{who} {1e6 * most:.1f} um" for who, most in by) or "nobody"


def _point(p_m: list[float]) -> str:
    return " ".join(f"{1e3 * x:.3f}" for x in p_m) + " mm"


def _print_totals(console: Console, then: Acts, now: Acts) -> None:
    table = _table("")
    for name in dict.fromkeys([*then.clearance_m, *now.clearance_m]):
        table.add_row(
            f"smallest clearance to {name}", *(_mm(acts.clearance_m.get(name)) for acts in (then, now))
        )
    for who in dict.fromkeys([*then.ticks, *now.ticks]):
        table.add_row(f"{who} acted", *(f"{acts.ticks[who]} ticks" for acts in (then, now)))
        table.add_row("  at most, in a tick", *(_mm(acts.most_m.get(who)) for acts in (then, now)))
    for state in dict.fromkeys([*then.states_s, *now.states_s]):
        table.add_row(state, *(f"{acts.states_s[state]:.2f} s" for acts in (then, now)))
    table.add_row("violations", str(then.violations), str(now.violations))
    console.print(table)


def _table(title: str) -> Table:
    table = Table(title, "then", "now", box=None, pad_edge=False, padding=(0, 3, 0, 0))
    table.columns[0].no_wrap = True
    for column in table.columns[1:]:
        column.justify = "right"
    return table


def _mm(metres: float | None) -> str:
    return "-" if metres is None else f"{1e3 * metres:.3f} mm"
