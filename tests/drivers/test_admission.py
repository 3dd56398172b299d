"""Every reason for which a driver refuses a command: it is counted, and nothing moves."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from teleop.drivers.admission import Reject
from tests.drivers.rig import LIMITS, MS, PERIOD_S, armed

NAN, INF = math.nan, math.inf
STEP = (LIMITS.qd_max * PERIOD_S).tolist()


REFUSED: list[tuple[dict[str, Any], Reject]] = [
    ({"lease": b"x" * 16}, Reject.LEASE),
    ({"lease": b""}, Reject.LEASE),
    ({"session": b"other session 16"}, Reject.SESSION),
    ({"seq": 0}, Reject.SEQ),
    ({"ttl_ms": 0.0}, Reject.AGE),
    ({"ttl_ms": -1.0}, Reject.AGE),
    ({"ttl_ms": NAN}, Reject.AGE),
    ({"ttl_ms": INF}, Reject.AGE),
    ({"stamp_ns": 0}, Reject.AGE),
    ({"stamp_ns": 2**63}, Reject.AGE),
    ({"mode": "servo"}, Reject.MODE),
    ({"mode": ""}, Reject.MODE),
    ({"q": [0.0]}, Reject.SHAPE),
    ({"q": [0.0] * 3}, Reject.SHAPE),
    ({"qd": [0.0]}, Reject.SHAPE),
    ({"q": [NAN, 0.0]}, Reject.NOT_FINITE),
    ({"q": [0.0, -INF]}, Reject.NOT_FINITE),
    ({"qd": [0.0, NAN]}, Reject.NOT_FINITE),
    ({"jaw_rad": NAN}, Reject.NOT_FINITE),
    ({"q": [1.001, 0.0]}, Reject.POSITION),
    ({"q": [0.0, -1e308]}, Reject.POSITION),
    ({"qd": [2.01, 0.0], "stop_s": 0.1}, Reject.VELOCITY),
    ({"qd": [0.0, -1e308], "stop_s": 0.1}, Reject.VELOCITY),
    ({"stop_s": NAN}, Reject.STOP),
    ({"stop_s": INF}, Reject.STOP),
    ({"stop_s": -0.001}, Reject.STOP),
    ({"stop_s": 1e300}, Reject.STOP),
    ({"stop_s": 1.01}, Reject.STOP),
    ({"qd": [0.1, 0.0], "stop_s": 0.0}, Reject.STOP),
    ({"jaw_rad": 1.6}, Reject.JAW),
    ({"jaw_rad": -0.6}, Reject.JAW),
    ({"q": [2.1 * STEP[0], 0.0]}, Reject.STEP),
    ({"q": [0.0, -2.1 * STEP[1]]}, Reject.STEP),
]


@pytest.mark.parametrize(("changes", "reason"), REFUSED, ids=lambda value: str(value)[:60])
def test_a_command_that_breaks_a_rule_is_counted_and_moves_nothing(
    changes: dict[str, Any], reason: Reject
) -> None:
    arm = armed()
    arm.send()
    before = arm.contract.setpoint.q.copy()
    echo = arm.contract.echo_seq
    arm.send(**changes)
    assert arm.contract.rejected == {reason: 1}
    assert arm.contract.echo_seq == echo
    arm.silence(30)
    np.testing.assert_array_equal(arm.contract.setpoint.q, before)


def test_every_reason_is_covered_by_a_test() -> None:
    elsewhere = {Reject.DISABLED, Reject.PAUSED, Reject.FAULT, Reject.BUSY, Reject.NOT_HOMED}
    assert {reason for _, reason in REFUSED} | elsewhere == set(Reject)


def test_a_stop_that_would_end_outside_the_position_limits_is_refused() -> None:
    arm = armed()
    q = arm.cruise(np.array([0.0, 0.4]), 1000, 0.1)
    assert q[1] == pytest.approx(0.4)
    assert not arm.contract.rejected
    # From 0.4004 at 0.5 /s a stop of 0.4 s ends at 0.5004, beyond 0.5.
    arm.send(q=[0.0, 0.4004], qd=[0.0, 0.5], stop_s=0.4)
    assert arm.contract.rejected == {Reject.STOP: 1}


def test_a_step_at_exactly_the_velocity_limit_is_executed() -> None:
    arm = armed()
    for k in range(1, 200):
        arm.send(q=[k * STEP[0], -k * STEP[1]], qd=[2.0, -0.5], stop_s=0.1)
    assert not arm.contract.rejected


def test_duplicates_and_older_commands_are_not_executed_again() -> None:
    arm = armed()
    first = arm.command(q=[0.001, 0.0])
    second = arm.command(q=[0.002, 0.0])
    arm.tick(first)
    arm.tick(second)
    arm.tick(second)
    arm.tick(first)
    assert arm.contract.rejected == {Reject.SEQ: 2}
    assert arm.contract.echo_seq == second.seq
    assert arm.contract.setpoint.q[0] == 0.002


def test_a_command_is_executed_until_its_ttl_and_not_after() -> None:
    arm = armed()
    young = arm.command(ttl_ms=10.0, stamp_ns=arm.now_ns)
    arm.tick(young, ns=10 * MS - 1)
    assert not arm.contract.rejected
    old = arm.command(ttl_ms=10.0, stamp_ns=arm.now_ns)
    arm.tick(old, ns=10 * MS)
    assert arm.contract.rejected == {Reject.AGE: 1}


def test_a_stamp_from_the_future_does_not_shift_when_later_commands_are_due() -> None:
    arm = armed()
    q = arm.cruise(np.array([1.0, 0.0]), 50, 0.2) + np.array([0.002, 0.0])
    arm.send(stamp_ns=arm.now_ns + 10**12)
    arm.send(q=q.tolist(), qd=[1.0, 0.0], stop_s=0.2)
    assert arm.contract.rejected == {Reject.AGE: 1}
    np.testing.assert_array_equal(arm.contract.setpoint.q, q)


def test_across_hosts_age_is_counted_from_the_quickest_passage() -> None:
    arm = armed(shared_clock=False)
    offset = -5_000_000_000  # the controller's clock is five seconds behind
    for delay_ms in (3, 1, 2, 1):
        arm.send(stamp_ns=arm.now_ns + offset - delay_ms * MS)
    assert not arm.contract.rejected
    arm.send(stamp_ns=arm.now_ns + offset - 15 * MS)
    assert arm.contract.rejected == {Reject.AGE: 1}


def test_a_jump_stays_refused_until_the_driver_holds() -> None:
    """Ten refused steps must not earn the travel of ten periods."""
    arm = armed()
    arm.send()
    for _ in range(40):
        arm.send(q=[8 * STEP[0], 0.0])
    assert arm.contract.setpoint.q[0] == 0.0
    assert arm.contract.rejected[Reject.STEP] >= 18
    assert arm.contract.state == "PAUSED"


def test_lost_commands_earn_their_travel() -> None:
    arm = armed()
    q = arm.cruise(np.array([1.0, 0.0]), 100, 0.05)
    arm.silence(8)
    arm.seq += 8
    arm.send(q=[q[0] + 9 * PERIOD_S, 0.0], qd=[1.0, 0.0], stop_s=0.05)
    assert not arm.contract.rejected


def test_a_sequence_number_far_ahead_earns_no_travel() -> None:
    arm = armed()
    arm.send()
    arm.send(seq=2**40, q=[4 * STEP[0], 0.0])
    assert arm.contract.rejected == {Reject.STEP: 1}


def test_two_commands_in_a_tick_that_follows_a_late_one_are_executed() -> None:
    """Both ends may be late: two commands then come within a fraction of a period."""
    arm = armed()
    v = LIMITS.qd_max
    q = arm.cruise(v, 50, 0.1)
    q = q + 2 * v * PERIOD_S
    arm.seq += 1
    arm.tick(arm.command(q=q.tolist(), qd=v.tolist(), stop_s=0.1), ns=100_000)
    assert not arm.contract.rejected


def test_commands_of_a_foreign_sender_do_not_disturb_the_holder() -> None:
    arm = armed()
    for k in range(1, 100):
        arm.tick(arm.command(lease=b"guess", q=[0.5, 0.0]), arm.command(q=[k * 1e-3, 0.0]))
    assert arm.contract.rejected == {Reject.LEASE: 99}
    assert arm.contract.setpoint.q[0] == pytest.approx(0.099)


def test_hold_and_disabled_are_asked_only_for_shape_and_finite_numbers() -> None:
    arm = armed()
    arm.send(mode="HOLD", q=[50.0, 0.0], qd=[9.0, 9.0], stop_s=-1.0, jaw_rad=9.0)
    assert not arm.contract.rejected
    assert arm.contract.setpoint.q.tolist() == [0.0, 0.0]
    arm.send(mode="HOLD", q=[NAN, 0.0])
    arm.send(mode="DISABLED", q=[0.0])
    assert arm.contract.rejected == {Reject.NOT_FINITE: 1, Reject.SHAPE: 1}


def test_a_controller_whose_clock_was_set_is_refused_until_its_lease_has_lapsed() -> None:
    arm = armed(shared_clock=False)
    for _ in range(100):
        arm.send()
    executed = arm.contract.executed
    for _ in range(200):  # a minute ahead, and it stays there
        arm.send(stamp_ns=arm.now_ns + 60_000 * MS)
    assert arm.contract.executed == executed
    assert arm.contract.rejected["age"] == 200
    assert arm.contract.state.value == "DISABLED"
    arm.silence(1000)
    assert not arm.contract.lease.held
    arm.arm()
    arm.send(stamp_ns=arm.now_ns + 60_000 * MS)
    assert arm.contract.executed == executed + 1


def test_a_delay_that_shrinks_by_much_is_not_taken_for_a_clock_that_was_set() -> None:
    arm = armed(shared_clock=False)
    for _ in range(60):
        arm.send()
    arm.send(seq=arm.seq + 60, stamp_ns=arm.now_ns + MS - 100_000)
    assert arm.contract.executed == 61
