"""Compiled kernels of the tick: link frames, sphere centres, Jacobians, and how far each sphere can travel.

Memory layout shared by all kernels: ``frames`` is ``(n + 1, 3, 4)``, the rotation and origin in world of the
base (index 0) and of the frame after each joint; joint j acts along the z axis of ``frames[j + 1]``.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from kinematics.compiled import kernel
from kinematics.pose import Array

IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]


@kernel
def link_frames(q: Array, placements: Array, prismatic: BoolArray, frames: Array) -> None:
    """Fill ``frames[1:]`` from ``frames[0]``: ``frames[j+1] = frames[j] placements[j] motion(q_j)``.

    Args:
        q: ``(n,)`` joint positions [rad] or [m].
        placements: ``(n, 3, 4)`` constant transforms before each joint.
        prismatic: ``(n,)`` true where the joint slides along z, false where it turns about z.
        frames: ``(n + 1, 3, 4)``; index 0 is read, the others are written.
    """
    for j in range(q.shape[0]):
        P = placements[j]
        c = 1.0
        s = 0.0
        slide = q[j]
        if not prismatic[j]:
            c = math.cos(q[j])
            s = math.sin(q[j])
            slide = 0.0
        for r in range(3):
            a0 = frames[j, r, 0]
            a1 = frames[j, r, 1]
            a2 = frames[j, r, 2]
            x = a0 * P[0, 0] + a1 * P[1, 0] + a2 * P[2, 0]
            y = a0 * P[0, 1] + a1 * P[1, 1] + a2 * P[2, 1]
            z = a0 * P[0, 2] + a1 * P[1, 2] + a2 * P[2, 2]
            frames[j + 1, r, 0] = x * c + y * s
            frames[j + 1, r, 1] = y * c - x * s
            frames[j + 1, r, 2] = z
            frames[j + 1, r, 3] = frames[j, r, 3] + a0 * P[0, 3] + a1 * P[1, 3] + a2 * P[2, 3] + z * slide


@kernel
def point_in_world(frames: Array, link: int, local: Array, out: Array) -> None:
    """``out (3,) = frames[link] @ local``."""
    for r in range(3):
        out[r] = (
            frames[link, r, 0] * local[0]
            + frames[link, r, 1] * local[1]
            + frames[link, r, 2] * local[2]
            + frames[link, r, 3]
        )


@kernel
def point_jacobian(frames: Array, prismatic: BoolArray, link: int, point: Array, out: Array) -> None:
    """Velocity of a world point fixed to ``frames[link]`` for unit speed of each joint: ``out (3, n)``.

    Column j is ``z_j`` for a slide, ``z_j x (point - o_j)`` for a hinge, and zero for joints beyond the link.
    """
    for j in range(prismatic.shape[0]):
        if j >= link:
            out[0, j] = 0.0
            out[1, j] = 0.0
            out[2, j] = 0.0
            continue
        z0 = frames[j + 1, 0, 2]
        z1 = frames[j + 1, 1, 2]
        z2 = frames[j + 1, 2, 2]
        if prismatic[j]:
            out[0, j] = z0
            out[1, j] = z1
            out[2, j] = z2
        else:
            r0 = point[0] - frames[j + 1, 0, 3]
            r1 = point[1] - frames[j + 1, 1, 3]
            r2 = point[2] - frames[j + 1, 2, 3]
            out[0, j] = z1 * r2 - z2 * r1
            out[1, j] = z2 * r0 - z0 * r2
            out[2, j] = z0 * r1 - z1 * r0


@kernel
def angular_jacobian(frames: Array, prismatic: BoolArray, link: int, out: Array) -> None:
    """Angular velocity of ``frames[link]`` for unit speed of each joint: ``out (3, n)``."""
    for j in range(prismatic.shape[0]):
        turns = j < link and not prismatic[j]
        for r in range(3):
            out[r, j] = frames[j + 1, r, 2] if turns else 0.0


@kernel
def sphere_centers(
    q: Array, placements: Array, prismatic: BoolArray, frames: Array, link: IntArray, local: Array, out: Array
) -> None:
    """World centres ``out (m, 3)`` of spheres fixed at ``local (m, 3)`` in ``frames[link[i]]``."""
    link_frames(q, placements, prismatic, frames)
    for i in range(link.shape[0]):
        point_in_world(frames, link[i], local[i], out[i])


@kernel
def spheres_ahead(
    q: Array,
    placements: Array,
    prismatic: BoolArray,
    frames: Array,
    link: IntArray,
    local: Array,
    out: Array,
    jacobians: Array,
) -> None:
    """As :func:`sphere_centers`, with the Jacobians ``(m, 3, n)`` of the centres."""
    sphere_centers(q, placements, prismatic, frames, link, local, out)
    for i in range(link.shape[0]):
        point_jacobian(frames, prismatic, link[i], out[i], jacobians[i])


@kernel
def evaluate(
    q: Array,
    placements: Array,
    prismatic: BoolArray,
    frames: Array,
    link: IntArray,
    local: Array,
    tool: Array,
    shaft_link: int,
    shaft: Array,
    T_world_tip: Array,
    jacobian: Array,
    shaft_world: Array,
    shaft_jacobian: Array,
    centers: Array,
    center_jacobians: Array,
) -> None:
    """Everything of one tick in one call.

    Args:
        q: ``(n,)``.
        placements: ``(n, 3, 4)``.
        prismatic: ``(n,)``.
        frames: ``(n + 1, 3, 4)``, index 0 given, the others written.
        link: ``(m,)`` carrying frame of each sphere.
        local: ``(m, 3)`` sphere centres in their carrying frames.
        tool: ``(3, 4)`` tip frame in the last frame.
        shaft_link: frame that carries the shaft.
        shaft: ``(2, 3)`` a point of the shaft's axis and its unit direction, in that frame.
        T_world_tip: ``(4, 4)`` written, but for the constant last row.
        jacobian: ``(6, n)`` written: velocity of the tip and angular velocity, in world axes.
        shaft_world: ``(2, 3)`` written: shaft point and direction in world.
        shaft_jacobian: ``(6, n)`` written: as ``jacobian``, for the shaft point.
        centers: ``(m, 3)`` written.
        center_jacobians: ``(m, 3, n)`` written.
    """
    n = q.shape[0]
    link_frames(q, placements, prismatic, frames)
    for r in range(3):
        for k in range(4):
            s = frames[n, r, 3] if k == 3 else 0.0
            for i in range(3):
                s += frames[n, r, i] * tool[i, k]
            T_world_tip[r, k] = s
        shaft_world[1, r] = (
            frames[shaft_link, r, 0] * shaft[1, 0]
            + frames[shaft_link, r, 1] * shaft[1, 1]
            + frames[shaft_link, r, 2] * shaft[1, 2]
        )
    point_jacobian(frames, prismatic, n, T_world_tip[:3, 3], jacobian[:3])
    angular_jacobian(frames, prismatic, n, jacobian[3:])
    point_in_world(frames, shaft_link, shaft[0], shaft_world[0])
    point_jacobian(frames, prismatic, shaft_link, shaft_world[0], shaft_jacobian[:3])
    angular_jacobian(frames, prismatic, shaft_link, shaft_jacobian[3:])
    for i in range(link.shape[0]):
        point_in_world(frames, link[i], local[i], centers[i])
        point_jacobian(frames, prismatic, link[i], centers[i], center_jacobians[i])


@kernel
def travel(
    dq: Array,
    prismatic: BoolArray,
    frames: Array,
    link: IntArray,
    centers: Array,
    center_jacobians: Array,
    levers: Array,
    out: Array,
) -> None:
    r"""Bound [m] on the motion of each sphere on the straight joint path ``q + t dq``, 0 <= t <= 1.

    Written to ``out (m,)``; ``levers (n,)`` is room to work in.

    Along the path the velocity of centre i per unit t is ``J(t) dq``. Its derivative is the sum over j and k
    of ``dq_j dq_k H_jk``; for j <= k, ``H_jk = z_j x J_k`` if joint j turns, and 0 if it slides, so it is at
    most as long as column k ever is on the path, ``M_k``. Hence

        speed(t) <= |J(0) dq| + sum_k |dq_k| M_k (|dq_k| [k turns] + 2 sum_{j<k, j turns} |dq_j|).

    ``M_k`` is 1 for a slide. For a hinge it is a distance from its axis, which only later joints change, each
    no faster than its own column is long: ``M_k <= |J_k(0)| + sum_{i>k} |dq_i| M_i``; nor can it exceed the
    distance along the chain of hinges, ``C_k``, lengthened by the slides. ``speed(t) <= sum_k |dq_k| M_k`` as
    well. The result is the smaller of the two: for short steps the first, which is exact to first order; for
    long ones the second, which grows no faster than the steps.

    Since it bounds the speed everywhere on the path, ``(t2 - t1) out_i`` bounds the motion between t1 and t2,
    and ``out_i`` the length of the whole path.
    """
    for i in range(link.shape[0]):
        last = link[i]
        second = 0.0
        grown = 0.0  # sum over the joints after k of |dq| M
        chain = 0.0  # distance along the hinges' origins from the current one to the centre
        near0 = centers[i, 0]
        near1 = centers[i, 1]
        near2 = centers[i, 2]
        for k in range(last - 1, -1, -1):
            step = abs(dq[k])
            if prismatic[k]:
                M = 1.0
                chain += step
            else:
                o0 = frames[k + 1, 0, 3]
                o1 = frames[k + 1, 1, 3]
                o2 = frames[k + 1, 2, 3]
                chain += math.sqrt((near0 - o0) ** 2 + (near1 - o1) ** 2 + (near2 - o2) ** 2)
                near0 = o0
                near1 = o1
                near2 = o2
                J0 = center_jacobians[i, 0, k]
                J1 = center_jacobians[i, 1, k]
                J2 = center_jacobians[i, 2, k]
                M = min(math.sqrt(J0 * J0 + J1 * J1 + J2 * J2) + grown, chain)
            levers[k] = M
            grown += step * M
        coarse = grown
        turned = 0.0  # sum over the hinges before k of |dq|
        v0 = 0.0
        v1 = 0.0
        v2 = 0.0
        for k in range(last):
            step = abs(dq[k])
            own = 0.0 if prismatic[k] else step
            second += step * levers[k] * (own + 2.0 * turned)
            turned += own
            v0 += center_jacobians[i, 0, k] * dq[k]
            v1 += center_jacobians[i, 1, k] * dq[k]
            v2 += center_jacobians[i, 2, k] * dq[k]
        out[i] = min(math.sqrt(v0 * v0 + v1 * v1 + v2 * v2) + second, coarse)


@kernel
def along(
    q: Array,
    step: Array,
    fractions: Array,
    placements: Array,
    prismatic: BoolArray,
    frames: Array,
    path_frames: Array,
    link: IntArray,
    local: Array,
    centers: Array,
    center_jacobians: Array,
    levers: Array,
    path_q: Array,
    path_centers: Array,
    path_travel: Array,
) -> None:
    """Sphere centres ``path_centers[k] (m, 3)`` at ``q + fractions[k] step``, and :func:`travel` of ``step``.

    ``frames``, ``centers`` and ``center_jacobians`` are those of the last :func:`evaluate`, at ``q``; they
    are left alone. ``path_frames`` and ``path_q (n,)`` are room to work in.
    """
    for k in range(fractions.shape[0]):
        for j in range(q.shape[0]):
            path_q[j] = q[j] + fractions[k] * step[j]
        sphere_centers(path_q, placements, prismatic, path_frames, link, local, path_centers[k])
    travel(step, prismatic, frames, link, centers, center_jacobians, levers, path_travel)
