"""A hand steered from a console: no message makes it jump, and letting go always counts."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kinematics.pose import quat_conj, quat_exp, quat_log, quat_mul
from teleop.masters.console import ConsoleHand, ConsoleSpec
from teleop.masters.synthetic import SyntheticSpec, synthetic
from teleop.wire.messages import Signal, Steer

SURGEON = SyntheticSpec(kind="synthetic", motion_s=10.0, lead_in_s=0.1, seed=3)
TRACE = synthetic(SURGEON)


def steer(drive=True, epoch=1, p=(0.0, 0.0, 0.0), quat=(0.0, 0.0, 0.0, 1.0), present=True, stamp=5) -> Steer:
    return Steer(
        schema=1, stream="m/steer", session=bytes(16), seq=0, stamp_ns=0, drive=drive, epoch=epoch,
        p_m=list(p), quat_xyzw=list(quat), present=Signal(present, stamp), clutch=Signal(False, stamp),
    )  # fmt: skip


def make(idle=True) -> ConsoleHand:
    return ConsoleHand(ConsoleSpec(kind="console", idle=SURGEON if idle else None), TRACE if idle else None)


def run(hand: ConsoleHand, seconds: float, start: float) -> tuple[float, list]:
    samples = [hand.sample(start + 1e-3 * k) for k in range(1, round(seconds * 1e3) + 1)]
    return start + seconds, samples


def test_until_a_person_takes_it_the_hand_is_the_surgeons_to_the_bit() -> None:
    hand = make()
    for t in (0.0, 0.001, 0.002):
        mine, theirs = hand.sample(t), TRACE.sample(t)
        assert mine.p_m.tobytes() == theirs.p_m.tobytes()
        assert mine.present == theirs.present


def test_taken_it_moves_by_what_the_person_moved_and_nothing_else() -> None:
    hand = make()
    t, before = run(hand, 3.0, 0.0)
    hand.steer(steer(p=(0.01, -0.02, 0.03), quat=tuple(quat_exp(np.array([0.0, 0.3, 0.0])))))
    _, after = run(hand, 1.0, t)
    assert np.abs(after[-1].p_m - before[-1].p_m - [0.01, -0.02, 0.03]).max() < 1e-6
    turned = quat_log(quat_mul(after[-1].quat_xyzw, quat_conj(before[-1].quat_xyzw)))
    assert np.abs(turned - [0.0, 0.3, 0.0]).max() < 1e-5
    assert after[0].present
    assert after[0].buttons_stamp_ns == 5


@settings(max_examples=30, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.booleans(),
            st.integers(0, 4),
            st.tuples(*[st.floats(allow_nan=True, allow_infinity=True)] * 3)
            | st.tuples(*[st.floats(-0.9, 0.9)] * 3),
            st.booleans(),
        ),
        max_size=12,
    )
)
def test_whatever_is_said_the_hand_keeps_its_speed_limit(messages) -> None:
    hand = make()
    t, last = 0.0, hand.sample(0.0)
    for drive, epoch, p, present in messages:
        hand.steer(steer(drive, epoch, p, present=present))
        t, samples = run(hand, 0.05, t)
        for sample in samples:
            assert np.linalg.norm(sample.p_m - last.p_m) <= max(hand.spec.speed_max_m_s, 0.3) * 1e-3 + 1e-12
            assert abs(np.linalg.norm(sample.quat_xyzw) - 1.0) < 1e-9
            last = sample


def test_let_go_it_stands_at_once() -> None:
    hand = make(idle=False)
    hand.steer(steer(p=(0.1, 0.0, 0.0)))
    t, moving = run(hand, 0.05, 0.0)
    hand.steer(steer(p=(0.1, 0.0, 0.0), present=False))
    _, still = run(hand, 0.2, t)
    assert not any(sample.present for sample in still)
    assert np.array_equal(still[-1].p_m, moving[-1].p_m)


def test_a_silent_console_never_wakes_the_surgeon() -> None:
    hand = make()
    t, _ = run(hand, 1.0, 0.0)
    hand.steer(steer(present=False))
    _, samples = run(hand, 5.0, t)
    assert not any(sample.present for sample in samples)


def test_given_back_it_goes_to_where_the_surgeon_stopped_and_only_then_he_goes_on() -> None:
    hand = make()
    t, before = run(hand, 2.0, 0.0)
    hand.steer(steer(p=(0.05, 0.0, 0.0)))
    t, _ = run(hand, 1.0, t)
    hand.steer(steer(drive=False, present=False))
    t, way = run(hand, 2.0, t)
    first = next(k for k, sample in enumerate(way) if sample.present)
    assert np.linalg.norm(way[first - 1].p_m - before[-1].p_m) < 1e-5
    gap = np.linalg.norm(way[first].p_m - way[first - 1].p_m)
    assert gap < 0.3 * 1e-3


@pytest.mark.parametrize("p", [(0.2, 0.0, 0.0)])
def test_many_grips_do_not_carry_the_hand_out_of_reach(p) -> None:
    hand = make(idle=False)
    t = 0.0
    for epoch in range(1, 4):
        hand.steer(steer(epoch=epoch, p=p))
        t, _ = run(hand, 1.5, t)
    hand.steer(steer(epoch=4, present=False))
    t, samples = run(hand, 1.0, t)
    assert np.linalg.norm(samples[-1].p_m) < np.linalg.norm(samples[0].p_m)
    steps = np.diff([sample.p_m for sample in samples], axis=0)
    assert np.linalg.norm(steps, axis=1).max() <= 0.021e-3
