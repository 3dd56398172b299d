"""What ``trocar replay`` prints, writes and returns."""

from __future__ import annotations

import json
from pathlib import Path

from rich.console import Console
from rich.table import Table

from teleop.recorder.read import read_recording
from teleop.recorder.replay.exact import ReplayResult, replay
from teleop.recorder.replay.what_if import WhatIf, what_if


def run(
    path: Path, *, config: Path | None, overrides: tuple[str, ...], tolerance: float, json_file: Path | None
) -> int:
    """Replay a recording.

    Args:
        path: the recording.
        config: another session to run its hands under; the recorded one when left out.
        overrides: ``key=value`` settings on top of it.
        tolerance: commands may differ by this much, rad or m (speeds: per s); 0 asks for every bit.
        json_file: where the result goes as JSON.

    Returns:
        0, or 1 where something differs, or could not be compared.

    Raises:
        TrocarError: the recording or the configuration cannot be used.
    """
    recording = read_recording(path)
    console = Console(highlight=False, soft_wrap=True)
    result: ReplayResult | WhatIf
    if config is None and not overrides:
        result = replay(recording)
        _print_exact(console, path, result)
        complete = result.compared == result.ticks > 0
        within = tolerance > 0.0 and result.largest_command_difference <= tolerance
        status = 0 if result.identical or (complete and within) else 1
    else:
        result = what_if(recording, config, overrides)
        _print_what_if(console, path, result)
        status = 1 if result.now.violations else 0
    if json_file is not None:
        json_file.write_text(json.dumps({"file": str(path), **result.as_json()}, indent=2) + "\n", "utf-8")
    return status


def _print_exact(console: Console, path: Path, result: ReplayResult) -> None:
    times = f", {result.recorded_s / result.replay_s:.1f} times real time" if result.replay_s else ""
    if result.identical:
        console.print(f"{path}: {result.compared} ticks, every bit the same{times}")
    else:
        console.print(f"{path}: {result.compared} of {result.ticks} ticks compared{times}")
    if result.first is not None:
        console.print(f"first difference: {result.first.sentence()}")
        console.print(
            f"{result.different} ticks differ; commands by {result.largest_command_difference:.3g} at most"
        )
    for note in result.notes:
        console.print(f"note: {note}")


def _print_what_if(console: Console, path: Path, result: WhatIf) -> None:
    console.print(f"{path}: {result.ticks} ticks under the new configuration")
    table = Table("", "then", "now", box=None, pad_edge=False)
    for column in table.columns[1:]:
        column.justify = "right"
    then, now = result.then, result.now
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
    for distance, at in result.parted_s.items():
        when = "never" if at is None else f"from {at:.3f} s on"
        console.print(f"tips more than {1e3 * distance:g} mm apart: {when}")
    console.print(f"largest distance {1e3 * result.largest_m[0]:.3f} mm at {result.largest_m[1]:.3f} s")
    for note in result.notes:
        console.print(f"note: {note}")


def _mm(metres: float | None) -> str:
    return "-" if metres is None else f"{1e3 * metres:.3f} mm"
