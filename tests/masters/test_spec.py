"""From a TOML table to a hand: the kinds, their defaults and the examples that come with Trocar."""

from __future__ import annotations

import tomllib
from pathlib import Path

import numpy as np
import pytest
from pydantic import TypeAdapter, ValidationError

from teleop.masters.source import MasterError
from teleop.masters.spec import MasterSpec, make_source
from teleop.masters.surgeon import SurgeonSpec, synthesise
from teleop.masters.synthetic import SyntheticSpec, synthetic

ADAPTER: TypeAdapter[MasterSpec] = TypeAdapter(MasterSpec)
EXAMPLES = sorted((Path(__file__).parents[2] / "configs" / "masters").glob("*.toml"))


def quick(**keys):
    return SyntheticSpec(kind="synthetic", motion_s=15.0, lead_in_s=0.0, **keys)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_every_example_is_valid_and_makes_a_source_or_names_the_file_it_lacks(path):
    spec = ADAPTER.validate_python(tomllib.loads(path.read_text()))
    try:
        source = make_source(spec, path.parent)
    except MasterError as error:
        assert "there is no such file" in str(error)  # noqa: PT017
        assert not (path.parent / spec.path).exists()
        return
    hand = source.sample(2.0)
    assert hand.present
    assert np.isfinite(hand.p_m).all()


def test_there_is_an_example_of_each_kind():
    kinds = {tomllib.loads(path.read_text())["kind"] for path in EXAMPLES}
    assert kinds == {"console", "console_csv", "jigsaws", "pose_csv", "synthetic"}


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({"kind": "joystick"}, "console_csv"),
        ({"path": "x.csv"}, "kind"),
        ({"kind": "pose_csv"}, "path"),
        ({"kind": "pose_csv", "path": "x", "rate_hz": 5}, "Extra"),
        ({"kind": "synthetic", "motion_s": float("inf")}, "finite"),
        ({"kind": "synthetic", "seed": -1}, "greater than or equal to 0"),
        ({"kind": "console_csv", "path": "x", "hand": "third"}, "'left' or 'right'"),
    ],
)
def test_a_master_that_cannot_be_is_refused(table, words):
    with pytest.raises(ValidationError, match=words):
        ADAPTER.validate_python(table)


@pytest.mark.parametrize("kind", ["console_csv", "jigsaws", "pose_csv"])
def test_a_missing_recording_is_named_with_its_full_path(tmp_path, kind):
    spec = ADAPTER.validate_python({"kind": kind, "path": "sub/none.txt"})
    with pytest.raises(MasterError) as caught:
        make_source(spec, tmp_path)
    assert str(tmp_path / "sub" / "none.txt") in str(caught.value)
    assert "no such file" in str(caught.value)


def test_the_synthetic_hand_is_the_generators_motion_sample_for_sample():
    source = synthetic(quick(seed=4))
    trace = synthesise(15.0, 1000.0, 4)
    for i in (0, 1234, 9999):
        hand = source.sample(i / 1000.0)
        np.testing.assert_allclose(hand.p_m, trace.measured[i, :3], atol=1e-15)
        angle = 2.0 * np.arccos(min(1.0, abs(hand.quat_xyzw[3])))
        assert angle == pytest.approx(np.linalg.norm(trace.measured[i, 3:]), abs=1e-7)


def test_the_synthetic_hand_never_ends_and_its_seam_is_not_a_jump():
    source = synthetic(quick(seed=2))
    assert source.duration_s is None
    p = np.array([source.sample(t).p_m for t in np.arange(14.5, 16.8, 1e-3)])
    assert np.linalg.norm(np.diff(p, axis=0), axis=1).max() < 1.2e-4
    assert source.sample(14.9).present
    assert source.sample(1e5).present
    assert source.sample(15.5).clutch


def test_the_jaw_opens_and_closes_within_its_range():
    source = synthetic(quick(seed=1, jaw_open_rad=0.7))
    jaw = np.array([source.sample(t).gripper_rad for t in np.arange(0, 15, 0.01)])
    assert jaw[0] == pytest.approx(0.7)
    assert jaw.min() == pytest.approx(0.0, abs=1e-9)
    assert jaw.max() == pytest.approx(0.7)


def test_the_clutch_is_pressed_only_when_asked_for_and_only_during_reaches():
    times = np.arange(0.0, 14.9, 0.01)
    never = [synthetic_hand.clutch for synthetic_hand in map(synthetic(quick()).sample, times)]
    every_second = synthetic(quick(clutch_every=2))
    pressed = np.array([every_second.sample(t).clutch for t in times])
    assert not any(never)
    assert 0.1 < pressed.mean() < 0.6
    still = synthetic(quick(clutch_every=1, surgeon=SurgeonSpec(moving=False)))
    assert not any(still.sample(t).clutch for t in times)
