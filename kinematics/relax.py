"""What gives way, and by how little, when the rows of a tick cannot all be met."""

from __future__ import annotations

import daqp
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Index = NDArray[np.int64]

PRIMAL_TOL = 1e-10
"""DAQP's default of 1e-6 is absolute: a micrometre. See research notes; rows here have unit length."""

_SLACK_COST = 1e3
_SLACK_CURVATURE = 1e-3
_MARGIN = 1e-9
_UNBOUNDED = 1e30


def solve_qp(
    hessian: Array,
    linear: Array,
    rows: Array,
    upper: Array,
    lower: Array,
    sense: NDArray[np.int32],
    limit: int,
) -> tuple[Array, Array] | None:
    """Return ``(x, duals)`` minimising ``½ xᵀHx + fᵀx`` with ``lower <= (x, rows x) <= upper``, or None.

    None unless the solver says "optimal" and the answer is finite. The caller checks the residuals itself:
    an infeasible answer can look plausible.
    """
    x, _, flag, info = daqp.solve(
        hessian, linear, rows, upper, lower, sense, primal_tol=PRIMAL_TOL, iter_limit=limit
    )
    if flag != 1 or not np.isfinite(x).all():
        return None
    return x, info["lam"]


def least_slack(
    rows: Array,
    bound: Array,
    priority: Index,
    weight: Array,
    max_slack: Array,
    lo: Array,
    hi: Array,
    target: Array,
    stop: Array,
    limit: int,
) -> Array | None:
    """Return the slack per row, shape ``(k,)``, that makes ``rows y >= bound - slack`` feasible, or None.

    Declared order: rows with the highest priority number give way first, up to ``max_slack``; within a
    priority the weighted sum of slack is smallest (L1: as few rows as possible give way). Only if all soft
    rows together do not suffice do hard rows give way, at most down to what the stop step ``stop`` gives;
    soft rows then go as far too. So a solution always exists: ``stop`` itself.

    Args:
        rows: Unit rows, shape ``(k, n)``, for scaled joint speeds.
        bound: Shape ``(k,)``.
        priority: Shape ``(k,)``, 0 is hard.
        weight: Shape ``(k,)``.
        max_slack: Shape ``(k,)``, in the units of ``bound``.
        lo: Lower box of ``y``, shape ``(n,)``.
        hi: Upper box of ``y``, shape ``(n,)``.
        target: Wanted ``y``; only breaks ties.
        stop: The stop step, shape ``(n,)``, inside the box.
        limit: Iteration cap per QP.
    """
    to_stop = np.maximum(bound - rows @ stop, 0.0) + _MARGIN
    levels = sorted({int(p) for p in priority} | {0}, reverse=True)
    for lowest in levels:
        ceiling = np.where(priority > 0, max_slack, 0.0)
        if lowest == 0:
            ceiling = np.maximum(ceiling, to_stop)
        ceiling = np.where(priority >= lowest, ceiling, 0.0)
        fixed = np.zeros_like(bound)
        for level in (p for p in reversed(levels) if p >= lowest):
            paid = priority == level
            free = priority > level
            found = _minimise(rows, bound - fixed, paid, free, weight, ceiling, lo, hi, target, limit)
            if found is None:
                break
            fixed = np.where(paid, found + _MARGIN, fixed)
        else:
            return fixed
    return None


def _minimise(
    rows: Array,
    bound: Array,
    paid: NDArray[np.bool_],
    free: NDArray[np.bool_],
    weight: Array,
    ceiling: Array,
    lo: Array,
    hi: Array,
    target: Array,
    limit: int,
) -> Array | None:
    """Least weighted slack of the ``paid`` rows while the ``free`` ones cost nothing; None if infeasible."""
    n, k = len(lo), len(bound)
    slack = np.flatnonzero(paid | free)
    m = len(slack)
    hessian = np.diag(np.concatenate([np.ones(n), np.full(m, _SLACK_CURVATURE)]))
    # Relative weights beyond 1e3 would drown the curvature in rounding.
    cost = np.where(paid, np.clip(weight / max(weight[paid].max(initial=0.0), 1e-300), 1e-3, 1.0), 0.0)
    linear = np.concatenate([-target, _SLACK_COST * cost[slack]])
    extended = np.zeros((k, n + m))
    extended[:, :n] = rows
    extended[slack, n + np.arange(m)] = 1.0
    lower = np.concatenate([lo, np.zeros(m), bound])
    upper = np.concatenate([hi, np.minimum(ceiling[slack], _UNBOUNDED), np.full(k, _UNBOUNDED)])
    found = solve_qp(hessian, linear, extended, upper, lower, np.zeros(n + m + k, dtype=np.int32), limit)
    if found is None:
        return None
    result = np.zeros(k)
    result[slack] = np.clip(found[0][n:], 0.0, None)
    return result
