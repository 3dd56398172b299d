"""The policy on silence: the stop of the last command, hold after 20 ms, disabled after 100 ms."""

from __future__ import annotations

import numpy as np
import pytest

from tests.drivers.rig import HOME, LIMITS, MS, PERIOD_S, V, armed, moving


@pytest.mark.parametrize("stop_s", [0.001, 0.0125, 0.05, 0.3])
def test_silence_runs_the_stop_of_the_last_command_straight_with_linear_velocity(stop_s: float) -> None:
    arm, q = moving(stop_s)
    for k in range(1, 400):
        got = arm.tick()
        s = min(k * PERIOD_S, stop_s)
        np.testing.assert_allclose(got, q + V * (s - s * s / (2 * stop_s)), atol=1e-12)
    np.testing.assert_allclose(arm.contract.setpoint.q, q + V * stop_s / 2, atol=1e-12)
    assert arm.contract.setpoint.at_rest


def test_twenty_milliseconds_of_silence_pause_and_a_hundred_disable() -> None:
    arm, _ = moving(0.05)
    states = []
    for _ in range(120):
        arm.tick()
        states.append(arm.contract.state.value)
    assert states == ["ENABLED"] * 19 + ["PAUSED"] * 80 + ["DISABLED"] * 21


def test_a_stop_longer_than_the_watchdog_times_still_ends_on_its_path_with_power_on() -> None:
    arm, q = moving(0.3)
    arm.silence(150)
    assert arm.contract.state == "DISABLED"
    assert arm.contract.powered
    assert arm.contract.is_busy
    assert not arm.ask("enable").ok
    arm.silence(150)
    assert not arm.contract.powered
    assert not arm.contract.is_busy
    np.testing.assert_allclose(arm.contract.setpoint.q, q + V * 0.15, atol=1e-12)


def test_a_late_command_is_called_missing_only_after_one_and_a_half_periods() -> None:
    arm, _ = moving(0.05)
    arm.tick(ns=1_400_000)
    assert arm.contract.reason == ""
    arm.tick(ns=200_000)
    assert "missing" in arm.contract.reason
    arm.seq += 1
    arm.send()
    assert arm.contract.reason == ""


def test_a_fresh_command_takes_over_without_a_jump() -> None:
    arm, q = moving(0.05)
    arm.silence(15)
    before = arm.contract.setpoint.q.copy()
    arm.seq += 15
    target = q + V * 16 * PERIOD_S
    for k in range(60):
        now = target + V * k * PERIOD_S
        after = arm.send(q=now.tolist(), qd=V.tolist(), stop_s=0.05).copy()
        assert (np.abs(after - before) <= LIMITS.qd_max * PERIOD_S + 1e-12).all()
        before = after
    assert not arm.contract.rejected
    np.testing.assert_array_equal(arm.contract.setpoint.q, now)


def test_paused_refuses_motion_until_a_hold_at_rest() -> None:
    arm, _ = moving(0.05)
    arm.silence(25)
    assert arm.contract.state == "PAUSED"
    arm.send()
    assert arm.contract.rejected == {"paused": 1}
    arm.send(mode="HOLD")
    assert arm.contract.state == "PAUSED"  # the stop has not ended yet, but the controller lives
    for _ in range(30):
        arm.send(mode="HOLD")
    assert arm.contract.state == "ENABLED"
    q = arm.contract.setpoint.q + V * PERIOD_S
    arm.send(q=q.tolist(), qd=V.tolist(), stop_s=0.05)
    np.testing.assert_array_equal(arm.contract.setpoint.q, q)
    assert arm.contract.rejected == {"paused": 1}


def test_paused_is_also_left_by_enable() -> None:
    arm, _ = moving(0.01)
    arm.silence(25)
    assert arm.ask("enable").ok
    assert arm.contract.state == "ENABLED"


@pytest.mark.parametrize("way_back", ["hold", "hold after paused", "enable after paused"])
def test_after_a_rest_motion_starts_where_the_arm_is_not_where_it_was_commanded_last(way_back: str) -> None:
    arm, q = moving(0.05)
    if way_back != "hold":
        arm.silence(60)
    if way_back == "enable after paused":
        assert arm.ask("enable").ok
        arm.tick()
    else:
        for _ in range(60):
            arm.send(mode="HOLD")
    assert arm.contract.state == "ENABLED"
    stands = arm.contract.setpoint.q.copy()
    arm.send(q=q.tolist())
    assert arm.contract.rejected == {"step": 1}
    np.testing.assert_array_equal(arm.contract.setpoint.q, stands)
    arm.send(q=(stands + 0.9 * LIMITS.qd_max * PERIOD_S).tolist())
    assert arm.contract.rejected == {"step": 1}


def test_a_sender_that_ignores_paused_is_disabled() -> None:
    arm, _ = moving(0.01)
    arm.silence(25)
    for _ in range(80):
        arm.send()
    assert arm.contract.state == "DISABLED"


def test_refused_commands_do_not_feed_the_watchdog() -> None:
    arm, _ = moving(0.05)
    for _ in range(20):
        arm.send(q=[float("nan"), 0.0])
    assert arm.contract.state == "PAUSED"


def test_a_command_after_twenty_silent_milliseconds_comes_too_late() -> None:
    arm, _ = moving(0.05)
    arm.silence(19)
    assert arm.contract.state == "ENABLED"
    arm.send()
    assert arm.contract.state == "PAUSED"
    assert arm.contract.rejected == {"paused": 1}


def test_disabled_needs_enable_and_starts_where_the_arm_is() -> None:
    arm, _ = moving(0.05)
    arm.silence(120)
    arm.send()
    assert arm.contract.rejected == {"disabled": 1}
    assert arm.ask("enable").ok
    measured = arm.contract.setpoint.q.copy()
    arm.send(q=measured.tolist())
    assert arm.contract.state == "ENABLED"
    np.testing.assert_array_equal(arm.contract.setpoint.q, measured)


def test_enable_starts_where_the_arm_was_measured_and_refuses_what_is_no_position() -> None:
    arm = armed()
    arm.silence(200)
    arm.now_ns += MS
    arm.contract.tick(arm.now_ns, np.array([np.nan, 0.0]))
    assert "not finite" in arm.ask("enable").error
    arm.contract.tick(arm.now_ns, np.array([1.1, 0.2]))  # pushed by hand, beyond its limit
    assert arm.ask("enable").ok
    np.testing.assert_array_equal(arm.contract.setpoint.q, [1.1, 0.2])


def test_enable_waits_a_tenth_of_a_second_for_the_first_command() -> None:
    arm = armed()
    arm.silence(98)
    assert arm.contract.state == "ENABLED"
    arm.silence(2)
    assert arm.contract.state == "DISABLED"


def test_a_hold_runs_the_stop_of_the_last_command() -> None:
    arm, q = moving(0.05)
    for _ in range(60):
        arm.send(mode="HOLD", q=[0.9, 0.4])
    np.testing.assert_allclose(arm.contract.setpoint.q, q + V * 0.025, atol=1e-12)
    assert arm.contract.state == "ENABLED"


def test_a_disabled_command_stops_first_and_then_disables() -> None:
    arm, q = moving(0.05)
    arm.send(mode="DISABLED")
    assert arm.contract.state == "DISABLED"
    assert arm.contract.powered
    arm.silence(60)
    np.testing.assert_allclose(arm.contract.setpoint.q, q + V * 0.025, atol=1e-12)


def test_a_disabled_command_sent_before_the_answer_to_enable_does_not_undo_it() -> None:
    arm = armed()
    arm.send(mode="DISABLED")
    assert arm.contract.state == "ENABLED"
    arm.send(mode="HOLD")
    arm.send(mode="DISABLED")
    assert arm.contract.state == "DISABLED"


def test_a_driver_that_itself_slept_stays_where_it_is() -> None:
    """The drives held the last setpoint meanwhile: going on along the stop would be a jump in velocity."""
    arm, _ = moving(0.3)
    arm.silence(5)
    before = arm.contract.setpoint.q.copy()
    after = arm.tick(arm.command(), ns=50 * MS)
    np.testing.assert_array_equal(after, before)
    assert arm.contract.state == "PAUSED"
    np.testing.assert_array_equal(arm.tick(), before)


def test_the_clock_standing_still_or_going_back_moves_nothing() -> None:
    arm, _ = moving(0.05)
    before = arm.contract.setpoint.q.copy()
    np.testing.assert_array_equal(arm.tick(ns=0), before)
    np.testing.assert_array_equal(arm.tick(ns=-5 * MS), before)


def test_an_estop_brakes_on_the_line_of_the_stop_and_ends_before_it() -> None:
    stop_s = 0.3
    arm, q = moving(stop_s)
    arm.contract.estop("button", "test", arm.now_ns)
    path = [arm.tick().copy() for _ in range(200)]
    assert arm.contract.state == "FAULT"
    # 1 rad/s at 20 rad/s² and 0.25 m/s at 5 m/s²: both in 0.05 s.
    np.testing.assert_allclose(path[-1], q + V * 0.025, atol=1e-12)
    along = (np.array(path) - q) / V
    np.testing.assert_allclose(along[:, 0], along[:, 1], atol=1e-12)
    assert np.max(along) <= stop_s / 2
    np.testing.assert_array_equal(path[51], path[-1])


def test_an_estop_latches_until_reset_by_the_holder_and_a_new_enable() -> None:
    arm, _ = moving(0.05)
    arm.contract.estop("button", 'the "why" of it', arm.now_ns)
    arm.silence(60)
    for _ in range(3):
        arm.send()
    assert arm.contract.rejected == {"fault": 3}
    assert "button" in arm.contract.reason
    refused = arm.ask("enable")
    assert not refused.ok
    assert "reset_fault" in refused.error
    assert arm.ask("disable").ok
    assert arm.contract.state == "FAULT"
    assert not arm.ask("disable", client=b"stranger", reset_fault=True).ok
    assert not arm.ask("reset_fault", client=b"stranger").ok
    assert arm.contract.state == "FAULT"
    assert arm.ask("disable", reset_fault=True).ok
    assert arm.contract.state == "DISABLED"
    assert arm.ask("enable").ok
    assert arm.contract.state == "ENABLED"


def test_a_flood_of_estops_keeps_its_reason_short() -> None:
    arm = armed()
    arm.contract.estop("s" * 10_000, "w" * 10_000, arm.now_ns)
    assert len(arm.contract.reason) <= 300


def test_homing_moves_smoothly_needs_no_stream_and_keeps_the_lease() -> None:
    arm = armed(is_homed=False, lease_ttl_s=0.15)
    arm.send(q=[0.001, 0.0])
    assert arm.contract.rejected == {"not_homed": 1}
    assert arm.ask("home").ok
    path = [arm.contract.setpoint.q.copy()]
    while arm.contract.is_busy:
        path.append(arm.tick().copy())
        assert len(path) < 2000
    assert arm.contract.is_homed
    assert arm.contract.state == "ENABLED"
    assert arm.contract.lease.held
    np.testing.assert_array_equal(path[-1], HOME)
    velocity = np.diff(path, axis=0) / PERIOD_S
    assert (np.abs(velocity) <= 0.5 * LIMITS.qd_max).all()
    assert (np.abs(np.diff(velocity, axis=0) / PERIOD_S) <= LIMITS.qdd_max * 1.001).all()
    arm.send(q=[HOME[0] + 0.001, HOME[1]])
    assert arm.contract.setpoint.q[0] == HOME[0] + 0.001


def test_a_controller_that_streams_before_homing_is_refused_but_not_disarmed() -> None:
    arm = armed(is_homed=False)
    for _ in range(300):
        arm.send()
    assert arm.contract.state == "ENABLED"
    assert arm.contract.rejected == {"not_homed": 300}


def test_commands_are_refused_while_homing() -> None:
    arm = armed(is_homed=False)
    arm.ask("home")
    arm.silence(50)
    arm.send()
    arm.send(mode="HOLD")
    assert arm.contract.rejected == {"busy": 1}
    assert arm.contract.is_busy


@pytest.mark.parametrize("interruption", ["estop", "disable", "release"])
def test_homing_interrupted_brakes_smoothly_and_is_not_homed(interruption: str) -> None:
    arm = armed(is_homed=False)
    arm.ask("home")
    path = [arm.tick().copy() for _ in range(300)]
    if interruption == "estop":
        arm.contract.estop("button", "test", arm.now_ns)
    else:
        assert arm.ask(interruption).ok
    path += [arm.tick().copy() for _ in range(300)]
    velocity = np.diff(path, axis=0) / PERIOD_S
    assert np.abs(velocity[290]).max() > 0.1
    assert (np.abs(np.diff(velocity, axis=0) / PERIOD_S) <= LIMITS.qdd_max * 1.05).all()
    assert (velocity[-1] == 0).all()
    assert not arm.contract.is_homed
    assert not arm.contract.is_busy
