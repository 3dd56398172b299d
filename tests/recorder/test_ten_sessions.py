"""Ten varied sessions: replayed to the bit, here and in a fresh process; what they do is a reviewed file."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from teleop.recorder.read import read_recording
from teleop.recorder.replay.exact import replay

from .sessions import REFERENCES, SESSIONS, TICKS, lines, play

TOLERANCE = 2e-6
"""Of joints and clearances in the references, rad and m: rounding differs from machine to machine."""

FRESH = """
import sys
from pathlib import Path
from teleop.recorder.read import read_recording
from teleop.recorder.replay.exact import replay
for path in sys.argv[1:]:
    result = replay(read_recording(Path(path)))
    print(Path(path).stem, result.compared, result.identical, result.first and result.first.sentence())
"""


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, list[str]]]:
    folder = tmp_path_factory.mktemp("ten")
    made = {}
    for make in SESSIONS:
        theatre = play(make, folder)
        made[make.__name__] = theatre.save(folder / f"{make.__name__}.mcap"), lines(theatre)
    return made


@pytest.mark.slow
@pytest.mark.parametrize("name", [make.__name__ for make in SESSIONS])
def test_a_session_replays_to_the_bit(recorded: dict[str, tuple[Path, list[str]]], name: str) -> None:
    result = replay(read_recording(recorded[name][0]))
    assert result.first is None, result.first
    assert (result.identical, result.compared, result.notes) == (True, TICKS, [])


@pytest.mark.slow
def test_a_fresh_process_replays_all_ten_to_the_bit(recorded: dict[str, tuple[Path, list[str]]]) -> None:
    paths = [str(path) for path, _ in recorded.values()]
    run = subprocess.run([sys.executable, "-c", FRESH, *paths], capture_output=True, text=True, check=True)
    assert run.stdout.splitlines() == [f"{name} {TICKS} True None" for name in recorded]


@pytest.mark.slow
@pytest.mark.parametrize("name", [make.__name__ for make in SESSIONS])
def test_what_a_session_does_is_what_was_reviewed(
    recorded: dict[str, tuple[Path, list[str]]], name: str
) -> None:
    """After an intended change of behaviour: ``make references``, and review the diff."""
    blocks = dict(
        block.split("\n", 1) for block in REFERENCES.read_text(encoding="utf-8").split("== ") if block
    )
    expected = blocks[name].splitlines()
    got = recorded[name][1]
    assert len(got) == len(expected)
    for now, then in zip(got, expected, strict=True):
        assert _words(now) == _words(then)
        for a, b in zip(_numbers(now), _numbers(then), strict=True):
            assert abs(a - b) <= TOLERANCE, f"{now}\n{then}"


_NUMBER = re.compile(r"-?\d+\.\d{9}")


def _words(line: str) -> str:
    return _NUMBER.sub("#", line)


def _numbers(line: str) -> list[float]:
    return [float(text) for text in _NUMBER.findall(line)]
