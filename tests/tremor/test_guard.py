"""Whatever comes in, something finite goes out, and a restart leaves no bump."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from teleop.masters.surgeon import synthesise
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

ALL = (
    NoFilterSpec(),
    ButterworthSpec(),
    OneEuroSpec(),
    NotchSpec(),
    WflcSpec(),
    BmflcSpec(),
    BmflcKfSpec(),
    KalmanBankSpec(),
)
HAND = np.ascontiguousarray(synthesise(4.0, 1000.0, 6).measured[:, :3])
every_kind = pytest.mark.parametrize("spec", ALL, ids=lambda spec: spec.kind)
anything = st.floats(allow_nan=True, allow_infinity=True, width=64)


def run(axis, x, dt=1e-3):
    return np.array([axis.step(value, dt, np.empty(x.shape[1])) for value in x])


@every_kind
def test_first_sample_after_a_reset_passes_exactly(spec):
    axis = make_axis_filter(spec, 1000.0, 3)
    run(axis, HAND[:500])
    axis.reset()
    np.testing.assert_array_equal(run(axis, HAND[2000:2001])[0], HAND[2000])


@every_kind
def test_after_a_reset_the_past_is_forgotten(spec):
    used, fresh = make_axis_filter(spec, 1000.0, 3), make_axis_filter(spec, 1000.0, 3)
    run(used, HAND[:2500])
    used.reset()
    np.testing.assert_array_equal(run(used, HAND[2500:]), run(fresh, HAND[2500:]))


@every_kind
def test_output_leaves_the_first_sample_continuously(spec):
    # A still hand with tremor: no step after the reset may exceed what the hand itself does by much.
    t = np.arange(0.0, 0.5, 1e-3)
    x = 0.02 + 50e-6 * np.sin(2.0 * np.pi * 9.0 * t + 1.0)[:, None]
    out = run(make_axis_filter(spec, 1000.0, 1), x)
    assert np.abs(np.diff(out, axis=0)).max() < 2.0 * np.abs(np.diff(x, axis=0)).max()


@every_kind
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e7])
def test_garbage_holds_the_last_output_and_resets(spec, bad):
    axis = make_axis_filter(spec, 1000.0, 3)
    out = run(axis, HAND[:1000])
    held = run(axis, np.array([[0.0, bad, 0.0]]))
    np.testing.assert_array_equal(held[0], out[-1])
    np.testing.assert_array_equal(run(axis, HAND[1500:1501])[0], HAND[1500])
    assert axis.resets == 1


@every_kind
def test_a_gap_of_a_second_resets(spec):
    axis = make_axis_filter(spec, 1000.0, 3)
    run(axis, HAND[:1000])
    np.testing.assert_array_equal(axis.step(HAND[2000], 1.0, np.empty(3)), HAND[2000])
    assert axis.resets == 1


@every_kind
def test_a_short_gap_does_not_reset(spec):
    axis = make_axis_filter(spec, 1000.0, 3)
    run(axis, HAND[:1000])
    axis.step(HAND[1010], 0.011, np.empty(3))
    assert axis.resets == 0


@every_kind
@pytest.mark.parametrize("dt", [0.0, -1.0, np.nan, 1e-9])
def test_impossible_intervals_are_survived(spec, dt):
    out = run(make_axis_filter(spec, 1000.0, 3), HAND[:1500], dt)
    assert np.all(np.isfinite(out))
    assert np.abs(out).max() < 2.0 * np.abs(HAND[:1500]).max() + 1e-3


@every_kind
def test_input_is_neither_changed_nor_kept(spec):
    axis = make_axis_filter(spec, 1000.0, 3)
    x = HAND[0].copy()
    first = axis.step(x, 1e-3, np.empty(3)).copy()
    np.testing.assert_array_equal(x, HAND[0])
    x[:] = 99.0
    other = make_axis_filter(spec, 1000.0, 3)
    other.step(first, 1e-3, np.empty(3))
    np.testing.assert_array_equal(
        axis.step(HAND[1], 1e-3, np.empty(3)), other.step(HAND[1], 1e-3, np.empty(3))
    )


@every_kind
@settings(max_examples=30, deadline=None)
@given(samples=st.lists(st.tuples(anything, anything, anything), min_size=1, max_size=30))
def test_no_garbage_ever_yields_a_value_that_is_not_finite(spec, samples):
    axis = make_axis_filter(spec, 1000.0, 2)
    for a, b, dt in samples:
        assert np.all(np.isfinite(axis.step(np.array([a, b]), dt, np.empty(2))))
    for x in HAND[:20, :2]:
        assert np.all(np.isfinite(axis.step(x, 1e-3, np.empty(2))))


POSE = make_pose_filter(KalmanBankSpec(), 1000.0)


@settings(max_examples=50, deadline=None)
@given(poses=st.lists(st.lists(anything, min_size=8, max_size=8), min_size=1, max_size=20))
def test_no_garbage_pose_ever_yields_a_broken_one(poses):
    for values in poses:
        p, quat = POSE.step(np.array(values[:3]), np.array(values[3:7]), values[7])
        assert np.all(np.isfinite(p))
        assert np.linalg.norm(quat) == pytest.approx(1.0, abs=1e-9)
