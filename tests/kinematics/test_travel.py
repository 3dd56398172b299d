"""How far a body can move: the bound is never below the true motion, and close to it in a tick."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pinocchio as pin
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kinematics import ArmModel, ArmSpec

unhurried = settings(deadline=None)  # a kernel compiles on its first call, and two cores are shared
ARMS = Path(__file__).parents[2] / "configs" / "arms"
NAMES = sorted(path.stem for path in ARMS.glob("*.toml"))
MODELS = {name: ArmModel.from_spec(ArmSpec.from_toml(ARMS / f"{name}.toml")) for name in NAMES}


def walk(arm: ArmModel, q: np.ndarray, dq: np.ndarray, pieces: int) -> np.ndarray:
    """Centres ``(pieces + 1, m, 3)`` along the straight joint path."""
    return np.array(
        [
            arm.sphere_centers(q + t * dq, np.empty((arm.bodies.count, 3)))
            for t in np.linspace(0, 1, pieces + 1)
        ]
    )


def bound(arm: ArmModel, q: np.ndarray, dq: np.ndarray) -> np.ndarray:
    return arm.travel(arm.at(q), dq, np.empty(arm.bodies.count))


def check(arm: ArmModel, q: np.ndarray, dq: np.ndarray) -> None:
    pieces = 40
    step = np.linalg.norm(np.diff(walk(arm, q, dq, pieces), axis=0), axis=2)
    limit = bound(arm, q, dq)
    # Chords are no longer than arcs: each is within its share of the bound, and their sum within all of it.
    assert np.all(step <= limit / pieces * (1 + 1e-9) + 1e-14)
    assert np.all(step.sum(axis=0) <= limit * (1 + 1e-12) + 1e-14)


@unhurried
@given(st.sampled_from(NAMES), st.integers(0, 2**32 - 1), st.floats(-6.0, 0.8), st.integers(0, 2**7 - 1))
def test_no_sphere_moves_faster_than_the_bound_anywhere_on_the_path(
    name: str, seed: int, exponent: float, still: int
) -> None:
    arm = MODELS[name]
    rng = np.random.default_rng(seed)
    dq = rng.normal(size=arm.n) * 10.0**exponent
    dq[[bool(still >> j & 1) for j in range(arm.n)]] = 0.0  # some joints stand still
    check(arm, rng.uniform(arm.limits.q_min, arm.limits.q_max), dq)


@unhurried
@given(st.sampled_from(NAMES), st.integers(0, 2**32 - 1), st.floats(-3.0, 0.5))
def test_a_sphere_that_stands_still_at_first_is_not_taken_for_one_that_stays(
    name: str, seed: int, exponent: float
) -> None:
    """Steps in the null space of one sphere's Jacobian: all that it moves is of second order."""
    arm = MODELS[name]
    rng = np.random.default_rng(seed)
    q = rng.uniform(arm.limits.q_min, arm.limits.q_max)
    J = arm.at(q).center_jacobians[rng.integers(arm.bodies.count)]
    null = np.linalg.svd(J)[2][3:]
    dq = null.T @ rng.normal(size=len(null))
    check(arm, q, dq / max(np.linalg.norm(dq), 1e-9) * 10.0**exponent)


def test_the_bound_is_reached_by_two_hinges_on_one_axis() -> None:
    """So none of its second-order terms can be left out.

    A slide along y carries two hinges about z and a sphere 0.3 m away along x. The hinges turn by w together,
    the slide cancels the velocity at first: speed(t) = 2 (0.3 m) w sin(w t / 2), which tends to 0.3 m w^2 at
    t = 1.
    """
    turns = {"type": "revolute", "q_min_rad": -1, "q_max_rad": 1, "qd_max_rad_s": 1, "home_rad": 0}
    turns |= {"qdd_max_rad_s2": 1, "qddd_max_rad_s3": 1}
    slides = {"type": "prismatic", "q_min_m": -1, "q_max_m": 1, "qd_max_m_s": 1, "home_m": 0}
    slides |= {"qdd_max_m_s2": 1, "qddd_max_m_s3": 1}
    ball = {"frame": "second", "from_m": [0.3, 0, 0], "to_m": [0.3, 0, 0], "radius_m": 0.01}
    data = {
        "name": "carousel",
        "chain": {"kind": "dh", "convention": "modified"},
        "joints": [
            {"name": "slide", "dh": {"alpha_deg": -90, "a_m": 0}, **slides},
            {"name": "first", "dh": {"alpha_deg": 90, "a_m": 0, "d_m": 0}, **turns},
            {"name": "second", "dh": {"alpha_deg": 0, "a_m": 0, "d_m": 0}, **turns},
        ],
        "tool": {"name": "none"},
        "bodies": [{"name": "ball", "capsules": [ball]}],
    }
    arm = ArmModel.from_spec(ArmSpec.model_validate(data))
    w = 0.1
    dq = np.array([-0.3 * w, 0.3 * w, 0.7 * w])
    check(arm, np.zeros(3), dq)
    last = 2.0 * 0.3 * w * np.sin(w / 2)
    np.testing.assert_allclose(bound(arm, np.zeros(3), dq), 0.3 * w**2, rtol=1e-12)
    assert last > 0.999 * 0.3 * w**2


@pytest.mark.parametrize("name", NAMES)
def test_a_long_step_is_bounded_by_the_reach_of_every_joint(name: str) -> None:
    """However long the step: no more than the sum of |dq_k| times the way from joint k along the hinges."""
    arm = MODELS[name]
    rng = np.random.default_rng(10)
    data = arm.pinocchio_model.createData()
    slides = np.array(arm.prismatic)
    for _ in range(20):
        q = rng.uniform(arm.limits.q_min, arm.limits.q_max)
        dq = rng.normal(size=arm.n) * 3.0
        centers = arm.at(q).centers
        pin.forwardKinematics(arm.pinocchio_model, data, q)
        most = np.zeros(arm.bodies.count)
        for i, link in enumerate(arm.bodies.link):
            way, near = 0.0, centers[i]
            for k in reversed(range(int(link))):
                if slides[k]:
                    way += abs(dq[k])
                    most[i] += abs(dq[k])
                else:
                    origin = data.oMi[k + 1].translation.copy()
                    way += float(np.linalg.norm(near - origin))
                    near = origin
                    most[i] += abs(dq[k]) * way
        assert np.all(bound(arm, q, dq) <= most * (1 + 1e-12))


@pytest.mark.parametrize("name", NAMES)
def test_the_bound_is_tight_for_one_tick_and_sane_for_a_stop(name: str) -> None:
    """Steps at random speeds up to the joints' limits: for 1 ms, and for 50 ms, as long as a stop takes."""
    arm = MODELS[name]
    rng = np.random.default_rng(8)
    for label, seconds, most in (("tick", 1e-3, 1.05), ("stop", 0.05, 3.0)):
        ratios = []
        for _ in range(50):
            q = rng.uniform(arm.limits.q_min, arm.limits.q_max)
            dq = rng.uniform(-1, 1, arm.n) * arm.limits.qd_max * seconds
            length = np.linalg.norm(np.diff(walk(arm, q, dq, 20), axis=0), axis=2).sum(axis=0)
            moving = length > 1e-2 * length.max()
            ratios.append(bound(arm, q, dq)[moving] / length[moving])
        every = np.concatenate(ratios)
        high = np.quantile(every, 0.99)
        print(f"{name}, {label}: bound / length: median {np.median(every):.4f}, 99 % below {high:.4f}")
        assert np.median(every) < most


def test_a_slide_is_bounded_by_its_own_length_exactly() -> None:
    arm = MODELS["psm_lnd_400006"]
    dq = np.array([0.0, 0.0, 0.05, 0.0, 0.0, 0.0])
    np.testing.assert_allclose(bound(arm, arm.home, dq), 0.05, rtol=1e-15)


def test_a_fixed_body_travels_nothing() -> None:
    arm = MODELS["panda_lap"]
    fixed = arm.bodies.link == 0
    assert fixed.any()
    assert np.all(bound(arm, arm.home, np.ones(7))[fixed] == 0.0)


def test_a_longer_step_never_has_a_smaller_share() -> None:
    """The bound of a part of a step is at most that part of the bound: subdividing never loses."""
    arm = MODELS["panda_lap"]
    rng = np.random.default_rng(9)
    for _ in range(100):
        q = rng.uniform(arm.limits.q_min, arm.limits.q_max)
        dq = rng.normal(size=7)
        whole = bound(arm, q, dq).copy()
        for part in (0.5, 0.1, 1e-3):
            assert np.all(bound(arm, q, part * dq) <= part * whole * (1 + 1e-12))
