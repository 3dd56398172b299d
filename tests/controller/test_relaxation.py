"""What gives way when a wall leaves no room: soft fixtures in their declared order, a hard one never."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from tests.soak.solids import Region

from .rig import Rig, assert_within_limits
from .test_touch import ZERO, _fixture, _least, _touching

NOTABLE_M = 1e-8
"""Slack a tick below which a row only got the inside that the solver needs."""


def _tip_heights(rig: Rig) -> tuple[float, float]:
    """Height of the lowest and of the highest point of the tip's spheres, m."""
    centers, radii = rig.spheres("tip")
    return float((centers[:, 2] - radii).min()), float((centers[:, 2] + radii).max())


def _squeezed(
    floor_keys: dict[str, Any], ceiling_keys: dict[str, Any]
) -> tuple[list[dict[str, float]], float]:
    """A floor rises, beating, until it leaves the tip less room under a ceiling than the tip needs.

    Returns what gave way, by how much a tick [m], in each tick in which something did; and the least
    clearance to the floor [m].
    """
    rig = Rig(scale=1.0, ramp_s=0.0, orientation="locked")
    low, high = _tip_heights(rig)
    # It beats by 6 mm up to 3 mm above where the tip's lowest point is; the ceiling leaves 1 mm.
    wave = {"amplitude_m": [0.0, 0.0, 0.006], "rate_hz": 0.5}
    up: dict[str, object] = {"shape": "half_space", "normal": [0.0, 0.0, 1.0], "point_m": ZERO}
    down: dict[str, object] = {"shape": "half_space", "normal": [0.0, 0.0, -1.0], "point_m": ZERO}
    floor = _fixture("floor", up, np.array([0.0, 0.0, low - 0.003]))
    floor["motion"] = {"type": "periodic", "waves": [wave]}
    ceiling = _fixture("ceiling", down, np.array([0.0, 0.0, high + 0.001]))
    _touching(rig, floor | floor_keys, ceiling | ceiling_keys)
    region = Region.of({"bodies": ["tip"], **floor})
    gave, least = [], math.inf
    for _ in range(1400):
        rig.tick()
        least = min(least, _least(rig, region, rig.now_ns * 1e-9 + 1e-3))
        assert rig.outputs is not None
        lines = rig.outputs.pairs[0].ledger
        relaxed: dict[str, float] = {}
        for line in lines:
            if line.what == "relaxed":
                relaxed[line.who] = max(line.by_m, relaxed.get(line.who, 0.0))
        if max(relaxed.values(), default=0.0) > NOTABLE_M:
            gave.append(relaxed)
            assert {line.who for line in lines if line.what in ("relaxed", "clamped")} >= {"floor", "ceiling"}
    assert_within_limits(rig, rig.segments[-1])
    return gave, least


def test_a_soft_ceiling_gives_way_to_a_hard_floor_and_both_are_named() -> None:
    gave, least = _squeezed({}, {"softness": {"priority": 1}})
    assert len(gave) > 100
    assert max(relaxed.get("floor", 0.0) for relaxed in gave) < NOTABLE_M
    assert least >= 0.0


@pytest.mark.parametrize("first", ["floor", "ceiling"])
def test_of_two_soft_fixtures_the_higher_number_gives_way(first: str) -> None:
    keys = {name: {"softness": {"priority": 2 if name == first else 1}} for name in ("floor", "ceiling")}
    gave, _ = _squeezed(keys["floor"], keys["ceiling"])
    other = "floor" if first == "ceiling" else "ceiling"
    assert len(gave) > 100
    assert all(first in relaxed for relaxed in gave)
    assert max(relaxed.get(other, 0.0) for relaxed in gave) < NOTABLE_M


def test_a_soft_fixture_gives_way_up_to_its_slack_and_then_the_next_one_does() -> None:
    most = 2e-6
    gave, _ = _squeezed({"softness": {"priority": 1}}, {"softness": {"priority": 2, "max_slack_m": most}})
    assert sum(relaxed.get("floor", 0.0) > NOTABLE_M for relaxed in gave) > 50
    for relaxed in gave:
        assert relaxed.get("ceiling", 0.0) <= most + NOTABLE_M
        if relaxed.get("floor", 0.0) > NOTABLE_M:
            assert relaxed["ceiling"] >= most - NOTABLE_M
