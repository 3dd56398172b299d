"""Rotations and rigid transforms on plain arrays; compiled, so that other kernels can call them.

Quaternions are ``(4,)`` float64 in the order x, y, z, w. A rotation vector is ``(3,)``: unit axis times angle
[rad]. ``T_a_b`` is ``(4, 4)`` homogeneous and maps coordinates in b to coordinates in a. All results are new
arrays.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from kinematics.compiled import kernel

Array = NDArray[np.float64]


@kernel
def quat_mul(a: Array, b: Array) -> Array:
    """Hamilton product ``a * b``: the rotation that applies ``b`` first, then ``a``."""
    out = np.empty(4)
    out[0] = a[3] * b[0] + a[0] * b[3] + a[1] * b[2] - a[2] * b[1]
    out[1] = a[3] * b[1] - a[0] * b[2] + a[1] * b[3] + a[2] * b[0]
    out[2] = a[3] * b[2] + a[0] * b[1] - a[1] * b[0] + a[2] * b[3]
    out[3] = a[3] * b[3] - a[0] * b[0] - a[1] * b[1] - a[2] * b[2]
    return out


@kernel
def quat_conj(quat_xyzw: Array) -> Array:
    """Conjugate; of a unit quaternion, the inverse rotation."""
    out = np.empty(4)
    out[0] = -quat_xyzw[0]
    out[1] = -quat_xyzw[1]
    out[2] = -quat_xyzw[2]
    out[3] = quat_xyzw[3]
    return out


@kernel
def quat_normalize(quat_xyzw: Array) -> Array:
    """Unit quaternion of the same direction; the sign is kept.

    A quaternion without direction (norm 0, or not finite) gives NaN: whoever lets data in must have rejected
    it.
    """
    # Dividing by the largest entry first keeps very small and very large quaternions from under- and
    # overflowing.
    largest = max(abs(quat_xyzw[0]), abs(quat_xyzw[1]), abs(quat_xyzw[2]), abs(quat_xyzw[3]))
    out: Array = quat_xyzw / largest
    out /= math.sqrt(out[0] * out[0] + out[1] * out[1] + out[2] * out[2] + out[3] * out[3])
    return out


@kernel
def quat_to_matrix(quat_xyzw: Array) -> Array:
    """Rotation matrix ``(3, 3)`` of a quaternion of any length (the entries scale by ``2 / |q|^2``)."""
    x, y, z, w = quat_xyzw[0], quat_xyzw[1], quat_xyzw[2], quat_xyzw[3]
    s = 2.0 / (x * x + y * y + z * z + w * w)
    out = np.empty((3, 3))
    out[0, 0] = 1.0 - s * (y * y + z * z)
    out[0, 1] = s * (x * y - z * w)
    out[0, 2] = s * (x * z + y * w)
    out[1, 0] = s * (x * y + z * w)
    out[1, 1] = 1.0 - s * (x * x + z * z)
    out[1, 2] = s * (y * z - x * w)
    out[2, 0] = s * (x * z - y * w)
    out[2, 1] = s * (y * z + x * w)
    out[2, 2] = 1.0 - s * (x * x + y * y)
    return out


@kernel
def matrix_to_quat(R: Array) -> Array:
    """Unit quaternion (xyzw) of a rotation matrix ``(3, 3)``, with ``w >= 0``.

    Shepperd's method: of the four ways to extract it, the one that divides by the largest component, so no
    angle is badly conditioned. (S. W. Shepperd, Quaternion from rotation matrix, J. Guidance and Control
    1(3), 1978.)
    """
    trace = R[0, 0] + R[1, 1] + R[2, 2]
    out = np.empty(4)
    if trace >= R[0, 0] and trace >= R[1, 1] and trace >= R[2, 2]:
        out[0] = R[2, 1] - R[1, 2]
        out[1] = R[0, 2] - R[2, 0]
        out[2] = R[1, 0] - R[0, 1]
        out[3] = 1.0 + trace
    elif R[0, 0] >= R[1, 1] and R[0, 0] >= R[2, 2]:
        out[0] = 1.0 + R[0, 0] - R[1, 1] - R[2, 2]
        out[1] = R[1, 0] + R[0, 1]
        out[2] = R[0, 2] + R[2, 0]
        out[3] = R[2, 1] - R[1, 2]
    elif R[1, 1] >= R[2, 2]:
        out[0] = R[1, 0] + R[0, 1]
        out[1] = 1.0 - R[0, 0] + R[1, 1] - R[2, 2]
        out[2] = R[2, 1] + R[1, 2]
        out[3] = R[0, 2] - R[2, 0]
    else:
        out[0] = R[0, 2] + R[2, 0]
        out[1] = R[2, 1] + R[1, 2]
        out[2] = 1.0 - R[0, 0] - R[1, 1] + R[2, 2]
        out[3] = R[1, 0] - R[0, 1]
    norm = math.sqrt(out[0] * out[0] + out[1] * out[1] + out[2] * out[2] + out[3] * out[3])
    if out[3] < 0.0:
        norm = -norm
    for k in range(4):
        out[k] /= norm
    return out


@kernel
def quat_log(quat_xyzw: Array) -> Array:
    """Rotation vector ``(3,)`` [rad] of a unit quaternion, the shorter way round: at most pi long."""
    x, y, z, w = quat_xyzw[0], quat_xyzw[1], quat_xyzw[2], quat_xyzw[3]
    if w < 0.0:
        x, y, z, w = -x, -y, -z, -w
    s = math.sqrt(x * x + y * y + z * z)  # sin(angle / 2) >= 0
    # atan2 is exact at both ends: near 0 the sine carries the digits, near pi the cosine does.
    # Below 1e-9 the next term of 2 atan(t) / s = 2 / w (1 - t^2 / 3 + ...) is under the last bit.
    scale = 2.0 * math.atan2(s, w) / s if s > 1e-9 else 2.0 / w
    out = np.empty(3)
    out[0] = scale * x
    out[1] = scale * y
    out[2] = scale * z
    return out


@kernel
def quat_exp(rotvec: Array) -> Array:
    """Unit quaternion (xyzw) of a rotation vector [rad] of any length."""
    angle = math.sqrt(rotvec[0] * rotvec[0] + rotvec[1] * rotvec[1] + rotvec[2] * rotvec[2])
    # sin(a/2) / a = 1/2 (1 - a^2 / 24 + ...); below 1e-8 the second term is under the last bit.
    scale = math.sin(0.5 * angle) / angle if angle > 1e-8 else 0.5
    out = np.empty(4)
    out[0] = scale * rotvec[0]
    out[1] = scale * rotvec[1]
    out[2] = scale * rotvec[2]
    out[3] = math.cos(0.5 * angle)
    return out


@kernel
def rotation_log(R: Array) -> Array:
    """Rotation vector ``(3,)`` [rad] of a rotation matrix, at most pi long; accurate near 0 and near pi."""
    return quat_log(matrix_to_quat(R))


@kernel
def rotation_exp(rotvec: Array) -> Array:
    """Rotation matrix ``(3, 3)`` of a rotation vector [rad] of any length."""
    return quat_to_matrix(quat_exp(rotvec))


@kernel
def transform(R: Array, p: Array) -> Array:
    """Homogeneous transform ``(4, 4)`` of a rotation matrix ``(3, 3)`` and a translation ``(3,)``."""
    out = np.zeros((4, 4))
    for i in range(3):
        for j in range(3):
            out[i, j] = R[i, j]
        out[i, 3] = p[i]
    out[3, 3] = 1.0
    return out


@kernel
def inverse(T: Array) -> Array:
    """``T_b_a`` of a rigid ``T_a_b``: rotation transposed, translation ``-R^T p``."""
    out = np.zeros((4, 4))
    for i in range(3):
        s = 0.0
        for j in range(3):
            out[i, j] = T[j, i]
            s += T[j, i] * T[j, 3]
        out[i, 3] = -s
    out[3, 3] = 1.0
    return out


@kernel
def pose_difference(p_to: Array, quat_to_xyzw: Array, p_from: Array, quat_from_xyzw: Array) -> Array:
    """The step from one pose to another, ``(6,)``: translation [m], then rotation vector [rad] in world axes.

    ``p_to - p_from`` and ``log(R_to R_from^T)``, the shorter way round.
    """
    out = np.empty(6)
    angle = quat_log(quat_mul(quat_to_xyzw, quat_conj(quat_from_xyzw)))
    for k in range(3):
        out[k] = p_to[k] - p_from[k]
        out[3 + k] = angle[k]
    return out
