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
_PROXIMAL_STEPS = 12
_SETTLED = 1e-9
_SLACK_CURVATURE = 0.1
MARGIN = 1e-7
"""Room left around a relaxed row, in scaled units: 1e-10 m per tick for a body at 1 m/s.

A feasible set without an inside reads as infeasible to the solver."""
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

    None unless the solver says "optimal". The caller checks the residuals itself: an infeasible answer can
    look plausible.
    """
    x, _, flag, info = daqp.solve(
        hessian, linear, rows, upper, lower, sense, primal_tol=PRIMAL_TOL, iter_limit=limit
    )
    if flag != 1:
        return None
    return x, info["lam"]


def slack_of_stop(rows: Array, bound: Array, stop: Array) -> Array:
    """Return how far each row may at most give way, shape ``(k,)``: down to what the stop step gives."""
    return np.maximum(bound - rows @ stop, 0.0) + MARGIN


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
) -> Array:
    """Return the slack per row, shape ``(k,)``, that makes ``rows y >= bound - slack`` feasible.

    Rows that only lack an inside, as opposite ones do, get that and nothing else. Otherwise, in the declared
    order: rows with the highest priority number give way first, up to ``max_slack``; within a
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
    if (priority > 0).any():
        inside = np.where(priority > 0, MARGIN, 0.0)
        if _has_inside(rows, bound - inside, lo, hi, target, limit):
            return inside
    to_stop = slack_of_stop(rows, bound, stop)
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
            fixed = np.where(paid, found + MARGIN, fixed)
        else:
            return fixed
    # The solver gave up on a degenerate set: what the stop needs is always enough.
    return to_stop


def _has_inside(rows: Array, bound: Array, lo: Array, hi: Array, target: Array, limit: int) -> bool:
    """Whether the solver finds a point of the box with ``rows y >= bound``: one QP without slacks."""
    n, k = len(lo), len(bound)
    found = solve_qp(
        np.eye(n),
        -target,
        rows,
        np.concatenate([hi, np.full(k, _UNBOUNDED)]),
        np.concatenate([lo, bound]),
        np.zeros(n + k, dtype=np.int32),
        limit,
    )
    return found is not None and bool((rows @ found[0] >= bound - PRIMAL_TOL).all())


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
    slack = np.flatnonzero((paid | free) & (ceiling > 2.0 * MARGIN))  # the stop meets the other ones
    m = len(slack)
    hessian = np.diag(np.concatenate([np.ones(n), np.full(m, _SLACK_CURVATURE)]))
    # Relative weights beyond 1e3 would drown the curvature in rounding.
    relative = np.clip(weight / max(weight[paid].max(initial=0.0), 1e-300), 1e-3, 1.0)
    cost = _SLACK_COST * np.where(paid, relative, 0.0)[slack]
    extended = np.zeros((k, n + m))
    extended[:, :n] = rows
    extended[slack, n + np.arange(m)] = 1.0
    lower = np.concatenate([lo, np.zeros(m), bound])
    upper = np.concatenate([hi, np.minimum(ceiling[slack], _UNBOUNDED), np.full(k, _UNBOUNDED)])
    sense = np.zeros(n + m + k, dtype=np.int32)
    centre = np.concatenate([target, np.zeros(m)])
    best: Array | None = None
    least = np.inf
    # A linear program by proximal steps: each QP is well conditioned, and a few of them end it.
    for _ in range(_PROXIMAL_STEPS):
        linear = np.concatenate([np.zeros(n), cost]) - np.diag(hessian) * centre
        found = solve_qp(hessian, linear, extended, upper, lower, sense, limit)
        if found is None or not np.isfinite(found[0]).all():
            break
        centre = found[0]
        total = float(cost @ centre[n:])
        if total < least:
            best = centre[n:]
        if total > least - _SETTLED * _SLACK_COST:
            break
        least = total
    if best is None:
        return None
    result = np.zeros(k)
    result[slack] = np.clip(best, 0.0, None)
    return result
