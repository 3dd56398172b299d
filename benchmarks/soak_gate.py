"""Attack the gate for many ticks and check every step and stop with an oracle that shares nothing with it.

    python benchmarks/soak_gate.py [--ticks 1000000] [--seed 0]

Random scenes (planes, a ball, a thin wall, a room inside a shell, a wall that comes at up to 50 mm/s), random
masters (full-speed dives, oscillation, grazing, jumps, NaN). No QP: every candidate inside the acceleration
box goes straight to the gate. The oracle is closed formulas at points between and along every step and stop.
Prints violations, the smallest clearance, limits broken, and how near the arm came.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "fixtures"))
import gate_toys as toys

from fixtures import geometry as shapes
from fixtures.kinds.forbidden import ForbiddenRegion
from fixtures.kinds.keep_in import KeepInRegion
from fixtures.motion.periodic import Periodic, Wave
from fixtures.scene import Scene


class World:
    """One random scene with its oracle."""

    def __init__(self, rng: np.random.Generator, pivot: bool) -> None:
        """Draw regions around the arm at home, none nearer than a millimetre."""
        self.arm = toys.PivotArm() if pivot else toys.FreePoint()
        c = np.zeros((self.arm.m, 3))
        self.arm.centers(self.arm.home, c)
        tip, r = c[0], self.arm.radii[0]
        away = 4e-3 + r
        self.parts, fixtures = [], []
        for k in range(2):
            n = rng.normal(size=3)
            n /= np.linalg.norm(n)
            p = tip - n * (away + rng.uniform(0, 0.01))
            if (c @ n - n @ p - r).min() > 1e-3:
                fixtures.append(ForbiddenRegion(f"plane {k}", shapes.half_space(n, p)))
                self.parts.append(lambda x, t, n=n, p=p: (x - p) @ n)
        n = rng.normal(size=3)
        n /= np.linalg.norm(n)
        R = rng.uniform(2e-3, 8e-3)
        center = tip + n * (away + R + rng.uniform(0, 0.01))
        if (np.linalg.norm(c - center, axis=1) - R - r).min() > 1e-3:
            fixtures.append(ForbiddenRegion("ball", shapes.sphere(R, center)))
            self.parts.append(lambda x, t: np.linalg.norm(x - center, axis=1) - R)
        half = np.array([5e-5, 0.03, 0.03])
        wall = tip + np.array([away + 5e-3, 0, 0]) * rng.choice([-1, 1])
        if self._box(c, wall, half).min() - r > 1e-3:
            fixtures.append(ForbiddenRegion("thin wall", shapes.box(2 * half, wall)))
            self.parts.append(lambda x, t: self._box(x, wall, half))
        room = np.abs(c - tip).max(0) + r + rng.uniform(5e-3, 0.02, 3)
        fixtures.append(KeepInRegion("room", shapes.box(2 * room, tip)))
        self.parts.append(lambda x, t: (room - np.abs(x - tip)).min(1))
        shell = np.linalg.norm(c - tip, axis=1).max() + r + rng.uniform(4e-3, 0.02)
        fixtures.append(KeepInRegion("shell", shapes.sphere(shell, tip)))
        self.parts.append(lambda x, t: shell - np.linalg.norm(x - tip, axis=1))
        self.moving = rng.random() < 0.3
        if self.moving:
            # It comes and goes at up to 50 mm/s; the arm at rest is beyond its farthest reach.
            n = rng.normal(size=3)
            n /= np.linalg.norm(n)
            rate = rng.uniform(1, 5)
            size = 0.05 / (2 * np.pi * rate)
            low = (c @ n).min() - r - size - 2e-3
            beat = Periodic(np.eye(4), [Wave(tuple(size * n), rate)])
            fixtures.append(ForbiddenRegion("heart", shapes.half_space(n, n * low), motion=beat))
            self.parts.append(lambda x, t: x @ n - low - size * np.sin(2 * np.pi * rate * t))
        self.scene = Scene(fixtures)

    @staticmethod
    def _box(x: np.ndarray, center: np.ndarray, half: np.ndarray) -> np.ndarray:
        q = np.abs(x - center) - half
        return np.linalg.norm(np.maximum(q, 0), axis=1) + np.minimum(q.max(1), 0)

    def clearance(self, x: np.ndarray, t: float) -> float:
        """Smallest true distance of any sphere at time t."""
        return min(float((part(x, t) - self.arm.radii).min()) for part in self.parts)


class Wicked:
    """A master that changes its mind: dives, oscillates, grazes, jumps, sends NaN."""

    def __init__(self) -> None:
        """Undecided."""
        self.left, self.mode, self.goal, self.k = 0, 0, np.zeros(3), 0

    def __call__(self, loop: toys.Loop, rng: np.random.Generator) -> np.ndarray:
        """Wanted joint velocity."""
        if self.left == 0:
            self.left, self.mode = int(rng.integers(5, 250)), int(rng.integers(0, 5))
            self.goal = rng.uniform(-1, 1, 3) * loop.arm.v_max
        self.left -= 1
        self.k += 1
        if self.mode == 0:
            return np.sign(self.goal) * loop.arm.v_max
        if self.mode == 1:
            return self.goal * np.sign(np.sin(self.k * 2 * np.pi / 17))
        if self.mode == 2:
            return self.goal + rng.normal(0, 0.1, 3) * loop.arm.v_max
        if self.mode == 3:
            return np.full(3, np.nan) if rng.random() < 0.2 else self.goal
        return loop.v + rng.uniform(-1, 1, 3) * loop.arm.accel * toys.PERIOD


def main() -> int:
    """Run and report; exit status 1 on any violation."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--ticks", type=int, default=200_000)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    rng = np.random.default_rng(args.seed)
    done = bad = broken = recovering = worlds = 0
    least, nearest = np.inf, []
    sent: dict[str, int] = {}
    began = time.time()
    while done < args.ticks:
        world = World(rng, pivot=bool(rng.random() < 0.5))
        loop, master = toys.Loop(world.arm, world.scene), Wicked()
        worlds += 1
        x, v, a, here = np.zeros((world.arm.m, 3)), np.zeros(3), np.zeros(3), np.inf
        for _ in range(2000):
            t0 = loop.now
            certificate = loop.tick(master(loop, rng))
            sent[loop.sent] = sent.get(loop.sent, 0) + 1
            recovering += certificate.recovering
            a_now = (loop.v - v) / toys.PERIOD
            over = np.any(np.abs(loop.v) > world.arm.v_max * (1 + 1e-9))
            over |= np.any(np.abs(a_now) > world.arm.accel * (1 + 1e-9))
            over |= np.any(np.abs(a_now - a) > 2 * world.arm.accel * (1 + 1e-9))
            broken += bool(over)
            v, a = loop.v.copy(), a_now
            # A stop that goes on was checked before. A wall may come to an arm that stands: recovery.
            if loop.sent != "stop" and not certificate.recovering:
                for q, t in zip(*loop.path(3, 5), strict=True):
                    c = world.clearance(world.arm.centers(q, x), t0 + t)
                    here = min(here, c)
                    bad += c < -1e-10
            done += 1
        least = min(least, here)
        nearest.append(here)
    print(f"{done} ticks in {worlds} scenes, {time.time() - began:.0f} s")
    print(f"sent {sent}; hit by a wall while standing {recovering}")
    print(f"violations {bad}; limits broken {broken}; smallest clearance {least:.3e} m")
    middle, most = np.median(nearest) * 1e6, np.max(nearest) * 1e6
    print(f"nearest approach per scene: p50 {middle:.2f} um, max {most:.2f} um")
    return int(bad > 0 or broken > 0)


if __name__ == "__main__":
    sys.exit(main())
