"""The mapping against scipy's rotations, and the promise that no change of it moves anything."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from teleop.mapping import ClutchedMapping, MappingSpec, RegistrationSpec

IDENTITY = np.array([0.0, 0.0, 0.0, 1.0])


def _quat(rotation: Rotation) -> np.ndarray:
    return rotation.as_quat()


def _angle(a: np.ndarray, b: np.ndarray) -> float:
    return (Rotation.from_quat(a).inv() * Rotation.from_quat(b)).magnitude()


def _mapping(**keys: object) -> ClutchedMapping:
    return ClutchedMapping(MappingSpec(ramp_s=0.0, **keys))  # type: ignore[arg-type]


rotations = st.integers(0, 2**32 - 1).map(lambda seed: Rotation.random(random_state=seed))
points = st.tuples(*[st.floats(-0.5, 0.5)] * 3).map(np.array)


def test_a_hand_to_the_right_moves_the_tip_to_the_right_as_the_camera_sees_it() -> None:
    camera = Rotation.from_euler("z", 90, degrees=True)
    spec = RegistrationSpec(quat_world_camera_xyzw=tuple(_quat(camera)))
    mapping = _mapping(scale=0.5, registration=spec)
    mapping.reference(np.zeros(3), IDENTITY, np.array([1.0, 2.0, 3.0]), IDENTITY)
    mapping.step(np.array([0.010, 0.0, 0.0]), IDENTITY, 0.001)
    np.testing.assert_allclose(mapping.p_world, [1.0, 2.005, 3.0], atol=1e-15)


@given(rotations, rotations, rotations, points, points, st.floats(0.05, 3.0))
@settings(max_examples=200, deadline=None)
def test_desired_pose_equals_the_formula_written_with_scipy(
    camera: Rotation, hand0: Rotation, tip0: Rotation, p0: np.ndarray, p1: np.ndarray, scale: float
) -> None:
    spec = RegistrationSpec(quat_world_camera_xyzw=tuple(_quat(camera)))
    mapping = _mapping(scale=scale, rotation_scale=0.5, registration=spec)
    turn = Rotation.from_rotvec([0.3, -0.9, 0.6])
    hand1 = turn * hand0
    mapping.reference(p0, _quat(hand0), np.ones(3), _quat(tip0))
    mapping.step(p1, _quat(hand1), 0.001)
    np.testing.assert_allclose(mapping.p_world, 1.0 + scale * camera.apply(p1 - p0), atol=1e-12)
    expected = Rotation.from_rotvec(0.5 * camera.apply(turn.as_rotvec())) * tip0
    assert _angle(mapping.quat_world_xyzw, _quat(expected)) < 1e-9


@given(rotations, points, st.floats(0.05, 3.0), st.floats(0.05, 3.0))
@settings(max_examples=100, deadline=None)
def test_changing_scale_or_registration_moves_nothing(
    hand: Rotation, p: np.ndarray, scale: float, rotation_scale: float
) -> None:
    mapping = _mapping(scale=0.3)
    mapping.reference(np.zeros(3), IDENTITY, np.ones(3), IDENTITY)
    mapping.step(p, _quat(hand), 0.001)
    p_before, quat_before = mapping.p_world.copy(), mapping.quat_world_xyzw.copy()
    mapping.set_scale(p, _quat(hand), scale, rotation_scale)
    mapping.step(p, _quat(hand), 0.001)
    mapping.set_registration(
        p,
        _quat(hand),
        RegistrationSpec(quat_camera_master_xyzw=tuple(_quat(Rotation.random(random_state=1)))),
    )
    mapping.step(p, _quat(hand), 0.001)
    np.testing.assert_allclose(mapping.p_world, p_before, atol=1e-15)
    assert _angle(mapping.quat_world_xyzw, quat_before) < 1e-7


def test_a_hand_that_turns_on_and_on_turns_the_tool_on_without_a_flip() -> None:
    mapping = _mapping(rotation_scale=0.5)
    mapping.reference(np.zeros(3), IDENTITY, np.zeros(3), IDENTITY)
    largest, last = 0.0, mapping.quat_world_xyzw.copy()
    for angle in np.arange(0.0, 6 * math.pi, 0.01):
        mapping.step(np.zeros(3), _quat(Rotation.from_rotvec([0.0, 0.0, angle])), 0.001)
        largest = max(largest, _angle(last, mapping.quat_world_xyzw))
        last = mapping.quat_world_xyzw.copy()
    assert largest == pytest.approx(0.005, rel=1e-6)


def test_the_sign_of_the_hand_quaternion_does_not_matter() -> None:
    hand = _quat(Rotation.from_rotvec([0.1, 0.2, 0.3]))
    one, other = _mapping(), _mapping()
    for mapping, quat in ((one, hand), (other, -hand)):
        mapping.reference(np.zeros(3), IDENTITY, np.zeros(3), IDENTITY)
        mapping.step(np.zeros(3), quat, 0.001)
    assert _angle(one.quat_world_xyzw, other.quat_world_xyzw) < 1e-9


def test_the_ramp_starts_at_zero_speed_and_ends_at_the_full_scale() -> None:
    mapping = ClutchedMapping(MappingSpec(scale=0.5, ramp_s=0.2))
    mapping.reference(np.zeros(3), IDENTITY, np.zeros(3), IDENTITY)
    x = [0.0]
    for tick in range(1, 402):
        mapping.step(np.array([tick * 1e-4, 0.0, 0.0]), IDENTITY, 0.001)
        x.append(float(mapping.p_world[0]))
    steps = np.diff(x)
    assert steps[0] < 0.01 * 0.5e-4
    assert np.all(np.diff(steps[:200]) > -1e-18)
    np.testing.assert_allclose(steps[201:], 0.5e-4, rtol=1e-9)


def test_a_locked_orientation_stays_whatever_the_hand_does() -> None:
    mapping = _mapping(orientation="locked")
    tip = _quat(Rotation.random(random_state=4))
    mapping.reference(np.zeros(3), IDENTITY, np.zeros(3), tip)
    mapping.step(np.zeros(3), _quat(Rotation.random(random_state=5)), 0.001)
    np.testing.assert_array_equal(mapping.quat_world_xyzw, tip)


def test_misalignment_is_the_angle_between_handle_and_tool() -> None:
    handle_tip = Rotation.from_euler("x", 90, degrees=True)
    spec = RegistrationSpec(quat_handle_tip_xyzw=tuple(_quat(handle_tip)))
    mapping = _mapping(registration=spec)
    hand = Rotation.random(random_state=7)
    tool = Rotation.from_rotvec([0.0, 0.2, 0.0]) * hand * handle_tip
    assert mapping.misalignment(_quat(hand), _quat(tool)) == pytest.approx(0.2, abs=1e-9)


@pytest.mark.parametrize("scale", [0.0, -1.0, 5.1, math.nan])
def test_a_scale_out_of_range_is_refused_and_changes_nothing(scale: float) -> None:
    mapping = _mapping(scale=0.3)
    with pytest.raises(ValueError, match="scale must be above 0"):
        mapping.set_scale(np.zeros(3), IDENTITY, scale)
    assert mapping.scale == 0.3


def test_a_registration_that_is_no_rotation_is_refused() -> None:
    with pytest.raises(ValueError, match="unit quaternion"):
        RegistrationSpec(quat_world_camera_xyzw=(0.0, 0.0, 0.0, 2.0))
