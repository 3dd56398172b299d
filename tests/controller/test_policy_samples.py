"""The policy on the master's samples (PROTOCOL.md, Timing), through the whole core."""

from __future__ import annotations

import math

import numpy as np
import pytest

from teleop.safety.reasons import Reason
from teleop.wire.messages import MeasuredCp, Signal

from .policy import cycle_clutch, follow, shake
from .rig import MS, Rig, assert_within_limits


def test_late_for_more_than_5_percent_of_a_second_holds_until_the_clutch_is_cycled() -> None:
    rig = follow()
    for _ in range(12):
        shake(rig, 40)
        for _ in range(14):  # nine of them more than 5 ms late, none of them 20
            rig.tick(sample=None)
        if rig.state[0] != "FOLLOWING":
            break
    assert rig.state == ("HOLDING", "master_unsteady")
    refused = rig.request("engage")
    assert not refused.ok
    assert Reason.MASTER_UNSTEADY.sentence in refused.error
    shake(rig, 1100)
    assert rig.state == ("HOLDING", "master_unsteady")
    cycle_clutch(rig)
    assert rig.state == ("FOLLOWING", "none")
    assert_within_limits(rig, rig.sent)


@pytest.mark.parametrize("lost", [0.1, 0.3])
def test_samples_lost_at_random_are_bridged(lost: float) -> None:
    rig = follow()
    rng = np.random.default_rng(1)
    for _ in range(2000):
        shake(rig, 1, **({"sample": None} if rng.random() < lost else {}))
        assert rig.state[0] == "FOLLOWING"
    assert_within_limits(rig, rig.sent)


def test_gaps_in_seq_are_counted_as_missing() -> None:
    rig = follow()
    before = rig.pair.hand.monitor.missing
    for _ in range(10):
        rig.hand_seq += 2
        rig.tick()
    inputs = rig.request("get_state").result["pairs"]["pair"]["inputs"]
    assert inputs["measured_cp"]["missing"] == before + 20


def test_a_deadman_that_is_no_longer_reported_counts_as_released_by_its_own_stamp() -> None:
    rig = follow()
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
    rig = follow()
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
    rig = follow()

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
    rig = follow()
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
