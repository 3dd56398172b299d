"""Singularities and the ends of joint ranges: slow down smoothly, never stick and then lurch."""

from __future__ import annotations

import numpy as np
import pytest

from kinematics.ik_result import IKStatus
from kinematics.singular import curvature, decompose, singular_rate
from tests.kinematics.ik_rig import T, drive, load, moved, reach


@pytest.mark.parametrize("rank", [6, 4])
def test_decomposition_agrees_with_lapack(rank):
    rng = np.random.default_rng(rank)
    for n in (5, 6, 7):
        jacobian = rng.normal(size=(6, rank)) @ rng.normal(size=(rank, n))
        left, right, sigma = np.empty((6, 6)), np.empty((6, n)), np.empty(6)
        decompose(jacobian, left, right, sigma)
        np.testing.assert_allclose(np.einsum("i,ik,ij->kj", sigma, left, right), jacobian, atol=1e-12)
        wanted = np.zeros(6)
        wanted[: min(6, n)] = np.linalg.svd(jacobian, compute_uv=False)
        np.testing.assert_allclose(np.sort(sigma)[::-1], wanted, atol=1e-12)
        lengths = np.linalg.norm(right, axis=1)
        assert np.all((np.abs(lengths - 1) < 1e-9) | (lengths == 0))


@pytest.mark.parametrize("name", ["psm_lnd_400006", "ur5e", "panda_lap"])
def test_curvature_is_the_derivative_of_the_jacobian_along_the_motion(name):
    arm = load(name)
    rng = np.random.default_rng(1)
    for _ in range(10):
        q, v = rng.uniform(arm.limits.q_min, arm.limits.q_max), rng.normal(size=arm.n)
        out, h = np.empty(6), 1e-6
        curvature(arm.at(q).jacobian.copy(), v, out)
        ahead, behind = arm.at(q + h * v).jacobian @ v, arm.at(q - h * v).jacobian @ v
        np.testing.assert_allclose(out, (ahead - behind) / (2 * h), atol=1e-6)


def test_a_step_towards_a_singularity_never_crosses_it():
    for sigma in (1e-6, 1e-3, 0.02, 0.1):
        for speed in (1e-3, 0.1, 10.0):
            for bend in (0.1, 5.0, 100.0):
                rate = singular_rate(sigma, 0.02, -speed, bend, 3.0, T)
                assert rate <= 0.0
                assert sigma + bend * rate * T >= 0.0


def test_a_step_away_from_a_singularity_moves_even_from_exactly_singular():
    s0, speed = 0.02, 0.1
    assert singular_rate(0.0, s0, speed, 5.0, 3.0, T) == pytest.approx(0.25 * speed / s0)
    assert singular_rate(0.0, s0, -speed, -5.0, 3.0, T) == pytest.approx(-0.25 * speed / s0)
    assert singular_rate(0.0, s0, speed, 0.0, 3.0, T) == 0.0  # no curvature: nothing to gain
    assert singular_rate(0.5, s0, speed, 5.0, 3.0, T) == pytest.approx(speed / 0.5)


def test_ur5e_passes_its_wrist_singularity_without_a_speed_spike_and_arrives():
    q0 = np.array([0.0, -1.2, 1.8, -0.6, -0.4, 0.3])
    arm = load("ur5e")
    axis = arm.at(q0).jacobian[3:, 4].copy()
    for tilt in (0.0, 0.2):
        turn = 0.8 * (axis + tilt * np.cross(axis, arm.at(q0).jacobian[3:, 5]))
        path = reach(arm.forward(q0), [0.01, 0, 0.01], turn, 2.0, hold=2.0)
        run = drive("ur5e", path, q0=q0)
        run.check_limits()
        assert run.q[0, 4] < 0 < run.q[-1, 4]  # it did pass
        assert min(r.sigma_min for r in run.results) < 0.005
        assert np.abs(run.error[-1]).max() < 1e-6


def test_ur5e_pulled_beyond_its_reach_stands_still_and_follows_when_called_back():
    q0 = np.array([0.0, -1.2, 0.8, -1.17, -1.57, 0.0])
    arm = load("ur5e")
    start = arm.forward(q0)
    away = start[:3, 3] / np.linalg.norm(start[:3, 3])
    out = reach(start, 0.4 * away, [0, 0, 0], 2.5, hold=3.5)
    back = reach(moved(start, 0.4 * away), -0.4 * away, [0, 0, 0], 2.5, hold=2.0)
    run = drive("ur5e", out + back, q0=q0)
    run.check_limits()
    waiting = slice(len(out) - 500, len(out))
    assert np.abs(run.v[waiting]).max() < 0.02  # no hunting at the boundary
    assert run.results[len(out) - 100].singular
    assert run.results[len(out) - 100].status is IKStatus.LIMITED
    speed = np.linalg.norm(np.diff(run.tip[len(out) :, :3, 3], axis=0), axis=1) / T
    assert speed.max() < 0.5  # the hand's 0.3 and some catching up: no lurch
    assert np.linalg.norm(run.error[-1, :3]) < 1e-6


def test_an_arm_that_starts_exactly_stretched_comes_back_in():
    q0 = np.array([0.0, -1.2, 0.0, -0.4, -1.57, 0.0])
    arm = load("ur5e")
    start = arm.forward(q0)
    shoulder = np.array([0.0, 0.0, 0.1625])
    inward = shoulder - start[:3, 3]
    run = drive("ur5e", reach(start, 0.15 * inward / np.linalg.norm(inward), [0, 0, 0], 2.0, hold=2.0), q0=q0)
    run.check_limits()
    assert np.linalg.norm(run.error[-1, :3]) < 1e-5


@pytest.mark.parametrize("axis", [(1, 0, 0), (0, 1, 0), (0.7, 0.7, 0.2)])
def test_psm_wrist_turned_past_its_range_keeps_the_tip_in_place_and_returns(axis):
    arm = load("psm_lnd_400006")
    start = arm.forward(arm.home)
    turn = 1.9 * np.array(axis)
    path = reach(start, [0, 0, 0], turn, 1.5, hold=0.7)
    path += path[::-1] + [start] * 500
    run = drive("psm_lnd_400006", path)
    run.check_limits()
    held = run.error[1800:2200]
    assert np.linalg.norm(held[:, 3:], axis=1).min() > 0.1  # out of the wrist's range
    assert np.linalg.norm(held[:, :3], axis=1).max() < 20e-6
    assert np.any(run.results[1800].joint_active == 1)
    assert np.abs(run.error[-1]).max() < 1e-9


@pytest.mark.parametrize("direction", [-1.0, 1.0])
def test_insertion_runs_softly_into_the_end_of_its_range(direction):
    arm = load("psm_lnd_400006")
    start = arm.forward(arm.home)
    run = drive("psm_lnd_400006", reach(start, [0, 0, direction * 0.2], [0, 0, 0], 1.5, hold=0.5))
    run.check_limits()
    end = arm.limits.q_max[2] if direction < 0 else arm.limits.q_min[2]
    assert abs(run.q[-1, 2] - end) < 1e-9  # uses the whole range
    joint = run.results[-1].joint_active
    assert joint[2] == 1
