"""Buckets keep extremes; the unfiltered hand is put where it would have put the tip."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from teleop.console.plots import BUCKET_S, BUCKETS, Buckets, Tremor

MS = 1_000_000


@given(st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=300), st.integers(0, 299))
def test_no_peak_is_lost(values, at) -> None:
    values[at % len(values)] = 5e3
    buckets = Buckets(1)
    for k, value in enumerate([*values, *[0.0] * 40]):
        buckets.add((k + 1) * MS, [value])
    _, rows = buckets.since(0)
    assert max(row[1] for row in rows) == 5e3
    assert min(row[0] for row in rows) <= min(*values, 0.0) + 1e-4
    assert all(row[0] <= row[1] for row in rows)


def test_a_channel_without_values_has_none_and_the_ring_is_bounded() -> None:
    buckets = Buckets(2)
    step = round(BUCKET_S * 1e9)
    for k in range(BUCKETS + 100):
        buckets.add((k + 1) * step, [1.0, math.nan])
    first, rows = buckets.since(0)
    assert len(rows) == BUCKETS
    assert first == buckets.next - BUCKETS
    assert rows[0] == [1.0, 1.0, None, None]
    assert buckets.since(buckets.next) == (buckets.next, [])


def test_without_a_filter_raw_and_filtered_are_the_same_and_a_tremor_stands_out() -> None:
    rng = np.random.default_rng(1)
    R = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    tremor = Tremor(R, ramp_s=0.2)
    for k in range(4000):
        t = k * 1e-3
        hand = np.array([0.05 * t, 0.0, 60e-6 * math.sin(2 * math.pi * 9.0 * t)])
        voluntary = np.array([0.05 * t, 0.0, 0.0])
        desired = 0.5 * R @ voluntary
        raw = tremor.add(hand.tolist(), desired.tolist(), 0.5, True)
        if k > 2000:
            assert np.abs(raw - 0.5 * R @ hand).max() < 0.5 * 70e-6
    step, raw_um, filtered_um = tremor.spectrum()
    peak = int(np.argmax(raw_um))
    assert abs(peak * step - 9.0) < 2 * step
    assert 20.0 < raw_um[peak] < 40.0
    assert max(filtered_um) < 0.5


def test_the_raw_hand_is_unknown_while_the_arm_does_not_follow() -> None:
    tremor = Tremor(np.eye(3), 0.0)
    assert np.isnan(tremor.add([0.0] * 3, [0.0] * 3, 1.0, False)).all()
    assert np.isnan(tremor.add(None, [0.0] * 3, 1.0, True)).all()
    assert tremor.spectrum() is None
