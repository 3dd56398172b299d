"""Somebody sets the clock of the wall: nothing that decides about motion ever looks at it."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

TELEOP = Path(__file__).parents[2] / "teleop"
DECIDE = ("controller", "devices", "drivers", "haptics", "impair", "loop", "mapping", "masters", "safety")
WALL = {"time", "time_ns", "now", "utcnow", "today", "CLOCK_REALTIME", "gmtime", "localtime"}
FILES = [p for part in (*DECIDE, "tremor", "wire") for p in sorted((TELEOP / part).rglob("*.py"))]


def wall_clocks(source: str) -> list[str]:
    """Uses of a clock that a person or a time server may set."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if (
            isinstance(node, ast.Attribute)
            and isinstance(node.value, ast.Name)
            and node.value.id in ("time", "datetime", "date", "dt")
            and node.attr in WALL
        ):
            found.append(f"{node.value.id}.{node.attr}, line {node.lineno}")
        if isinstance(node, ast.ImportFrom) and node.module in ("time", "datetime"):
            found += [f"{node.module}.{n.name}" for n in node.names if n.name in WALL | {"datetime", "date"}]
    return found


def test_the_search_finds_every_way_to_read_the_clock_on_the_wall() -> None:
    for text in (
        "import time\ntime.time()",
        "from time import time_ns",
        "time.clock_gettime(time.CLOCK_REALTIME)",
    ):
        assert wall_clocks(text)
    assert not wall_clocks("import time\ntime.monotonic_ns()\ntime.sleep(1)")


@pytest.mark.parametrize("file", FILES, ids=lambda p: str(p.relative_to(TELEOP)))
def test_no_wall_clock(file: Path) -> None:
    assert wall_clocks(file.read_text(encoding="utf-8")) == []
