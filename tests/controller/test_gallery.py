"""The gallery in ``configs/fixtures``: each guards the tool of the demo, clamps it, and is never entered."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fixtures.display import draw
from teleop.config import load_session
from teleop.config.toml import profiles_dir, read_toml
from teleop.masters.spec import make_source

from .rig import Rig, assert_within_limits

GALLERY = sorted((profiles_dir() / "fixtures").glob("*.toml"))
ACTS = {"clamped", "stopped", "guided"}


def test_the_gallery_is_what_the_help_of_demo_lists(capsys: pytest.CaptureFixture[str]) -> None:
    from teleop.cli.app import app

    app(["demo", "--help"], exit_on_error=False, result_action="return_value")
    said = capsys.readouterr().out
    names = [path.stem for path in GALLERY]
    assert names == ["biopsy_line", "skull_base", "suturing_tube", "trocar_cone", "vessel_guard"]
    for name in names:
        assert name in said


@pytest.mark.parametrize("profile", GALLERY, ids=lambda path: path.stem)
def test_each_of_the_gallery_acts_on_the_demo_and_is_never_entered(profile: Path) -> None:
    session = load_session(profiles_dir() / "sessions" / "demo.toml")
    assert session.sources[0] is not None
    hand = make_source(session.sources[0], session.source_dirs[0])
    rig = Rig(scale=0.5)
    rig.run(3)
    for fixture in read_toml(profile)["fixture"]:
        reply = rig.request("set_fixture", fixture=fixture)
        assert reply.ok, reply.error
    rig.hand.p_m = hand.sample(1.0).p_m.tolist()
    rig.bring_up()
    start = len(rig.sent)
    acted: dict[str, float] = {}
    for k in range(2500):
        sample = hand.sample(1.0 + k * 1e-3)
        rig.hand.p_m, rig.hand.quat_xyzw = sample.p_m.tolist(), sample.quat_xyzw.tolist()
        out = rig.tick().pairs[0]
        assert not out.violation
        assert rig.pair.motion.unsafe == ""
        assert rig.state[0] == "FOLLOWING"
        for line in out.ledger:
            if line.what in ACTS:
                acted[line.who] = acted.get(line.who, 0.0) + line.by_m
    names = {fixture["name"] for fixture in read_toml(profile)["fixture"]}
    print(profile.stem, {name: round(1e3 * by, 2) for name, by in acted.items()}, "mm")
    assert any(by > 2e-4 for name, by in acted.items() if name in names)
    assert_within_limits(rig, rig.sent[start:])
    for fixture in rig.scene.fixtures:
        drawing = draw(fixture, np.array([0.0, 0.0, -0.12]), 0.06)
        assert len(drawing.vertices) > 0
