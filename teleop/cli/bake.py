"""``trocar bake``: a mesh or a volume becomes a distance field with a proven bound."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from fixtures.fields.cache import ENDING, cache_dir
from fixtures.fields.command import bake_command


def bake(path: Path, out: Path | None, **how: Any) -> int:
    """Bake with a progress bar and print what it cost and what it proved.

    Args:
        path: mesh or volume.
        out: file to write as well.
        how: the other arguments of `bake_command`.

    Returns:
        0; what cannot be baked is raised.
    """
    console = Console(stderr=True)
    columns = (TextColumn("{task.description:>9}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        tell = _Teller(bar)
        field = bake_command(path, out, progress=tell, **how)
    report = field.report
    print(report)
    kept = (how.get("cache") or cache_dir()) / (field.content_hash + ENDING)
    print(f"  {'kept in' if tell.told else 'was in'} {kept}" + ("" if out is None else f", written to {out}"))
    if report.warnings:
        print(f"{len(report.warnings)} warning(s): look at them before you trust the field", file=sys.stderr)
    return 0


class _Teller:
    """Feeds the bar, one line a stage."""

    def __init__(self, bar: Progress) -> None:
        self._bar = bar
        self._tasks: dict[str, Any] = {}

    @property
    def told(self) -> bool:
        """Whether anything was baked, not only found in the cache."""
        return bool(self._tasks)

    def __call__(self, stage: str, fraction: float) -> None:
        if stage not in self._tasks:
            self._tasks[stage] = self._bar.add_task(stage, total=1.0)
        self._bar.update(self._tasks[stage], completed=fraction)
