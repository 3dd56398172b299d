"""What ``trocar report`` reads, writes, prints and returns."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from rich.console import Console

from teleop.errors import TrocarError
from teleop.recorder.read import read_recording
from teleop.recorder.report.checks import Thresholds, check
from teleop.recorder.report.page import render
from teleop.recorder.report.series import Run, load_run
from teleop.recorder.report.summary import fixtures_of, summarise


class ReportError(TrocarError):
    """A report cannot be made or written."""


def run(
    path: Path,
    *,
    out: Path | None,
    json_file: Path | None,
    compare: Path | None,
    thresholds: Thresholds,
) -> int:
    """Report on a recording.

    Args:
        path: the recording.
        out: the page; beside the recording when left out.
        json_file: where the figures go; then no page is written unless ``out`` says where.
        compare: another recording to show beside it.
        thresholds: what the run must keep.

    Returns:
        0, or 1 where a threshold is broken.

    Raises:
        TrocarError: a recording cannot be used.
    """
    console = Console(highlight=False, soft_wrap=True)
    runs = [_load(each) for each in (path, compare) if each is not None]
    built = [fixtures_of(each) for each in runs]
    summaries = [summarise(each, fixtures) for each, (fixtures, _) in zip(runs, built, strict=True)]
    checks = [check(summary, thresholds) for summary in summaries]
    for entry in checks[0]:
        word = "kept" if entry.passed else "BROKEN"
        console.print(f"{word}: {entry.name} asked {entry.asked:g}, got {entry.got}")
    passed = all(entry.passed for entry in checks[0])
    if json_file is not None:
        report = {**summaries[0], "checks": [asdict(c) for c in checks[0]], "passed": passed}
        if len(runs) == 2:
            report["compared_with"] = {**summaries[1], "checks": [asdict(c) for c in checks[1]]}
        _write(json_file, json.dumps(report, indent=2, allow_nan=False) + "\n")
        console.print(f"figures written to {json_file}")
    if out is not None or json_file is None:
        page = out or path.with_suffix(".html")
        _write(page, render(runs, summaries, checks, built[0][0], [n for _, notes in built for n in notes]))
        console.print(f"report written to {page}")
    for note in runs[0].notes:
        console.print(f"note: {note}")
    return 0 if passed else 1


def _load(path: Path) -> Run:
    loaded = load_run(read_recording(path))
    if not len(loaded.t_s):
        raise ReportError(f"{path}: none of its ticks has telemetry; there is nothing to report")
    return loaded


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ReportError(f"cannot write {path}: {error.strerror}") from error
