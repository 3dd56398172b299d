"""Forward kinematics of every profile against roboticstoolbox, built from tables typed here a second time.

The tables below were copied from the makers' files, not from ``configs/arms``: a slip in either shows.
"""

from __future__ import annotations

from math import pi, radians
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kinematics import ArmModel, ArmSpec

rtb = pytest.importorskip("roboticstoolbox", reason="the kinematics oracle: pip install 'trocar[rtb]'")
SE3 = pytest.importorskip("spatialmath", reason="comes with roboticstoolbox").SE3

ARMS = Path(__file__).parents[2] / "configs" / "arms"


def _mdh(*rows: tuple[Any, ...]) -> Any:
    """Modified table of (alpha [deg], a, d, theta offset [deg]) or ("slide", alpha, a, d offset, theta)."""
    links = []
    for row in rows:
        if row[0] == "slide":
            _, alpha, a, offset, theta = row
            links.append(
                rtb.PrismaticMDH(
                    alpha=radians(alpha), a=a, offset=offset, theta=radians(theta), qlim=[-9.0, 9.0]
                )
            )
        else:
            alpha, a, d, theta = row
            links.append(rtb.RevoluteMDH(alpha=radians(alpha), a=a, d=d, offset=radians(theta)))
    return rtb.DHRobot(links)


def _franka() -> Any:
    return _mdh(
        (0, 0, 0.333, 0),
        (-90, 0, 0, 0),
        (90, 0, 0.316, 0),
        (90, 0.0825, 0, 0),
        (-90, -0.0825, 0.384, 0),
        (90, 0, 0, 0),
        (90, 0.088, 0, 0),
    )


def _shift(z: float) -> np.ndarray:
    T = np.eye(4)
    T[2, 3] = z
    return T


def _turn(rows: list[list[float]]) -> np.ndarray:
    T = np.eye(4)
    T[:3, :3] = rows
    return T


def _psm() -> tuple[Any, np.ndarray]:
    robot = _mdh(
        (90, 0, 0, 90),
        (-90, 0, 0, -90),
        ("slide", 90, 0, -0.4318, 0),
        (0, 0, 0.4162, 0),
        (-90, 0, 0, -90),
        (-90, 0.0091, 0, -90),
    )
    return robot, _turn([[0, -1, 0], [0, 0, 1], [-1, 0, 0]])


RAVEN_TIP = _turn([[0, 0, 1], [0, 1, 0], [-1, 0, 0]])


def _raven_left() -> tuple[Any, np.ndarray]:
    robot = _mdh(
        (0, 0, 0, 205),
        (75, 0, 0, 180),
        ("slide", 180 - 52, 0, 0, 90),
        (0, 0, -0.47, 0),
        (90, 0, 0, -90),
        (90, 0.013, 0, 0),
    )
    return robot, RAVEN_TIP


def _raven_right() -> tuple[Any, np.ndarray]:
    robot = _mdh(
        (180, 0, 0, 25),
        (75, 0, 0, 0),
        ("slide", 52, 0, 0, -90),
        (0, 0, -0.47, 0),
        (90, 0, 0, -90),
        (90, 0.013, 0, 0),
    )
    return robot, RAVEN_TIP


def _ur5e() -> tuple[Any, np.ndarray]:
    table = [
        (0.1625, 0.0, pi / 2),
        (0.0, -0.425, 0.0),
        (0.0, -0.3922, 0.0),
        (0.1333, 0.0, pi / 2),
        (0.0997, 0.0, -pi / 2),
        (0.0996, 0.0, 0.0),
    ]
    return rtb.DHRobot([rtb.RevoluteDH(d=d, a=a, alpha=alpha) for d, a, alpha in table]), np.eye(4)


ORACLES = {
    "psm_lnd_400006": _psm,
    "raven2_left": _raven_left,
    "raven2_right": _raven_right,
    "panda_lap": lambda: (_franka(), _shift(0.107 + 0.42)),
    "fr3_lap": lambda: (_franka(), _shift(0.107 + 0.42)),
    "ur5e": _ur5e,
}


def test_every_profile_has_an_oracle() -> None:
    assert {path.stem for path in ARMS.glob("*.toml")} == set(ORACLES)


@pytest.mark.parametrize("name", ORACLES)
def test_forward_kinematics_equals_the_toolbox_to_a_nanometre(name: str) -> None:
    rng = np.random.default_rng(1)
    arm = ArmModel.from_spec(ArmSpec.from_toml(ARMS / f"{name}.toml"))
    robot, T_last_tip = ORACLES[name]()
    worst_m = worst_rotation = 0.0
    for _ in range(300):
        q = rng.uniform(arm.limits.q_min, arm.limits.q_max)
        oracle = robot.fkine(q).A @ T_last_tip
        for T in (arm.at(q).T_world_tip, arm.forward(q)):
            worst_m = max(worst_m, float(np.abs(T[:3, 3] - oracle[:3, 3]).max()))
            worst_rotation = max(worst_rotation, float(np.abs(T[:3, :3] - oracle[:3, :3]).max()))
    print(f"{name}: {worst_m:.1e} m, {worst_rotation:.1e}")
    assert worst_m < 1e-9
    assert worst_rotation < 1e-9


@pytest.mark.parametrize("name", ORACLES)
def test_the_jacobian_equals_the_toolbox(name: str) -> None:
    rng = np.random.default_rng(2)
    arm = ArmModel.from_spec(ArmSpec.from_toml(ARMS / f"{name}.toml"))
    robot, T_last_tip = ORACLES[name]()
    robot.tool = SE3(T_last_tip)
    for _ in range(50):
        q = rng.uniform(arm.limits.q_min, arm.limits.q_max)
        np.testing.assert_allclose(arm.at(q).jacobian, robot.jacob0(q), atol=1e-12)
