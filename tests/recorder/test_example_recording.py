"""An old recording stays readable, and what this version does otherwise is told."""

from __future__ import annotations

from pathlib import Path

from teleop.recorder.read import read_recording
from teleop.recorder.replay.exact import replay

EXAMPLE = Path(__file__).parents[2] / "examples" / "recordings" / "vessel_guard.mcap"
TICKS = 2007


def test_the_example_is_read_whole_and_replayed_to_its_end() -> None:
    recording = read_recording(EXAMPLE)
    assert not recording.damage
    result = replay(recording)
    assert (result.ticks, result.compared, result.missing) == (TICKS, TICKS, 0)
    assert result.identical or (result.first is not None and result.first.sentence())
