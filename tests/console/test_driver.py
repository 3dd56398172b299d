"""Who drives, and the age of what the driver's browser says."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from teleop.console.driver import TAKEOVER_S, Helm, Lateness
from teleop.console.messages import Hand

MS = 1_000_000


def hand(**keys) -> Hand:
    plain = {
        "pair": 0, "epoch": 1, "hold": True, "clutch": False, "p": [0.0] * 3,
        "quat": [0.0, 0.0, 0.0, 1.0], "gripper_rad": 0.0, "t_ms": 0.0,
    }  # fmt: skip
    return Hand(**(plain | keys))


def test_one_drives_and_the_others_are_told_why_not() -> None:
    helm = Helm(1)
    assert helm.take(1, 0) == ""
    assert "Somebody else drives" in helm.take(2, 0)
    assert helm.hand(2, hand(), 0) is None
    assert not helm.leave(2, 0, surgeon=True)
    assert helm.driver == 1


def test_an_arm_left_alone_can_be_taken_and_holds_then() -> None:
    helm, wait_ns = Helm(1), round(TAKEOVER_S * 1e9)
    helm.take(1, 0)
    assert helm.hand(1, hand(), 5).present
    assert "30 s more" in helm.take(2, 6)
    assert helm.take(2, wait_ns + 4)
    helm.hand(1, hand(hold=False), wait_ns)  # a page that only says it is there does not keep the arm
    assert helm.take(2, wait_ns + 6) == ""
    assert helm.driver == 2
    assert not helm.grips[0].present
    assert helm.hand(1, hand(), wait_ns + 7) is None
    helm.acted(wait_ns + 100)  # an edit of a fixture, for instance
    assert helm.take(1, 2 * wait_ns + 99)
    assert helm.kept_s(2 * wait_ns + 99) > 0.0
    assert helm.take(1, 2 * wait_ns + 101) == ""


def test_nobody_keeps_an_arm_that_was_given_back() -> None:
    helm = Helm(1)
    helm.take(1, 0)
    helm.leave(1, 1, surgeon=False)
    assert helm.kept_s(1) == 0.0
    assert helm.take(2, 2) == ""


def test_taking_releases_the_deadman_whatever_was_held_before() -> None:
    helm = Helm(1)
    helm.take(1, 0)
    assert helm.hand(1, hand(), 1).present
    helm.take(1, 2)
    assert not helm.grips[0].present


def test_a_driver_who_leaves_lets_go_and_the_surgeon_does_not_wake_up_by_himself() -> None:
    helm = Helm(2)
    helm.take(1, 0)
    helm.hand(1, hand(pair=1), 1)
    assert helm.leave(1, 2, surgeon=False)
    assert helm.driver == 0
    assert helm.person
    assert all(grip.drive and not grip.present for grip in helm.grips)
    helm.take(2, 3)
    helm.leave(2, 4, surgeon=True)
    assert not helm.person
    assert not any(grip.drive for grip in helm.grips)


@pytest.mark.parametrize(
    "keys",
    [
        {"p": [math.nan, 0.0, 0.0]},
        {"p": [2.0, 0.0, 0.0]},
        {"quat": [0.0, 0.0, 0.0, 0.0]},
        {"quat": [math.inf, 0.0, 0.0, 1.0]},
        {"gripper_rad": math.nan},
        {"pair": 5},
    ],
)
def test_a_hand_that_cannot_be_believed_changes_nothing(keys) -> None:
    helm = Helm(1)
    helm.take(1, 0)
    assert helm.hand(1, hand(**keys), 1) is None
    assert not helm.grips[0].present


def test_each_grip_has_an_epoch_of_its_own_across_drivers() -> None:
    helm = Helm(1)
    seen = set()
    for viewer in (1, 2):
        helm.take(viewer, 0)
        for epoch in (1, 2):
            seen.add(helm.hand(viewer, hand(epoch=epoch), 1).epoch)
        helm.leave(viewer, 2, surgeon=False)
    assert len(seen) == 4


def test_a_message_that_was_held_up_is_as_old_as_it_is() -> None:
    late = Lateness()
    offset = 5_000 * MS
    for k in range(20):
        assert late.stamp(k * 10 * MS, k * 10 * MS + offset + MS) == k * 10 * MS + offset + MS
    # 300 ms in some buffer on the way:
    now = 200 * MS + offset + 301 * MS
    assert now - late.stamp(200 * MS, now) == 300 * MS


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 400)), min_size=1, max_size=60))
def test_a_stamp_is_never_ahead_of_the_clock_and_lateness_never_too_small(steps) -> None:
    late, sent, fastest = Lateness(), 0, 10**9
    for step, delay in steps:
        sent += step * MS
        fastest = min(fastest, delay)
        now = sent + (1000 + delay) * MS
        stamp = late.stamp(sent, now)
        assert stamp <= now
        assert now - stamp == (delay - fastest) * MS
