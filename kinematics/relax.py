"""What gives way, and by how little, when the rows of a tick cannot all be met."""

from __future__ import annotations

import math

import daqp
import numpy as np
from numpy.typing import NDArray

from kinematics._relax_kernels import SLACK_COST, SLACK_CURVATURE, UNBOUNDED, priced, problem, slacks, take_in

Array = NDArray[np.float64]
Index = NDArray[np.int64]
Mask = NDArray[np.bool_]

PRIMAL_TOL = 1e-10
"""DAQP's default of 1e-6 is absolute: a micrometre. See research notes; rows here have unit length."""

_PROXIMAL_STEPS = 12
_SETTLED = 1e-9
MARGIN = 1e-7
"""Room left around a relaxed row, in scaled units: 1e-10 m per tick for a body at 1 m/s.

A feasible set without an inside reads as infeasible to the solver."""
_OPTIMAL = (1, 2)
"""DAQP's answers with no soft row missed, and with some."""
_FIRST_ROWS = 16
"""How many rows the search for the least slack takes in at first; then twice as many each time."""


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
        hessian,
        linear,
        rows,
        upper,
        lower,
        sense,
        primal_tol=PRIMAL_TOL,
        iter_limit=limit,
        w_soft=SLACK_COST,
        rho_soft=1.0 / SLACK_CURVATURE,
    )
    if flag not in _OPTIMAL:
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

    Soft rows that only lack an inside, as opposite ones do, get that and nothing else. Otherwise, and beyond
    that, in the declared order: rows with the highest priority number give way first, up to ``max_slack``;
    within a priority the weighted sum of slack is smallest (L1: as few rows as possible give way). Only if
    all soft rows together do not suffice do hard rows give way, at most down to what the stop step ``stop``
    gives; soft rows then go as far too. So a solution always exists: ``stop`` itself.

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
    inside = np.where(priority > 0, MARGIN, 0.0)
    if inside.any() and _has_inside(rows, bound - inside, lo, hi, target, limit):
        return inside
    to_stop = slack_of_stop(rows, bound, stop)
    levels = sorted({0, *priority.tolist()}, reverse=True)
    for lowest in levels:
        ceiling = np.where(priority > 0, max_slack, 0.0)
        if lowest == 0:
            ceiling = np.maximum(ceiling, to_stop)
        ceiling = np.where(priority >= lowest, ceiling, 0.0)
        fixed = inside
        for level in (p for p in reversed(levels) if p >= lowest):
            paid = priority == level
            free = priority > level
            found = _minimise(rows, bound - fixed, paid, free, weight, ceiling, lo, hi, target, limit)
            if found is None:
                break
            fixed = np.where(paid, fixed + found + MARGIN, fixed)
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
        np.concatenate([hi, np.full(k, UNBOUNDED)]),
        np.concatenate([lo, bound]),
        np.zeros(n + k, dtype=np.int32),
        limit,
    )
    return found is not None and bool((rows @ found[0] >= bound - PRIMAL_TOL).all())


def _minimise(
    rows: Array,
    bound: Array,
    paid: Mask,
    free: Mask,
    weight: Array,
    ceiling: Array,
    lo: Array,
    hi: Array,
    target: Array,
    limit: int,
) -> Array | None:
    """Least weighted slack of the ``paid`` rows while the ``free`` ones cost nothing; None if infeasible.

    A linear program by proximal steps: each QP is well conditioned, and a few of them end it.
    """
    k = len(bound)
    rows, bound, cost, costly = priced(rows, bound, paid, free, weight, ceiling, 2.0 * MARGIN)
    used = np.zeros(len(bound), dtype=np.bool_)
    y, slack = target, np.zeros(len(bound))
    best: Array | None = None
    least, settled = np.inf, _SETTLED * SLACK_COST
    for _ in range(_PROXIMAL_STEPS):
        found = _proximal_step(rows, bound, cost, lo, hi, y, slack, used, limit)
        if found is None:
            break
        y, slack, total = found
        if total < least:
            best = slack
        if total <= settled or total > least - settled:
            break
        least = total
    if best is None:
        return None
    result = np.zeros(k)
    result[costly] = np.clip(best[k:], 0.0, None)
    return result


def _proximal_step(
    rows: Array,
    bound: Array,
    cost: Array,
    lo: Array,
    hi: Array,
    centre: Array,
    centre_slack: Array,
    used: Mask,
    limit: int,
) -> tuple[Array, Array, float] | None:
    """Point and slacks ``(y, s)`` of least cost near the centre, and that cost; or None.

    Minimises ``cost . s + ½ |y - centre|² + ½ c |s|²`` over the box with ``rows y + s >= bound``, ``s >= 0``,
    and ``s = 0`` where a row has no cost. Few rows matter, so the QP has only the ``used`` ones, and takes in
    the worst of those that its solution does not meet until there is none: then it solves all of them.

    The solver has slacks of its own, all of one cost. A row of a lower one gets a variable instead, which is
    slower: the solver first takes up every such variable.
    """
    y, batch = np.clip(centre, lo, hi), _FIRST_ROWS
    slack, total = centre_slack, math.inf
    while True:
        missed = take_in(rows, bound, y, used, batch, PRIMAL_TOL)
        if not missed and total < math.inf:
            return y, slack, total
        batch *= 2
        found = solve_qp(*problem(rows, bound, cost, lo, hi, centre, centre_slack, used), limit)
        if found is None or not np.isfinite(found[0]).all():
            return None
        y = found[0][: len(lo)]
        slack, total = slacks(rows, bound, cost, used, found[0])
