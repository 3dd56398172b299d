"""Bad descriptions: every mistake is named with its key, and all of them at once."""

from __future__ import annotations

import copy
import tomllib
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from kinematics import ArmModel, ArmSpec, ModelError, UnknownFrameError

ARMS = Path(__file__).parents[2] / "configs" / "arms"
PSM = tomllib.loads((ARMS / "psm_lnd_400006.toml").read_text())
PANDA = tomllib.loads((ARMS / "panda_lap.toml").read_text())


def broken(path: str, value: Any, base: dict[str, Any] = PSM) -> dict[str, Any]:
    """A copy of the description with one entry changed; ``path`` like "joints.0.q_min_rad"."""
    data = copy.deepcopy(base)
    *parents, last = path.split(".")
    here: Any = data
    for key in parents:
        here = here[int(key)] if isinstance(here, list) else here[key]
    if value is None:
        del here[last]
    else:
        here[int(last) if isinstance(here, list) else last] = value
    return data


def messages(data: dict[str, Any]) -> str:
    with pytest.raises(ValidationError) as caught:
        ArmSpec.model_validate(data)
    return "\n".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in caught.value.errors())


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        (
            "joints.0.q_min_rad",
            2.0,
            r"joint 'yaw': q_min_rad (2) must be below q_max_rad (1.588); are they swapped?",
        ),
        (
            "joints.2.q_max_m",
            0.01,
            r"joint 'insertion': q_min_m (0.0606) must be below q_max_m (0.01); are they swapped?",
        ),
        (
            "joints.1.home_rad",
            1.2,
            "joint 'pitch': home_rad (1.2) must lie in its range (-0.925025 to 0.925025 rad)",
        ),
        ("joints.0.q_max_deg", 91.0, "q_max_deg: Extra inputs are not permitted"),
        ("joints.0.qd_max_rad_s", 0.0, "qd_max_rad_s: Input should be greater than 0"),
        ("joints.0.qdd_max_rad_s2", None, "qdd_max_rad_s2: Field required"),
        ("joints.0.q_min_rad", float("nan"), "q_min_rad: Input should be a finite number"),
        (
            "joints.0.type",
            "helical",
            "Input tag 'helical' found using 'type' does not match any of the expected tags",
        ),
        ("joints.0.dh", None, "joint 'yaw': its dh row is missing (chain.kind is 'dh')"),
        (
            "joints.0.q_min_rad",
            None,
            "joint 'yaw': q_min, q_max and qd_max must be given when chain.kind is 'dh'",
        ),
        ("joints.1.name", "yaw", "joint 'yaw' is listed twice"),
        ("joints.0.name", "tip", "joint 'tip': this name is taken; base, flange, tip are frames"),
        ("joints", [], "List should have at least 1 item"),
        ("chain.convention", "distal", "Input should be 'standard' or 'modified'"),
        ("chain.kind", "mjcf", "does not match any of the expected tags: 'dh', 'urdf'"),
        ("tool.tip_offset_m", [0.0, 0.0], "tool.tip_offset_m.2: Field required"),
        ("tool.tip_rotation", [[1, 0, 0], [0, 1, 0], [0, 0, -1]], "with determinant +1 (got -1.000)"),
        ("tool.tip_rotation", [[1, 0, 0], [0, 1, 0.1], [0, 0, 1]], "orthonormal to 1e-9 (off by 1.0e-01)"),
        ("tool.jaw.min_rad", 2.0, "jaw: min_rad (2) must be below max_rad (1.39626)"),
        ("shaft.axis", [0.0, 0.0, 0.0], "shaft axis must not be zero"),
        ("rcm.kind", "magnetic", "Input should be 'mechanical' or 'software'"),
        ("bodies.0.cover_m", 0.0, "cover_m: Input should be greater than or equal to 0.0000001"),
        ("bodies.0.capsules", [], "bodies.0.capsules: List should have at least 1 item"),
        ("bodies.1.name", "tip", "body 'tip' is listed twice"),
    ],
)
def test_a_mistake_is_named_with_its_key(path: str, value: Any, expected: str) -> None:
    assert expected in messages(broken(path, value))


def test_all_mistakes_are_reported_at_once() -> None:
    data = broken("joints.0.q_min_rad", 2.0)
    data["joints"][3]["speed"] = 1.0
    data["tool"]["tip_offset_m"] = "straight"
    text = messages(data)
    for part in ("q_min_rad (2)", "joints.3.revolute.speed: Extra inputs", "tool.tip_offset_m"):
        assert part in text


def test_a_frame_that_does_not_exist_lists_those_that_do() -> None:
    known = "base, yaw, pitch, insertion, roll, wrist_pitch, wrist_yaw, flange, tip"
    spec = ArmSpec.model_validate(broken("bodies.3.capsules.0.frame", "rol"))
    with pytest.raises(
        UnknownFrameError, match=f"body 'shaft', capsule frame: .*'rol'; the frames are: {known}"
    ):
        ArmModel.from_spec(spec)
    spec = ArmSpec.model_validate(broken("shaft.frame", "cannula"))
    with pytest.raises(UnknownFrameError, match=f"shaft, frame: .*'cannula'; the frames are: {known}"):
        ArmModel.from_spec(spec)


def test_a_remote_centre_beside_the_shaft_says_how_far_and_where_it_should_be() -> None:
    p = list(PANDA["rcm"]["p_base_m"])
    spec = ArmSpec.model_validate(broken("rcm.p_base_m", [p[0], p[1] + 0.002, p[2]], PANDA))
    with pytest.raises(
        ModelError, match=r"2.000 mm beside rcm.p_base_m .*nearest .* \[0.400331049, 0.000000000, 0.305"
    ):
        ArmModel.from_spec(spec)


def test_the_spec_cannot_be_changed() -> None:
    spec = ArmSpec.model_validate(PSM)
    with pytest.raises(ValidationError, match="frozen"):
        spec.name = "other"  # type: ignore[misc]


def test_a_missing_file_says_so(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"nothing\.toml"):
        ArmSpec.from_toml(tmp_path / "nothing.toml")
