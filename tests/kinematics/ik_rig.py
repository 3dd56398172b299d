"""Drives the inverse kinematics of an arm in closed loop, and measures what it sent by differences."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import numpy as np

from kinematics.arm import ArmModel, ArmState
from kinematics.ik import DifferentialIK
from kinematics.ik_result import IKResult
from kinematics.pose import rotation_exp, rotation_log
from kinematics.rcm import SoftwareRcm
from kinematics.rows import RowSet
from kinematics.spec import ArmSpec

T = 1e-3
ARMS = Path(__file__).parents[2] / "configs" / "arms"


@cache
def load(name: str) -> ArmModel:
    return ArmModel.from_spec(ArmSpec.from_toml(ARMS / f"{name}.toml"))


@cache
def solver(name: str) -> DifferentialIK:
    return DifferentialIK(load(name).limits, T)


def pose_error(wanted: np.ndarray, actual: np.ndarray) -> np.ndarray:
    turn = rotation_log(wanted[:3, :3] @ actual[:3, :3].T)
    return np.concatenate([wanted[:3, 3] - actual[:3, 3], turn])


def moved(pose: np.ndarray, shift=(0, 0, 0), turn=(0, 0, 0)) -> np.ndarray:
    result = pose.copy()
    result[:3, 3] += shift
    result[:3, :3] = rotation_exp(np.asarray(turn, dtype=float)) @ pose[:3, :3]
    return result


def reach(pose, shift, turn, seconds, hold=0.3) -> list[np.ndarray]:
    """Minimum-jerk motion (Flash and Hogan 1985) and a hold."""
    n = round(seconds / T)
    s = np.minimum(np.arange(n + 1 + round(hold / T)) / n, 1.0)
    s = 10 * s**3 - 15 * s**4 + 6 * s**5
    return [moved(pose, x * np.asarray(shift, float), x * np.asarray(turn, float)) for x in s]


@dataclass
class Run:
    """What was sent, tick by tick; `error` is against the desired pose of the same tick."""

    arm: ArmModel
    q: np.ndarray
    tip: np.ndarray
    error: np.ndarray
    results: list[IKResult]
    offset: list[float] = field(default_factory=list)

    @property
    def v(self):
        return np.diff(self.q, axis=0, prepend=self.q[:1]) / T

    def check_limits(self) -> None:
        """Speed, acceleration and jerk of the sampled positions, and where every stop ends."""
        limits, v = self.arm.limits, self.v
        a = limits.effective_acceleration(T)
        assert np.all(np.abs(v) <= limits.qd_max * (1 + 1e-9))
        change = np.diff(v, axis=0)
        assert np.all(np.abs(change) <= a * T * (1 + 1e-9) + 1e-12)
        assert np.all(np.abs(np.diff(change, axis=0)) / T**2 <= limits.qddd_max * (1 + 1e-6) + 1e-6)
        stop = np.maximum(T, np.max(np.abs(v) / a, axis=1))
        end = self.q + v * stop[:, None] / 2
        assert np.all(end <= limits.q_max + 1e-12)
        assert np.all(end >= limits.q_min - 1e-12)


def drive(
    name: str,
    path: list[np.ndarray],
    q0: np.ndarray | None = None,
    rows: Callable[[ArmState, int], RowSet | None] | None = None,
    use_rcm: bool = False,
    ik: DifferentialIK | None = None,
) -> Run:
    arm, ik = load(name), ik or solver(name)
    q = np.array(arm.home if q0 is None else q0)
    v = np.zeros(arm.n)
    rcm = SoftwareRcm(arm.n, T) if use_rcm else None
    before = path[0]
    run = Run(arm, q, q, q, [])
    qs, tips, errors = [q], [arm.forward(q)], [pose_error(before, arm.forward(q))]
    for k, wanted in enumerate(path[1:]):
        state = arm.at(q)
        error, ahead = pose_error(before, state.T_world_tip), pose_error(wanted, before)
        extra, task = rows(state, k) if rows else None, None
        if rcm is not None:
            trocar = arm.rcm.p_world_rcm
            rcm.update(state.T_world_tip[:3, 3], state.shaft_axis, trocar, state.jacobian)
            error, ahead, task = rcm.error(error), rcm.feedforward(ahead), rcm.task
            extra = rcm.rows if extra is None else RowSet.join(extra, rcm.rows)
        result = ik.solve(
            q=q,
            v_prev=v,
            jacobian=state.jacobian,
            error=error,
            feedforward=ahead,
            rows=extra,
            posture=arm.home if arm.n > 6 else None,
            task=task,
        )
        following = q + result.v * T
        v, q, before = (following - q) / T, following, wanted
        tip = arm.forward(q)
        qs.append(q)
        tips.append(tip)
        errors.append(pose_error(wanted, tip))
        run.results.append(result)
        if rcm is not None:
            # Distance of the trocar from the shaft's line, from pinocchio's pose and plain vector algebra.
            axis = tip[:3, :3] @ np.array([0.0, 0.0, 1.0])
            run.offset.append(float(np.linalg.norm(np.cross(tip[:3, 3] - trocar, axis))))
    run.q, run.tip, run.error = np.array(qs), np.array(tips), np.array(errors)
    return run
