"""What contact is like: the tool gets there, slides, rests in corners without chatter, yields to a wall."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tests.soak.solids import Region

from .rig import Rig, assert_within_limits

TIP_M = 2e-3
"""Radius of the guarded tip."""


def _touching(rig: Rig, *fixtures: dict[str, object]) -> None:
    rig.run(5)
    for fixture in fixtures:
        reply = rig.request("set_fixture", fixture={"bodies": ["tip"], **fixture})
        assert reply.ok, reply.error
    rig.bring_up()


def _least(rig: Rig, region: Region, t: float = 0.0) -> float:
    """Exact clearance of the tip's spheres to a region [m]."""
    centers, radii = rig.spheres("tip")
    return float((region.distance(centers, np.full(len(centers), t)) - radii).min())


def _fixture(
    name: str, shape: dict[str, object], at: np.ndarray, kind: str = "forbidden"
) -> dict[str, object]:
    return {"kind": kind, "name": name, "geometry": shape, "pose": {"position_m": [float(x) for x in at]}}


ZERO = [0.0, 0.0, 0.0]
SHAPES: dict[str, dict[str, object]] = {
    "half_space": {"shape": "half_space", "normal": [0.2, 0.1, 1.0], "point_m": ZERO},
    "sphere": {"shape": "sphere", "center_m": ZERO, "radius_m": 0.006},
    "box": {"shape": "box", "center_m": ZERO, "size_m": [0.004, 0.006, 0.008]},
    "thin wall": {"shape": "box", "center_m": ZERO, "size_m": [0.03, 0.03, 2e-4]},
    "capsule": {
        "shape": "capsule",
        "start_m": [-0.01, 0.0, 0.0],
        "end_m": [0.01, 0.0, 0.003],
        "radius_m": 3e-3,
    },
    "cylinder": {
        "shape": "cylinder",
        "start_m": [0.0, 0.0, -5e-3],
        "end_m": [0.0, 1e-3, 5e-3],
        "radius_m": 4e-3,
    },
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("filter_kind", ["none", "kalman_bank"])
def test_a_pressed_tool_comes_within_a_tenth_of_a_millimetre(shape: str, filter_kind: str) -> None:
    rig = Rig(scale=1.0, ramp_s=0.0, filter_kind=filter_kind, orientation="locked")
    at = rig.pair.motion.p_world_tip - np.array([0.0, 0.0, 0.024])
    fixture = _fixture("body", SHAPES[shape], at)
    _touching(rig, fixture)
    for k in range(700):
        rig.hand.p_m = [0.0, 0.0, -6e-5 * min(k, 400)]
        rig.tick()
    left = _least(rig, Region.of({"bodies": ["tip"], **fixture}))
    print(f"{shape}, {filter_kind}: rests {1e6 * left:.2f} um away")
    assert 0.0 <= left < 1e-4


@pytest.mark.parametrize("push", [0.0, 0.01])
@pytest.mark.parametrize("rate_hz", [0.5, 2.0])
def test_a_tool_yields_to_a_wall_that_comes_at_fifty_millimetres_a_second(
    push: float, rate_hz: float
) -> None:
    rig = Rig(scale=1.0, ramp_s=0.0, orientation="locked")
    size = 0.05 / (2 * math.pi * rate_hz)
    normal = np.array([0.0, 0.0, 1.0])
    tip = rig.pair.motion.p_world_tip.copy()
    # At its highest the wall would be half its beat above where the tool begins to yield.
    at = tip - normal * (0.0082 + TIP_M + 0.001 + size)
    wave = {"amplitude_m": [0.0, 0.0, size], "rate_hz": rate_hz}
    shape = {"shape": "half_space", "normal": [0.0, 0.0, 1.0], "point_m": ZERO}
    fixture = {**_fixture("heart", shape, at), "motion": {"type": "periodic", "waves": [wave]}}
    _touching(rig, fixture)
    region = Region.of({"bodies": ["tip"], **fixture})
    least, touched = math.inf, 0
    for k in range(2000):
        # The hand pushes the tool 3 mm further than the wall's rest, or holds it there.
        rig.hand.p_m = [0.0, 0.0, -(0.001 + 0.5 * size) * min(k / 300, 1.0) - push * min(k / 300, 1.0)]
        rig.tick()
        now = _least(rig, region, rig.now_ns * 1e-9 + 1e-3)
        least, touched = min(least, now), touched + (now < 2e-4)
    print(f"{rate_hz} Hz, pushed {1e3 * push:g} mm: least {1e6 * least:.2f} um, near in {touched} ticks")
    assert least > -1e-5
    assert touched > 100
    assert_within_limits(rig, rig.segments[-1])


def test_the_shaft_stays_on_the_trocar_while_the_tip_is_pressed_against_a_wall() -> None:
    rig = Rig("panda_lap", scale=1.0, ramp_s=0.0)
    tip = rig.pair.motion.p_world_tip.copy()
    normal = np.array([0.3, 0.2, 1.0])
    shape = {"shape": "half_space", "normal": normal.tolist(), "point_m": ZERO}
    fixture = _fixture("wall", shape, tip - [0.0, 0.0, 0.02])
    _touching(rig, fixture)
    off, contact = 0.0, 0
    region = Region.of({"bodies": ["tip"], **fixture})
    arm = rig.pair.arm
    assert arm.rcm is not None
    for k in range(3000):
        slide = 0.015 * math.sin(2 * math.pi * max(k - 1000, 0) / 1000)
        rig.hand.p_m = [slide, -slide, -3e-5 * min(k, 1000)]
        rig.tick()
        contact += _least(rig, region) < 1e-4
        if k % 5 == 0:
            state = arm.at(rig.pair.motion.q)
            away = arm.rcm.p_world_rcm - state.shaft_point
            off = max(off, float(np.linalg.norm(np.cross(away, state.shaft_axis))))
    print(f"off the trocar {1e6 * off:.2f} um, {contact} ticks in contact")
    assert contact > 1000
    assert off < 50e-6
