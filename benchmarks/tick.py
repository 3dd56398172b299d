"""Time the whole tick of the controller, from an admitted hand sample to a certified command, beside pink.

Run: ``python benchmarks/tick.py [--ticks N] [--runs N] [--only TEXT]``. One PSM, its whole body guarded (64
spheres), tremor filter on, a hand that sways by centimetres and turns. Four scenes: no fixture; seven
primitives that the tool grazes and presses against; those and a baked mesh of about 300 000 triangles; and a
mesh of 1.3 million triangles beside two soft regions that hold the whole tool, so that 128 rows are there in
every tick. In the same run, by turns, ``pink.solve_ik`` alone on the same arm: no filter, no mapping, no
fixtures, no gate. Where there are primitives, also the same call with six of them as pink's own barriers, on
one ball at the tip; it cannot keep a ball inside a region, so the seventh is missing. Its distances are ready
before.

Prints p50, p99, p99.9 and max in microseconds, as the clock on the wall has them and in processor time of the
thread. On a machine that others use too neither says much about the tails: caches and the processor's clock
are shared as well. The tick and pink are deterministic, so each scene is played ``--runs`` times, and a
second line has the least of the equal ticks: what the code costs where nobody else is.
"""

from __future__ import annotations

import argparse
import gc
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import coal
import numpy as np
import numpy.typing as npt
import pink
import pinocchio as pin
import trimesh
from peer_rigs.pink_rig import barrier_on_tip
from pink.limits import ConfigurationLimit, VelocityLimit
from pink.tasks import FrameTask, PostureTask

from kinematics.arm import ArmModel
from teleop.config import Session, load_session
from teleop.config.toml import profiles_dir
from teleop.controller.build import build_controller
from teleop.controller.rehearsal import play, rehearse

PERIOD_S = 1e-3

PRIMITIVES = """
[[fixture]]
kind = "forbidden"
name = "floor"
geometry = { shape = "half_space", normal = [0.0, 0.0, 1.0], point_m = [0.0, 0.0, -0.1275] }
[[fixture]]
kind = "forbidden"
name = "wall"
bodies = ["tip", "jaw", "shaft"]
geometry = { shape = "half_space", normal = [-1.0, 0.0, 0.0], point_m = [0.0095, 0.0, 0.0] }
[[fixture]]
kind = "forbidden"
name = "ball"
geometry = { shape = "sphere", center_m = [-0.012, 0.0, -0.125], radius_m = 0.005 }
[[fixture]]
kind = "forbidden"
name = "vessel"
geometry = { shape = "capsule", start_m = [-0.05, 0.01, -0.12], end_m = [0.05, 0.01, -0.12], radius_m = 3e-3 }
[[fixture]]
kind = "forbidden"
name = "box"
geometry = { shape = "box", center_m = [0.0, -0.03, -0.12], size_m = [0.02, 0.02, 0.02] }
[[fixture]]
kind = "forbidden"
name = "rod"
geometry = { shape = "cylinder", start_m = [-0.05, 0.0, -0.1], end_m = [-0.05, 0.02, -0.1], radius_m = 9e-3 }
[[fixture]]
kind = "keep_in"
name = "workspace"
bodies = ["tip", "jaw"]
geometry = { shape = "sphere", center_m = [0.0, 0.0, -0.11], radius_m = 0.05 }
"""


SOFT = """
[[fixture]]
kind = "forbidden"
name = "soft side"
softness = { priority = 1 }
geometry = { shape = "half_space", normal = [-1.0, 0.0, 0.0], point_m = [-0.5, 0.0, 0.0] }
[[fixture]]
kind = "forbidden"
name = "soft back"
softness = { priority = 1 }
geometry = { shape = "half_space", normal = [0.0, -1.0, 0.0], point_m = [0.0, -0.5, 0.0] }
"""


def write_mesh(folder: Path, subdivisions: int) -> str:
    """A bumpy organ of ``20 * 4^subdivisions`` triangles under the tool, and the fixture that forbids it."""
    ball = trimesh.creation.icosphere(subdivisions, radius=1.0)
    v = np.array(ball.vertices)
    r = 20.0 * (1 + 0.12 * np.sin(4 * v[:, 0]) * np.cos(3 * v[:, 1]) + 0.08 * np.sin(5 * v[:, 2]))
    trimesh.Trimesh(v * r[:, None], ball.faces, process=False).export(folder / f"organ{subdivisions}.stl")
    return f"""
[[fixture]]
kind = "forbidden"
name = "organ"
pose = {{ position_m = [0.0, 0.0, -0.147] }}
geometry = {{ shape = "mesh", path = "organ{subdivisions}.stl", units = "mm", spacing_m = 0.001 }}
"""


def upright(x: float, y: float, z: float, axis: int = 2) -> pin.SE3:
    """A place whose z axis is a world axis: coal's capsules and cylinders lie along z."""
    roll, pitch = [(0.0, np.pi / 2), (-np.pi / 2, 0.0), (0.0, 0.0)][axis]
    return pin.SE3(pin.rpy.rpyToMatrix(roll, pitch, 0.0), np.array([x, y, z]))


def barrier_solids() -> list[tuple[Any, pin.SE3]]:
    """`PRIMITIVES` but the last, as coal has them."""
    return [
        (coal.Halfspace(np.array([0.0, 0.0, 1.0]), -0.1275), pin.SE3.Identity()),
        (coal.Halfspace(np.array([-1.0, 0.0, 0.0]), -0.0095), pin.SE3.Identity()),
        (coal.Sphere(0.005), upright(-0.012, 0.0, -0.125)),
        (coal.Capsule(3e-3, 0.1), upright(0.0, 0.01, -0.12, axis=0)),
        (coal.Box(0.02, 0.02, 0.02), upright(0.0, -0.03, -0.12)),
        (coal.Cylinder(9e-3, 0.02), upright(-0.05, 0.01, -0.1, axis=1)),
    ]


class PinkPeer:
    """``pink.solve_ik`` following a swaying pose, and nothing else; with barriers where there are solids."""

    def __init__(self, arm: ArmModel, solids: Sequence[tuple[Any, pin.SE3]] = ()) -> None:
        """Stand at the arm's home."""
        model = arm.pinocchio_model
        keys: dict[str, Any] = {}
        self.barriers = []
        if solids:
            keys, barrier = barrier_on_tip(model, solids)
            self.barriers.append(barrier)
        self.configuration = pink.Configuration(model, model.createData(), np.array(arm.home), **keys)
        self.frame = FrameTask("tip", position_cost=1.0, orientation_cost=0.1, lm_damping=1e-3)
        posture = PostureTask(cost=1e-3)
        posture.set_target(np.array(arm.home))
        self.tasks = [self.frame, posture]
        self.limits = [ConfigurationLimit(model), VelocityLimit(model)]
        self.start = arm.forward(arm.home)
        self.tick = 0
        self.lost = 0

    def step(self) -> tuple[int, int]:
        """One solve; its time on the wall and on the processor, ns."""
        self.tick += 1
        wanted = self.start.copy()
        wanted[0, 3] += 0.01 * np.sin(7e-3 * self.tick)
        wanted[1, 3] += 0.01 * np.sin(5e-3 * self.tick)
        self.frame.set_target(pin.SE3(wanted))
        began, busy = time.perf_counter_ns(), time.thread_time_ns()
        try:
            v = pink.solve_ik(
                self.configuration, self.tasks, PERIOD_S, "daqp", limits=self.limits, barriers=self.barriers,
                safety_break=False,
            )  # fmt: skip
        except pink.exceptions.NoSolutionFound:
            v = np.zeros(self.configuration.model.nv)
            self.lost += 1
        spent = time.perf_counter_ns() - began, time.thread_time_ns() - busy
        self.configuration.integrate_inplace(v, PERIOD_S)
        return spent


Times = list[tuple[int, int]]
_WARM_UP = 500


def measure(session: Session, ticks: int, barriers: bool) -> tuple[dict[str, Times], list[int]]:
    """Times of our steps and then of pink's, ns, and how many rows our ticks had."""
    controller = build_controller(session, bytes(16))
    motion = controller.pairs[0].motion
    arm = controller.pairs[0].arm
    peers = {"pink.solve_ik": PinkPeer(arm)}
    if barriers:
        peers["pink.solve_ik with barriers"] = PinkPeer(arm, barrier_solids())
    ours: Times = []
    rows: list[int] = []
    step: Callable[..., Any] = controller.step

    def timed(*args: Any) -> Any:
        began, busy = time.perf_counter_ns(), time.thread_time_ns()
        out = step(*args)
        ours.append((time.perf_counter_ns() - began, time.thread_time_ns() - busy))
        solved = motion.solved
        rows.append(0 if solved is None or solved[1] is None else len(solved[1].b))
        return out

    controller.step = timed  # type: ignore[method-assign]
    gc.collect()
    gc.disable()
    play(controller, ticks)
    times = {"tick": ours} | {who: [peer.step() for _ in ours] for who, peer in peers.items()}
    gc.enable()
    for who, peer in peers.items():
        if peer.lost:
            print(f"{'':4}{who}: no solution in {peer.lost} ticks, it stood still")
    return {who: spent[_WARM_UP:] for who, spent in times.items()}, rows[_WARM_UP:]


def show(what: str, times: npt.NDArray[np.float64]) -> None:
    """A line: p50, p99, p99.9 and max of the columns of ``times``, shape (n, 2), wall and processor, us."""
    spreads = np.percentile(times, [50, 99, 99.9, 100], axis=0).T
    numbers = ["".join(f"{x:8.1f}" for x in spread[:3]) + f"{spread[3]:9.1f}" for spread in spreads]
    print(f"{what:46}{numbers[0]}       {numbers[1]}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--ticks", type=int, default=10_000)
    parser.add_argument("--runs", type=int, default=3, help="how often each scene is played")
    parser.add_argument("--only", default="", help="scenes whose title holds this text")
    options = parser.parse_args()
    quantiles = "".join(f"{x:>8}" for x in ("p50", "p99", "p99.9")) + f"{'max':>9}"
    print(f"{'us':42}{'wall':>4}{quantiles}{'cpu':>7}{quantiles}")
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        scenes: dict[str, Callable[[], str]] = {
            "no fixture": lambda: "",
            "7 primitives": lambda: PRIMITIVES,
            "7 and a 300k mesh": lambda: PRIMITIVES + write_mesh(folder, 7),
            "128 rows, 1.3M mesh": lambda: SOFT + write_mesh(folder, 8),
        }
        for title, write in scenes.items():
            if options.only not in title:
                continue
            (folder / "scene.toml").write_text(write())
            overrides = (f'fixtures=["{folder / "scene.toml"}"]',) if title != "no fixture" else ()
            session = load_session(profiles_dir() / "sessions" / "demo.toml", overrides)
            rehearse(session)
            runs = [measure(session, options.ticks, "primitives" in title) for _ in range(options.runs)]
            for who in runs[0][0]:
                times = np.array([taken[who] for taken, _ in runs]) / 1e3
                show(f"{title}, {who}", times.reshape(-1, 2))
                if options.runs > 1:
                    show(f"{'':4}least of {options.runs}", times.min(axis=0))
            rows = runs[0][1]
            if any(other != rows for _, other in runs):
                raise SystemExit(f"{title}: the runs were not equal")
            print(f"{'':4}rows a tick: p50 {np.percentile(rows, 50):.0f}, max {max(rows)}", flush=True)


if __name__ == "__main__":
    main()
