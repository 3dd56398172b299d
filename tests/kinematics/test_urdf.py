"""Arms from a URDF file: the motion that pinocchio reads from it, its limits, and clear refusals."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pinocchio as pin
import pytest

from kinematics import ArmModel, ArmSpec, ModelError, UnknownFrameError
from kinematics.dh import DhRow, dh_chain
from kinematics.urdf import urdf_chain

# Skew axes, a fixed link in the middle, a continuous and a sliding joint, a finger beside the chain, a rail
# below it, and a link called "base" that is not where the arm begins.
URDF = """<?xml version="1.0"?>
<robot name="skewed">
  <link name="room"/> <link name="base"/> <link name="pedestal"/> <link name="upper"/> <link name="bracket"/>
  <link name="fore"/> <link name="slider"/> <link name="hand"/> <link name="finger"/> <link name="tool0"/>
  <joint name="rail" type="prismatic"><parent link="room"/><child link="base"/><axis xyz="1 0 0"/>
    <limit lower="-1" upper="1" velocity="1" effort="1"/></joint>
  <joint name="bolt" type="fixed"><parent link="base"/><child link="pedestal"/>
    <origin xyz="0.1 0.2 0.3" rpy="0.3 -0.2 0.1"/></joint>
  <joint name="swing" type="revolute"><parent link="pedestal"/><child link="upper"/><axis xyz="0 0 -1"/>
    <origin xyz="0 0 0.4" rpy="0.1 0 0"/><limit lower="-1.5" upper="2.0" velocity="1.25" effort="1"/></joint>
  <joint name="weld" type="fixed"><parent link="upper"/><child link="bracket"/>
    <origin xyz="0 0.1 0" rpy="0 0.5 0"/></joint>
  <joint name="spin" type="continuous"><parent link="bracket"/><child link="fore"/><axis xyz="0.6 0 0.8"/>
    <origin xyz="0.25 0 0"/><limit velocity="2.5" effort="1"/></joint>
  <joint name="push" type="prismatic"><parent link="fore"/><child link="slider"/><axis xyz="0 1 0"/>
    <origin xyz="0 0 0.2" rpy="0 0.3 0.2"/><limit lower="0.05" upper="0.3" velocity="0.5" effort="1"/></joint>
  <joint name="nod" type="revolute"><parent link="slider"/><child link="hand"/><axis xyz="1 1 1"/>
    <origin xyz="0 0.05 0"/><limit lower="-1" upper="1" velocity="3" effort="1"/></joint>
  <joint name="grip" type="revolute"><parent link="hand"/><child link="finger"/><axis xyz="1 0 0"/>
    <limit lower="0" upper="1" velocity="1" effort="1"/></joint>
  <joint name="mount" type="fixed"><parent link="hand"/><child link="tool0"/>
    <origin xyz="0 0 0.1" rpy="1 2 3"/></joint>
</robot>
"""
JOINTS = ["swing", "spin", "push", "nod"]


@pytest.fixture
def urdf(tmp_path: Path) -> Path:
    path = tmp_path / "skewed.urdf"
    path.write_text(URDF)
    return path


def description(path: Path, **changes: Any) -> dict[str, Any]:
    turns: dict[str, Any] = {
        "type": "revolute",
        "qdd_max_rad_s2": 10.0,
        "qddd_max_rad_s3": 2e4,
        "home_rad": 0.1,
    }
    slides: dict[str, Any] = {"type": "prismatic", "qdd_max_m_s2": 2.0, "qddd_max_m_s3": 4e3, "home_m": 0.1}
    data: dict[str, Any] = {
        "name": "skewed",
        "chain": {"kind": "urdf", "path": str(path), "base_frame": "pedestal", "tip_frame": "tool0"},
        "joints": [
            {"name": "swing", **turns},
            {"name": "spin", "q_min_rad": -3.0, "q_max_rad": 3.0, **turns},
            {"name": "push", **slides},
            {"name": "nod", "qd_max_rad_s": 0.7, **turns},
        ],
        "tool": {"name": "pin", "tip_offset_m": [0.0, 0.01, 0.2]},
        "bodies": [
            {
                "name": "links",
                "capsules": [
                    {"frame": "bracket", "from_m": [0, 0, 0], "to_m": [0.2, 0, 0], "radius_m": 0.03}
                ],
            }
        ],
    }
    data.update(changes)
    return data


def build(data: dict[str, Any]) -> ArmModel:
    return ArmModel.from_spec(ArmSpec.model_validate(data))


def test_the_arm_moves_as_pinocchio_reads_the_file(urdf: Path) -> None:
    arm = build(description(urdf))
    full = pin.buildModelFromUrdf(str(urdf))
    data = full.createData()
    rng = np.random.default_rng(1)
    for _ in range(50):
        q = rng.uniform(arm.limits.q_min, arm.limits.q_max)
        whole = pin.neutral(full)
        whole[full.joints[full.getJointId("swing")].idx_q] = q[0]
        spin = full.joints[full.getJointId("spin")].idx_q
        whole[spin : spin + 2] = np.cos(q[1]), np.sin(q[1])
        whole[full.joints[full.getJointId("push")].idx_q] = q[2]
        whole[full.joints[full.getJointId("nod")].idx_q] = q[3]
        pin.framesForwardKinematics(full, data, whole)
        base, tool, bracket = (data.oMf[full.getFrameId(name)] for name in ("pedestal", "tool0", "bracket"))
        T = base.inverse() * tool * pin.SE3(np.eye(3), np.array([0.0, 0.01, 0.2]))
        state = arm.at(q)
        np.testing.assert_allclose(state.T_world_tip, T.homogeneous, atol=1e-14)
        radius, cover = arm.bodies.radii[0], arm.bodies.sphere_cover_m[0]
        first = (base.inverse() * bracket).act(np.array([cover, 0.0, 0.0]))
        np.testing.assert_allclose(state.centers[0], first, atol=1e-14)
        assert radius == pytest.approx(0.03 + cover)


def test_limits_come_from_the_file_unless_the_description_gives_them(urdf: Path) -> None:
    limits = build(description(urdf)).limits
    np.testing.assert_array_equal(limits.q_min, [-1.5, -3.0, 0.05, -1.0])
    np.testing.assert_array_equal(limits.q_max, [2.0, 3.0, 0.3, 1.0])
    np.testing.assert_array_equal(limits.qd_max, [1.25, 2.5, 0.5, 0.7])


def test_the_arms_own_frames_win_over_frames_of_the_file(urdf: Path) -> None:
    """The file's link "base" is below the rail; "base" of an arm is its base_frame."""
    chain = urdf_chain(urdf, base_frame="pedestal", tip_frame="tool0")
    np.testing.assert_array_equal(chain.frames["base"][1], np.eye(4))
    assert chain.joint_names == tuple(JOINTS)
    assert {"pedestal", "upper", "bracket", "fore", "slider", "hand", "tool0", "flange"} <= set(chain.frames)
    assert "finger" not in chain.frames


def test_a_dh_table_written_as_urdf_is_the_same_arm(tmp_path: Path) -> None:
    rows = [
        DhRow("a", False, np.pi / 2, 0.1, 0.2, 0.3),
        DhRow("b", True, -0.7, 0.05, 0.4, 0.1),
        DhRow("c", False, 0.3, 0.0, -1.0, 0.2),
    ]
    chain = dh_chain(rows, "modified")
    text = ['<robot name="dh"><link name="l0"/>']
    for j, row in enumerate(rows):
        T = chain.placements[j]
        xyz = " ".join(repr(float(v)) for v in T[:3, 3])
        rpy = " ".join(repr(float(v)) for v in pin.rpy.matrixToRpy(T[:3, :3]))
        kind = "prismatic" if row.prismatic else "revolute"
        text.append(
            f'<link name="l{j + 1}"/><joint name="{row.name}" type="{kind}">'
            f'<parent link="l{j}"/><child link="l{j + 1}"/>'
            f'<origin xyz="{xyz}" rpy="{rpy}"/><axis xyz="0 0 1"/>'
            '<limit lower="-1" upper="1" velocity="1" effort="1"/></joint>'
        )
    path = tmp_path / "dh.urdf"
    path.write_text("".join(text) + "</robot>")
    read = urdf_chain(path, base_frame="l0", tip_frame="l3")
    assert read.prismatic == chain.prismatic
    np.testing.assert_allclose(read.placements, chain.placements, atol=1e-12)


def test_a_missing_frame_is_named_and_the_frames_there_are_listed(urdf: Path) -> None:
    data = description(urdf)
    data["chain"]["tip_frame"] = "tool1"
    with pytest.raises(
        UnknownFrameError, match=r"tip_frame: there is no frame 'tool1'; the frames are: .*hand.*tool0"
    ):
        build(data)
    data = description(urdf)
    data["bodies"][0]["capsules"][0]["frame"] = "brackett"
    with pytest.raises(UnknownFrameError, match=r"body 'links', capsule frame: .*'brackett'.*bracket, "):
        build(data)
    data = description(urdf, shaft={"frame": "needle"})
    with pytest.raises(UnknownFrameError, match=r"shaft, frame: .*'needle'.*flange"):
        build(data)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"base_frame": "tool0", "tip_frame": "pedestal"}, "does not hang on 'tool0'; swap"),
        ({"base_frame": "upper", "tip_frame": "bracket"}, "no joint between 'upper' and 'bracket'"),
        ({"path": "nowhere.urdf"}, "there is no URDF file nowhere.urdf"),
    ],
)
def test_an_impossible_chain_is_refused(urdf: Path, changes: dict[str, str], message: str) -> None:
    data = description(urdf)
    data["chain"].update(changes)
    with pytest.raises(ModelError, match=message):
        build(data)


def test_a_file_that_is_not_urdf_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "broken.urdf"
    path.write_text("<robot name='x'><link name='a'></robot>")
    with pytest.raises(ModelError, match="could not be read as URDF"):
        build(description(path))


def test_joints_must_be_those_of_the_chain(urdf: Path) -> None:
    data = description(urdf)
    data["joints"].reverse()
    with pytest.raises(
        ModelError, match=r"are swing, spin, push, nod; the arm description lists nod, push, spin, swing"
    ):
        build(data)
    data = description(urdf)
    data["joints"][2] = {**data["joints"][0], "name": "push"}
    with pytest.raises(ModelError, match="joint 'push': type is 'revolute', in the URDF it is 'prismatic'"):
        build(data)


def test_a_limit_that_nobody_gives_is_asked_for(urdf: Path) -> None:
    data = description(urdf)
    del data["joints"][1]["q_min_rad"]
    with pytest.raises(ModelError, match="joint 'spin': the URDF gives no q_min; add it"):
        build(data)


def test_home_outside_the_files_limits_is_refused(urdf: Path) -> None:
    data = description(urdf)
    data["joints"][0]["home_rad"] = 2.5
    with pytest.raises(ModelError, match=r"joint 'swing': home \(2.5\) must lie in its range \(-1.5 to 2\)"):
        build(data)


def test_a_joint_of_three_freedoms_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "floating.urdf"
    path.write_text(URDF.replace('name="spin" type="continuous"', 'name="spin" type="floating"'))
    with pytest.raises(ModelError, match="joint 'spin' is a JointModelFreeFlyer; only revolute"):
        build(description(path))


def test_a_relative_path_starts_at_the_toml_file(urdf: Path) -> None:
    toml = urdf.parent / "skewed.toml"
    toml.write_text(
        """
        name = "skewed"
        chain = { kind = "urdf", path = "skewed.urdf", base_frame = "slider", tip_frame = "tool0" }
        tool = { name = "none" }
        [[joints]]
        type = "revolute"
        name = "nod"
        qdd_max_rad_s2 = 1.0
        qddd_max_rad_s3 = 2e3
        home_rad = 0.0
        """
    )
    assert ArmModel.from_spec(ArmSpec.from_toml(toml)).joint_names == ("nod",)
