"""The same inputs through the same core: the same bits."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import msgspec
import pytest

from teleop.recorder.read import read_recording
from teleop.recorder.replay.command import run as run_replay
from teleop.recorder.replay.exact import replay
from teleop.recorder.replay.what_if import what_if

from .theatre import Theatre, floor_toml, nan_hand, theatre


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Theatre:
    made = theatre(tmp_path_factory.mktemp("session"), pairs=1, extra=floor_toml())
    made.disturb = nan_hand
    made.bring_up()
    made.ask(300, "get_config")
    made.run(1500)
    return made


def test_a_session_replays_to_the_bit(played: Theatre, tmp_path: Path) -> None:
    result = replay(read_recording(played.save(tmp_path / "a.mcap")))
    assert result.first is None, result.first
    assert result.identical
    assert result.compared == 1500
    assert result.notes == []


@pytest.mark.parametrize(
    ("change", "stage", "field"),
    [
        (lambda r: r.pairs[0].command.q.__setitem__(3, _next(r.pairs[0].command.q[3])), "command",
         "pairs[0].command.q[3]"),
        (lambda r: setattr(r.pairs[0].command, "lease", b"x"), "command", "pairs[0].command.lease"),
        (lambda r: r.telemetry.pairs[0].p_desired_m.__setitem__(1, 0.0), "map", "pairs[0].p_desired_m[1]"),
        (lambda r: setattr(r.telemetry, "state", "PAUSED"), "decide", "state"),
        (lambda r: r.telemetry.pairs[0].clearance_m.__setitem__("floor", 1.0), "constrain",
         "pairs[0].clearance_m"),
    ],
)  # fmt: skip
def test_the_smallest_change_of_a_recorded_output_is_found(
    played: Theatre, tmp_path: Path, change: Any, stage: str, field: str
) -> None:
    record = played.ticks()[499]
    change(record)
    kept = played.records[499]
    played.records[499] = msgspec.msgpack.encode(record)
    try:
        result = replay(read_recording(played.save(tmp_path / "b.mcap")))
    finally:
        played.records[499] = kept
    assert not result.identical
    assert result.different == 1
    assert result.first is not None
    assert (result.first.tick, result.first.stage, result.first.field) == (500, stage, field)
    json.dumps(result.as_json())


def _next(x: float) -> float:
    return math.nextafter(x, 1.0)


def test_a_change_of_scale_is_found_where_the_motion_begins(played: Theatre, tmp_path: Path) -> None:
    recording = read_recording(played.save(tmp_path / "w.mcap"))
    same = what_if(recording, None, ("pairs[0].mapping.scale=1.0",))
    assert same.parted[1e-3] is None
    assert same.changed == []
    assert same.now.states_s == same.then.states_s
    other = what_if(recording, None, ("pairs[0].mapping.scale=0.5",))
    first = other.parted[1e-6]
    assert first is not None
    assert 0.19 < first.at_s < 0.5
    assert first.now.p_command_m == pytest.approx(first.then.p_command_m, abs=1e-5)
    assert other.largest is not None
    assert other.largest.away_m > 1e-3
    assert other.changed == [("pairs[pair0].mapping.scale", 1.0, 0.5)]
    json.dumps(other.as_json(), allow_nan=False)


def test_another_fixture_bounds_the_same_hand(played: Theatre, tmp_path: Path) -> None:
    recording = read_recording(played.save(tmp_path / "f.mcap"))
    result = what_if(recording, None, ("fixture[0].geometry.point_m=[0.0, 0.0, -0.1262]",))
    assert result.now.violations == 0
    assert 0.0 <= result.now.clearance_m["floor"] < result.then.clearance_m["floor"]


def test_what_is_printed_says_what_was_set_where_they_part_and_who_acted(
    played: Theatre, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = played.save(tmp_path / "s.mcap")
    moved = ("fixture[0].geometry.point_m=[0.0, 0.0, -0.1262]", "pairs[0].mapping.scale=0.5")
    assert run_replay(path, config=None, overrides=moved, tolerance=0.0, json_file=None) == 0
    said = capsys.readouterr().out
    assert "fixture[floor].geometry.point_m" in said
    where, whole = said.index("Where the commands part"), said.index("Over the whole run")
    assert "tips more than 0.001 mm apart: from " in said[where:whole]
    assert "clearance to floor" in said[where:whole]
    assert "who acted" in said[where:whole]


def test_ticks_after_a_gap_are_not_compared_and_that_is_said(played: Theatre, tmp_path: Path) -> None:
    result = replay(read_recording(played.save(tmp_path / "g.mcap", drop=(100, 101))))
    assert (result.compared, result.ticks, result.missing, result.identical) == (99, 1498, 2, False)
    assert result.first is None
    assert any("ticks 100 to 101 are missing" in note for note in result.notes)


def test_the_end_of_a_cut_file_is_missing_and_the_rest_is_the_same(played: Theatre, tmp_path: Path) -> None:
    whole = played.save(tmp_path / "c.mcap").read_bytes()
    (tmp_path / "cut.mcap").write_bytes(whole[: len(whole) // 2])
    result = replay(read_recording(tmp_path / "cut.mcap"))
    assert result.identical
    assert 0 < result.compared < 1500
    assert any("not closed" in note for note in result.notes)
