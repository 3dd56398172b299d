"""The policy on a long round trip, through the whole core."""

from __future__ import annotations

import numpy as np
import pytest

from teleop.safety.reasons import Reason

from .policy import LongLink, cycle_clutch, linked, shake
from .rig import PERIOD_S, assert_within_limits


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
    rig = linked(arm_ms, master_ms, scale=0.5)
    rig.run(500)
    assert rig.state == ("FOLLOWING", reason)
    came, _ = _travel(rig, 0.01, 1000)
    assert came == pytest.approx(0.5 * factor * 0.01, rel=0.02)
    assert_within_limits(rig, rig.sent)


def test_a_very_long_round_trip_caps_the_speed_and_forgets_what_the_cap_took() -> None:
    rig = linked(250.0, scale=1.0)
    rig.run(500)
    came, fastest = _travel(rig, 0.06, 300)  # 200 mm/s of the hand would be 50 of the tip
    assert fastest < 0.0201
    assert came < 0.0065
    assert_within_limits(rig, rig.sent)


def test_a_round_trip_above_300_ms_holds_and_refuses_to_engage() -> None:
    rig = linked(0.0, scale=1.0)
    shake(rig, 500)
    rig.arm_ms = 320.0
    shake(rig, 600)
    assert rig.state == ("HOLDING", "round_trip_too_long")
    refused = rig.request("engage")
    assert not refused.ok
    assert Reason.ROUND_TRIP_TOO_LONG.sentence in refused.error
    rig.arm_ms = 20.0
    shake(rig, 2500)
    assert rig.state == ("HOLDING", "round_trip_too_long")
    cycle_clutch(rig)
    assert rig.state == ("FOLLOWING", "none")
    assert_within_limits(rig, rig.sent)


def test_a_round_trip_that_changes_while_following_moves_nothing_by_itself() -> None:
    rig = linked(0.0, scale=1.0)
    for arm_ms in (150.0, 250.0, 150.0, 0.0):
        shake(rig, 300)
        rig.arm_ms = arm_ms
        last, steps = rig.pair.mapping.p_world.copy(), []
        for _ in range(2000):
            shake(rig, 1)
            steps.append(float(np.linalg.norm(rig.pair.mapping.p_world - last)))
            last = rig.pair.mapping.p_world.copy()
        # At about 150 mm/s of the hand no step may be more than the hand's own; none may jump either.
        assert max(steps) < 2.0e-4
        assert max(np.abs(np.diff(steps))) < 2e-5
        assert rig.state[0] == "FOLLOWING"
    assert_within_limits(rig, rig.sent)
