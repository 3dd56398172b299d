"""Poses worked out by hand, with the numbers written out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from kinematics import ArmModel, ArmSpec

ARMS = Path(__file__).parents[2] / "configs" / "arms"
DEG = np.pi / 180.0


def load(name: str) -> ArmModel:
    return ArmModel.from_spec(ArmSpec.from_toml(ARMS / f"{name}.toml"))


@pytest.fixture(scope="module")
def psm() -> ArmModel:
    return load("psm_lnd_400006")


# PSM by hand. The wrist lies at depth s = insertion - 0.4318 + 0.4162 = insertion - 0.0156 along (sin yaw cos
# pitch, -sin pitch, -cos yaw cos pitch). At yaw = pitch = roll = 0 the axes carried by the roll are x = (0,
# -1, 0), y = (-1, 0, 0), z = (0, 0, -1); roll turns x and y about z. The yaw axis is 9.1 mm from the wrist
# along sin(wrist_pitch) x + cos(wrist_pitch) z. Insertion 0.1156 gives s = 0.1.
@pytest.mark.parametrize(
    ("pose", "q", "position"),
    [
        ("straight down", [0, 0, 0.1156, 0, 0, 0], [0.0, 0.0, -0.1091]),
        ("fully out", [0, 0, 0.0, 0, 0, 0], [0.0, 0.0, 0.0156 - 0.0091]),
        ("yaw 30 deg", [30 * DEG, 0, 0.1156, 0, 0, 0], [0.05455, 0.0, -0.09448337155]),
        ("pitch 30 deg", [0, 30 * DEG, 0.1156, 0, 0, 0], [0.0, -0.05455, -0.09448337155]),
        # 0.1091 (sin 30 cos 30, -sin 30, -cos 30 cos 30)
        (
            "yaw and pitch 30 deg",
            [30 * DEG, 30 * DEG, 0.1156, 0, 0, 0],
            [0.047241685775, -0.05455, -0.081825],
        ),
        # (0, 0, -0.1) + 0.0091 (sin 60 (-1, 0, 0) + cos 60 (0, 0, -1))
        ("roll 90, wrist 60 deg", [0, 0, 0.1156, 90 * DEG, 60 * DEG, 0], [-0.00788083117, 0.0, -0.10455]),
        # (0, 0, -0.1) + 0.0091 (sin 30 (0, -1, 0) + cos 30 (0, 0, -1))
        ("wrist 30 deg", [0, 0, 0.1156, 0, 30 * DEG, 0], [0.0, -0.00455, -0.10788083117]),
        ("wrist yaw moves no point of its own axis", [0, 0, 0.1156, 0, 0, 70 * DEG], [0.0, 0.0, -0.1091]),
    ],
)
def test_psm_tip_is_where_the_hand_calculation_puts_it(
    psm: ArmModel, pose: str, q: list[float], position: list[float]
) -> None:
    np.testing.assert_allclose(
        psm.at(np.array(q, float)).T_world_tip[:3, 3], position, atol=1e-11, err_msg=pose
    )


def test_psm_tip_axes_at_zero_are_those_of_the_isi_convention(psm: ArmModel) -> None:
    # z along the jaws (down), x against the yaw axis (0, -1, 0), y = z cross x.
    R = psm.at(np.array([0, 0, 0.1156, 0, 0, 0])).T_world_tip[:3, :3]
    np.testing.assert_allclose(R, [[0, 1, 0], [1, 0, 0], [0, 0, -1]], atol=1e-15)


def test_psm_wrist_yaw_swings_the_jaws_about_the_yaw_axis(psm: ArmModel) -> None:
    R = psm.at(np.array([0, 0, 0.1156, 0, 0, 45 * DEG])).T_world_tip[:3, :3]
    np.testing.assert_allclose(R[:, 2], [0.7071067811865476, 0.0, -0.7071067811865476], atol=1e-15)
    np.testing.assert_allclose(R[:, 0], [0.0, 1.0, 0.0], atol=1e-15)


def test_psm_shaft_passes_the_remote_centre_in_every_pose(psm: ArmModel) -> None:
    rng = np.random.default_rng(3)
    for _ in range(200):
        state = psm.at(rng.uniform(psm.limits.q_min, psm.limits.q_max))
        assert np.linalg.norm(np.cross(state.shaft_axis, state.shaft_point)) < 1e-15


def test_psm_wrist_stays_45_mm_past_the_remote_centre(psm: ArmModel) -> None:
    q = psm.home.copy()
    q[2] = psm.limits.q_min[2]
    assert np.linalg.norm(psm.at(q).shaft_point) == pytest.approx(0.045, abs=1e-12)
    assert np.linalg.norm(psm.at(psm.home).shaft_point) > 0.047  # dVRK's 45 mm and its 2 mm of entry buffer


def test_ur5e_at_zero_lies_stretched_along_minus_x() -> None:
    # x = -(0.425 + 0.3922), y = -(0.1333 + 0.0996), z = 0.1625 - 0.0997
    np.testing.assert_allclose(
        load("ur5e").at(np.zeros(6)).T_world_tip[:3, 3], [-0.8172, -0.2329, 0.0628], atol=1e-15
    )


@pytest.mark.parametrize("name", ["panda_lap", "fr3_lap"])
def test_franka_at_zero_stands_upright_with_the_tool_down(name: str) -> None:
    # x = 0.0825 - 0.0825 + 0.088; z = 0.333 + 0.316 + 0.384 - 0.107 - 0.42
    T = load(name).at(np.zeros(7)).T_world_tip
    np.testing.assert_allclose(T[:3, 3], [0.088, 0.0, 0.506], atol=1e-15)
    np.testing.assert_allclose(T[:3, 2], [0.0, 0.0, -1.0], atol=1e-15)


@pytest.mark.parametrize("side", ["left", "right"])
def test_raven_wrist_depth_is_47_cm_less_the_insertion(side: str) -> None:
    arm = load(f"raven2_{side}")
    rng = np.random.default_rng(4)
    for _ in range(100):
        q = rng.uniform(arm.limits.q_min, arm.limits.q_max)
        state = arm.at(q)
        np.testing.assert_allclose(state.shaft_point, (0.47 - q[2]) * state.shaft_axis, atol=1e-15)


def test_raven_arms_mirror_each_other_across_the_xz_plane() -> None:
    left, right = load("raven2_left"), load("raven2_right")
    rng = np.random.default_rng(5)
    mirror = np.array([1.0, -1.0, 1.0])
    for _ in range(100):
        q = rng.uniform(left.limits.q_min, left.limits.q_max)
        p = left.at(q).shaft_point.copy()
        np.testing.assert_allclose(right.at(q).shaft_point, mirror * p, atol=1e-15)
