"""From constraint rows to planes in front of the hand, so that a device can close the spring itself.

A row of a fixture says how a small joint step changes its clearance, ``dc = a . dq``. With the tip's Jacobian
J and its inverse (least squares where an arm has joints to spare; with the shaft's offsets held where it goes
through a trocar) the same row seen from the tip, its orientation held, is ``dc = (a J^+)_xyz . dx = g . dx``,
a half-space ``n . x >= n . x_c - c / |g|`` with ``n = g / |g|``, also where it is the shaft that is near.

The hand is tied to the tip by ``x = x_d + s R_wm (p - p_h)``, so in the master's frame

    n_m = R_wm^T n,        n_m . p >= n_m . p_h + (n . (x_c - x_d) - c / |g|) / s

A fixture that presses but has no clearance to a solid (a tube, a trocar that moves) gives the plane through
the tip that it pushes along. Inside a region c counts as zero: the plane lets nobody go deeper and throws
nobody out. Planes of one fixture that face the same way become the nearest of them; at most 16, nearest
first.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from teleop.compiled import kernel
from teleop.haptics.stability import Spring
from teleop.wire.messages import ConstraintPlane

Array = npt.NDArray[np.float64]
Index = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

MOST = 16
PLANES_AHEAD_M = 3e-3
"""Distance of a body to a solid from which on the hand gets its plane, m."""
_WEAK = 0.05
"""A row that the tip moves less than this, metre for metre, is not the hand's business."""
_ALIKE = math.cos(math.radians(3.0))
_SWEEPS = 100
_CONVERGED_M = 1e-8
CANDIDATES = 48
"""Rows looked at in a tick, nearest first."""


@kernel
def _solve(M: Array, X: Array) -> None:
    """``M X = [I 0]^T`` into ``X`` (6, 3) by Cholesky; ``M`` (6, 6) is positive definite and overwritten.

    Written out because compiling ``np.linalg.solve`` takes seconds, with every text of its error messages.
    """
    for i in range(6):
        for j in range(i + 1):
            total = M[i, j]
            for k in range(j):
                total -= M[i, k] * M[j, k]
            M[i, j] = math.sqrt(max(total, 1e-300)) if i == j else total / M[j, j]
    for c in range(3):
        for i in range(6):
            total = 1.0 if i == c else 0.0
            for k in range(i):
                total -= M[i, k] * X[k, c]
            X[i, c] = total / M[i, i]
        for i in range(5, -1, -1):
            total = X[i, c]
            for k in range(i + 1, 6):
                total -= M[k, i] * X[k, c]
            X[i, c] = total / M[i, i]


@kernel
def _tip_inverse(jacobian: Array, hold: Array) -> Array:
    """Joint motion for each metre of the tip, (n, 3): the inverse of ``hold jacobian``, first columns."""
    n = jacobian.shape[1]
    J = np.zeros((6, n))
    for i in range(6):
        for j in range(n):
            for k in range(6):
                J[i, j] += hold[i, k] * jacobian[k, j]
    # (J J^T + tiny) X = [I 0]^T; the inverse's first three columns are J^T X.
    M = np.zeros((6, 6))
    for i in range(6):
        for k in range(6):
            for j in range(n):
                M[i, k] += J[i, j] * J[k, j]
        M[i, i] += 1e-9
    X = np.zeros((6, 3))
    _solve(M, X)
    inverse = np.zeros((n, 3))
    for j in range(n):
        for c in range(3):
            for i in range(6):
                inverse[j, c] += J[i, j] * X[i, c]
    return inverse


@kernel
def _nearest(near: Mask, clearance: Array, most: int, owner: Index, ball: Index, room: Array) -> int:
    """Fixture, sphere and clearance, (k,) each, of the ``near`` pairs; of too many the nearest ones."""
    count, far = 0, 0
    for f in range(near.shape[0]):
        for i in range(near.shape[1]):
            if not near[f, i]:
                continue
            slot = count
            if count == most:
                if not clearance[f, i] < room[far]:
                    continue
                slot = far
            else:
                count += 1
            owner[slot], ball[slot], room[slot] = f, i, clearance[f, i]
            if count == most:
                far = int(room[:most].argmax())
    return count


@kernel
def tip_rows(
    near: Mask,
    clearance: Array,
    gradient: Array,
    jacobians: Array,
    jacobian: Array,
    hold: Array,
    owner: Index,
    room: Array,
    g: Array,
) -> int:
    """The rows that are near as the tip sees them, ``g = (A J^+)[:, :3]``; how many.

    Args:
        near: (F, m), and the next three: see `Near`.
        clearance: (F, m).
        gradient: (F, m, 3).
        jacobians: (m, 3, n).
        jacobian: (6, n) of the tip.
        hold: (6, 6) what is held while the tip's position moves: identity, or the task of a tool on a trocar.
        owner: (>= CANDIDATES,) out, fixture of each row.
        room: (>= CANDIDATES,) out, its clearance [m].
        g: (>= CANDIDATES, 3) out.
    """
    ball = np.empty(CANDIDATES, np.int64)
    count = _nearest(near, clearance, CANDIDATES, owner, ball, room)
    if count == 0:
        return 0
    inverse = _tip_inverse(jacobian, hold)
    for r in range(count):
        f, i = owner[r], ball[r]
        for c in range(3):
            g[r, c] = 0.0
        for j in range(inverse.shape[0]):
            a = 0.0
            for c in range(3):
                a += gradient[f, i, c] * jacobians[i, c, j]
            for c in range(3):
                g[r, c] += a * inverse[j, c]
    return count


@kernel
def collect(
    g: Array,
    clearance: Array,
    owner: Index,
    count: int,
    reach: float,
    R_wm: Array,
    scale: float,
    p_hand: Array,
    apart: Array,
    normal: Array,
    offset: Array,
    distance: Array,
    of: Index,
) -> int:
    """The planes of the first ``count`` rows, in the master's frame, nearest first; how many.

    Args:
        g: (count, 3) rows as the tip sees them, world.
        clearance: (count,) [m]; below zero counts as zero.
        owner: (count,) fixture of each row.
        count: rows.
        reach: planes farther than this from the hand are left out [m].
        R_wm: (3, 3) rotation from master to world.
        scale: tip translation per hand translation.
        p_hand: (3,) the hand, master's frame [m].
        apart: (3,) ``x_c - x_d``, world [m].
        normal: (MOST, 3) out.
        offset: (MOST,) out [m].
        distance: (MOST,) out, from the tip's place to the plane, as the hand measures it [m].
        of: (MOST,) out, fixture of each plane.
    """
    k = 0
    n = np.empty(3)
    for r in range(count):
        size = math.sqrt(g[r, 0] ** 2 + g[r, 1] ** 2 + g[r, 2] ** 2)
        if not size > _WEAK:
            continue
        room = max(0.0, clearance[r]) / size / scale
        if not room <= reach:
            continue
        at = 0.0
        for i in range(3):
            n[i] = 0.0
            for c in range(3):
                n[i] += R_wm[c, i] * g[r, c] / size
            at += g[r, i] / size * apart[i]
        level = at / scale - room
        for i in range(3):
            level += n[i] * p_hand[i]
        slot = k
        for other in range(k):
            if of[other] == owner[r]:
                alike = n[0] * normal[other, 0] + n[1] * normal[other, 1] + n[2] * normal[other, 2]
                if alike > _ALIKE:
                    slot = other
                    break
        if slot < k and distance[slot] <= room:
            continue
        if slot == k and k == MOST:
            far = 0
            for other in range(1, k):
                if distance[other] > distance[far]:
                    far = other
            if distance[far] <= room:
                continue
            slot = far
        elif slot == k:
            k += 1
        for i in range(3):
            normal[slot, i] = n[i]
        offset[slot], distance[slot], of[slot] = level, room, owner[r]
    return k


@kernel
def project(p: Array, normal: Array, offset: Array, count: int, out: Array) -> float:
    """The shortest way ``out`` (3,) [m] that brings ``p`` (3,) to the allowed side of all planes; its length.

    Hildreth's method: the exact projection on the intersection of the half-spaces, by sweeps over the duals.
    So planes that nearly coincide push once, not each, and the force ``K out`` has the potential ``K |out|^2
    / 2``.
    """
    dual = np.zeros(MOST)
    out[:] = 0.0
    for _ in range(_SWEEPS):
        moved = 0.0
        for k in range(count):
            missing = offset[k]
            for i in range(3):
                missing -= normal[k, i] * (p[i] + out[i])
            change = max(missing, -dual[k])
            if change != 0.0:
                dual[k] += change
                for i in range(3):
                    out[i] += change * normal[k, i]
                moved = max(moved, abs(change))
        if moved < _CONVERGED_M:
            break
    return math.sqrt(out[0] * out[0] + out[1] * out[1] + out[2] * out[2])


@kernel
def beside(force: Array, normal: Array, count: int) -> None:
    """Take out of ``force`` (3,), in place, what points along the planes: they push that themselves.

    Whether the hand is behind a plane is for the device to say. Where the controller's later, filtered hand
    said it, a hand that bounces felt the same wall twice, the second time too late.
    """
    for _ in range(4):
        for k in range(count):
            along = normal[k, 0] * force[0] + normal[k, 1] * force[1] + normal[k, 2] * force[2]
            if along > 0.0:
                for i in range(3):
                    force[i] -= along * normal[k, i]


class Near(NamedTuple):
    """What of a scene is near an arm: distances and how its spheres move with the joints.

    Attributes:
        near: (F, m) pairs of fixture and sphere whose clearance is exact and may matter.
        clearance: (F, m) [m].
        gradient: (F, m, 3) of the clearance, world.
        jacobians: (m, 3, n) of the spheres' centres.
    """

    near: Mask
    clearance: Array
    gradient: Array
    jacobians: Array


class PlaneMaker:
    """Planes of one pair, tick by tick.

    Attributes:
        count: how many there are.
        normal: (MOST, 3) of which ``count`` hold.
        offset: (MOST,) likewise [m].
    """

    def __init__(self, spring: Spring, reach_m: float) -> None:
        """Planes with this spring, of what is nearer to the hand than ``reach_m`` [m]."""
        self._spring = spring
        self._reach = reach_m
        self._g = np.zeros((CANDIDATES + MOST, 3))
        self._clearance = np.zeros(CANDIDATES + MOST)
        self._owner = np.zeros(CANDIDATES + MOST, dtype=np.int64)
        self.normal = np.zeros((MOST, 3))
        self.offset = np.zeros(MOST)
        self._distance = np.zeros(MOST)
        self._of = np.zeros(MOST, dtype=np.int64)
        self.count = 0

    def clear(self) -> None:
        """Nothing near."""
        self.count = 0

    def make(
        self,
        near: Near,
        pressing: list[tuple[int, Array]],
        *,
        jacobian: Array,
        hold: Array,
        R_wm: Array,
        scale: float,
        p_hand: Array,
        apart: Array,
    ) -> None:
        """Find the planes of one tick.

        Args:
            near: what has a distance; the nearest `CANDIDATES` are looked at.
            pressing: fixture and shift of the tip (3,) [m] of each row that presses and has no distance.
            jacobian: of the tip, shape (6, n).
            hold: what is held while the tip moves, shape (6, 6).
            R_wm: rotation from master to world, shape (3, 3).
            scale: tip translation per hand translation.
            p_hand: the hand, shape (3,), m, master's frame.
            apart: commanded less desired tip, shape (3,), m, world.
        """
        self.count = 0
        k = int(tip_rows(*near, jacobian, hold, self._owner, self._clearance, self._g))
        for owner, shift in pressing[:MOST]:
            size = math.hypot(*shift.tolist())
            if size > 0.0:
                self._g[k] = shift / size
                self._clearance[k], self._owner[k] = 0.0, owner
                k += 1
        if k:
            self.count = int(
                collect(
                    self._g,
                    self._clearance,
                    self._owner,
                    k,
                    self._reach,
                    R_wm,
                    scale,
                    p_hand,
                    apart,
                    self.normal,
                    self.offset,
                    self._distance,
                    self._of,
                )
            )

    def beside(self, force: Array) -> Array:
        """The part of a force, shape (3,), that no plane will push itself."""
        out = force.copy()
        if self.count:
            beside(out, self.normal, self.count)
        return out

    def planes(self, names: Sequence[str]) -> list[ConstraintPlane]:
        """The planes as they go over the wire; ``names`` are those of the scene's fixtures."""
        spring = self._spring
        return [
            ConstraintPlane(
                self.normal[k].tolist(),
                float(self.offset[k]),
                spring.stiffness_n_m,
                spring.damping_ns_m,
                names[self._of[k]],
            )
            for k in range(self.count)
        ]
