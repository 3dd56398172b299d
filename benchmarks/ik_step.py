"""One step of the differential inverse kinematics, beside `pink.solve_ik` on the same arm in the same run.

    python benchmarks/ik_step.py [--ticks 5000] [--seed 0]

Both follow the same smooth random motion of the tip from the same configuration, in turn, tick by tick.
Ours: joint position, speed and acceleration limits, the rows given, the check of the answer and the reasons.
pink: frame task and posture task, position and speed limits, no barriers, solver daqp or quadprog. Kinematics
is not timed on either side; pink still evaluates its task and limits inside `solve_ik`. "rows" are hard rows
at the tip, a third of them in the way of the motion.
"""

from __future__ import annotations

import argparse
import gc
import time
from pathlib import Path

import numpy as np
import pink
import pinocchio as pin
from pink.limits import ConfigurationLimit, VelocityLimit
from pink.tasks import FrameTask, PostureTask

from kinematics.arm import ArmModel
from kinematics.ik import DifferentialIK
from kinematics.pose import rotation_exp, rotation_log
from kinematics.rows import RowSet
from kinematics.spec import ArmSpec

ARMS = Path(__file__).parents[1] / "configs" / "arms"
T = 1e-3


def load(name: str) -> ArmModel:
    return ArmModel.from_spec(ArmSpec.from_toml(ARMS / f"{name}.toml"))


def pose_error(wanted: np.ndarray, actual: np.ndarray) -> np.ndarray:
    turn = rotation_log(np.ascontiguousarray(wanted[:3, :3] @ actual[:3, :3].T))
    return np.concatenate([wanted[:3, 3] - actual[:3, 3], turn])


def desired(start: np.ndarray, t: float, phase: np.ndarray) -> np.ndarray:
    """Slow sines in six directions, peak about 60 mm/s and 0.3 rad/s."""
    wave = np.sin(2 * np.pi * 0.5 * t * (1 + 0.3 * np.arange(6)) + phase) - np.sin(phase)
    pose = start.copy()
    pose[:3, 3] += 0.01 * wave[:3]
    pose[:3, :3] = rotation_exp(0.06 * wave[3:]) @ start[:3, :3]
    return pose


def measure(name: str, count: int, ticks: int, seed: int) -> dict[str, np.ndarray]:
    arm, rng = load(name), np.random.default_rng(seed)
    ik = DifferentialIK(arm.limits, T)
    model = arm.pinocchio_model.copy()
    model.lowerPositionLimit, model.upperPositionLimit = arm.limits.q_min, arm.limits.q_max
    model.velocityLimit = arm.limits.qd_max
    configuration = pink.Configuration(model, model.createData(), np.array(arm.home))
    frame = FrameTask("tip", position_cost=1.0, orientation_cost=0.1, lm_damping=1e-3)
    posture = PostureTask(cost=1e-3)
    posture.set_target(np.array(arm.home))
    limits = [ConfigurationLimit(model), VelocityLimit(model)]
    start, phase = arm.forward(arm.home), rng.uniform(0, 6, 6)
    q, v, before = np.array(arm.home), np.zeros(arm.n), start
    times: dict[str, list[int]] = {"trocar": [], "pink daqp": [], "pink quadprog": []}
    directions = rng.normal(size=(count, 3))
    directions /= np.maximum(np.linalg.norm(directions, axis=1, keepdims=True), 1e-12)
    gc.collect()
    gc.disable()
    for k in range(ticks + 200):
        wanted = desired(start, k * T, phase)
        state = arm.at(q)
        error, ahead = pose_error(before, state.T_world_tip), pose_error(wanted, before)
        A = directions @ state.jacobian[:3]
        # Every third row allows two thirds of the wanted motion towards its wall; the others are far.
        b = np.where(np.arange(count) % 3 == 0, np.minimum(0.67 * (directions @ ahead[:3]), 0.0), -1e-3)
        rows = RowSet.hard(A, b) if count else None
        began = time.perf_counter_ns()
        result = ik.solve(
            q=q,
            v_prev=v,
            jacobian=state.jacobian,
            error=error,
            feedforward=ahead,
            rows=rows,
            posture=arm.home if arm.n > 6 else None,
        )
        times["trocar"].append(time.perf_counter_ns() - began)
        configuration.update(q)
        frame.set_target(pin.SE3(wanted))
        for solver in ("daqp", "quadprog"):
            began = time.perf_counter_ns()
            pink.solve_ik(configuration, [frame, posture], T, solver, limits=limits, safety_break=False)
            times[f"pink {solver}"].append(time.perf_counter_ns() - began)
        following = q + result.v * T
        q, v, before = following, (following - q) / T, wanted
    gc.enable()
    return {key: np.array(value[200:]) / 1e3 for key, value in times.items()}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--ticks", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    print(f"{options.ticks} ticks each, seed {options.seed}; µs per step; pink has no rows")
    print(f"{'arm':16}{'rows':>5}  {'solver':16}{'p50':>8}{'p99':>8}{'p99.9':>8}{'max':>9}")
    for name in ("psm_lnd_400006", "panda_lap", "ur5e"):
        for count in (0, 10, 30):
            for key, values in measure(name, count, options.ticks, options.seed).items():
                if count and key != "trocar":
                    continue
                row = "".join(f"{x:8.1f}" for x in np.percentile(values, [50, 99, 99.9]))
                print(f"{name:16}{count:5}  {key:16}{row}{values.max():9.1f}", flush=True)


if __name__ == "__main__":
    main()
