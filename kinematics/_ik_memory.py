"""Memory of the inverse kinematics: made once, written by every tick, seen by its kernels as named arrays."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kinematics.compiled import kernel

Array = NDArray[np.float64]
Codes = NDArray[np.int8]
Index = NDArray[np.int64]

_UNBOUNDED = 1e30


class Limits(NamedTuple):
    """Joint limits and effective acceleration, each shape ``(n,)``."""

    q_min: Array
    q_max: Array
    qd_max: Array
    a: Array


class Gains(NamedTuple):
    """Numbers of `IKGains` that the kernels use."""

    braking_fraction: float
    catch_up_m_s: float
    catch_up_rad_s: float
    singular_m_s: float
    posture_per_s: float
    posture_speed_fraction: float


class Workspace(NamedTuple):
    """What a tick works on, overwritten by every tick. ``y`` are joint speeds as parts of full speed."""

    stop: Array  # (n,) velocity of the stop step
    lo: Array  # (n,) box of v
    hi: Array
    lo_wanted: Array  # (n,) the box that is tried first
    hi_wanted: Array
    target: Array  # (n,) y that follows the tip, speed limits kept
    reach: Array  # (n,) as far towards it as the accelerations allow
    linear: Array  # (n,)
    hessian: Array  # (n, n)
    rows: Array  # (m, n) P J
    scaled: Array  # (m, n), and the next three: see `kinematics.tracking.task_directions`
    right: Array  # (m, n)
    left: Array  # (m, m)
    sigma: Array  # (m,)
    lo_reason: Codes  # (n,)
    hi_reason: Codes


N_LIMITS, N_GAINS, N_VECTORS = 4, 6, 8
"""Limits, gains, and the vectors that `Workspace` begins with."""


def memory(limits: Limits, gains: Gains, n: int, m: int) -> tuple[Array, Codes]:
    """One block for limits, gains and workspace of ``n`` joints and ``m`` task rows, and one for the codes.

    A compiled call pays for each array it is given, more than for many a loop over six joints.
    """
    block = np.zeros(N_LIMITS * n + N_GAINS + N_VECTORS * n + n * n + 3 * m * n + m * m + m)
    block[: N_LIMITS * n] = np.concatenate(limits)
    block[N_LIMITS * n : N_LIMITS * n + N_GAINS] = gains
    return block, np.zeros(2 * n, np.int8)


@kernel
def limits_in(block: Array, n: int) -> Limits:
    """The limits in a block of `memory`."""
    return Limits(block[:n], block[n : 2 * n], block[2 * n : 3 * n], block[3 * n : 4 * n])


@kernel
def gains_in(block: Array, n: int) -> Gains:
    """The gains in a block of `memory`."""
    g = block[N_LIMITS * n :]
    return Gains(g[0], g[1], g[2], g[3], g[4], g[5])


@kernel
def workspace_in(block: Array, codes: Codes, n: int, m: int) -> Workspace:
    """The workspace in the blocks of `memory`."""
    w = block[N_LIMITS * n + N_GAINS :]
    square = w[N_VECTORS * n :]
    task = square[n * n :]
    mn = m * n
    return Workspace(
        w[:n],
        w[n : 2 * n],
        w[2 * n : 3 * n],
        w[3 * n : 4 * n],
        w[4 * n : 5 * n],
        w[5 * n : 6 * n],
        w[6 * n : 7 * n],
        w[7 * n : 8 * n],
        square[: n * n].reshape(n, n),
        task[:mn].reshape(m, n),
        task[mn : 2 * mn].reshape(m, n),
        task[2 * mn : 3 * mn].reshape(m, n),
        task[3 * mn : 3 * mn + m * m].reshape(m, m),
        task[3 * mn + m * m : 3 * mn + m * m + m],
        codes[:n],
        codes[n : 2 * n],
    )


class RowBuffers(NamedTuple):
    """Scaled rows of a tick, with room for ``c`` rows; only the first ones are used."""

    scaled: Array  # (c, n) unit rows for y
    bound: Array  # (c,)
    norm: Array  # (c,) [m/s]
    given: Index  # (c,) which given row it is
    lower: Array  # (n + c,) bounds as the solver takes them: box first
    upper: Array
    sense: NDArray[np.int32]

    @classmethod
    def of(cls, n: int, capacity: int) -> RowBuffers:
        """Allocate for ``n`` joints and ``capacity`` rows."""
        return cls(
            np.zeros((capacity, n)),
            np.zeros(capacity),
            np.zeros(capacity),
            np.zeros(capacity, np.int64),
            np.zeros(n + capacity),
            np.full(n + capacity, _UNBOUNDED),
            np.zeros(n + capacity, np.int32),
        )
