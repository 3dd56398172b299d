"""Group laws of rotations and transforms, and an independent library (scipy) as the oracle."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.spatial.transform import Rotation

from kinematics import pose

unhurried = settings(deadline=None)  # a kernel compiles on its first call, and two cores are shared
unit = st.floats(-1.0, 1.0, allow_subnormal=False)
direction = arrays(np.float64, 3, elements=unit).filter(lambda v: np.linalg.norm(v) > 1e-3)
point = arrays(np.float64, 3, elements=unit)
# Angles crowd where logarithms usually fail: at 0 and at pi.
tiny = st.floats(-18.0, -1.0).map(lambda e: 10.0**e)
angle = st.one_of(
    st.just(0.0), tiny, st.floats(0.0, math.pi), tiny.map(lambda x: math.pi - x), st.just(math.pi)
)


@st.composite
def rotvec(draw: st.DrawFn) -> np.ndarray:
    axis = draw(direction)
    return axis / np.linalg.norm(axis) * draw(angle)


@st.composite
def rigid(draw: st.DrawFn) -> np.ndarray:
    return pose.transform(pose.rotation_exp(draw(rotvec())), draw(point))


@unhurried
@given(rotvec())
def test_log_undoes_exp_everywhere_up_to_pi(r: np.ndarray) -> None:
    for back in (pose.quat_log(pose.quat_exp(r)), pose.rotation_log(pose.rotation_exp(r))):
        # At pi both signs of the axis are the same rotation.
        error = min(np.abs(back - r).max(), np.abs(back + r).max() if np.linalg.norm(r) > 3.14 else np.inf)
        assert error < 1e-14


@unhurried
@given(rotvec())
def test_small_rotations_keep_their_relative_digits(r: np.ndarray) -> None:
    r = r * 1e-6
    np.testing.assert_allclose(pose.quat_log(pose.quat_exp(r)), r, rtol=1e-15, atol=1e-300)
    np.testing.assert_allclose(pose.rotation_log(pose.rotation_exp(r)), r, rtol=1e-9, atol=1e-18)


@unhurried
@given(rotvec())
def test_matrix_and_quaternion_agree_with_scipy(r: np.ndarray) -> None:
    oracle = Rotation.from_rotvec(r)
    np.testing.assert_allclose(pose.rotation_exp(r), oracle.as_matrix(), atol=5e-16)
    np.testing.assert_allclose(pose.quat_to_matrix(oracle.as_quat()), oracle.as_matrix(), atol=1e-15)
    q = pose.matrix_to_quat(oracle.as_matrix())
    assert abs(abs(q @ oracle.as_quat()) - 1.0) < 1e-15
    assert q[3] >= 0.0


@unhurried
@given(rotvec(), rotvec())
def test_product_of_quaternions_is_the_product_of_matrices(a: np.ndarray, b: np.ndarray) -> None:
    qa, qb = pose.quat_exp(a), pose.quat_exp(b)
    product = pose.quat_to_matrix(pose.quat_mul(qa, qb))
    np.testing.assert_allclose(product, pose.quat_to_matrix(qa) @ pose.quat_to_matrix(qb), atol=1e-15)
    np.testing.assert_allclose(pose.quat_mul(qa, pose.quat_conj(qa)), [0.0, 0.0, 0.0, 1.0], atol=4e-16)


@unhurried
@given(rotvec())
def test_a_quaternion_and_its_negative_are_one_rotation(r: np.ndarray) -> None:
    q = pose.quat_exp(r)
    np.testing.assert_array_equal(pose.quat_to_matrix(q), pose.quat_to_matrix(-q))
    if np.linalg.norm(r) < 3.14:
        np.testing.assert_array_equal(pose.quat_log(q), pose.quat_log(-q))


@unhurried
@given(rotvec(), st.floats(-150.0, 150.0))
def test_normalising_undoes_any_scale(r: np.ndarray, exponent: float) -> None:
    q = pose.quat_exp(r)
    np.testing.assert_allclose(pose.quat_normalize(q * 10.0**exponent), q, atol=4e-16)


@unhurried
@given(rigid(), rigid())
def test_inverse_of_a_product_is_the_reversed_product_of_inverses(a: np.ndarray, b: np.ndarray) -> None:
    np.testing.assert_allclose(pose.inverse(a @ b), pose.inverse(b) @ pose.inverse(a), atol=4e-15)
    np.testing.assert_allclose(a @ pose.inverse(a), np.eye(4), atol=1e-15)


@unhurried
@given(rotvec(), rotvec(), point, point)
def test_the_step_between_two_poses_leads_from_one_to_the_other(
    r: np.ndarray, turn: np.ndarray, p: np.ndarray, shift: np.ndarray
) -> None:
    start, end = pose.quat_exp(r), pose.quat_mul(pose.quat_exp(turn), pose.quat_exp(r))
    for sign in (1.0, -1.0):
        step = pose.pose_difference(p + shift, sign * end, p, start)
        np.testing.assert_allclose(step[:3], shift, atol=1e-15)
        np.testing.assert_allclose(pose.rotation_exp(step[3:]), pose.rotation_exp(turn), atol=2e-15)
        assert np.linalg.norm(step[3:]) <= math.pi * (1 + 1e-15)


@unhurried
@given(rotvec())
def test_log_is_never_longer_than_pi(r: np.ndarray) -> None:
    for k in (1.0, 1.5, 2.0, 3.0):
        assert np.linalg.norm(pose.quat_log(pose.quat_exp(k * r))) <= math.pi * (1 + 1e-15)


@pytest.mark.parametrize("axis", [[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 0], [1, 1, 1], [-1, 2, -3]])
def test_half_turns_about_any_axis_come_back_as_pi(axis: list[float]) -> None:
    r = np.array(axis) / np.linalg.norm(axis) * math.pi
    back = pose.rotation_log(2.0 * np.outer(r, r) / math.pi**2 - np.eye(3))  # the exact matrix of a half turn
    assert abs(np.linalg.norm(back) - math.pi) < 1e-15
    assert np.linalg.norm(np.cross(back, r)) < 1e-14
