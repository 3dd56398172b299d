"""The whole tick, from hand to simulated arm."""

import math

import numpy as np
import pytest

from teleop.wire.messages import MeasuredJs

from .rig import MS, PERIOD_S, Rig, assert_within_limits


def _shake(rig: Rig, ticks: int) -> None:
    """A hand that moves at about 100 mm/s."""
    for _ in range(ticks):
        t = rig.now_ns * 1e-9
        rig.hand.p_m = [0.03 * math.sin(3.0 * t), 0.03 * math.sin(2.5 * t + 1.0), 0.02 * math.sin(4.0 * t)]
        rig.tick()


def test_the_tip_follows_the_hand_scaled_and_without_lag() -> None:
    rig = Rig(scale=0.5, ramp_s=0.0)
    rig.bring_up()
    start = rig.pair.motion.p_world_tip.copy()
    for k in range(1000):
        rig.hand.p_m = [0.02 * (1 - math.cos(2 * math.pi * k * PERIOD_S)), 0.0, 0.0]
        rig.tick()
    rig.run(50)
    moved = rig.pair.motion.p_world_tip - start
    np.testing.assert_allclose(moved, 0.5 * np.array(rig.hand.p_m), atol=2e-6)
    assert_within_limits(rig, rig.sent)


def test_two_samples_of_one_instant_do_not_end_following() -> None:
    """A device whose clock is coarse stamps two poses alike; their difference quotient would be infinite."""
    rig = Rig(scale=1.0)
    rig.bring_up()
    _shake(rig, 300)
    stamp_ns = rig.sample().stamp_ns
    for _ in range(2):
        again = rig.sample()
        again.stamp_ns = stamp_ns
        rig.hand.p_m[0] += 1e-4
        rig.tick(sample=again)
    assert np.isfinite(rig.pair.mapping.p_world).all()
    _shake(rig, 300)
    assert np.linalg.norm(rig.pair.motion.v) > 0.05
    assert_within_limits(rig, rig.sent)


def test_a_hold_of_the_inverse_kinematics_is_in_the_ledger(monkeypatch: pytest.MonkeyPatch) -> None:
    rig = Rig(scale=1.0)
    rig.bring_up()
    _shake(rig, 300)
    monkeypatch.setattr(rig.pair.mapping, "step", lambda *_: rig.pair.mapping.p_world.fill(math.nan))
    for _ in range(200):
        rig.tick()
        assert rig.outputs is not None
        lines = [(line.who, line.what, math.isfinite(line.by_m)) for line in rig.outputs.pairs[0].ledger]
        assert lines == [("inverse kinematics", "held", True)]
    assert rig.pair.motion.at_rest
    assert_within_limits(rig, rig.sent)


def test_nothing_is_commanded_before_enable() -> None:
    rig = Rig()
    _shake(rig, 100)
    assert rig.sent == []
    assert rig.state == ("IDLE", "not_enabled")


def test_engage_itself_moves_nothing() -> None:
    rig = Rig()
    rig.bring_up()
    q = rig.pair.motion.q.copy()
    rig.request("release")
    rig.hand.p_m = [0.1, 0.1, 0.1]
    rig.run(100)
    rig.request("engage")
    rig.run(100)
    np.testing.assert_allclose(rig.pair.motion.q, q, rtol=0.0, atol=1e-12)


@pytest.mark.parametrize(
    "what", ["clutch", "deadman", "pause", "release", "dropout", "invalid", "estop", "disable"]
)
def test_a_stop_at_full_speed_brakes_within_the_limits_and_rests(what: str) -> None:
    rig = Rig(scale=1.0)
    rig.bring_up()
    _shake(rig, 700)
    assert np.linalg.norm(rig.pair.motion.v) > 0.05
    estops: tuple[tuple[str, str], ...] = ()
    sample: str | None = "hand"
    if what == "clutch":
        rig.hand.clutch = True
    elif what == "deadman":
        rig.hand.present = False
    elif what == "invalid":
        rig.hand.valid = False
    elif what == "dropout":
        sample = None
    elif what == "estop":
        estops = (("test", "because"),)
    else:
        assert rig.request(what).ok
    for _ in range(150):
        rig.tick(sample=sample, estops=estops)
        estops = ()
    assert rig.pair.motion.at_rest
    assert_within_limits(rig, rig.sent)
    assert rig.state[1] == {
        "clutch": "clutched", "deadman": "deadman_released", "pause": "paused", "release": "not_engaged",
        "dropout": "master_lost", "invalid": "master_invalid", "estop": "estop", "disable": "not_enabled",
    }[what]  # fmt: skip


def test_the_driver_stops_at_the_end_of_the_stop_that_the_controller_announced() -> None:
    rig = Rig(scale=1.0)
    rig.bring_up()
    _shake(rig, 700)
    last = rig.commands[-1]
    end = np.array(last.q) + np.array(last.qd) * last.stop_s / 2
    for _ in range(100):
        rig.now_ns += MS
        rig.sim.step(rig.now_ns)
    np.testing.assert_allclose(rig.sim.contract.setpoint.q, end, atol=1e-9)


@pytest.mark.parametrize("ticks", [1, 3, 5])
def test_samples_lost_for_up_to_5_ms_are_bridged_by_extrapolation(ticks: int) -> None:
    rig = Rig(scale=1.0, ramp_s=0.0)
    rig.bring_up()
    _shake(rig, 700)
    before = rig.pair.motion.v.copy()
    for _ in range(ticks):
        rig.tick(sample=None)
    assert rig.state == ("FOLLOWING", "none")
    assert np.linalg.norm(rig.pair.motion.v) > 0.2 * np.linalg.norm(before)
    _shake(rig, 200)
    assert_within_limits(rig, rig.sent)


def test_late_samples_slow_the_arm_and_it_catches_up_when_they_come_back_before_20_ms() -> None:
    rig = Rig(scale=1.0)
    rig.bring_up()
    _shake(rig, 700)
    for _ in range(12):
        rig.tick(sample=None)
    assert rig.state == ("FOLLOWING", "master_late")
    _shake(rig, 500)
    assert rig.state == ("FOLLOWING", "none")
    assert_within_limits(rig, rig.sent)


def test_a_hold_after_20_ms_ends_by_the_clutch_without_a_step() -> None:
    rig = Rig(scale=1.0)
    rig.bring_up()
    _shake(rig, 700)
    for _ in range(40):
        rig.tick(sample=None)
    assert rig.state == ("HOLDING", "master_stale")
    _shake(rig, 300)
    assert rig.state == ("HOLDING", "master_stale")
    rig.hand.clutch = True
    _shake(rig, 100)
    rig.hand.clutch = False
    _shake(rig, 300)
    assert rig.state == ("FOLLOWING", "none")
    assert_within_limits(rig, rig.sent)


def test_an_emergency_stop_latches_until_reset_and_enable() -> None:
    rig = Rig()
    rig.bring_up()
    rig.tick(estops=(("foot switch", "smoke"),))
    rig.run(50)
    assert not rig.request("enable").ok
    assert not rig.request("engage").ok
    assert rig.controller.operating.detail == "foot switch: smoke"
    assert rig.request("reset_fault").ok
    rig.bring_up()
    assert rig.state == ("FOLLOWING", "none")


def test_a_stream_that_ended_in_motion_begins_anew_only_when_the_arm_has_come_to_rest() -> None:
    """The arm's clock is set back: silence to the controller, while the driver goes on."""
    rig = Rig()
    rig.bring_up()
    rig.run(300)
    whole, places = rig.measured, []

    def set_back() -> MeasuredJs:
        measured = whole()
        measured.stamp_ns -= 1_000_000_000
        return measured

    for k in range(400):
        if k == 100:
            rig.measured = set_back  # type: ignore[method-assign]
        rig.hand.p_m[0] = 0.03 * math.sin(2.0 * math.pi * 1.5 * k * PERIOD_S)
        rig.tick()
        places.append(rig.sim.contract.setpoint.q.copy())
    assert rig.state[0] == "IDLE"
    acceleration = np.abs(np.diff(places, 2, axis=0)) / PERIOD_S**2
    assert acceleration.max(axis=0)[2] > 0.1  # it moved
    assert np.all(acceleration <= rig.pair.arm.limits.qdd_max * 1.01 + 1e-6)


def test_a_restarted_arm_driver_ends_the_engagement_and_can_be_engaged_again_without_a_step() -> None:
    rig = Rig(scale=1.0)
    rig.bring_up()
    _shake(rig, 700)
    for _ in range(300):
        rig.tick(arm=False)
    assert rig.state == ("IDLE", "arm_stale")
    n = len(rig.sent)
    rig.arm_session = b"arm--2---session"
    rig.start_arm()
    rig.run(5)
    assert rig.state[0] == "IDLE"
    rig.bring_up()
    _shake(rig, 300)
    assert rig.state == ("FOLLOWING", "none")
    assert_within_limits(rig, rig.sent[n:])


def test_an_arm_that_held_is_enabled_again_by_engage() -> None:
    rig = Rig()
    rig.bring_up()
    for _ in range(30):
        rig.now_ns += MS
        rig.sim.step(rig.now_ns)
    assert rig.sim.contract.state.value == "PAUSED"
    rig.run(10)
    assert rig.state == ("IDLE", "arm_held")
    assert rig.request("engage").ok
    rig.run(100)
    assert rig.state == ("FOLLOWING", "none")


def test_an_arm_that_was_disabled_for_longer_than_its_lease_lives_is_enabled_again() -> None:
    rig = Rig()
    rig.bring_up()
    for _ in range(130):
        rig.now_ns += MS
        rig.sim.step(rig.now_ns)
    assert rig.sim.contract.state.value == "DISABLED"
    rig.run(1500)
    assert rig.state == ("IDLE", "arm_not_enabled")
    assert rig.request("enable").ok
    rig.run(300)
    assert rig.request("engage").ok
    rig.run(100)
    assert rig.state == ("FOLLOWING", "none")


def test_get_state_tells_of_each_input_whether_it_is_alive_at_its_rate_and_valid() -> None:
    rig = Rig()
    rig.bring_up()
    rig.hand.valid = False
    for _ in range(30):
        rig.tick(arm=False)
    inputs = rig.request("get_state").result["pairs"]["pair"]["inputs"]
    assert (inputs["measured_cp"]["alive"], inputs["measured_cp"]["rate_ok"]) == (True, True)
    assert inputs["measured_cp"]["valid"] is False
    assert inputs["measured_js"]["rate_ok"] is False


def test_the_jaw_follows_the_gripper_slowly_at_first() -> None:
    rig = Rig()
    rig.bring_up()
    rig.hand.gripper_rad = 1.0
    rig.run(100)
    first = rig.pair.jaw.position_rad
    assert first < 0.3
    rig.run(1500)
    assert rig.pair.jaw.position_rad == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"p_m": [math.nan, 0.0, 0.0]}, "not_finite"),
        ({"p_m": [0.0, math.inf, 0.0]}, "not_finite"),
        ({"quat_xyzw": [0.0, 0.0, 0.0, 2.0]}, "non_unit_quaternion"),
        ({"quat_xyzw": [0.0, 0.0, 0.0, 0.0]}, "non_unit_quaternion"),
        ({"p_m": [1e300, 0.0, 0.0]}, "out_of_reach"),
        ({"p_m": [1.0, 0.0, 0.0]}, "jump"),
        ({"quat_xyzw": [1.0, 0.0, 0.0, 0.0]}, "jump"),
        ({"session": b"somebody-else-16"}, "foreign_session"),
        ({"gripper_rad": math.nan}, "not_finite"),
    ],
)
def test_a_bad_sample_is_counted_by_its_reason_and_moves_nothing(
    change: dict[str, object], reason: str
) -> None:
    rig = Rig()
    rig.bring_up()
    q = rig.pair.motion.q.copy()
    good = vars(rig.hand).copy()
    for key, value in change.items():
        setattr(rig.hand, key, value)
    for _ in range(3):
        rig.tick()
    assert rig.pair.hand.rejected == {reason: 3}
    np.testing.assert_allclose(rig.pair.motion.q, q, rtol=0.0, atol=1e-12)
    for key, value in good.items():
        setattr(rig.hand, key, value)
    rig.run(3)
    assert rig.state == ("FOLLOWING", "none")


def test_a_replayed_and_a_reordered_sample_are_refused() -> None:
    rig = Rig()
    rig.bring_up()
    old = rig.sample()
    rig.tick()
    rig.tick(sample=old)
    twice = rig.sample()
    rig.tick(sample=twice)
    rig.tick(sample=twice)
    assert rig.pair.hand.rejected == {"out_of_order": 1, "duplicate": 1}


def test_the_same_inputs_give_the_same_bits() -> None:
    def run() -> np.ndarray:
        rig = Rig(scale=1.0)
        rig.bring_up()
        _shake(rig, 1000)
        return np.array(rig.sent)

    np.testing.assert_array_equal(run(), run())
