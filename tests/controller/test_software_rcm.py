"""Arms that keep the trocar by software: on it while they move, and at the end of every stop."""

from __future__ import annotations

import math

import numpy as np
import pytest

from .rig import Rig, assert_within_limits


def _offset(rig: Rig, q: np.ndarray) -> float:
    """Distance of the trocar from the line of the shaft, by pinocchio."""
    arm = rig.pair.arm
    state = arm.at(q)
    assert arm.rcm is not None
    away = arm.rcm.p_world_rcm - state.shaft_point
    return float(np.linalg.norm(np.cross(away, state.shaft_axis)))


@pytest.mark.parametrize("arm", ["panda_lap", "fr3_lap"])
@pytest.mark.parametrize("speed", [1.0, 30.0])
def test_the_shaft_stays_on_the_trocar_in_motion_and_along_every_stop(arm: str, speed: float) -> None:
    rig = Rig(arm, scale=1.0)
    rig.bring_up()
    rng = np.random.default_rng(3)
    for k in range(4000):
        t = k * 1e-3 * speed
        rig.hand.p_m = [0.03 * math.sin(t), 0.03 * math.sin(1.3 * t), 0.02 * math.sin(0.7 * t)]
        rig.hand.clutch = k > 1000 and rng.random() < 0.02
        rig.tick()
    assert_within_limits(rig, rig.sent)
    q = np.array(rig.sent)
    p = np.array([rig.pair.arm.forward(x)[:3, 3] for x in q[-3000::5]])
    fastest = np.linalg.norm(np.diff(p, axis=0), axis=1).max() / 5e-3
    moving = max(_offset(rig, x) for x in q[::7])
    stops = max(
        _offset(rig, np.array(c.q) + np.array(c.qd) * c.stop_s * s * (1 - s / 2))
        for c in rig.commands[::7]
        for s in (0.5, 1.0)
    )
    print(
        f"{arm}: up to {1e3 * fastest:.0f} mm/s; "
        f"off the trocar {1e6 * moving:.2f} um, at the end of stops {1e6 * stops:.1f} um"
    )
    assert fastest > 0.02
    assert moving < 50e-6
    assert stops < 50e-6
