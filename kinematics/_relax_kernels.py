"""Compiled stages around the QPs of `kinematics.relax`: what is missing, the next problem, its slacks."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kinematics.compiled import kernel

Array = NDArray[np.float64]
Index = NDArray[np.int64]
Mask = NDArray[np.bool_]
Sense = NDArray[np.int32]

SLACK_COST = 1e3
SLACK_CURVATURE = 0.1
UNBOUNDED = 1e30
SOFT = 8
"""What DAQP calls a row that may be missed at a cost."""


@kernel
def take_in(rows: Array, bound: Array, y: Array, used: Mask, most: int, tolerance: float) -> int:
    """Mark as ``used`` (k,) the worst rows, at most ``most``, of those that ``y`` (n,) misses; how many."""
    k, n = rows.shape
    missing = np.zeros(k)
    for i in range(k):
        if not used[i]:
            missing[i] = bound[i]
            for j in range(n):
                missing[i] -= rows[i, j] * y[j]
    for count in range(most):
        worst, value = -1, tolerance
        for i in range(k):
            if missing[i] > value and not used[i]:
                worst, value = i, missing[i]
        if worst < 0:
            return count
        used[worst] = True
    return most


@kernel
def problem(
    rows: Array,
    bound: Array,
    cost: Array,
    lo: Array,
    hi: Array,
    centre: Array,
    centre_slack: Array,
    used: Mask,
) -> tuple[Array, Array, Array, Array, Array, Sense]:
    """The QP of the ``used`` rows: Hessian, linear part, rows, upper and lower bounds, their sense.

    Its variables are ``y`` (n,), then a slack for each used row that costs something else than `SLACK_COST`.
    """
    n = rows.shape[1]
    r = m = 0
    for i in range(len(used)):
        if used[i]:
            r += 1
            m += 0.0 < cost[i] != SLACK_COST
    H, f, A = np.zeros((n + m, n + m)), np.empty(n + m), np.zeros((r, n + m))
    upper, lower, sense = np.empty(n + m + r), np.zeros(n + m + r), np.zeros(n + m + r, np.int32)
    for j in range(n):
        H[j, j], f[j], upper[j], lower[j] = 1.0, -centre[j], hi[j], lo[j]
    upper[n:] = UNBOUNDED
    row, column = 0, n
    for i in range(len(used)):
        if not used[i]:
            continue
        for j in range(n):
            A[row, j] = rows[i, j]
        lower[n + m + row] = bound[i]
        if cost[i] == SLACK_COST:
            sense[n + m + row] = SOFT
        elif cost[i] > 0.0:
            A[row, column] = 1.0
            H[column, column] = SLACK_CURVATURE
            f[column] = cost[i] - SLACK_CURVATURE * centre_slack[i]
            column += 1
        row += 1
    return H, f, A, upper, lower, sense


@kernel
def slacks(rows: Array, bound: Array, cost: Array, used: Mask, x: Array) -> tuple[Array, float]:
    """The slack of each row, (k,), in the solution ``x`` of `problem`, and what all of them cost."""
    k, n = rows.shape
    slack, total, column = np.zeros(k), 0.0, n
    for i in range(k):
        if not used[i] or not cost[i] > 0.0:
            continue
        if cost[i] == SLACK_COST:
            lack = bound[i]
            for j in range(n):
                lack -= rows[i, j] * x[j]
            slack[i] = max(0.0, lack)
        else:
            slack[i] = x[column]
            column += 1
        total += cost[i] * slack[i]
    return slack, total
