"""Inverse kinematics to random reachable poses, beside roboticstoolbox and pink on the same chains.

    python benchmarks/ik_convergence.py [--poses 1000] [--seed 0]

Each target is the pose of a random configuration inside the limits; every solver starts from the arm's
home. The answer of each is judged by one independent evaluation (pinocchio): within 1 µm and 1 µrad, inside
the joint limits. Times are wall times of one solve, in turn on the same target.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pink
import pinocchio as pin
import roboticstoolbox as rtb
from pink.limits import ConfigurationLimit
from pink.tasks import FrameTask

from kinematics.arm import ArmModel
from kinematics.pose import rotation_log
from kinematics.solve_pose import solve_pose
from kinematics.spec import ArmSpec

ARMS = Path(__file__).parents[1] / "configs" / "arms"
TOLERANCE = 1e-6
PINK_ITERATIONS = 100


def load(name: str) -> ArmModel:
    return ArmModel.from_spec(ArmSpec.from_toml(ARMS / f"{name}.toml"))


def ours(arm: ArmModel, starts: int) -> Callable[[np.ndarray, int], tuple[np.ndarray, int]]:
    def forward(q: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        state = arm.at(q)
        return state.T_world_tip, state.jacobian

    def solve(target: np.ndarray, seed: int) -> tuple[np.ndarray, int]:
        found = solve_pose(
            forward,
            arm.limits,
            target,
            arm.home,
            tolerance_m=TOLERANCE / 2,
            tolerance_rad=TOLERANCE / 2,
            starts=starts,
            seed=seed,
        )
        return found.q, found.iterations

    return solve


def toolbox(arm: ArmModel, starts: int) -> Callable[[np.ndarray, int], tuple[np.ndarray, int]]:
    """The same chain, joint by joint, as elementary transforms."""
    model, elements = arm.pinocchio_model, []
    for j in range(arm.n):
        elements.append(rtb.ET.SE3(np.array(model.jointPlacements[j + 1].homogeneous)))
        limits = [arm.limits.q_min[j], arm.limits.q_max[j]]
        elements.append(rtb.ET.tz(qlim=limits) if arm.prismatic[j] else rtb.ET.Rz(qlim=limits))
    tip = model.frames[model.getFrameId("tip", pin.FrameType.OP_FRAME)]
    elements.append(rtb.ET.SE3(np.array(tip.placement.homogeneous)))
    ets = rtb.ETS(elements)
    np.testing.assert_allclose(ets.eval(arm.home), arm.forward(arm.home), atol=1e-12)

    def solve(target: np.ndarray, seed: int) -> tuple[np.ndarray, int]:
        # It stops at ½ eᵀe < tol, with all six rows of the error in metres and radians.
        answer = ets.ik_LM(
            target, q0=np.array(arm.home), slimit=starts, tol=TOLERANCE**2 / 4, joint_limits=True
        )
        return np.array(answer.q).reshape(-1), int(answer.iterations)

    return solve


def pinks(arm: ArmModel) -> Callable[[np.ndarray, int], tuple[np.ndarray, int]]:
    model = arm.pinocchio_model.copy()
    model.lowerPositionLimit, model.upperPositionLimit = arm.limits.q_min, arm.limits.q_max
    task = FrameTask("tip", position_cost=1.0, orientation_cost=0.1, lm_damping=1e-3)
    limits = [ConfigurationLimit(model, config_limit_gain=1.0)]

    def solve(target: np.ndarray, seed: int) -> tuple[np.ndarray, int]:
        configuration = pink.Configuration(model, model.createData(), np.array(arm.home))
        task.set_target(pin.SE3(target))
        for used in range(PINK_ITERATIONS):
            if np.linalg.norm(task.compute_error(configuration)) < TOLERANCE / 2:
                return configuration.q, used
            v = pink.solve_ik(configuration, [task], 1.0, "daqp", limits=limits, safety_break=False)
            configuration.integrate_inplace(v, 1.0)
        return configuration.q, PINK_ITERATIONS

    return solve


def reached(arm: ArmModel, q: np.ndarray, target: np.ndarray) -> bool:
    if not np.isfinite(q).all() or np.any(q < arm.limits.q_min - 1e-9) or np.any(q > arm.limits.q_max + 1e-9):
        return False
    pose = arm.forward(q)
    turn = rotation_log(np.ascontiguousarray(target[:3, :3] @ pose[:3, :3].T))
    return bool(
        np.linalg.norm(target[:3, 3] - pose[:3, 3]) <= TOLERANCE and np.linalg.norm(turn) <= TOLERANCE
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--poses", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    print(f"{options.poses} poses per arm, seed {options.seed}; reached = 1 µm and 1 µrad inside the limits")
    print(
        f"{'arm':16}{'solver':26}{'reached':>9}{'iter p50':>9}{'µs p50':>9}{'p99':>9}{'p99.9':>10}{'max':>10}"
    )
    for name in ("psm_lnd_400006", "panda_lap", "ur5e"):
        arm = load(name)
        solvers: dict[str, Any] = {
            "trocar, 100 starts": ours(arm, 100),
            "trocar, 1 start": ours(arm, 1),
            "rtb ik_LM chan, 100": toolbox(arm, 100),
            "rtb ik_LM chan, 1": toolbox(arm, 1),
            "pink, 1 start": pinks(arm),
        }
        rng = np.random.default_rng(options.seed)
        targets = [arm.forward(rng.uniform(arm.limits.q_min, arm.limits.q_max)) for _ in range(options.poses)]
        for solve in solvers.values():
            solve(targets[0], 0)  # compile and warm up
        good, times, counts = ({key: [] for key in solvers} for _ in range(3))
        for seed, target in enumerate(targets):
            for key, solve in solvers.items():
                start = time.perf_counter_ns()
                q, iterations = solve(target, seed)
                times[key].append((time.perf_counter_ns() - start) / 1e3)
                good[key].append(reached(arm, q, target))
                counts[key].append(iterations)
        for key in solvers:
            p50, p99, p999, top = np.percentile(times[key], [50, 99, 99.9, 100])
            print(
                f"{name:16}{key:26}{np.mean(good[key]):9.1%}{np.median(counts[key]):9.0f}"
                f"{p50:9.0f}{p99:9.0f}{p999:10.0f}{top:10.0f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
