"""A tool pressed into a concave corner comes to rest, and slides along it without trembling."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tests.soak.solids import Region

from .rig import Rig, assert_within_limits
from .test_touch import TIP_M, ZERO, _fixture, _least, _touching

Array = np.ndarray
STILL_M = 1e-8
"""What moves less than this in a tick (10 um/s) stands."""


def faces(count: int, half_deg: float, apex: Array) -> list[dict[str, object]]:
    """Planes whose normals rise `half_deg` above the horizontal, evenly about a corner at `apex`.

    Two at 30 degrees are a notch of 60 degrees; the tip's sphere rests its radius over the sine above.
    """
    half = math.radians(half_deg)
    found = []
    for k in range(count):
        a = 2 * math.pi * k / count + 0.3
        normal = [math.cos(half) * math.cos(a), math.cos(half) * math.sin(a), math.sin(half)]
        found.append(_fixture(f"face{k}", {"shape": "half_space", "normal": normal, "point_m": ZERO}, apex))
    return found


def turns(p: Array) -> int:
    """How often the velocity along x, y or z changes its sign, (k, 3) positions tick by tick."""
    v = np.diff(p, axis=0)
    return sum(int((np.diff(np.sign(c[np.abs(c) > STILL_M])) != 0).sum()) for c in v.T)


def press(rig: Rig, target: Array, ticks: int, ramp: int = 500) -> Array:
    """The hand goes to `target` (3,) from where it is and stays; the tip's way, (ticks, 3)."""
    way = []
    for k in range(ticks):
        rig.hand.p_m = (target * min(k / ramp, 1.0)).tolist()
        rig.tick()
        way.append(rig.pair.motion.p_world_tip.copy())
    return np.array(way)


def corner_rig() -> tuple[Rig, Array]:
    """An arm whose orientation is locked, and where its tip is."""
    rig = Rig(scale=1.0, ramp_s=0.0, orientation="locked")
    return rig, rig.pair.motion.p_world_tip.copy()


def pressed(rig: Rig, fixtures: list[dict[str, object]], target: Array) -> Array:
    """The way of a tip that the hand presses into a corner; it ends 2 um before all faces, within limits."""
    _touching(rig, *fixtures)
    way = press(rig, target, 1300)
    for fixture in fixtures:
        assert 0.0 <= _least(rig, Region.of({"bodies": ["tip"], **fixture})) < 1e-5
    assert_within_limits(rig, rig.segments[-1])
    return way


@pytest.mark.parametrize("aside_m", [0.0, 1e-3])
@pytest.mark.parametrize(("count", "half_deg"), [(2, 30.0), (3, 30.0)])
def test_a_tool_pressed_into_a_corner_rests(count: int, half_deg: float, aside_m: float) -> None:
    rig, tip = corner_rig()
    apex = tip - np.array([0.0, 0.0, 0.012 + TIP_M / math.sin(math.radians(half_deg))])
    way = pressed(rig, faces(count, half_deg, apex), np.array([aside_m, 0.5 * aside_m, -0.03]))
    assert turns(way) <= 20
    assert turns(way[-500:]) <= 2
    assert np.abs(np.diff(way[-100:], axis=0)).max() < 1e-7


def test_a_tool_pressed_into_the_corner_of_a_box_rests() -> None:
    rig, tip = corner_rig()
    shape = {"shape": "box", "center_m": ZERO, "size_m": [0.06, 0.06, 0.06]}
    room = _fixture("room", shape, tip + np.array([0.02, 0.02, 0.015]), "keep_in")
    way = pressed(rig, [room], np.array([-0.02, -0.02, -0.02]))
    # The wrist still turns a little to let the tip go on along the edges.
    assert turns(way) <= 20
    assert turns(way[-500:]) <= 5
    assert np.abs(np.diff(way[-100:], axis=0)).max() < 1e-6


@pytest.mark.parametrize("where", ["plane", "notch"])
def test_a_tool_slides_along_what_it_is_pressed_against_at_the_hands_speed(where: str) -> None:
    rig, tip = corner_rig()
    if where == "plane":
        normal, along = np.array([0.2, 0.1, 1.0]), np.array([1.0, 0.0, -0.2]) / math.hypot(1.0, 0.2)
        shape = {"shape": "half_space", "normal": normal.tolist(), "point_m": ZERO}
        fixtures = [_fixture("plane", shape, tip - np.array([0.0, 0.0, 0.004 + TIP_M]))]
    else:
        fixtures = faces(2, 30.0, tip - np.array([0.0, 0.0, 0.012 + TIP_M / 0.5]))
        along = np.array([-math.sin(0.3), math.cos(0.3), 0.0])
    _touching(rig, *fixtures)
    press(rig, np.array([0.0, 0.0, -0.02]), 700, ramp=400)
    pushed, way = np.array(rig.hand.p_m), []
    for k in range(1800):
        rig.hand.p_m = (pushed + 1e-5 * k * along).tolist()
        rig.tick()
        way.append(rig.pair.motion.p_world_tip.copy())
    slid = np.array(way[-1000:])
    assert turns(slid) == 0
    progress = float((slid[-1] - slid[0]) @ along) / (1e-5 * 999)
    assert 0.95 <= progress <= 1.05
    for fixture in fixtures:
        assert 0.0 <= _least(rig, Region.of({"bodies": ["tip"], **fixture})) < 1e-4
