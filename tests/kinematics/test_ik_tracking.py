"""The tracking law in closed loop on the arm profiles: jumps, a smooth hand, blocks, reasons."""

from __future__ import annotations

import numpy as np
import pytest

from kinematics.ik_result import LIMITERS, IKStatus
from kinematics.rows import RowSet
from tests.kinematics.ik_rig import T, drive, load, moved, reach

PROFILES = ["psm_lnd_400006", "ur5e", "panda_lap"]


@pytest.mark.parametrize("name", PROFILES)
@pytest.mark.parametrize("part", ["position", "orientation", "both"])
def test_a_jump_of_the_target_is_reached_without_overshoot_inside_every_limit(name, part):
    shift = np.array([12.0, -12.0, 10.6]) * 1e-3 * (part != "orientation")
    turn = np.array([0.3, 0.3, 0.26]) * (part != "position")
    start = load(name).forward(load(name).home)
    run = drive(name, [start] + [moved(start, shift, turn)] * 1500)
    run.check_limits()
    jump = np.concatenate([shift, turn])
    for rows in (slice(0, 3), slice(3, 6)):
        size = np.linalg.norm(jump[rows])
        if size:
            beyond = -run.error[1:, rows] @ jump[rows] / size
            assert beyond.max() < 1e-7  # the stated bound: 0.1 µm, 0.1 µrad
    assert np.abs(run.error[-1]).max() < 1e-9


@pytest.mark.parametrize("name", PROFILES)
def test_a_position_jump_travels_on_a_straight_line(name):
    shift = np.array([12.0, -12.0, 10.6]) * 1e-3
    start = load(name).forward(load(name).home)
    run = drive(name, [start] + [moved(start, shift)] * 600)
    along = shift / np.linalg.norm(shift)
    aside = run.error[1:, :3] - np.outer(run.error[1:, :3] @ along, along)
    assert np.linalg.norm(aside, axis=1).max() < 0.01 * np.linalg.norm(shift)


@pytest.mark.parametrize(("name", "seconds"), [("psm_lnd_400006", 0.5625), ("panda_lap", 1.2), ("ur5e", 1.5)])
def test_a_smooth_hand_is_followed_within_a_micrometre(name, seconds):
    start = load(name).forward(load(name).home)
    run = drive(name, reach(start, [0.04, 0.03, 0.033], [0.1, 0.1, -0.1], seconds))
    run.check_limits()
    assert np.linalg.norm(run.error[:, :3], axis=1).max() < 1e-6


def test_the_fast_reach_above_peaks_at_200_mm_per_second():
    start = load("psm_lnd_400006").forward(load("psm_lnd_400006").home)
    path = np.array(reach(start, [0.04, 0.03, 0.033], [0, 0, 0], 0.5625))
    assert np.linalg.norm(np.diff(path[:, :3, 3], axis=0), axis=1).max() / T == pytest.approx(0.2, rel=0.01)


@pytest.mark.parametrize("name", PROFILES)
def test_after_a_block_ends_the_arm_comes_back_no_faster_than_the_catch_up_speed(name):
    arm = load(name)
    start = arm.forward(arm.home)
    path = reach(start, [0.05, 0.0, 0.0], [0, 0, 0], 0.8, hold=2.5)

    def block(state, k):
        return RowSet.hard(-state.jacobian[:1], np.zeros(1)) if k < 1200 else None

    run = drive(name, path, rows=block)
    run.check_limits()
    assert np.abs(run.tip[1200, 0, 3] - start[0, 3]) < 1e-4  # it did hold
    speed = np.linalg.norm(np.diff(run.tip[1190:, :3, 3], axis=0), axis=1) / T
    assert speed.max() < 0.25 * 1.05
    beyond = run.tip[1200:, 0, 3] - (start[0, 3] + 0.05)
    assert beyond.max() < 1e-6
    assert np.abs(run.error[-1]).max() < 1e-6


@pytest.mark.parametrize("name", PROFILES)
def test_what_the_limiters_took_adds_up_to_what_was_asked_less_what_was_sent(name):
    arm = load(name)
    start = arm.forward(arm.home)
    rng = np.random.default_rng(5)
    path = [start]
    for _ in range(6):
        path += [moved(start, rng.uniform(-0.05, 0.05, 3), rng.uniform(-1.0, 1.0, 3))] * 60

    def wall(state, k):
        reach = state.T_world_tip[:3, 3] - start[:3, 3]
        return RowSet.hard(-state.jacobian[:2], -np.maximum(0.002 - reach[:2], 0.0) * 0.05)

    run = drive(name, path, rows=wall)
    seen = set()
    for k, result in enumerate(run.results):
        state = arm.at(run.q[k])
        jacobian = state.jacobian
        dq = run.q[k + 1] - run.q[k]
        asked = run_asked(path, run, k)
        np.testing.assert_allclose(result.lost.sum(axis=0), asked - jacobian @ dq, atol=1e-8)
        seen |= {LIMITERS[i] for i in np.flatnonzero(np.abs(result.lost).max(axis=1) > 1e-9)}
    assert {"catch_up", "joint_acceleration", "rows"} <= seen


def run_asked(path, run, k):
    from tests.kinematics.ik_rig import pose_error

    return pose_error(path[k], run.tip[k]) + pose_error(path[k + 1], path[k])


def test_posture_returns_a_redundant_arm_without_moving_the_tip():
    arm = load("panda_lap")
    rng = np.random.default_rng(0)
    q0 = arm.home + rng.uniform(-0.3, 0.3, 7)
    start = arm.forward(q0)
    run = drive("panda_lap", [start] * 3000, q0=q0)
    run.check_limits()
    assert np.linalg.norm(run.error[:, :3], axis=1).max() < 1e-6
    before, after = np.linalg.norm(q0 - arm.home), np.linalg.norm(run.q[-1] - arm.home)
    assert after < before
    assert np.abs(run.v[-1]).max() < 0.05


def test_standing_still_on_target_is_exactly_still():
    arm = load("psm_lnd_400006")
    start = arm.forward(arm.home)
    run = drive("psm_lnd_400006", [start] * 50)
    assert np.abs(run.q - arm.home).max() < 1e-14
    assert run.results[-1].status is IKStatus.TRACKING


def test_the_same_inputs_give_the_same_bits():
    arm = load("panda_lap")
    start = arm.forward(arm.home)
    path = [start] + [moved(start, [0.02, 0.01, 0.0], [0.2, 0.0, 0.1])] * 200
    np.testing.assert_array_equal(drive("panda_lap", path).q, drive("panda_lap", path).q)
