"""``trocar check`` finds what is wrong with fixtures before anything moves."""

from __future__ import annotations

from pathlib import Path

import pytest

from teleop.cli.check import check_sessions
from teleop.config.toml import profiles_dir

GALLERY = sorted((profiles_dir() / "fixtures").glob("*.toml"))
SESSION = """
name = "lint"
fixtures = [{profiles}]

[[pairs]]
name = "right"
master = {{ name = "hand", external = true }}
arm = {{ name = "PSM1", profile = "psm_lnd_400006" }}
filter = {{ kind = "none" }}

{fixtures}
"""


def fixture(name: str, kind: str, geometry: str = "", *more: str) -> str:
    lines = ["[[fixture]]", f'name = "{name}"', f'kind = "{kind}"', *more]
    return "\n".join([*lines, f"geometry = {{ {geometry} }}"] if geometry else lines)


SPHERE = 'shape = "sphere", radius_m = 0.01, center_m = '
TIP = 'bodies = ["tip"]'
SPEEDS = ("near_speed_m_s = 0.01", "far_speed_m_s = 0.1", "range_m = 0.02")
MISTAKES = {
    ("far", "never-reached"): fixture("far", "forbidden", SPHERE + "[5.0, 0.0, 0.0]", TIP),
    ("slow far", "never-reached"): fixture(
        "slow far", "speed_limit", SPHERE + "[5.0, 0.0, 0.0]", TIP, *SPEEDS
    ),
    ("millimetres", "units"): fixture(
        "millimetres", "forbidden", 'shape = "sphere", radius_m = 10.0, center_m = [0.0, 0.0, -50.0]', TIP
    ),
    ("swapped", "always-active"): fixture("swapped", "keep_in", SPHERE + "[0.9, 0.0, 0.0]", TIP),
    ("around", "contains-start"): fixture("around", "forbidden", SPHERE + "[0.0, 0.0, -0.115]", TIP),
    ("left", "contradiction"): fixture(
        "left", "keep_in", 'shape = "half_space", normal = [1.0, 0.0, 0.0], point_m = [-0.02, 0.0, 0.0]', TIP
    ),
    ("plug", "no-room-at-trocar"): fixture(
        "plug", "forbidden", SPHERE + "[0.0, 0.0, 0.0]", 'bodies = ["shaft"]'
    ),
    ("aside", "starts-off-trocar"): fixture(
        "aside", "trocar", "", "pose = { position_m = [0.05, 0.0, 0.0] }"
    ),
    ("who", "unknown-arm"): fixture("who", "forbidden", SPHERE + "[0.0, 0.2, 0.0]", 'arm = "PSM7"'),
    ("plate", "thin-wall"): fixture(
        "plate",
        "forbidden",
        'shape = "mesh", path = "plate.stl", units = "mm", spacing_m = 0.001, band_m = 0.003',
        TIP,
    ),
}
BESIDE = [
    fixture(
        "right", "keep_in", 'shape = "half_space", normal = [-1.0, 0.0, 0.0], point_m = [0.02, 0.0, 0.0]', TIP
    ),
    fixture("port", "trocar"),
]


def test_every_mistake_is_named_with_its_rule_and_the_exit_status_is_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    trimesh = pytest.importorskip("trimesh")
    pytest.importorskip("igl")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    plate = trimesh.creation.box((12.0, 12.0, 0.8))
    plate.apply_translation([30.0, 0.0, -110.0])
    plate.export(tmp_path / "plate.stl")
    path = tmp_path / "session.toml"
    path.write_text(SESSION.format(profiles="", fixtures="\n\n".join([*MISTAKES.values(), *BESIDE])))
    assert check_sessions((path,), overrides=(), effective=False) == 1
    said = capsys.readouterr().err.splitlines()
    for name, rule in MISTAKES:
        level = "warning" if rule in ("never-reached", "units", "thin-wall") else "error"
        lines = [line for line in said if f"{level}: {name} " in line and line.endswith(f"[{rule}]")]
        assert len(lines) == 1, (name, rule, said)
    assert not any("port " in line.split(":")[2][:6] for line in said)


def test_a_fixture_for_a_body_that_no_arm_has_is_bad_input(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "session.toml"
    elbow = fixture("elbow", "forbidden", SPHERE + "[0.0, 0.2, 0.0]", 'bodies = ["elbow"]')
    path.write_text(SESSION.format(profiles="", fixtures=elbow))
    assert check_sessions((path,), overrides=(), effective=False) == 2
    assert "has no body ['elbow']" in capsys.readouterr().err


@pytest.mark.parametrize("profile", GALLERY, ids=lambda path: path.stem)
def test_the_gallery_passes_without_a_word(
    profile: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "session.toml"
    path.write_text(SESSION.format(profiles=f'"{profile.stem}"', fixtures=""))
    assert check_sessions((path,), overrides=(), effective=False) == 0
    out = capsys.readouterr()
    assert out.err == ""
    assert ": good." in out.out
