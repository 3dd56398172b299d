"""Orientation is filtered as a rotation: no frame is special, no sign matters, no re-centring shows."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from teleop.errors import TrocarError
from teleop.masters.surgeon import SurgeonSpec, synthesise
from teleop.tremor import (
    BmflcKfSpec,
    BmflcSpec,
    ButterworthSpec,
    KalmanBankSpec,
    NoFilterSpec,
    NotchSpec,
    OneEuroSpec,
    WflcSpec,
    make_axis_filter,
    make_pose_filter,
)
from teleop.tremor import pose as pose_module
from teleop.tremor.pose import coordinate_change

TRACE = synthesise(10.0, 1000.0, 2, SurgeonSpec(f0_hz=9.0))
LINEAR = (NoFilterSpec(), ButterworthSpec(), NotchSpec(), KalmanBankSpec(tracks=False))
ALL = (*LINEAR, OneEuroSpec(), WflcSpec(), BmflcSpec(), BmflcKfSpec(), KalmanBankSpec())


def run(spec, p, quat, dt=1e-3):
    poses = make_pose_filter(spec, 1000.0)
    out = [poses.step(a, b, dt) for a, b in zip(p, quat, strict=True)]
    return np.array([a for a, _ in out]), np.array([b for _, b in out])


def angle_between(a, b):
    return (Rotation.from_quat(a).inv() * Rotation.from_quat(b)).magnitude()


def spin(rate_rad_s=2.0, seconds=6.0):
    """A hand that turns through many re-centrings about a bending axis, with tremor, and without."""
    t = np.arange(0.0, seconds, 1e-3)
    speed = rate_rad_s * np.stack([np.cos(0.7 * t), np.sin(0.7 * t), 0.3 + 0.0 * t], axis=1)
    meant = [Rotation.identity()]
    for w in speed[:-1]:
        meant.append(meant[-1] * Rotation.from_rotvec(1e-3 * w))
    shake = 7e-4 * np.sin(2.0 * np.pi * 9.0 * t)[:, None] * np.array([1.0, 0.5, -0.3])
    meant = Rotation.concatenate(meant)
    return t, meant.as_quat(), (meant * Rotation.from_rotvec(shake)).as_quat()


@pytest.mark.parametrize("spec", ALL, ids=lambda spec: spec.kind)
def test_turning_the_world_turns_the_output(spec):
    quat = Rotation.from_rotvec(3.0 * TRACE.measured[:4000, 3:]).as_quat()
    p = TRACE.measured[:4000, :3]
    world = Rotation.from_rotvec([0.4, -2.0, 1.1])
    _, out = run(spec, p, quat)
    _, turned = run(spec, p, (world * Rotation.from_quat(quat)).as_quat())
    assert angle_between((world * Rotation.from_quat(out)).as_quat(), turned).max() < 1e-9


def test_signs_of_the_quaternion_do_not_matter():
    quat = Rotation.from_rotvec(TRACE.measured[:3000, 3:]).as_quat()
    flips = np.random.default_rng(0).choice([-1.0, 1.0], size=(3000, 1))
    p = TRACE.measured[:3000, :3]
    assert (
        angle_between(run(KalmanBankSpec(), p, quat)[1], run(KalmanBankSpec(), p, flips * quat)[1]).max()
        < 1e-12
    )


@pytest.mark.parametrize("spec", ALL, ids=lambda spec: spec.kind)
def test_first_pose_passes(spec):
    p, quat = np.array([0.1, -0.2, 0.3]), Rotation.from_rotvec([1.0, 2.0, -0.5]).as_quat()
    out_p, out_quat = make_pose_filter(spec, 1000.0).step(p, 3.0 * quat, 1e-3)
    np.testing.assert_array_equal(out_p, p)
    np.testing.assert_allclose(out_quat, quat, atol=1e-15)


def test_position_is_what_the_axis_filter_gives():
    p = np.ascontiguousarray(TRACE.measured[:2000, :3])
    quat = Rotation.from_rotvec(TRACE.measured[:2000, 3:]).as_quat()
    axis = make_axis_filter(KalmanBankSpec(), 1000.0, 3)
    expected = np.array([axis.step(x, 1e-3, np.empty(3)) for x in p])
    np.testing.assert_array_equal(run(KalmanBankSpec(), p, quat)[0], expected)


def test_rotation_tremor_is_removed():
    quat = Rotation.from_rotvec(TRACE.measured[:, 3:]).as_quat()
    meant = Rotation.from_rotvec(TRACE.voluntary[:, 3:]).as_quat()
    _, out = run(KalmanBankSpec(), TRACE.measured[:, :3], quat)
    before, after = angle_between(meant, quat)[4000:], angle_between(meant, out)[4000:]
    assert np.sqrt(np.mean(after**2)) < 0.35 * np.sqrt(np.mean(before**2))


def test_recentring_does_not_show(monkeypatch):
    # The same motion with the reference moved every 0.3 rad and every 0.15 rad: how often must not matter.
    _, _, quat = spin()
    p = np.zeros((len(quat), 3))
    _, often = run(KalmanBankSpec(tracks=False), p, quat)
    monkeypatch.setattr(pose_module, "RECENTRE_RAD", 0.15)
    _, oftener = run(KalmanBankSpec(tracks=False), p, quat)
    assert angle_between(often, oftener).max() < 5e-5
    assert np.abs(np.diff(angle_between(often[:-1], often[1:]))).max() < 1e-4


def test_a_turning_hand_keeps_its_turn_and_loses_its_tremor():
    _, meant, quat = spin()
    _, out = run(KalmanBankSpec(), np.zeros((len(quat), 3)), quat)
    before, after = angle_between(meant, quat)[2500:], angle_between(meant, out)[2500:]
    assert np.sqrt(np.mean(after**2)) < 0.3 * np.sqrt(np.mean(before**2))


@pytest.mark.parametrize("spec", LINEAR, ids=lambda spec: spec.kind)
def test_recentring_of_a_linear_filter_leaves_a_steady_turn_smooth(spec):
    t = np.arange(0.0, 4.0, 1e-3)
    quat = Rotation.from_rotvec(t[:, None] * np.array([0.6, 0.8, 0.0])).as_quat()
    _, out = run(spec, np.zeros((t.size, 3)), quat)
    steps = angle_between(out[:-1], out[1:])[1500:]
    np.testing.assert_allclose(steps, 1e-3, rtol=1e-4)


def test_change_of_coordinates_is_the_right_jacobian():
    r = np.array([0.2, -0.15, 0.18])
    jacobian, curvature = np.empty((3, 3)), np.empty((3, 3, 3))
    coordinate_change(r, jacobian, curvature)
    angle = np.linalg.norm(r)
    hat = np.array([[0.0, -r[2], r[1]], [r[2], 0.0, -r[0]], [-r[1], r[0], 0.0]])
    # J. Sola, J. Deray, D. Atchuthan, A micro Lie theory for state estimation in robotics, 2018, eq. 143.
    right = (
        np.eye(3) - (1.0 - np.cos(angle)) / angle**2 * hat + (angle - np.sin(angle)) / angle**3 * hat @ hat
    )
    np.testing.assert_allclose(jacobian, right, atol=1e-7)
    d = 2e-3 * np.array([0.5, 1.0, -0.7])
    moved = (Rotation.from_rotvec(r).inv() * Rotation.from_rotvec(r + d)).as_rotvec()
    np.testing.assert_allclose(jacobian @ d + 0.5 * curvature @ d @ d, moved, atol=5e-9)


@pytest.mark.parametrize("bad", [[0, 0, 0, 0], [np.nan, 0, 0, 1], [np.inf, 0, 0, 1], [0, 0, 0, 1e9]])
def test_an_orientation_that_is_none_holds_the_pose_and_resets(bad):
    poses = make_pose_filter(KalmanBankSpec(), 1000.0)
    good = np.array([0.0, 0.0, 0.0, 1.0])
    for x in TRACE.measured[:100, :3]:
        p, quat = poses.step(x, good, 1e-3)
    held_p, held_quat = poses.step(np.ones(3), np.array(bad, dtype=float), 1e-3)
    np.testing.assert_array_equal(held_p, p)
    np.testing.assert_array_equal(held_quat, quat)
    assert not poses.started
    assert poses.resets == 1


def test_a_gap_resets_position_and_rotation_together():
    poses = make_pose_filter(KalmanBankSpec(), 1000.0)
    for x, r in zip(TRACE.measured[:300, :3], TRACE.measured[:300, 3:], strict=True):
        poses.step(x, Rotation.from_rotvec(r).as_quat(), 1e-3)
    new = Rotation.from_rotvec([0.0, 1.0, 0.0]).as_quat()
    p, quat = poses.step(np.array([0.3, 0.0, 0.0]), new, 1.0)
    np.testing.assert_array_equal(p, [0.3, 0.0, 0.0])
    np.testing.assert_allclose(quat, new, atol=1e-15)
    assert poses.resets == 1


@pytest.mark.parametrize("rate_hz", [10.0, np.nan, np.inf, -1000.0])
def test_a_rate_too_low_for_tremor_is_refused(rate_hz):
    with pytest.raises(TrocarError, match="at least 100 Hz"):
        make_pose_filter(KalmanBankSpec(), rate_hz)
