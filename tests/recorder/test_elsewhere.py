"""Recordings on another machine and under another version: files that are gone, keys that are unknown."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trimesh

from fixtures.fields.bake import BakeOptions
from fixtures.geometry.baked import mesh_field
from teleop.recorder.read import Recording, RecordingReadError, read_recording
from teleop.recorder.replay.exact import replay
from teleop.recorder.replay.what_if import what_if
from teleop.recorder.report.series import load_run
from teleop.recorder.report.summary import fixtures_of

from .theatre import theatre

TICKS = 450


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A session in which a baked field is set live, switched off and on; then its file is deleted."""
    folder = tmp_path_factory.mktemp("session")
    mesh = folder / "ball.stl"
    trimesh.creation.icosphere(subdivisions=2, radius=0.008).export(mesh)
    field = folder / "ball.field"
    mesh_field(mesh, "m", BakeOptions(spacing_m=1e-3)).save(field)
    made = theatre(folder)
    made.bring_up()
    fixture = {
        "kind": "forbidden",
        "name": "ball",
        "geometry": {"shape": "field", "path": str(field)},
        "pose": {"position_m": [0.012, 0.006, -0.14]},
    }
    made.ask(250, "set_fixture", fixture=fixture)
    made.ask(300, "get_config")
    made.ask(320, "set_fixture", name="ball", enabled=False)
    made.ask(340, "set_fixture", name="ball", enabled=True)
    made.run(TICKS)
    answers = {entry.token: entry.reply for record in made.ticks() for entry in record.replies}
    assert answers[250_000].ok, answers[250_000].error
    path = made.save(folder / "a.mcap")
    field.unlink()
    return path


def test_a_field_set_live_travels_in_the_recording(recorded: Path) -> None:
    result = replay(read_recording(recorded))
    assert result.first is None, result.first
    assert (result.identical, result.compared, result.notes) == (True, TICKS, [])


def test_a_field_set_live_is_there_under_another_configuration(recorded: Path) -> None:
    result = what_if(read_recording(recorded), None, ("pairs[0].mapping.scale=0.5",))
    assert result.now.clearance_m["ball"] > 0.0


def test_a_field_set_live_is_drawn(recorded: Path) -> None:
    fixtures, notes = fixtures_of(load_run(read_recording(recorded)))
    assert [fixture.name for fixture in fixtures] == ["ball"]
    assert notes == []


def _changed(path: Path, change: Callable[[Any], object]) -> Recording:
    """The recording as a version would have written it whose configuration had other keys."""
    recording = read_recording(path)
    table = json.loads(recording.attachments["session.json"])
    change(table)
    recording.attachments["session.json"] = json.dumps(table).encode()
    return recording


@pytest.mark.parametrize(
    "change",
    [
        lambda s: s["spec"]["pairs"][0]["mapping"].update(old_key=1),
        lambda s: s["arms"][0].update(old_key=1),
        lambda s: s["devices"][0].update(old_key=1),
        lambda s: s["fixtures"].append({"kind": "forbidden", "name": "x", "old_key": 1}),
    ],
)
def test_a_key_that_was_removed_since_is_named_with_the_way_out(
    recorded: Path, change: Callable[[Any], object]
) -> None:
    with pytest.raises(RecordingReadError) as caught:
        replay(_changed(recorded, change))
    said = str(caught.value)
    assert "old_key" in said
    assert "--config SESSION.toml" in said
    assert "version that recorded it" in said


def test_a_key_that_was_added_since_has_its_default(recorded: Path) -> None:
    assert replay(_changed(recorded, lambda s: s["spec"]["pairs"][0]["mapping"].pop("leash_m"))).identical
