"""Surgeon, device, controller and arm in one loop: what the hand and the tool do at a wall."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from teleop.config import load_session
from teleop.config.toml import profiles_dir
from teleop.devices.sim.loop import ClosedLoop, Felt

DEMO = profiles_dir() / "sessions" / "demo.toml"
FLOOR_M = -0.1285


def loop(tmp_path: Path, *overrides: str, **keys: object) -> ClosedLoop:
    floor = tmp_path / "floor.toml"
    floor.write_text(
        '[[fixture]]\nname = "floor"\nkind = "forbidden"\n'
        f'geometry = {{ shape = "half_space", normal = [0, 0, 1], point_m = [0, 0, {FLOOR_M}] }}\n'
    )
    session = load_session(DEMO, (f'fixtures=["{floor}"]', "pairs[0].haptics.device=omega3", *overrides))
    made = ClosedLoop(session, **keys)  # type: ignore[arg-type]
    made.bring_up()
    return made


def dive(made: ClosedLoop, depth_m: float = 0.045, ticks: int = 1500) -> list[Felt]:
    def each(k: int) -> None:
        made.intent[2] = -depth_m * min(1.0, k / (0.5 * ticks))

    return made.run(ticks, each)


def tool_clearance(made: ClosedLoop, felt: list[Felt]) -> float:
    """Smallest clearance of every sphere, by the plain formula."""
    arm = made.pair.arm
    centers = np.zeros((arm.bodies.count, 3))
    worst = np.inf
    for f in felt:
        if f.out.command is not None:
            arm.sphere_centers(f.out.command.q, centers)
            worst = min(worst, float(np.min(centers[:, 2] - arm.bodies.radii)) - FLOOR_M)
    return worst


def test_a_hand_that_feels_the_wall_goes_less_far_and_the_tool_never_enters(tmp_path: Path) -> None:
    felt_loop, numb_loop = loop(tmp_path), loop(tmp_path, feels=False)
    felt, numb = dive(felt_loop), dive(numb_loop)
    deep = {name: -min(f.p_hand[2] for f in way) for name, way in (("felt", felt), ("numb", numb))}
    for made, way in ((felt_loop, felt), (numb_loop, numb)):
        assert not any(f.out.violation for f in way)
        assert tool_clearance(made, way) >= 0.0
    rest = [f.p_hand[2] for f in felt[-300:]]
    force = felt[-1].force[2]
    print(
        f"hand goes {1e3 * deep['felt']:.1f} mm felt, {1e3 * deep['numb']:.1f} numb; rests at {force:.2f} N"
    )
    assert deep["felt"] < 0.8 * deep["numb"]
    assert np.ptp(rest) < 5e-5
    # The hand's spring and the wall's balance.
    assert force == pytest.approx(300.0 * (felt[-1].p_hand[2] + 0.045), rel=0.05)
