"""What gives way, and by how little, when the rows of a tick cannot all be met."""

from __future__ import annotations

import math

import daqp
import numpy as np
from numpy.typing import NDArray

from kinematics._relax_kernels import (
    MARGIN,
    SLACK_COST,
    SLACK_CURVATURE,
    ceilings,
    give,
    priced,
    problem,
    slacks,
    take_in,
)

Array = NDArray[np.float64]
Index = NDArray[np.int64]
Mask = NDArray[np.bool_]

PRIMAL_TOL = 1e-10
"""DAQP's default of 1e-6 is absolute: a micrometre. See research notes; rows here have unit length."""

_PROXIMAL_STEPS = 12
_SETTLED = 1e-9
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
    damping: float = 0.0,
) -> tuple[Array, Array] | None:
    """Return ``(x, duals)`` minimising ``½ xᵀHx + fᵀx`` with ``lower <= (x, rows x) <= upper``, or None.

    None unless the solver says "optimal". The caller checks the residuals itself: an infeasible answer can
    look plausible. With ``damping`` the solver gets there by proximal steps, each as well conditioned as
    ``H + damping I``: it meets the conditions of the same optimum to 1e-6, and a thin feasible set is not
    taken for an empty one.
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
        eps_prox=damping,
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

    In the declared order: rows with the highest priority number give way first, up to ``max_slack``; within
    a priority the weighted sum of slack is smallest (L1: as few rows as possible give way). Only if all soft
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
    to_stop = slack_of_stop(rows, bound, stop)
    levels = sorted({0, *priority.tolist()}, reverse=True)
    ceiling, slack = np.empty(len(bound)), np.empty(len(bound))
    for lowest in levels:
        ceilings(priority, max_slack, to_stop, lowest, ceiling, slack)
        for level in (p for p in reversed(levels) if p >= lowest):
            A, b, cost, costly = priced(rows, bound, slack, priority, level, weight, ceiling, 2.0 * MARGIN)
            found = _minimise(A, b, cost, len(costly), lo, hi, target, limit)
            if found is None:
                break
            give(slack, priority, level, costly, found)
        else:
            return slack
    # The solver gave up on a degenerate set: what the stop needs is always enough.
    return to_stop


def _minimise(
    rows: Array,
    bound: Array,
    cost: Array,
    costly: int,
    lo: Array,
    hi: Array,
    target: Array,
    limit: int,
) -> Array | None:
    """Least weighted slack of the last ``costly`` rows, the ones that cost something; None if infeasible.

    A linear program by proximal steps: each QP is well conditioned, and a few of them end it.
    """
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
    return None if best is None else best[len(bound) - costly :]


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
