"""A hand that feels nothing can be on a leash: turning back takes effect at once."""

from __future__ import annotations

import numpy as np
import pytest

from tests.controller.rig import Rig

SCALE, LEASH = 0.5, 0.002


def at_the_wall(leash_m: float | None) -> tuple[Rig, float]:
    """A rig whose hand has gone 40 mm on after the tool was stopped; and the height of its tip."""
    rig = Rig(scale=SCALE, ramp_s=0.0, leash_m=leash_m)
    rig.run(5)
    wall = {"shape": "half_space", "normal": [0.0, 0.0, 1.0], "point_m": [0.0, 0.0, -0.1285]}
    assert rig.request("set_fixture", fixture={"kind": "forbidden", "name": "floor", "geometry": wall}).ok
    rig.bring_up()
    last = rig.pair.mapping.p_world.copy()
    for k in range(700):
        rig.hand.p_m = [0.0, 0.0, -1e-4 * min(k, 600)]
        rig.tick()
        now = rig.pair.mapping.p_world.copy()
        assert np.linalg.norm(now - last) <= 1.1e-4, "the desired tip jumped"
        last = now
    return rig, float(rig.pair.motion.p_world_tip[2])


def back_until_it_moves(rig: Rig, height: float) -> float:
    """How far the hand must go back before the tool leaves the wall by 50 um, m."""
    start = rig.hand.p_m[2]
    for k in range(700):
        rig.hand.p_m = [0.0, 0.0, start + 1e-4 * k]
        rig.tick()
        if rig.pair.motion.p_world_tip[2] > height + 5e-5:
            return 1e-4 * k
    return float("inf")


def test_turning_back_takes_effect_within_the_leash() -> None:
    rig, height = at_the_wall(LEASH)
    assert np.linalg.norm(rig.pair.mapping.p_world - rig.pair.motion.p_world_tip) <= LEASH + 1e-4
    needed = back_until_it_moves(rig, height)
    free, height = at_the_wall(None)
    without = back_until_it_moves(free, height)
    print(f"back {1e3 * needed:.1f} mm with a leash of {1e3 * LEASH:g}, {1e3 * without:.1f} mm without")
    assert needed <= LEASH / SCALE + 1e-3
    assert without > 0.02


def test_the_ledger_says_what_the_leash_gave_up() -> None:
    rig = Rig(scale=SCALE, ramp_s=0.0, leash_m=LEASH)
    rig.run(5)
    wall = {"shape": "half_space", "normal": [0.0, 0.0, 1.0], "point_m": [0.0, 0.0, -0.1285]}
    rig.request("set_fixture", fixture={"kind": "forbidden", "name": "floor", "geometry": wall})
    rig.bring_up()
    given_up = 0.0
    for k in range(600):
        rig.hand.p_m = [0.0, 0.0, -1e-4 * k]
        rig.tick()
        given_up += sum(line.by_m for line in rig.outputs.pairs[0].ledger if line.who == "leash")
    asked = 0.06 * SCALE
    moved = 0.1135 - abs(float(rig.pair.motion.p_world_tip[2])) + 0.0
    assert given_up == pytest.approx(asked + moved - LEASH, abs=5e-4)


def test_in_free_motion_hand_and_tool_keep_their_tie() -> None:
    rig = Rig(scale=SCALE, ramp_s=0.0, leash_m=LEASH)
    rig.bring_up()
    start = rig.pair.motion.p_world_tip.copy()
    for k in range(400):
        rig.hand.p_m = [5e-5 * k, 0.0, 0.0]
        rig.tick()
    rig.run(50)
    moved = rig.pair.motion.p_world_tip - start
    assert moved == pytest.approx([SCALE * 5e-5 * 399, 0.0, 0.0], abs=1e-5)
