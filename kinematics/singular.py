"""Singular directions of a task Jacobian, and the joint motion that leaves or passes them without a lurch.

The Jacobian is scaled to ``Jt = diag(scale) P J diag(qd_max)``, so that a joint counts by its full speed and
a row by metres. A singular value is then a speed [m/s]: how fast the tip moves in that direction while the
joints run at full speed (root sum square).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from kinematics.compiled import kernel

Array = NDArray[np.float64]

_SWEEPS = 20
_ORTHOGONAL = 1e-14


@kernel
def decompose(jacobian: Array, left: Array, right: Array, sigma: Array) -> None:
    """Write the singular value decomposition ``Jt = Σ_i sigma_i left_i right_iᵀ``, unsorted.

    One-sided Jacobi (Hestenes): rotates pairs of rows of ``Jt`` until all are orthogonal. It is exact for
    small singular values and needs no LAPACK call.

    Args:
        jacobian: ``Jt``, shape ``(m, n)``.
        left: Result, shape ``(m, m)``, row ``i`` is a unit direction of the task.
        right: Result, shape ``(m, n)``, row ``i`` is a unit direction of the joints, or zero where
            ``sigma_i`` vanishes.
        sigma: Result, shape ``(m,)``, >= 0.
    """
    m, n = jacobian.shape
    for i in range(m):
        for j in range(n):
            right[i, j] = jacobian[i, j]
        for k in range(m):
            left[i, k] = 1.0 if i == k else 0.0
    square = np.empty(m)
    for _ in range(_SWEEPS):
        rotated = False
        for i in range(m):  # anew in each sweep, so that rounding does not pile up
            square[i] = 0.0
            for j in range(n):
                square[i] += right[i, j] * right[i, j]
        for p in range(m - 1):
            for r in range(p + 1, m):
                pr = 0.0
                for j in range(n):
                    pr += right[p, j] * right[r, j]
                pp, rr = square[p], square[r]
                if abs(pr) <= _ORTHOGONAL * math.sqrt(pp * rr) or pp * rr == 0.0:
                    continue
                rotated = True
                zeta = (rr - pp) / (2.0 * pr)
                tan = 1.0 / (abs(zeta) + math.sqrt(1.0 + zeta * zeta))
                if zeta < 0.0:
                    tan = -tan
                cos = 1.0 / math.sqrt(1.0 + tan * tan)
                sin = cos * tan
                square[p], square[r] = max(0.0, pp - tan * pr), rr + tan * pr
                for j in range(n):
                    x, y = right[p, j], right[r, j]
                    right[p, j] = cos * x - sin * y
                    right[r, j] = sin * x + cos * y
                for k in range(m):
                    x, y = left[p, k], left[r, k]
                    left[p, k] = cos * x - sin * y
                    left[r, k] = sin * x + cos * y
        if not rotated:
            break
    largest = 0.0
    for i in range(m):
        total = 0.0
        for j in range(n):
            total += right[i, j] * right[i, j]
        sigma[i] = math.sqrt(total)
        largest = max(largest, sigma[i])
    for i in range(m):
        # Below rounding of the largest one, the direction is noise.
        alive = sigma[i] > 1e-13 * largest
        for j in range(n):
            right[i, j] = right[i, j] / sigma[i] if alive else 0.0
        if not alive:
            sigma[i] = 0.0
    for i in range(m):
        if sigma[i] == 0.0:
            _complete(right, i)


@kernel
def _complete(right: Array, i: int) -> None:
    """Set row ``i`` (zero) to a unit vector orthogonal to all other rows, if there is one."""
    m, n = right.shape
    best = np.zeros(n)
    longest = 1e-3
    for axis in range(n):
        trial = np.zeros(n)
        trial[axis] = 1.0
        for _ in range(2):  # twice is enough for full precision
            for k in range(m):
                dot = 0.0
                for j in range(n):
                    dot += right[k, j] * trial[j]
                for j in range(n):
                    trial[j] -= dot * right[k, j]
        length = math.sqrt((trial * trial).sum())
        if length > longest:
            longest = length
            best = trial / length
    for j in range(n):
        right[i, j] = best[j]


@kernel
def curvature(jacobian: Array, v: Array, out: Array) -> None:
    """Write ``Jdot v`` to ``out`` (6,): the tip acceleration [m/s², rad/s²] of constant joint velocity ``v``.

    Needs nothing but the geometric Jacobian (6, n), world-aligned at the tip, linear first, joints from base
    to tip: ``dJ_i/dq_k`` is ``w_k x J_i`` for ``k < i``, and ``w_i x lin_k`` in the linear part otherwise,
    where ``w`` is the angular part of a column (zero for a prismatic joint).
    """
    n = jacobian.shape[1]
    tx = ty = tz = 0.0  # velocity of the tip from joint i on
    for i in range(n):
        tx += jacobian[0, i] * v[i]
        ty += jacobian[1, i] * v[i]
        tz += jacobian[2, i] * v[i]
    ox = oy = oz = 0.0  # angular velocity of the link before joint i
    lx = ly = lz = ax = ay = az = 0.0
    for i in range(n):
        px, py, pz = jacobian[0, i] * v[i], jacobian[1, i] * v[i], jacobian[2, i] * v[i]
        wx, wy, wz = jacobian[3, i] * v[i], jacobian[4, i] * v[i], jacobian[5, i] * v[i]
        lx += oy * pz - oz * py + wy * tz - wz * ty
        ly += oz * px - ox * pz + wz * tx - wx * tz
        lz += ox * py - oy * px + wx * ty - wy * tx
        ax += oy * wz - oz * wy
        ay += oz * wx - ox * wz
        az += ox * wy - oy * wx
        ox, oy, oz = ox + wx, oy + wy, oz + wz
        tx, ty, tz = tx - px, ty - py, tz - pz
    out[0], out[1], out[2], out[3], out[4], out[5] = lx, ly, lz, ax, ay, az


@kernel
def singular_rate(
    sigma: float, threshold: float, speed: float, bend: float, acceleration: float, period: float
) -> float:
    """Return the joint speed ``y`` along a singular direction that follows the tip speed ``speed``.

    It is ``speed / sigma`` far from the singularity. Below ``threshold`` (``s0``) the gain falls to zero
    with ``sigma``:

        ``y = speed * sigma / max(sigma², s0², 2 T |speed * bend|)``,

    so the joints never run faster than ``speed / s0``, and the tip gets the fraction ``(sigma / s0)²`` of
    what was asked.

    ``bend`` [m/s²] is the second derivative of the tip along this direction, so ``d sigma/dt = bend * y``. A
    step *towards* the singularity (``speed * bend < 0``) must not cross it, or an arm that is pulled beyond
    its reach flips its elbow to and fro: hence the last term, the curvature that Gauss-Newton neglects; and
    ``y`` stays below the speed that can still be braked over the way that is left, ``sigma / |bend|``, as at
    the end of a joint's range.

    A motion *away* from it gets at least the gain of ``s0/4``; else an arm that was pulled at its boundary
    for long would stick there when it is called back, and then lurch. The floor fades in with ``bend`` over
    ``s0 / 0.1 s``, so that a direction without curvature (a wrist singularity) has none.

    Args:
        sigma: Singular value [m/s].
        threshold: ``s0`` [m/s].
        speed: Tip speed asked in this direction [m/s].
        bend: See above.
        acceleration: Largest change of ``y`` [1/s] that the joints allow [1/s²].
        period: Tick ``T`` [s].
    """
    square = max(sigma * sigma, threshold * threshold)
    if speed * bend < 0.0:
        rate = sigma * abs(speed) / max(square, -2.0 * period * speed * bend)
        left = sigma / abs(bend)
        rate = min(rate, acceleration * (math.sqrt(period * period + 2.0 * left / acceleration) - period))
        return math.copysign(rate, speed)
    floor = 0.25 * min(threshold, 0.1 * abs(bend)) if speed * bend > 0.0 else 0.0
    return speed * max(sigma, floor) / square
