"""What every profile must offer: a home to start from, room to work in, speed for a surgeon, and sources."""

from __future__ import annotations

import math
import tomllib
from pathlib import Path

import numpy as np
import pytest
from scipy.optimize import linprog

from kinematics import ArmModel, ArmSpec

ARMS = Path(__file__).parents[2] / "configs" / "arms"
NAMES = sorted(path.stem for path in ARMS.glob("*.toml"))


def load(name: str) -> ArmModel:
    return ArmModel.from_spec(ArmSpec.from_toml(ARMS / f"{name}.toml"))


@pytest.mark.parametrize("name", NAMES)
def test_home_is_well_inside_the_limits_and_not_singular(name: str) -> None:
    arm = load(name)
    room = np.minimum(arm.home - arm.limits.q_min, arm.limits.q_max - arm.home)
    assert np.all(room >= 0.15 * (arm.limits.q_max - arm.limits.q_min))
    # One radian weighs like 100 mm, the size of a wrist's workspace: otherwise metres and radians do not
    # compare.
    weighted = arm.at(arm.home).jacobian.copy()
    weighted[3:] *= 0.1
    values = np.linalg.svd(weighted, compute_uv=False)
    print(f"{name}: condition at home {values[0] / values[-1]:.1f}")
    assert values[0] / values[-1] < 25.0


@pytest.mark.parametrize("name", NAMES)
def test_the_tip_can_do_200_mm_per_second_in_every_direction_from_home(name: str) -> None:
    """By a linear program over the joints' speeds; a software remote centre must stay still meanwhile."""
    arm = load(name)
    state = arm.at(arm.home)
    rows = [state.jacobian[:3]]
    still = 0
    if arm.rcm is not None and arm.rcm.kind == "software":
        lever = arm.rcm.p_world_rcm - state.shaft_point
        J = state.shaft_jacobian[:3] + np.cross(state.shaft_jacobian[3:].T, lever).T
        across = np.linalg.svd(state.shaft_axis[None])[2][1:]
        rows.append(across @ J)
        still = 2
    slowest = math.inf
    for direction in np.random.default_rng(1).normal(size=(60, 3)):
        u = np.concatenate([direction / np.linalg.norm(direction), np.zeros(still)])
        A = np.column_stack([np.vstack(rows), -u])
        box = [(-v, v) for v in arm.limits.qd_max] + [(0, None)]
        best = linprog(np.r_[np.zeros(arm.n), -1.0], A_eq=A, b_eq=np.zeros(len(u)), bounds=box)
        assert best.success
        slowest = min(slowest, best.x[-1])
    print(f"{name}: at least {slowest * 1e3:.0f} mm/s from home")
    assert slowest >= 0.2


@pytest.mark.parametrize("name", ["psm_lnd_400006", "raven2_left", "raven2_right"])
def test_jerk_leaves_all_of_the_acceleration_at_1_khz(name: str) -> None:
    limits = load(name).limits
    np.testing.assert_allclose(limits.effective_acceleration(1e-3), limits.qdd_max)


@pytest.mark.parametrize("name", NAMES)
def test_every_part_of_a_profile_names_its_source(name: str) -> None:
    data = tomllib.loads((ARMS / f"{name}.toml").read_text())
    assert data["sources"]
    for part in (*data["joints"], *data["bodies"], data["tool"], *([data["rcm"]] if "rcm" in data else [])):
        assert part["source"].strip(), part
    assert data["name"] == name


def test_both_raven_arms_have_the_same_limits() -> None:
    left, right = load("raven2_left").limits, load("raven2_right").limits
    for key in ("q_min", "q_max", "qd_max", "qdd_max", "qddd_max"):
        np.testing.assert_array_equal(getattr(left, key), getattr(right, key))


def test_fr3_never_outruns_its_position_dependent_speed_limit() -> None:
    """rate_limiting.h of 0.15, towards each end: |v| <= min(top, max(0, sqrt(k (end - q)) - c)) - 1e-3."""
    top = [2.62, 2.62, 2.62, 2.62, 5.26, 4.18, 5.26]
    c = [0.30, 0.20, 0.20, 0.30, 0.35, 0.35, 0.35]
    k = [12.0, 5.17, 7.00, 8.00, 34.0, 11.0, 34.0]
    upper = [2.75010, 1.79180, 2.90650, -0.1458, 2.81010, 4.52050, 3.01960]
    lower = [-2.7501, -1.7918, -2.9065, -3.0481, -2.8101, 0.54092, -3.0196]
    limits = load("fr3_lap").limits
    for j in range(7):
        for end, q in ((upper[j], limits.q_max[j]), (lower[j], limits.q_min[j])):
            allowed = min(top[j], max(0.0, math.sqrt(k[j] * abs(end - q)) - c[j])) - 1e-3
            assert limits.qd_max[j] <= allowed, (j, q, allowed)


def test_panda_and_fr3_share_geometry_but_not_limits() -> None:
    panda, fr3 = load("panda_lap"), load("fr3_lap")
    q = fr3.home + 0.1
    np.testing.assert_array_equal(panda.at(q).T_world_tip, fr3.at(q).T_world_tip)
    for key in ("q_min", "q_max", "qd_max", "qdd_max"):
        assert not np.array_equal(getattr(panda.limits, key), getattr(fr3.limits, key))


@pytest.mark.parametrize("name", ["panda_lap", "fr3_lap"])
def test_a_software_remote_centre_lies_150_mm_behind_the_tip_at_home(name: str) -> None:
    arm = load(name)
    assert arm.rcm is not None
    assert arm.rcm.kind == "software"
    state = arm.at(arm.home)
    np.testing.assert_allclose(arm.rcm.p_world_rcm, state.shaft_point - 0.15 * state.shaft_axis, atol=1e-8)
