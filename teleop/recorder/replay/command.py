"""What ``trocar replay`` prints, writes and returns."""

from __future__ import annotations

import json
from pathlib import Path

from rich.console import Console

from teleop.recorder.read import read_recording
from teleop.recorder.replay.exact import ReplayResult, replay
from teleop.recorder.replay.side_by_side import print_what_if
from teleop.recorder.replay.what_if import what_if


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
    console = Console(highlight=False, markup=False, soft_wrap=True)
    if config is None and not overrides:
        exact = replay(recording)
        _print_exact(console, path, exact)
        complete = exact.compared == exact.ticks > 0
        within = tolerance > 0.0 and exact.largest_command_difference <= tolerance
        status = 0 if exact.identical or (complete and within) else 1
        told = exact.as_json()
    else:
        other = what_if(recording, config, overrides)
        print_what_if(console, path, other)
        status = 1 if other.now.violations else 0
        told = other.as_json()
    if json_file is not None:
        json_file.write_text(json.dumps({"file": str(path), **told}, indent=2) + "\n", "utf-8")
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
