"""The whole tick under virtual fixtures: no command, no path between commands, no stop enters a region."""

from __future__ import annotations

import math

import numpy as np
import pytest

from .rig import Rig, assert_within_limits

FLOOR_M = -0.1285


def _floor(**keys: object) -> dict[str, object]:
    geometry = {"shape": "half_space", "normal": [0.0, 0.0, 1.0], "point_m": [0.0, 0.0, FLOOR_M]}
    return {"kind": "forbidden", "name": "floor", "geometry": geometry, **keys}


def _ball() -> dict[str, object]:
    geometry = {"shape": "sphere", "center_m": [0.02, 0.0, -0.125], "radius_m": 0.008}
    return {"kind": "forbidden", "name": "ball", "geometry": geometry}


def _lowest_clearance(rig: Rig) -> dict[str, float]:
    """Clearance of every sphere at and between commands and along every stop, by plain formulas."""
    arm = rig.pair.arm
    centers = np.zeros((arm.bodies.count, 3))
    floor = ball = math.inf
    previous = rig.sent[0]
    for command in rig.commands:
        q, qd = np.array(command.q), np.array(command.qd)
        ways = [previous + s * (q - previous) for s in (0.3, 0.6, 1.0)]
        ways += [q + qd * command.stop_s * s * (1 - s / 2) for s in (0.25, 0.6, 1.0)]
        for way in ways:
            arm.sphere_centers(way, centers)
            floor = min(floor, float(np.min(centers[:, 2] - arm.bodies.radii)) - FLOOR_M)
            away = np.linalg.norm(centers - [0.02, 0.0, -0.125], axis=1) - arm.bodies.radii
            ball = min(ball, float(np.min(away)) - 0.008)
        previous = q
    return {"floor": floor, "ball": ball}


@pytest.mark.parametrize("filter_kind", ["none", "kalman_bank", "butterworth"])
def test_a_hand_that_dives_and_shakes_never_gets_a_body_into_a_region(filter_kind: str) -> None:
    rig = Rig(scale=1.0, filter_kind=filter_kind)
    rig.run(5)
    assert rig.request("set_fixture", fixture=_floor()).ok
    assert rig.request("set_fixture", fixture=_ball()).ok
    rig.bring_up()
    start = len(rig.commands)
    rng = np.random.default_rng(1)
    target = np.zeros(3)
    p = np.zeros(3)
    for k in range(4000):
        if k % 250 == 0:
            target = rng.uniform([-0.05, -0.05, -0.08], [0.05, 0.05, 0.03])
        p += np.clip(0.02 * (target - p), -4e-4, 4e-4)
        tremor = 3e-4 * math.sin(2 * math.pi * 9.0 * k * 1e-3)
        rig.hand.p_m = (p + np.array([0.0, tremor, tremor])).tolist()
        rig.tick()
    lowest = _lowest_clearance(rig)
    print(f"{filter_kind}: smallest clearance { ({k: round(1e6 * v, 2) for k, v in lowest.items()}) } um")
    assert lowest["floor"] >= 0.0
    assert lowest["ball"] >= 0.0
    # It touches: the test would be empty otherwise.
    assert min(lowest.values()) < 1e-4
    assert_within_limits(rig, rig.sent[start:])


def test_the_ledger_names_the_fixture_and_the_body_that_stopped_the_tool() -> None:
    rig = Rig(scale=1.0)
    rig.run(5)
    rig.request("set_fixture", fixture=_floor())
    rig.bring_up()
    for k in range(800):
        rig.hand.p_m = [0.0, 0.0, -5e-5 * k]
        rig.tick()
    out = rig.tick().pairs[0]
    lines = {(line.who, line.body) for line in out.ledger}
    assert ("floor", "jaw") in lines or ("floor", "tip") in lines, out.ledger
    assert out.clearance_m["floor"] < 1e-4
    assert not out.violation


def test_the_tool_slides_along_a_plane_as_fast_as_the_hand() -> None:
    rig = Rig(scale=1.0, ramp_s=0.0)
    rig.run(5)
    rig.request("set_fixture", fixture=_floor())
    rig.bring_up()
    for k in range(600):
        rig.hand.p_m = [0.0, 0.0, -5e-5 * k]
        rig.tick()
    begin = rig.pair.motion.p_world_tip.copy()
    for k in range(600):
        rig.hand.p_m = [5e-5 * k, 0.0, -0.03]
        rig.tick()
    moved = rig.pair.motion.p_world_tip - begin
    print(f"along {1e3 * moved[0]:.3f} of 30 mm, across {1e6 * moved[2]:.1f} um")
    assert moved[0] > 0.95 * 0.03


def test_a_region_that_appears_around_the_tool_is_left_and_never_entered_deeper() -> None:
    rig = Rig(scale=1.0)
    rig.bring_up()
    tip = rig.pair.motion.p_world_tip
    geometry = {"shape": "half_space", "normal": [0.0, 0.0, 1.0], "point_m": [0.0, 0.0, float(tip[2])]}
    assert rig.request("set_fixture", fixture=_floor(geometry=geometry)).ok
    depth = []
    for k in range(1500):
        rig.hand.p_m = [0.0, 0.0, -1e-5 * k if k < 700 else -7e-3 + 2e-5 * (k - 700)]
        out = rig.tick().pairs[0]
        depth.append(out.clearance_m["floor"])
    assert min(depth[5:700]) >= depth[5] - 2e-6
    assert depth[-1] > depth[5] + 5e-3


def test_a_removed_fixture_acts_no_more_and_an_unknown_one_is_refused_with_the_names_there_are() -> None:
    rig = Rig()
    rig.run(2)
    rig.request("set_fixture", fixture=_floor())
    rig.run(2)
    reply = rig.request("remove_fixture", name="flor")
    assert "Did you mean `floor`" in reply.error
    assert rig.request("remove_fixture", name="floor").ok
    rig.run(2)
    assert rig.scene.names == ()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"kind": "forbiden"}, "forbidden"),
        ({"bodies": ["elbow"]}, "no arm has a body elbow"),
        ({"colour": 1}, "colour"),
        ({"geometry": {"shape": "sphere", "center_m": [0, 0, 0], "radius_m": -1.0}}, "greater than 0"),
    ],
)
def test_a_fixture_that_makes_no_sense_is_refused_and_changes_nothing(
    change: dict[str, object], said: str
) -> None:
    rig = Rig()
    rig.run(2)
    reply = rig.request("set_fixture", fixture={**_floor(), **change})
    assert not reply.ok
    assert said in reply.error
    rig.run(2)
    assert rig.scene.names == ()
