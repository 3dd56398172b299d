"""Joint positions for a pose, from anywhere: for setting up, tests and benchmarks; not for the loop."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kinematics.compiled import kernel
from kinematics.errors import ShapeError
from kinematics.limits import JointLimits
from kinematics.pose import rotation_log

Array = NDArray[np.float64]
_LEAST_DAMPING = 1e-10
"""Keeps the normal matrix of a redundant arm invertible; slows the last step by nothing that counts."""

PoseAndJacobian = Callable[[Array], tuple[Array, Array]]


@dataclass(frozen=True, eq=False, slots=True)
class PoseSolution:
    """What `solve_pose` found.

    Attributes:
        q: Joint positions inside the limits, shape ``(n,)``; the best ones if it did not converge.
        converged: Whether both errors are within the tolerances.
        error_m: Distance of the tip from the wanted position [m].
        error_rad: Angle from the wanted orientation [rad].
        iterations: Evaluations of the arm, over all starts.
        starts: How many starting points were used; 1 is ``q0`` alone.
    """

    q: Array
    converged: bool
    error_m: float
    error_rad: float
    iterations: int
    starts: int


@kernel
def _error(T_wanted: Array, T: Array, length: float, out: Array) -> None:
    turn_matrix = np.zeros((3, 3))
    for r in range(3):
        for c in range(3):
            for k in range(3):
                turn_matrix[r, c] += T_wanted[r, k] * T[c, k]
    turn = rotation_log(turn_matrix)
    for k in range(3):
        out[k] = T_wanted[k, 3] - T[k, 3]
        out[3 + k] = length * turn[k]


@kernel
def _step(
    jacobian: Array, error: Array, length: float, damping: float, q: Array, lo: Array, hi: Array, out: Array
) -> None:
    """Levenberg-Marquardt step inside the joint range; joints at their end that would go further stay there.

    Minimises ``|J dq - e|² + damping |dq / span|²`` over the free joints, and frees no joint again within a
    step.
    """
    n = q.shape[0]
    scaled = np.empty((6, n))
    for j in range(n):
        for k in range(6):
            scaled[k, j] = jacobian[k, j] * (length if k >= 3 else 1.0) * (hi[j] - lo[j])
    normal = scaled.T @ scaled
    for j in range(n):
        normal[j, j] += damping
    gradient = scaled.T @ error
    blocked = np.zeros(n, np.bool_)
    step = np.zeros(n)
    for _ in range(n):
        matrix, right = normal.copy(), gradient.copy()
        for j in range(n):
            if blocked[j]:
                matrix[j, :] = 0.0
                matrix[:, j] = 0.0
                matrix[j, j] = 1.0
                right[j] = 0.0
        step[:] = np.linalg.solve(matrix, right)
        more = False
        for j in range(n):
            ahead = q[j] + step[j] * (hi[j] - lo[j])
            if not blocked[j] and ((ahead > hi[j] and q[j] >= hi[j]) or (ahead < lo[j] and q[j] <= lo[j])):
                blocked[j] = more = True
        if not more:
            break
    for j in range(n):
        out[j] = min(hi[j], max(lo[j], q[j] + step[j] * (hi[j] - lo[j])))


def solve_pose(
    forward: PoseAndJacobian,
    limits: JointLimits,
    T_world_tip: ArrayLike,
    q0: ArrayLike,
    *,
    tolerance_m: float = 1e-9,
    tolerance_rad: float = 1e-8,
    angular_length_m: float = 0.1,
    starts: int = 100,
    iterations_per_start: int = 40,
    seed: int = 0,
) -> PoseSolution:
    """Find joint positions inside the limits whose tip has the wanted pose.

    Levenberg-Marquardt with damping that follows the error (Sugihara 2011: ``lambda = |e|²``, times a gain
    that falls with success and grows with failure), projected on the joint range, started from ``q0`` and
    then from seeded random configurations. The same seed gives the same answer. A start is given up as soon
    as it stops improving.

    Args:
        forward: Returns the tip pose ``(4, 4)`` and the Jacobian ``(6, n)``, world-aligned, linear first.
        limits: Joint limits.
        T_world_tip: Wanted pose, shape ``(4, 4)``.
        q0: First guess, shape ``(n,)``.
        tolerance_m: Largest position error [m].
        tolerance_rad: Largest orientation error [rad].
        angular_length_m: Length that weighs a radian against metres.
        starts: Most starting points.
        iterations_per_start: Most evaluations per start.
        seed: Of the random starting points.

    Raises:
        ShapeError: If the shapes do not fit.
    """
    wanted = np.ascontiguousarray(T_world_tip, dtype=np.float64)
    q = np.array(q0, dtype=np.float64)
    if wanted.shape != (4, 4) or q.shape != (limits.n,):
        raise ShapeError(
            f"solve_pose: expected a pose (4, 4) and q0 ({limits.n},), got {wanted.shape} and {q.shape}"
        )
    lo, hi = limits.q_min, limits.q_max
    rng = np.random.default_rng(seed)
    error, trial_error = np.empty(6), np.empty(6)
    best = PoseSolution(np.clip(q, lo, hi), False, math.inf, math.inf, 0, 0)
    best_cost, used = math.inf, 0
    for start in range(starts):
        q = np.clip(q if start == 0 else rng.uniform(lo, hi), lo, hi)
        pose, jacobian = forward(q)
        jacobian = np.array(jacobian)  # the arm may overwrite its own
        _error(wanted, pose, angular_length_m, error)
        cost, gain, trial = float(error @ error), 1.0, np.empty_like(q)
        used += 1
        reference, since = cost, 0
        for _ in range(iterations_per_start - 1):
            if _small(error, tolerance_m, tolerance_rad * angular_length_m):
                break
            _step(jacobian, error, angular_length_m, gain * cost + _LEAST_DAMPING, q, lo, hi, trial)
            pose, ahead = forward(trial)
            used += 1
            _error(wanted, pose, angular_length_m, trial_error)
            trial_cost = float(trial_error @ trial_error)
            if trial_cost < cost:
                q, trial = trial, q
                error, trial_error = trial_error, error
                cost, jacobian, gain = trial_cost, np.array(ahead), max(gain * 0.2, 1e-4)
            else:
                gain *= 10.0
                if gain > 1e6:
                    break
            since += 1
            if since == 8:
                if cost > 0.25 * reference:
                    break  # creeping along a limit or into a local minimum
                reference, since = cost, 0
        if cost < best_cost:
            best_cost = cost
            reached = _small(error, tolerance_m, tolerance_rad * angular_length_m)
            best = PoseSolution(
                q.copy(),
                reached,
                float(np.linalg.norm(error[:3])),
                float(np.linalg.norm(error[3:])) / angular_length_m,
                used,
                start + 1,
            )
            if reached:
                return best
    return PoseSolution(best.q, False, best.error_m, best.error_rad, used, starts)


def _small(error: Array, linear: float, angular: float) -> bool:
    return bool(error[:3] @ error[:3] <= linear * linear and error[3:] @ error[3:] <= angular * angular)
