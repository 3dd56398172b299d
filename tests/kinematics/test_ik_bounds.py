"""Joint limits hold whatever is asked: random states, Jacobians, rows and stops."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kinematics.errors import KinematicsError
from kinematics.ik import DifferentialIK
from kinematics.joint_bounds import brakeable_speed, stop_velocity
from kinematics.limits import JointLimits
from kinematics.rows import RowSet

T = 1e-3
N = 6
LIMITS = JointLimits(
    q_min=np.array([-1.6, -0.9, 0.06, -4.5, -1.4, -1.4]),
    q_max=np.array([1.6, 0.9, 0.24, 4.5, 1.4, 1.4]),
    qd_max=np.array([3.0, 3.0, 0.4, 12.0, 12.0, 12.0]),
    qdd_max=np.array([20.0, 20.0, 4.0, 100.0, 100.0, 100.0]),
    qddd_max=np.array([20000.0, 40000.0, 8000.0, np.inf, 2e5, 2e5]),
)
IK = DifferentialIK(LIMITS, T)
A_MAX = LIMITS.effective_acceleration(T)


def random_rows(rng, k):
    if k == 0:
        return None
    A = rng.normal(size=(k, N)) * 10.0 ** rng.uniform(-6, 2, size=(k, 1))
    b = rng.normal(size=k) * 10.0 ** rng.uniform(-9, 0, size=k)
    rows = RowSet.hard(A, b)
    return RowSet(
        rows.A, rows.b, rng.integers(0, 4, k), rng.uniform(1e-3, 1e3, k), rng.choice([0, 1e-5, np.inf], k)
    )


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), wildness=st.floats(-6, 6), k=st.integers(0, 30))
def test_a_chain_of_arbitrary_ticks_never_leaves_the_limits_and_can_always_stop(seed, wildness, k):
    rng = np.random.default_rng(seed)
    q = rng.uniform(LIMITS.q_min, LIMITS.q_max)
    v, change_before = np.zeros(N), np.zeros(N)
    for _ in range(60):
        size = 10.0**wildness
        J = rng.normal(size=(6, N)) * 10.0 ** rng.uniform(-3, 0)
        if rng.random() < 0.2:
            J[:, rng.integers(N)] = 0.0
        result = IK.solve(
            q=q,
            v_prev=v,
            jacobian=J,
            error=rng.normal(size=6) * size,
            feedforward=rng.normal(size=6) * size * 1e-3,
            rows=random_rows(rng, k),
        )
        assert np.isfinite(result.v).all()
        following = q + result.v * T
        new = (following - q) / T
        assert np.all(np.abs(new) <= LIMITS.qd_max * (1 + 1e-9))
        change = new - v
        assert np.all(np.abs(change) <= A_MAX * T * (1 + 1e-9) + 1e-12)
        assert np.all(np.abs(change - change_before) / T**2 <= LIMITS.qddd_max * (1 + 1e-6))
        stop = max(T, np.max(np.abs(new) / A_MAX))
        assert np.all(following + new * stop / 2 <= LIMITS.q_max + 1e-12)
        assert np.all(following + new * stop / 2 >= LIMITS.q_min - 1e-12)
        q, v, change_before = following, new, change


@settings(max_examples=200, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_the_box_contains_the_stop_even_from_outside_the_limits(seed):
    rng = np.random.default_rng(seed)
    span = LIMITS.q_max - LIMITS.q_min
    q = rng.uniform(LIMITS.q_min - 0.2 * span, LIMITS.q_max + 0.2 * span)
    v = rng.uniform(-1.5, 1.5, N) * LIMITS.qd_max
    result = IK.solve(
        q=q, v_prev=v, jacobian=rng.normal(size=(6, N)), error=rng.normal(size=6), feedforward=np.zeros(6)
    )
    stop = np.empty(N)
    stop_velocity(v, A_MAX, T, stop)
    assert np.all(IK._work.lo <= stop)
    assert np.all(stop <= IK._work.hi)
    assert np.isfinite(result.v).all()
    outside = (q > LIMITS.q_max) & (result.v > 0)
    assert np.all(result.v[outside] <= stop[outside] + 1e-12)  # no further out than braking takes it


@settings(max_examples=300, deadline=None)
@given(
    distance=st.floats(0, 5),
    a=st.floats(0.5, 200),
    other_stop_s=st.floats(2e-3, 0.5),
)
def test_a_brakeable_speed_leaves_room_for_the_stop(distance, a, other_stop_s):
    v = brakeable_speed(distance, a, T, other_stop_s)
    assert v >= 0
    assert v * T + v * v / (2 * a) <= distance * (1 + 1e-9) + 1e-15
    assert v * (T + max(other_stop_s, v / a) / 2) <= distance * (1 + 1e-9) + 1e-15


def test_a_joint_near_the_end_of_its_range_leaves_room_for_the_slowest_joints_stop():
    """Joint 1 is fast and needs long to stop; joint 5 would overrun if only its own braking counted."""
    q = 0.5 * (LIMITS.q_min + LIMITS.q_max)
    v = np.zeros(N)
    v[0] = 2.9
    q[5] = LIMITS.q_max[5] - 0.05
    for _ in range(60):
        wanted = np.zeros(6)
        wanted[0], wanted[5] = 2.9 * T, 10.0 * T
        result = IK.solve(q=q, v_prev=v, jacobian=np.eye(6), error=np.zeros(6), feedforward=wanted)
        following = q + result.v * T
        v, q = (following - q) / T, following
        stop = np.max(np.abs(v) / A_MAX)
        assert q[5] + v[5] * stop / 2 <= LIMITS.q_max[5] + 1e-12
        assert abs(v[0] - 2.9) < 0.02  # the fast joint hardly notices


def test_limits_the_wrong_way_round_or_not_positive_are_refused_by_joint():
    good = {name: getattr(LIMITS, name) for name in ("q_min", "q_max", "qd_max", "qdd_max", "qddd_max")}
    with pytest.raises(KinematicsError, match="wrong way round"):
        JointLimits(**good | {"q_min": LIMITS.q_max, "q_max": LIMITS.q_min})
    with pytest.raises(KinematicsError, match="qd_max of joint 2"):
        JointLimits(**good | {"qd_max": np.array([1.0, 1, 0, 1, 1, 1])})
    with pytest.raises(KinematicsError, match="shape"):
        JointLimits(**good | {"qd_max": np.ones(5)})
    with pytest.raises(KinematicsError, match="finite"):
        JointLimits(**good | {"q_max": np.full(6, np.inf)})
    with pytest.raises(ValueError, match="read-only"):
        LIMITS.q_min[0] = 0.0


def test_a_joint_at_the_end_of_its_range_does_not_slow_the_others():
    q = 0.5 * (LIMITS.q_min + LIMITS.q_max)
    q[3] = LIMITS.q_max[3] - 1e-3
    v = np.zeros(N)
    v[0] = 1.5
    wanted = np.zeros(6)
    wanted[0], wanted[3] = 1.5 * T, 100.0 * LIMITS.qd_max[3] * T
    result = IK.solve(q=q, v_prev=v, jacobian=np.eye(6), error=np.zeros(6), feedforward=wanted)
    assert abs(result.v[0] - 1.5) < 1e-9
    assert result.joint_active[3] != 0
