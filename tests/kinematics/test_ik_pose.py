"""Joint positions for a pose from anywhere, judged by pinocchio's forward kinematics."""

from __future__ import annotations

import numpy as np
import pytest

from kinematics.errors import ShapeError
from kinematics.solve_pose import PoseSolution, solve_pose
from tests.kinematics.ik_rig import load, moved, pose_error


def solve(name: str, target: np.ndarray, **options) -> PoseSolution:
    arm = load(name)

    def forward(q):
        state = arm.at(q)
        return state.T_world_tip, state.jacobian

    return solve_pose(forward, arm.limits, target, arm.home, **options)


@pytest.mark.parametrize("name", ["psm_lnd_400006", "panda_lap", "ur5e", "raven2_left", "fr3_lap"])
def test_random_reachable_poses_are_reached_inside_the_limits(name):
    arm, rng = load(name), np.random.default_rng(3)
    for seed in range(25):
        target = arm.forward(rng.uniform(arm.limits.q_min, arm.limits.q_max))
        found = solve(name, target, seed=seed)
        assert found.converged
        error = pose_error(target, arm.forward(found.q))
        assert np.linalg.norm(error[:3]) < 2e-9
        assert np.linalg.norm(error[3:]) < 2e-8
        assert np.all(found.q >= arm.limits.q_min)
        assert np.all(found.q <= arm.limits.q_max)


def test_an_unreachable_pose_says_so_and_gives_the_nearest_tried():
    arm = load("ur5e")
    target = moved(arm.forward(arm.home), [5.0, 0.0, 0.0])
    found = solve("ur5e", target, starts=5)
    assert not found.converged
    assert found.starts == 5
    assert found.error_m == pytest.approx(np.linalg.norm(pose_error(target, arm.forward(found.q))[:3]))


def test_the_same_seed_gives_the_same_answer():
    arm = load("panda_lap")
    target = arm.forward(np.random.default_rng(9).uniform(arm.limits.q_min, arm.limits.q_max))
    np.testing.assert_array_equal(solve("panda_lap", target, seed=4).q, solve("panda_lap", target, seed=4).q)


def test_wrong_shapes_are_refused():
    arm = load("ur5e")
    with pytest.raises(ShapeError, match="solve_pose"):
        solve_pose(lambda q: (np.eye(4), np.zeros((6, 6))), arm.limits, np.eye(3), arm.home)
