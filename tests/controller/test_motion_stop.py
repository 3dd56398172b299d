"""What the soak found in how a stop is sent: each failure as small as it can be made."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest

from fixtures.gate import Gate
from kinematics.joint_bounds import stop_time
from teleop.controller._motion_kernels import advance, part_way
from teleop.controller.build import PERIOD_S

from .rig import Rig


def test_a_part_of_a_velocity_stops_in_range_where_both_its_ends_do() -> None:
    limits = Rig().pair.arm.limits
    a, part = limits.effective_acceleration(PERIOD_S), np.empty(6)
    rng = np.random.default_rng(0)
    tempted = 0
    for _ in range(3000):
        # A joint near its end that is to brake, while another one sets the time of the stop.
        v = rng.uniform(-0.3, 0.3, 6) * limits.qd_max
        wanted = v + rng.uniform(-1, 1, 6) * a * PERIOD_S
        ends = np.array([x * (PERIOD_S + 0.5 * stop_time(x, a, PERIOD_S)) for x in (v, wanted)])
        q = limits.q_max - ends.max(axis=0)
        bulge = 0.5 * (v + wanted)
        tempted += bool(
            (bulge * (PERIOD_S + 0.5 * stop_time(bulge, a, PERIOD_S)) > ends.max(axis=0) + 1e-9).any()
        )
        for fraction in (0.5, 0.25):
            stop_s = part_way(q, v, wanted, fraction, limits.q_min, limits.q_max, a, PERIOD_S, part)
            assert stop_s == stop_time(part, a, PERIOD_S)
            end = q + part * (PERIOD_S + 0.5 * stop_s)
            assert np.all(end <= limits.q_max + 1e-12)
    assert tempted > 30


def test_a_stop_that_was_certified_raises_no_alarm_when_evaluations_run_out() -> None:
    rig = Rig(scale=1.0)
    rig.run(5)
    ball = {"shape": "sphere", "center_m": [0.02, 0.0, -0.125], "radius_m": 0.008}
    assert rig.request("set_fixture", fixture={"kind": "forbidden", "name": "ball", "geometry": ball}).ok
    rig.bring_up()
    stopped = 0
    for k in range(900):
        if k == 300:
            # From here on the gate can certify nothing that comes near.
            rig.pair.motion._guard._gate = Gate(rig.scene, PERIOD_S, max_evaluations=1)
        rig.hand.p_m = [6e-5 * min(k, 600), 0.0, -2e-5 * k]
        out = rig.tick()
        stopped += any(line.what == "stopped" for line in out.pairs[0].ledger)
        assert not any(line.what == "unsafe" for line in out.pairs[0].ledger)
    assert stopped
    assert not any(event.kind == "alarm" for event in rig.events)  # type: ignore[attr-defined]


def test_a_region_that_appears_on_the_way_of_a_stop_does_raise_the_alarm() -> None:
    rig = Rig(scale=1.0, ramp_s=0.0)
    rig.bring_up()
    for k in range(150):
        rig.hand.p_m = [0.0, 0.0, -1.5e-4 * k]
        rig.tick()
    tip = rig.pair.motion.p_world_tip
    wall = {"shape": "half_space", "normal": [0.0, 0.0, 1.0], "point_m": [0.0, 0.0, float(tip[2]) - 0.0125]}
    assert rig.request("set_fixture", fixture={"kind": "forbidden", "name": "wall", "geometry": wall}).ok
    rig.tick()
    assert any(event.kind == "alarm" for event in rig.events)  # type: ignore[attr-defined]


@pytest.mark.parametrize("above_m", [0.004, -0.0125])
def test_an_alarm_says_how_deep_the_arm_is(above_m: float) -> None:
    rig = Rig(scale=1.0, ramp_s=0.0)
    rig.bring_up()
    for k in range(150):
        rig.hand.p_m = [0.0, 0.0, -1.5e-4 * k]
        rig.tick()
    level = float(rig.pair.motion.p_world_tip[2]) + above_m
    wall = {"shape": "half_space", "normal": [0.0, 0.0, 1.0], "point_m": [0.0, 0.0, level]}
    assert rig.request("set_fixture", fixture={"kind": "forbidden", "name": "wall", "geometry": wall}).ok
    room = math.inf
    for _ in range(20):
        centers, radii = rig.spheres()
        room = float((centers[:, 2] - radii).min()) - level
        rig.tick()
        if any(event.kind == "alarm" for event in rig.events):  # type: ignore[attr-defined]
            break
    (detail,) = [event.detail for event in rig.events if event.kind == "alarm"]  # type: ignore[attr-defined]
    side = "inside it" if room < 0.0 else "away"
    found = re.search(r"the arm is ([0-9.]+) mm (inside it|away)$", detail)
    assert found, detail
    assert (found[2], float(found[1])) == (side, pytest.approx(1e3 * abs(room), abs=0.2))


def test_an_arm_that_holds_inside_a_region_says_so_in_every_tick() -> None:
    rig = Rig(scale=1.0)
    rig.bring_up()
    rig.hand.clutch = True
    rig.run(5)
    assert rig.state[0] == "CLUTCHED"
    tip = rig.pair.motion.p_world_tip
    wall = {"shape": "half_space", "normal": [0.0, 0.0, 1.0], "point_m": [0.0, 0.0, float(tip[2])]}
    assert rig.request("set_fixture", fixture={"kind": "forbidden", "name": "wall", "geometry": wall}).ok
    for _ in range(5):
        lines = {(line.who, line.what) for line in rig.tick().pairs[0].ledger}
        assert ("wall", "recovering") in lines


def test_rounding_takes_no_joint_beyond_its_range() -> None:
    rng = np.random.default_rng(0)
    q_max = np.full(1000, 1.39626)
    q = q_max - 10.0 ** rng.uniform(-13, -8, 1000)
    sent = (q_max - q + 2e-16) / 1e-3  # as its bounds let it through, with rounding of their own
    assert (q + sent * 1e-3 > q_max).any()
    v = np.zeros(1000)
    advance(q, v, sent, -q_max, q_max, np.full(1000, 10.0), 1e-3)
    assert (q <= q_max).all()
    np.testing.assert_allclose(q, q_max, atol=3e-16)
    np.testing.assert_array_equal(v, sent)
