"""Playback: what is between the samples, before the first and after the last."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from scipy.spatial.transform import Rotation, Slerp

from teleop.masters.recording import PlaybackSpec, Recording
from teleop.masters.source import MasterError

AT_ONCE = PlaybackSpec(lead_in_s=0.0)


def wave(at_end="hold", lead_in_s=0.0, rate_hz=30.0, seconds=4.0):
    """A smooth hand with known position and an orientation drawn at random from sample to sample."""
    t = np.arange(round(seconds * rate_hz) + 1) / rate_hz
    p = 0.02 * np.column_stack([np.sin(2 * t), np.cos(3 * t), np.sin(t) ** 2])
    quat = Rotation.from_rotvec(np.cumsum(np.random.default_rng(1).normal(0, 0.1, (t.size, 3)), 0)).as_quat()
    playback = PlaybackSpec(at_end=at_end, lead_in_s=lead_in_s)
    return Recording(t, p, quat, 0.5 + 0.3 * np.sin(t), playback)


def angle_between(a, b):
    return (Rotation.from_quat(a).inv() * Rotation.from_quat(b)).magnitude()


def test_the_path_goes_through_every_sample():
    recording = wave()
    for i, t in enumerate(recording.t_s[:-1]):
        hand = recording.sample(float(t))
        assert np.array_equal(hand.p_m, recording.p_m[i])
        assert hand.gripper_rad == recording.gripper_rad[i]
        assert angle_between(hand.quat_xyzw, recording.quat_xyzw[i]) < 1e-7


def test_between_samples_the_path_follows_the_motion_and_never_overshoots_its_neighbours():
    recording = wave()
    for t in np.linspace(0.0, 3.99, 997):
        p = recording.sample(t).p_m
        true = 0.02 * np.array([np.sin(2 * t), np.cos(3 * t), np.sin(t) ** 2])
        assert np.abs(p - true).max() < 3e-5
        i = int(np.searchsorted(recording.t_s, t, side="right")) - 1
        ends = recording.p_m[i : i + 2]
        assert np.all(p >= ends.min(axis=0) - 1e-15)
        assert np.all(p <= ends.max(axis=0) + 1e-15)


def test_a_step_between_two_rests_invents_no_motion_around_it():
    t = np.arange(6) / 10.0
    p = np.zeros((6, 3))
    p[3:, 0] = 0.01
    recording = Recording(t, p, np.tile([0.0, 0, 0, 1], (6, 1)), np.zeros(6), AT_ONCE)
    x = np.array([recording.sample(s).p_m[0] for s in np.linspace(0, 0.5, 501)])
    assert x.min() == 0.0
    assert x.max() <= 0.01
    assert np.all(np.diff(x) >= 0.0)
    assert not x[:200].any()


def test_orientation_agrees_with_scipys_slerp_and_turns_at_a_constant_rate():
    recording = wave()
    slerp = Slerp(recording.t_s, Rotation.from_quat(recording.quat_xyzw))
    for t in np.linspace(0.0, 3.99, 500):
        hand = recording.sample(t)
        assert angle_between(hand.quat_xyzw, slerp(t).as_quat()) < 1e-7
        assert np.linalg.norm(hand.quat_xyzw) == pytest.approx(1.0, abs=1e-12)
    inside = [recording.sample(1.0 + s).quat_xyzw for s in np.linspace(0.0, 1 / 30, 11)]
    steps = [angle_between(a, b) for a, b in pairwise(inside)]
    assert np.ptp(steps) < 1e-9
    assert min(steps) > 1e-3


def test_quaternions_that_change_sign_between_samples_do_not_spin_the_hand():
    quat = Rotation.from_rotvec(np.linspace(0, 1, 11)[:, None] * [0.0, 0.0, 1.0]).as_quat()
    quat[1::2] *= -1.0
    recording = Recording(np.arange(11) / 10, np.zeros((11, 3)), quat, np.zeros(11), AT_ONCE)
    samples = [recording.sample(t).quat_xyzw for t in np.linspace(0, 1, 101)]
    steps = [np.linalg.norm(b - a) for a, b in pairwise(samples)]
    assert max(steps) < 0.006  # 1 rad/s: half of it a step in quaternion space, 10 ms


def test_before_the_start_and_in_the_lead_in_the_hand_rests_at_the_first_pose():
    recording = wave(lead_in_s=1.0)
    for t in (-5.0, 0.0, 0.999, 1.0):
        hand = recording.sample(t)
        assert np.array_equal(hand.p_m, recording.p_m[0])
        assert hand.present
        assert not hand.clutch
    assert recording.duration_s == pytest.approx(5.0)
    np.testing.assert_allclose(recording.sample(1.75).p_m, wave().sample(0.75).p_m, rtol=0, atol=1e-15)


def test_at_the_end_the_hand_holds_still_with_the_deadman_released():
    recording = wave()
    assert recording.sample(3.999).present
    for t in (4.0, 4.1, 1e6):
        hand = recording.sample(t)
        assert np.array_equal(hand.p_m, recording.p_m[-1])
        assert not hand.present
        assert hand.valid


def test_a_loop_returns_smoothly_with_the_clutch_pressed_and_repeats_exactly():
    recording = wave(at_end="loop")
    assert recording.duration_s is None
    period = next(t for t in np.arange(4.01, 60.0, 0.01) if not recording.sample(t).clutch)
    times = np.arange(0.0, 2.5 * period, 1e-3)
    hands = [recording.sample(t) for t in times]
    assert all(hand.present for hand in hands)
    step = np.linalg.norm(np.diff([hand.p_m for hand in hands], axis=0), axis=1)
    assert step.max() < 1.5e-4  # 0.15 m/s: no jump at either seam
    clutched = np.array([hand.clutch for hand in hands])
    assert clutched[(times > 4.001) & (times < period - 0.02)].all()
    assert not clutched[times < 3.999].any()
    turn = [angle_between(a.quat_xyzw, b.quat_xyzw) for a, b in pairwise(hands)]
    assert max(turn) < 0.02


def test_sampling_has_no_memory():
    forward, backward = wave(), wave()
    times = np.random.default_rng(0).uniform(-1, 6, 200)
    first = {t: forward.sample(t) for t in times}
    for t in sorted(times, reverse=True):
        assert np.array_equal(backward.sample(t).p_m, first[t].p_m)
        assert np.array_equal(backward.sample(t).quat_xyzw, first[t].quat_xyzw)


def test_a_sample_is_a_copy_that_the_caller_may_change():
    recording = wave()
    for t in (0.0, 1.234, 99.0):
        before = recording.sample(t).p_m.copy()
        hand = recording.sample(t)
        hand.p_m[:] += 1.0
        hand.quat_xyzw[:] = 0.0
        assert np.array_equal(recording.sample(t).p_m, before)
        assert np.linalg.norm(recording.sample(t).quat_xyzw) == pytest.approx(1.0)


def test_one_sample_is_not_a_motion():
    with pytest.raises(MasterError, match="at least two samples"):
        Recording(np.zeros(1), np.zeros((1, 3)), np.array([[0.0, 0, 0, 1]]), np.zeros(1), AT_ONCE)
