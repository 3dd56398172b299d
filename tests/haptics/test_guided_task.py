"""A simulated surgeon follows a line by eye, with and without guidance."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np

from teleop.config import load_session
from teleop.devices.sim.loop import ClosedLoop
from teleop.devices.sim.task import Followed, FollowSpec, follow, nearest

from .test_closed_loop import DEMO

ALONG = np.array([0.008, 0.005, 0.002])
SPEED = 0.015


def run(folder: Path, compliance: float | None) -> Followed:
    file = folder / "fixtures.toml"
    sets = (f'fixtures=["{file}"]', "pairs[0].haptics.device=omega3")
    file.write_text("fixture = []\n")
    start = load_session(DEMO, sets)
    home = ClosedLoop(start).pair.motion.p_world_tip
    path = home + np.linspace(0.0, 1.0, 50)[:, None] * ALONG
    if compliance is not None:
        points = f"points_m = {[path[0].tolist(), path[-1].tolist()]}\n"
        kind = 'kind = "guide_curve"\n'
        file.write_text(f'[[fixture]]\nname = "line"\n{kind}compliance = {compliance}\n{points}')
    made = ClosedLoop(load_session(DEMO, sets))
    made.bring_up()
    return follow(made, path, FollowSpec(speed_m_s=SPEED), seed=1)


def test_guidance_keeps_the_tool_on_the_line_and_takes_no_longer(tmp_path: Path) -> None:
    alone, guided = run(tmp_path, None), run(tmp_path, 0.0)
    for name, way in (("alone", alone), ("guided", guided)):
        print(f"{name}: tool off by {1e3 * way.tool_m.max():.3f} mm, {way.seconds:.2f} s")
        assert way.done
        assert way.least_j > -1e-6, "the device gave out energy"
    assert guided.tool_m.max() < 5e-5
    assert alone.tool_m.max() > 1e-3
    # On the line the surgeon sees no error, and so goes at full speed.
    assert np.linalg.norm(ALONG) / SPEED <= guided.seconds <= alone.seconds


def test_the_nearest_point_is_that_of_a_fine_sampling() -> None:
    rng = np.random.default_rng(0)
    path = rng.normal(size=(6, 3))
    fine = np.concatenate([a + np.linspace(0, 1, 2001)[:, None] * (b - a) for a, b in pairwise(path)])
    for p in rng.normal(size=(50, 3)):
        least = np.linalg.norm(fine - p, axis=1).min()
        assert abs(np.linalg.norm(nearest(path, p) - p) - least) < 1e-3
