"""The policy of PROTOCOL.md and of research/signal.md section 2, through the whole core."""

from __future__ import annotations

import math

import numpy as np
import pytest

from teleop.safety.reasons import Reason
from teleop.wire.messages import MeasuredCp, MeasuredJs, Reply, Request, Signal

from .rig import MS, PERIOD_S, Rig, assert_within_limits


def _shake(rig: Rig, ticks: int, **keys: object) -> None:
    """A hand that moves at about 100 mm/s."""
    for _ in range(ticks):
        t = rig.now_ns * 1e-9
        rig.hand.p_m = [0.03 * math.sin(3.0 * t), 0.03 * math.sin(2.5 * t + 1.0), 0.02 * math.sin(4.0 * t)]
        rig.tick(**keys)  # type: ignore[arg-type]


def _cycle_clutch(rig: Rig, ticks: int = 60) -> None:
    rig.hand.clutch = True
    _shake(rig, ticks)
    rig.hand.clutch = False
    _shake(rig, 300)


def _follow(**options: object) -> Rig:
    rig = Rig(scale=1.0, **options)  # type: ignore[arg-type]
    rig.bring_up()
    _shake(rig, 700)
    assert rig.state == ("FOLLOWING", "none")
    return rig


class LongLink(Rig):
    """The arm's echo, and the master's if it is to give one, are this old."""

    arm_ms = 0.0
    master_ms: float | None = None

    def measured(self) -> MeasuredJs:
        state = super().measured()
        if state.echo_seq >= 0:
            state.echo_stamp_ns -= round(self.arm_ms * MS)
        return state

    def sample(self) -> MeasuredCp:
        sample = super().sample()
        if self.master_ms is not None:
            sample.echo_seq = sample.seq
            sample.echo_stamp_ns = self.now_ns - round(self.master_ms * MS)
        return sample


def _linked(arm_ms: float = 0.0, master_ms: float | None = None, **mapping: object) -> LongLink:
    rig = LongLink(ramp_s=0.0, **mapping)
    rig.arm_ms, rig.master_ms = arm_ms, master_ms
    rig.bring_up()
    return rig


# -- the master's samples ------------------------------------------------------------------------------


def test_late_for_more_than_5_percent_of_a_second_holds_until_the_clutch_is_cycled() -> None:
    rig = _follow()
    for _ in range(12):
        _shake(rig, 40)
        for _ in range(14):  # nine of them more than 5 ms late, none of them 20
            rig.tick(sample=None)
        if rig.state[0] != "FOLLOWING":
            break
    assert rig.state == ("HOLDING", "master_unsteady")
    refused = rig.request("engage")
    assert not refused.ok
    assert Reason.MASTER_UNSTEADY.sentence in refused.error
    _shake(rig, 1100)
    assert rig.state == ("HOLDING", "master_unsteady")
    _cycle_clutch(rig)
    assert rig.state == ("FOLLOWING", "none")
    assert_within_limits(rig, rig.sent)


@pytest.mark.parametrize("lost", [0.1, 0.3])
def test_samples_lost_at_random_are_bridged(lost: float) -> None:
    rig = _follow()
    rng = np.random.default_rng(1)
    for _ in range(2000):
        _shake(rig, 1, **({"sample": None} if rng.random() < lost else {}))
        assert rig.state[0] == "FOLLOWING"
    assert_within_limits(rig, rig.sent)


def test_gaps_in_seq_are_counted_as_missing() -> None:
    rig = _follow()
    before = rig.pair.hand.monitor.missing
    for _ in range(10):
        rig.hand_seq += 2
        rig.tick()
    inputs = rig.request("get_state").result["pairs"]["pair"]["inputs"]
    assert inputs["measured_cp"]["missing"] == before + 20


def test_a_deadman_that_is_no_longer_reported_counts_as_released_by_its_own_stamp() -> None:
    rig = _follow()
    old = rig.now_ns
    for k in range(130):
        sample = rig.sample()
        sample.stamp_ns = rig.now_ns + MS - 100_000
        sample.present = Signal(True, old)
        sample.clutch = Signal(False, sample.stamp_ns)
        rig.tick(sample=sample)
        if k < 95:
            assert rig.state == ("FOLLOWING", "none")
    assert rig.state == ("HOLDING", "deadman_stale")
    assert rig.pair.motion.at_rest
    assert_within_limits(rig, rig.sent)
    rig.run(100)
    assert rig.state == ("FOLLOWING", "none")


def test_a_clutch_that_is_no_longer_reported_counts_as_pressed() -> None:
    rig = _follow()
    old = rig.now_ns
    for _ in range(130):
        sample = rig.sample()
        sample.stamp_ns = rig.now_ns + MS - 100_000
        sample.present = Signal(True, sample.stamp_ns)
        sample.clutch = Signal(False, old)
        rig.tick(sample=sample)
    assert rig.state == ("CLUTCHED", "clutch_stale")
    rig.run(100)
    assert rig.state == ("FOLLOWING", "none")


@pytest.mark.parametrize(("step_ms", "reason"), [(5000, "clock_step"), (-5000, "stamp_backward")])
def test_a_clock_of_the_master_that_is_set_ends_the_engagement_and_is_believed_anew_afterwards(
    step_ms: int, reason: str
) -> None:
    rig = _follow()

    def stepped() -> MeasuredCp:
        sample = rig.sample()
        shift = MS + step_ms * MS
        sample.stamp_ns += shift
        sample.present.stamp_ns += shift
        sample.clutch.stamp_ns += shift
        return sample

    q = rig.pair.motion.q.copy()
    for _ in range(150):
        rig.tick(sample=stepped())
    assert rig.state == ("HOLDING", "master_stale")
    assert rig.pair.hand.rejected[reason] >= 95
    assert np.abs(rig.pair.motion.q - q).max() < 0.03  # the stop, and no more
    for k in range(400):
        rig.hand.clutch = k < 100
        rig.tick(sample=stepped())
    assert rig.state == ("FOLLOWING", "none")
    assert_within_limits(rig, rig.sent)


def test_a_delay_that_becomes_shorter_is_no_clock_step() -> None:
    rig = _follow()
    queue: list[MeasuredCp] = []
    for _ in range(60):  # 60 ms of samples are under way
        rig.tick(sample=None)
        queue.append(rig.sample())
    rig.tick(sample=queue[-1])
    rig.run(5)
    assert set(rig.pair.hand.rejected) <= {"jump"}  # the hand's own, when it began to shake
    assert rig.state == ("HOLDING", "master_stale")


def test_another_filter_while_following_moves_nothing_by_itself() -> None:
    rig = Rig(filter_kind="kalman_bank", scale=1.0, ramp_s=0.0)
    rig.bring_up()

    def tremble(ticks: int) -> list[float]:
        steps, last = [], rig.pair.mapping.p_world.copy()
        for _ in range(ticks):
            rig.hand.p_m[0] = 1e-3 * math.sin(2.0 * math.pi * 9.0 * rig.now_ns * 1e-9)
            rig.tick()
            steps.append(float(np.linalg.norm(rig.pair.mapping.p_world - last)))
            last = rig.pair.mapping.p_world.copy()
        return steps

    tremble(2000)
    apart = float(np.linalg.norm(rig.pair.hand.raw_p - rig.pair.hand.filtered_p))
    assert apart > 1.5e-4
    last = rig.pair.mapping.p_world.copy()
    assert rig.request("set_filter", filter={"kind": "none"}).ok
    steps = [float(np.linalg.norm(rig.pair.mapping.p_world - last)), *tremble(50)]
    # The hand itself moves by up to 57 um in a tick.
    assert max(steps) < 7e-5
    assert_within_limits(rig, rig.sent)


# -- the round trip ------------------------------------------------------------------------------------


def _travel(rig: LongLink, metres: float, ticks: int) -> tuple[float, float]:
    """Move the hand straight; how far the tip came, and the greatest speed that was wanted of it."""
    start = rig.pair.motion.p_world_tip.copy()
    x, fastest, last = rig.hand.p_m[0], 0.0, rig.pair.mapping.p_world.copy()
    for k in range(ticks):
        rig.hand.p_m = [x + metres * (k + 1) / ticks, 0.0, 0.0]
        rig.tick()
        tip = rig.pair.mapping.p_world.copy()
        fastest = max(fastest, float(np.linalg.norm(tip - last)) / PERIOD_S)
        last = tip
    rig.run(200)
    return float(np.linalg.norm(rig.pair.motion.p_world_tip - start)), fastest


@pytest.mark.parametrize(
    ("arm_ms", "master_ms", "reason", "factor"),
    [
        (90.0, None, "none", 1.0),
        (150.0, None, "round_trip_long", 0.5),
        (10.0, 140.0, "round_trip_long", 0.5),
        (250.0, None, "round_trip_very_long", 0.25),
    ],
)
def test_a_long_round_trip_scales_the_motion_down_and_says_so(
    arm_ms: float, master_ms: float | None, reason: str, factor: float
) -> None:
    rig = _linked(arm_ms, master_ms, scale=0.5)
    rig.run(500)
    assert rig.state == ("FOLLOWING", reason)
    came, _ = _travel(rig, 0.01, 1000)
    assert came == pytest.approx(0.5 * factor * 0.01, rel=0.02)
    assert_within_limits(rig, rig.sent)


def test_a_very_long_round_trip_caps_the_speed_and_forgets_what_the_cap_took() -> None:
    rig = _linked(250.0, scale=1.0)
    rig.run(500)
    came, fastest = _travel(rig, 0.06, 300)  # 200 mm/s of the hand would be 50 of the tip
    assert fastest < 0.0201
    assert came < 0.0065
    assert_within_limits(rig, rig.sent)


def test_a_round_trip_above_300_ms_holds_and_refuses_to_engage() -> None:
    rig = _linked(0.0, scale=1.0)
    _shake(rig, 500)
    rig.arm_ms = 320.0
    _shake(rig, 600)
    assert rig.state == ("HOLDING", "round_trip_too_long")
    refused = rig.request("engage")
    assert not refused.ok
    assert Reason.ROUND_TRIP_TOO_LONG.sentence in refused.error
    rig.arm_ms = 20.0
    _shake(rig, 2500)
    assert rig.state == ("HOLDING", "round_trip_too_long")
    _cycle_clutch(rig)
    assert rig.state == ("FOLLOWING", "none")
    assert_within_limits(rig, rig.sent)


def test_a_round_trip_that_changes_while_following_moves_nothing_by_itself() -> None:
    rig = _linked(0.0, scale=1.0)
    for arm_ms in (150.0, 250.0, 150.0, 0.0):
        _shake(rig, 300)
        rig.arm_ms = arm_ms
        last, steps = rig.pair.mapping.p_world.copy(), []
        for _ in range(2000):
            _shake(rig, 1)
            steps.append(float(np.linalg.norm(rig.pair.mapping.p_world - last)))
            last = rig.pair.mapping.p_world.copy()
        # At about 150 mm/s of the hand no step may be more than the hand's own; none may jump either.
        assert max(steps) < 2.0e-4
        assert max(np.abs(np.diff(steps))) < 2e-5
        assert rig.state[0] == "FOLLOWING"
    assert_within_limits(rig, rig.sent)


# -- the arm -------------------------------------------------------------------------------------------


def test_an_arm_that_does_not_follow_is_a_fault_that_names_the_joint() -> None:
    rig = _follow()
    stuck = rig.sim._servo.p.copy()
    for _ in range(2500):
        rig.sim._servo.p[:] = stuck
        rig.sim._servo.v[:] = 0.0
        _shake(rig, 1)
        if rig.controller.operating.state.value == "FAULT":
            break
    assert rig.controller.operating.reason is Reason.TRACKING_ERROR
    assert "joint" in rig.controller.operating.detail
    rig.run(200)
    assert rig.pair.motion.at_rest
    assert_within_limits(rig, rig.segments[0])


def test_an_arm_behind_a_long_link_is_not_called_off_its_command() -> None:
    rig = _linked(90.0, scale=1.0)
    _shake(rig, 3000)
    assert rig.controller.operating.state.value == "ENABLED"


def test_an_encoder_glitch_is_refused_and_one_that_stays_is_a_fault_that_names_the_joint() -> None:
    rig = _follow()
    q = rig.sim.q
    for offset in (0.5, 0.0):
        rig.sim.q = q + np.array([0.0, offset, 0.0, 0.0, 0.0, 0.0])
        rig.tick()
    assert rig.pair.link.rejected == {"jump": 1}
    assert rig.controller.operating.state.value == "ENABLED"
    for _ in range(5):
        rig.sim.q = rig.sim.q + np.array([0.0, 0.5, 0.0, 0.0, 0.0, 0.0])
        rig.tick()
    assert rig.controller.operating.reason is Reason.ENCODER_JUMP
    assert "pitch" in rig.controller.operating.detail
    rig.run(300)
    assert rig.request("reset_fault").ok
    rig.bring_up()
    assert rig.state == ("FOLLOWING", "none")


@pytest.mark.parametrize("how", ["estop", "drive"])
def test_a_fault_of_the_driver_latches_here_too_and_reset_fault_clears_both(how: str) -> None:
    rig = _follow()
    if how == "estop":
        rig.sim.contract.estop("foot switch", "smoke", rig.now_ns)
    else:
        rig.sim.contract.fault("drive 3 is too hot", rig.now_ns)
    rig.run(3)
    assert rig.controller.operating.reason is Reason.ARM_FAULT
    assert ("smoke" if how == "estop" else "too hot") in rig.controller.operating.detail
    assert rig.state == ("IDLE", "arm_fault")
    rig.run(300)
    assert not rig.request("enable").ok
    assert rig.request("reset_fault").ok
    rig.run(10)
    assert rig.sim.contract.state.value == "DISABLED"
    rig.bring_up()
    assert rig.state == ("FOLLOWING", "none")


def test_enable_is_refused_while_a_driver_reports_a_fault_and_says_what_to_do() -> None:
    rig = Rig()
    rig.sim.contract.fault("drive 3 is too hot", rig.now_ns)
    rig.run(5)
    refused = rig.request("enable")
    assert not refused.ok
    assert "too hot" in refused.error
    assert "`reset_fault`" in refused.error
    assert rig.request("reset_fault").ok
    rig.bring_up()
    assert rig.state == ("FOLLOWING", "none")


def test_a_driver_that_knows_no_reset_fault_is_asked_to_disable_with_it() -> None:
    rig = Rig()
    rig.sim.contract.fault("drive 3 is too hot", rig.now_ns)
    asked: list[str] = []
    request = rig.sim.contract.request

    def older(client: bytes, r: Request, now_ns: int) -> Reply:
        asked.append(r.op)
        if r.op == "reset_fault":
            return Reply(id=r.id, ok=False, error="no such operation")
        return request(client, r, now_ns)

    rig.sim.contract.request = older  # type: ignore[method-assign]
    rig.run(5)
    assert rig.request("reset_fault").ok
    rig.run(400)
    assert "reset_fault" in asked
    assert "disable" in asked
    assert rig.sim.contract.state.value == "DISABLED"


def test_words_and_leases_of_a_driver_cannot_outgrow_our_messages() -> None:
    rig = Rig()
    rig.run(3)
    link = rig.pair.link
    state = rig.measured()
    state.reason = "x" * 60_000
    link.update(state, (), rig.now_ns + MS)
    assert len(link.driver_reason) == 300
    link._pending = (1, "acquire", rig.now_ns)
    link.update(None, (Reply(id=1, ok=True, result={"lease": b"x" * 60_000}),), rig.now_ns + MS)
    assert link.lease == b""
    link._pending = (2, "enable", rig.now_ns)
    link.update(None, (Reply(id=2, ok=False, error="x" * 60_000),), rig.now_ns + MS)
    assert len(link.refusal) == 300


# -- the controller itself -----------------------------------------------------------------------------


def test_missed_deadlines_are_told_and_hold_when_they_last() -> None:
    rig = _follow()
    period = 1e-3
    for k in range(1500):
        if k % 3 == 0:
            rig.now_ns += MS
            rig.dt = 2 * period
        _shake(rig, 1)
        rig.dt = period
        if rig.state[0] != "FOLLOWING":
            break
    assert rig.state == ("HOLDING", "controller_late")
    warnings = [e for e in rig.events if e.kind == "warning"]  # type: ignore[attr-defined]
    assert len(warnings) == 1
    refused = rig.request("engage")
    assert not refused.ok
    _shake(rig, 1100)
    _cycle_clutch(rig)
    assert rig.state == ("FOLLOWING", "none")


@pytest.mark.parametrize("where", ["ik", "hand", "link", "machine", "guard", "kinematics"])
def test_a_mistake_inside_the_core_brakes_along_the_certified_stop_and_is_told(
    where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig = _follow()
    assert np.linalg.norm(rig.pair.motion.v) > 0.05
    last = rig.commands[-1]
    q, qd, stop_s = np.array(last.q), np.array(last.qd), last.stop_s

    def broken(*args: object, **keys: object) -> None:
        raise ZeroDivisionError("a mistake of ours")

    target, name = {
        "ik": (rig.pair.motion, "_solve"),
        "hand": (rig.pair.hand, "update"),
        "link": (rig.pair.link, "update"),
        "machine": (rig.pair.machine, "step"),
        "guard": (rig.pair.motion, "_certify"),
        "kinematics": (rig.pair.motion, "_place"),
    }[where]
    monkeypatch.setattr(target, name, broken)
    out = rig.tick(Request(id=5, op="get_state"))
    assert "ZeroDivisionError: a mistake of ours" in out.error
    assert out.state.value == "FAULT"
    assert out.pairs[0].reason is Reason.INTERNAL
    assert [(token, reply.ok) for token, reply in out.replies] == [(rig.token - 1, False)]
    assert any(e.reason is Reason.INTERNAL for e in out.events)  # type: ignore[attr-defined]
    for _ in range(150):
        rig.tick()
    # What was sent lies on the segment that the last good command fixed, its end included.
    end = q + qd * stop_s / 2
    after = np.array([c.q for c in rig.commands[rig.commands.index(last) + 1 :]])
    along = (after - q) @ (end - q) / np.dot(end - q, end - q)
    np.testing.assert_allclose(after, q + along[:, None] * (end - q), atol=1e-12)
    assert along.max() <= 1.0 + 1e-9
    assert np.all(np.diff(along) >= -1e-12)
    assert_within_limits(rig, rig.sent)
    setpoint = rig.sim.contract.setpoint.q
    share = float((setpoint - q) @ (end - q) / np.dot(end - q, end - q))
    np.testing.assert_allclose(setpoint, q + share * (end - q), atol=1e-12)
    assert along.max() - 1e-9 <= share <= 1.0 + 1e-9
    monkeypatch.undo()
    rig.run(700)
    assert rig.request("reset_fault").ok
    rig.bring_up()
    assert rig.state == ("FOLLOWING", "none")


def test_the_arm_is_far_from_its_command_so_following_waits() -> None:
    rig = _follow()
    rig.hand.clutch = True
    rig.run(200)
    off = np.array([0.06, 0.0, 0.0, 0.0, 0.0, 0.0])
    for k in range(20):
        rig.sim.q = rig.sim.q + min(1.0, 0.2 * k) * off
        rig.hand.clutch = k < 10
        rig.tick()
    assert rig.state == ("HOLDING", "settling")
    rig.run(10)
    assert rig.state == ("FOLLOWING", "none")
