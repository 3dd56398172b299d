"""Deadlines that the controller missed: the arm ran its stop meanwhile, and nothing leads it back."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from teleop.controller.build import PERIOD_S

from .rig import MS, Rig

FLOOR_M = -0.135


def _sliding(rig: Rig, ticks: int) -> None:
    """Press down and slide fast, a tick at a time."""
    for _ in range(ticks):
        rig.hand.p_m[0] += 1.2e-4
        rig.hand.p_m[2] = max(rig.hand.p_m[2] - 1.5e-4, -0.03)
        rig.tick()


def _miss(rig: Rig, ticks: int) -> list[np.ndarray]:
    """The controller misses deadlines while hand and driver go on; the driver's setpoints."""
    setpoints = [rig.sim.contract.setpoint.q.copy()]
    for _ in range(ticks):
        rig.now_ns += MS
        rig.hand.p_m[0] += 1.2e-4
        rig.hand_seq += 1
        rig.sim.step(rig.now_ns)
        setpoints.append(rig.sim.contract.setpoint.q.copy())
    rig.dt = (ticks + 1) * PERIOD_S
    for _ in range(4):
        rig.hand.p_m[0] += 1.2e-4
        rig.tick()
        rig.dt = PERIOD_S
        setpoints.append(rig.sim.contract.setpoint.q.copy())
    return setpoints


def _lowest(rig: Rig, q: np.ndarray) -> float:
    centers = np.zeros((rig.pair.arm.bodies.count, 3))
    rig.pair.arm.sphere_centers(q, centers)
    return float(np.min(centers[:, 2] - rig.pair.arm.bodies.radii))


@pytest.mark.parametrize("ticks", [1, 5, 15])
def test_after_skipped_deadlines_the_arm_goes_on_from_where_its_stop_has_led_it(ticks: int) -> None:
    rig = Rig(scale=1.0, ramp_s=0.0)
    rig.run(5)
    floor = {"shape": "half_space", "normal": [0.0, 0.0, 1.0], "point_m": [0.0, 0.0, FLOOR_M]}
    assert rig.request("set_fixture", fixture={"kind": "forbidden", "name": "floor", "geometry": floor}).ok
    rig.bring_up()
    _sliding(rig, 350)
    v = rig.pair.motion.v.copy()
    assert np.linalg.norm(v) > 0.3
    assert _lowest(rig, rig.pair.motion.q) - FLOOR_M < 1e-3
    setpoints = _miss(rig, ticks)
    along = np.diff(np.array(setpoints), axis=0) @ (v / np.linalg.norm(v))
    assert along.min() > 0.0, "the arm was led back"
    # Between setpoints as well: straight in joint space, as the driver goes.
    for a, b in pairwise(setpoints):
        for part in np.linspace(0.0, 1.0, 11):
            assert _lowest(rig, a + part * (b - a)) >= FLOOR_M - 1e-9
    assert rig.state[0] in ("FOLLOWING", "HOLDING")


@pytest.mark.parametrize("ticks", [1, 10, 40, 300])
def test_the_controller_takes_up_the_stop_where_the_driver_is_on_it(ticks: int) -> None:
    """Summed up over whole periods it was ``n v T²/(2S)`` behind: 1 mrad of a wrist after 20 of them."""
    rig = Rig(scale=1.0, ramp_s=0.0)
    rig.bring_up()
    _sliding(rig, 100)
    motion, start = rig.pair.motion, rig.pair.motion.q.copy()
    for _ in range(ticks):
        rig.now_ns += MS
        rig.sim.step(rig.now_ns)
    motion.catch_up((ticks + 1) * PERIOD_S)
    assert np.linalg.norm(motion.q - start) > 1e-5
    np.testing.assert_allclose(motion.q, rig.sim.contract.setpoint.q, rtol=0.0, atol=1e-12)


def test_at_rest_a_skipped_deadline_moves_nothing() -> None:
    rig = Rig(scale=1.0)
    rig.bring_up()
    rig.run(100)
    before = rig.pair.motion.q.copy()
    rig.dt = 10 * PERIOD_S
    rig.now_ns += 9 * MS
    rig.tick()
    assert np.allclose(rig.pair.motion.q, before, rtol=0.0, atol=1e-12)
