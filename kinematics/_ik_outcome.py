"""Compiled, after the QP of `kinematics.ik`: what is sent, who took motion away, and the checks."""

from __future__ import annotations

import math

import numpy as np

from kinematics._ik_memory import Array, Codes, Index, Limits, Workspace, limits_in, workspace_in
from kinematics._ik_problem import INVALID, QP
from kinematics.compiled import kernel
from kinematics.joint_bounds import ACCELERATION, POSITION, keep_stop_in_range
from kinematics.tracking import ACCELERATION_LIMIT, HOLD, POSITION_LIMIT, ROWS, SPEED_LIMIT

MET_TOL = 1e-9
"""A row that lacks less than this [m per tick] counts as met."""

LOST_TOL = 1e-9
"""A limiter that took less than this [m or rad per tick] from every task row did not act."""


@kernel
def _cholesky(H: Array) -> Array:
    """Lower ``L (n, n)`` with ``L Lᵀ = H``; `_objective` bounds the eigenvalues of ``H`` from below."""
    n = H.shape[0]
    L = np.zeros((n, n))
    for r in range(n):
        for c in range(r + 1):
            total = H[r, c]
            for k in range(c):
                total -= L[r, k] * L[c, k]
            L[r, c] = math.sqrt(max(total, 1e-300)) if r == c else total / L[c, c]
    return L


@kernel
def _attribute(
    duals: Array,
    kept: int,
    period: float,
    arm: Limits,
    work: Workspace,
    scaled: Array,
    given: Index,
    lost: Array,
    joint_active: Codes,
    active: Index,
    shift: Array,
) -> int:
    """Divide the motion that the QP took away among the bounds and rows that took it.

    Exact by the optimality condition ``y - y* = -H⁻¹ Σ lambda_i a_i``.

    Returns:
        How many given rows have a multiplier. ``active`` receives their indices, ``shift`` the task motion
        each one caused [row units per tick].
    """
    m, n = work.rows.shape
    factor = _cholesky(work.hessian)
    at = 0
    step = np.empty(n)
    for i in range(n + kept):
        if duals[i] == 0.0:
            continue
        for r in range(n):  # factor factorᵀ step = a_i
            total = scaled[i - n, r] if i >= n else (1.0 if r == i else 0.0)
            for c in range(r):
                total -= factor[r, c] * step[c]
            step[r] = total / factor[r, r]
        for r in range(n - 1, -1, -1):
            total = step[r]
            for c in range(r + 1, n):
                total -= factor[c, r] * step[c]
            step[r] = total / factor[r, r]
        stage = ROWS
        if i < n:
            reason = work.lo_reason[i] if duals[i] < 0.0 else work.hi_reason[i]
            joint_active[i] = reason
            stage = SPEED_LIMIT
            if reason == POSITION:
                stage = POSITION_LIMIT
            elif reason == ACCELERATION:
                stage = ACCELERATION_LIMIT
        else:
            active[at] = given[i - n]
        for k in range(m):
            moved = 0.0
            for r in range(n):
                moved -= work.rows[k, r] * duals[i] * step[r] * arm.qd_max[r] * period
            lost[stage, k] -= moved
            if i >= n:
                shift[at, k] = moved
        at += i >= n
    return at


@kernel
def _lengths(motions: Array, count: int, out: Array) -> None:
    """Length [m] of the linear part, the first three columns, of the first ``count`` rows ``(k, m)``."""
    for i in range(count):
        total = 0.0
        for k in range(min(3, motions.shape[1])):
            total += motions[i, k] * motions[i, k]
        out[i] = math.sqrt(total)


@kernel
def finish(
    y: Array,
    duals: Array,
    kept: int,
    code: int,
    solved: bool,
    q: Array,
    A: Array,
    b: Array,
    period: float,
    block: Array,
    codes: Codes,
    scaled: Array,
    given: Index,
    v: Array,
    slack: Array,
    lost: Array,
    joint_active: Codes,
    active: Index,
    shift: Array,
    taken: Array,
) -> tuple[int, bool, int]:
    """Write the velocity to send, who took motion away, and how far each row is from being met.

    The solver's rounding is cut to the box, and the stop after the step is kept inside the joint ranges.
    Without a solution (``solved`` false) ``v`` is the stop. ``y`` is read only where a QP was solved, and
    ``duals`` with it. ``taken`` receives the lengths of the linear parts of ``lost``, then of ``shift``.

    Returns:
        How many rows are active, see `_attribute`; whether any limiter but the catching up took a notable
        part of the motion; how many rows are not met.
    """
    m, n = lost.shape[1], q.shape[0]
    arm, work = limits_in(block, n), workspace_in(block, codes, n, m)
    count = 0
    if solved and code == QP:
        count = _attribute(
            duals, kept, period, arm, work, scaled, given, lost, joint_active, active, shift
        )  # fmt: skip
    for j in range(n):
        if solved:
            fraction = y[j] if code == QP else work.reach[j]
            v[j] = min(work.hi[j], max(work.lo[j], fraction * arm.qd_max[j]))
        else:
            v[j] = work.stop[j]
    if code == INVALID:
        _lengths(lost, lost.shape[0], taken)
        return 0, False, 0
    before = np.empty(n)
    for j in range(n):
        before[j] = v[j] if solved else work.target[j] * arm.qd_max[j]
    if solved:
        keep_stop_in_range(q, v, work.stop, arm.q_min, arm.q_max, arm.a, period)
    for k in range(m):
        moved = 0.0
        for j in range(n):
            moved += work.rows[k, j] * (before[j] - v[j])
        lost[HOLD, k] = moved * period
    unmet = 0
    for i in range(b.shape[0]):
        value = 0.0
        for j in range(n):
            value += A[i, j] * v[j] * period
        slack[i] = max(0.0, b[i] - value)
        unmet += slack[i] > MET_TOL
    limited = False
    for stage in range(1, lost.shape[0]):
        for k in range(m):
            limited = limited or abs(lost[stage, k]) > LOST_TOL
    _lengths(lost, lost.shape[0], taken)
    _lengths(shift, count, taken[lost.shape[0] :])
    return count, limited, unmet


@kernel
def worst_residual(scaled: Array, lower: Array, kept: int, y: Array) -> float:
    """Return the largest violation of ``scaled y >= lower[n:]``, at least 0; inf if ``y`` is no number."""
    n = y.shape[0]
    worst = 0.0
    if not np.isfinite(y).all():
        return math.inf
    for i in range(kept):
        value = 0.0
        for j in range(n):
            value += scaled[i, j] * y[j]
        worst = max(worst, lower[n + i] - value)
    return worst
