"""A simulated surgeon follows a path with guidance off, soft and hard; and dives at a forbidden floor.

Run: ``python benchmarks/guided_task.py [--seeds N]``. Hand model, omega.3, renderer, controller and PSM in
one closed loop without sockets, deterministic (`teleop/devices/sim/task.py`). Published beside it: Enayati
et al. 2016, people on two sigma.7, largest deviation 8 mm unguided, 4 mm viscous, 2 mm plastic with
redirection.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np

from teleop.config import load_session
from teleop.config.toml import profiles_dir
from teleop.devices.sim.loop import ClosedLoop
from teleop.devices.sim.task import Followed, FollowSpec, follow

DEMO = profiles_dir() / "sessions" / "demo.toml"
FLOOR_M = -0.1285
GUIDANCE = {"off": None, "soft": 0.3, "hard": 0.0}
"""Compliance."""


def arc(start: np.ndarray) -> np.ndarray:
    """A third of a circle of 15 mm in a tilted plane, sampled every degree: (k, 3) m, from ``start``."""
    angle = np.radians(np.arange(0, 121))
    flat = 0.015 * np.stack([np.sin(angle), 1.0 - np.cos(angle), 0.2 * np.sin(angle)], axis=1)
    return np.asarray(start + flat)


def built(fixture: str, *overrides: str, feels: bool = True, local: bool = True) -> ClosedLoop:
    """The demo's PSM under one fixture, an omega.3 in a hand."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "fixture.toml"
        file.write_text(fixture)
        session = load_session(DEMO, (f'fixtures=["{file}"]', "pairs[0].haptics.device=omega3", *overrides))
        made = ClosedLoop(session, feels=feels, local=local)
    made.bring_up()
    return made


def guide(compliance: float | None, points: np.ndarray) -> str:
    if compliance is None:
        return "fixture = []\n"
    listed = ", ".join(f"[{x:.6f}, {y:.6f}, {z:.6f}]" for x, y, z in points[::5])
    head = f'[[fixture]]\nname = "path"\nkind = "guide_curve"\ncompliance = {compliance}\n'
    return f"{head}points_m = [{listed}]\n"


def guided(compliance: float | None, seed: int, *, felt: bool = True) -> Followed:
    """One run along the path; without ``felt`` guidance moves only the tool."""
    tip = built("fixture = []\n").pair.motion.p_world_tip.copy()
    path = arc(tip)
    gain = 4.0 if felt else 0.0
    made = built(guide(compliance, path), f"pairs[0].haptics.guidance_ns_m={gain}")
    made.run(600, lambda k: None)  # guidance takes hold
    return follow(made, path, FollowSpec(), seed)


def dives(*, feels: bool, local: bool, seed: int, reaches: int = 5) -> tuple[float, float, float, int]:
    """Reaches that end below the floor: hand beyond the tool [m], clearance [m], force [N], violations."""
    floor = (
        '[[fixture]]\nname = "floor"\nkind = "forbidden"\n'
        f'geometry = {{ shape = "half_space", normal = [0, 0, 1], point_m = [0, 0, {FLOOR_M}] }}\n'
    )
    made = built(floor, feels=feels, local=local)
    rng = np.random.default_rng(seed)
    centers, radii = np.zeros((made.pair.arm.bodies.count, 3)), made.pair.arm.bodies.radii
    beyond, clear, most, violations = 0.0, np.inf, 0.0, 0
    start = np.zeros(3)
    for _ in range(reaches):
        goal = np.array([*rng.uniform(-0.02, 0.02, 2), rng.uniform(-0.05, -0.03)])
        for target in (goal, np.zeros(3)):
            for k in range(700):
                u = min(1.0, k / 500)
                made.intent = start + (target - start) * (10 * u**3 - 15 * u**4 + 6 * u**5)
                felt = made.tick()
                out = felt.out
                gap = float(out.T_world_tip[2, 3] - out.p_desired_world[2]) / made.pair.mapping.scale
                beyond, most = max(beyond, gap), max(most, float(np.linalg.norm(felt.force)))
                violations += out.violation
                if out.command is not None:
                    made.pair.arm.sphere_centers(out.command.q, centers)
                    clear = min(clear, float((centers[:, 2] - radii).min()) - FLOOR_M)
            start = target
    return beyond, clear, most, violations


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=3, help="runs of each kind")
    options = parser.parse_args()
    print(
        "| guidance | tool rms / max mm | hand rms / max mm | time s | hand's pull N | least port energy uJ |"
    )
    print("|---|---|---|---|---|---|")
    for name, compliance, felt in (
        *((name, k, True) for name, k in GUIDANCE.items()),
        ("hard, not felt", 0.0, False),
    ):
        runs = [guided(compliance, seed, felt=felt) for seed in range(options.seeds)]
        tool, hand = np.concatenate([r.tool_m for r in runs]), np.concatenate([r.hand_m for r in runs])
        print(
            f"| {name} | {1e3 * np.sqrt((tool**2).mean()):.2f} / {1e3 * tool.max():.2f} "
            f"| {1e3 * np.sqrt((hand**2).mean()):.2f} / {1e3 * hand.max():.2f} "
            f"| {np.mean([r.seconds for r in runs]):.1f}{'' if all(r.done for r in runs) else ' (given up)'} "
            f"| {np.mean([r.pull_n.mean() for r in runs]):.2f} "
            f"| {round(1e6 * min(r.least_j for r in runs), 1) + 0.0:.1f} |",
            flush=True,
        )
    print("\n| floor | hand beyond the tool mm | least clearance um | largest force N | violations |")
    print("|---|---|---|---|---|")
    for name, feels, local in (
        ("numb", False, True),
        ("force over the wire", True, False),
        ("planes", True, True),
    ):
        runs = [dives(feels=feels, local=local, seed=seed) for seed in range(options.seeds)]
        beyond, clear, most, broken = (np.array(column) for column in zip(*runs, strict=True))
        print(
            f"| {name} | {1e3 * beyond.max():.1f} | {1e6 * clear.min():.2f} | {most.max():.1f} "
            f"| {broken.sum()} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
