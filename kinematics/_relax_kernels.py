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
MARGIN = 1e-7
"""Room left around a relaxed row, in scaled units: 1e-10 m per tick for a body at 1 m/s.

A feasible set without an inside reads as infeasible to the solver."""
SOFT = 8
"""What DAQP calls a row that may be missed at a cost."""


@kernel
def room(priority: int) -> float:
    """How much lower a row is taken before any gives way, so that opposite soft ones have an inside."""
    return MARGIN if priority > 0 else 0.0


@kernel
def ceilings(
    priority: Index, max_slack: Array, to_stop: Array, lowest: int, ceiling: Array, slack: Array
) -> None:
    """Write how far each row may give way, and how far it does so to begin with, shape ``(k,)`` each.

    Rows of ``lowest`` priority number and above may, soft ones up to ``max_slack``. Where hard rows must give
    way as well, at most down to what the stop step gives, soft ones go as far. To begin with there is `room`.
    """
    for i in range(len(priority)):
        most = max_slack[i] if priority[i] > 0 else 0.0
        if lowest == 0:
            most = max(most, to_stop[i])
        ceiling[i] = most if priority[i] >= lowest else 0.0
        slack[i] = room(priority[i])


@kernel
def give(slack: Array, priority: Index, level: int, costly: Index, found: Array) -> None:
    """Let the rows of one level give way as far as was ``found`` for the ``costly`` ones, and an inside."""
    for k in range(len(costly)):
        slack[costly[k]] += max(0.0, found[k])
    for i in range(len(slack)):
        if priority[i] == level:
            slack[i] += MARGIN


@kernel
def priced(
    rows: Array,
    bound: Array,
    slack: Array,
    priority: Index,
    level: int,
    weight: Array,
    ceiling: Array,
    least: float,
) -> tuple[Array, Array, Array, Index]:
    """Each row at its ceiling for nothing, then those of the ``level`` as asked at a cost: what may give way.

    Rows of a higher priority number give way for nothing, those of a lower one keep the ``slack`` they have.

    Returns:
        The rows (k + p, n), their bounds and costs, and which rows the last p are.
    """
    k, n = rows.shape
    heaviest, count = 1e-300, 0
    gives = np.zeros(k)
    for i in range(k):
        if priority[i] >= level and ceiling[i] > least:  # the stop meets the other ones
            gives[i] = ceiling[i]
            if priority[i] == level:
                heaviest = max(heaviest, weight[i])
                count += 1
    out, of = np.empty((k + count, n)), np.empty(k + count)
    cost, costly = np.zeros(k + count), np.empty(count, np.int64)
    at = k
    for i in range(k):
        of[i] = bound[i] - slack[i] - gives[i]
        for j in range(n):
            out[i, j] = rows[i, j]
        if priority[i] == level and gives[i] > 0.0:
            # Relative weights beyond 1e3 would drown the curvature in rounding.
            cost[at] = SLACK_COST * min(1.0, max(1e-3, weight[i] / heaviest))
            of[at], costly[at - k] = bound[i] - slack[i], i
            for j in range(n):
                out[at, j] = rows[i, j]
            at += 1
    return out, of, cost, costly


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
