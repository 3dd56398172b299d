"""What an arm may do and what it consists of, as plain frozen data: limits, jaw, remote centre of motion."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from kinematics.errors import ModelError, ShapeError
from kinematics.pose import Array


def frozen(values: object, shape: tuple[int, ...], what: str) -> Array:
    """A read-only float64 copy of ``values``.

    Raises:
        ShapeError: the shape is not ``shape``.
        ModelError: an entry is NaN or infinite.
    """
    out = np.array(values, dtype=np.float64)
    if out.shape != shape:
        raise ShapeError(f"{what}: expected shape {shape}, got {out.shape}")
    if not np.all(np.isfinite(out)):
        raise ModelError(f"{what}: every entry must be finite, got {out.tolist()}")
    out.setflags(write=False)
    return out


@dataclass(frozen=True, eq=False)
class JointLimits:
    """Limits of n joints; each array ``(n,)``, read-only, [rad] or [m] and their time derivatives.

    Attributes:
        q_min: lowest position.
        q_max: highest position.
        qd_max: greatest speed, > 0.
        qdd_max: greatest acceleration, > 0.
        qddd_max: greatest jerk, > 0.
    """

    q_min: Array
    q_max: Array
    qd_max: Array
    qdd_max: Array
    qddd_max: Array

    def __post_init__(self) -> None:
        """Copy the arrays, and check shapes, order and signs."""
        n = np.size(self.q_min)
        for key in ("q_min", "q_max", "qd_max", "qdd_max", "qddd_max"):
            object.__setattr__(self, key, frozen(getattr(self, key), (n,), f"joint limits, {key}"))
        for j in range(n):
            if not self.q_min[j] < self.q_max[j]:
                raise ModelError(
                    f"joint {j}: the lower limit {self.q_min[j]:g} must be below the upper limit {self.q_max[j]:g}"
                )
            for key in ("qd_max", "qdd_max", "qddd_max"):
                if not getattr(self, key)[j] > 0.0:
                    raise ModelError(f"joint {j}: {key} must be above 0, got {getattr(self, key)[j]:g}")

    def effective_acceleration(self, period_s: float) -> Array:
        """``a_j = min(qdd_max_j, qddd_max_j T / 2)`` for a loop of period T [s].

        A sampled acceleration inside ``+-a`` may swing from one end to the other in one tick and still keep the
        sampled jerk ``(a - (-a)) / T`` within ``qddd_max``; so a bound on acceleration is a bound on jerk.
        """
        return np.minimum(self.qdd_max, 0.5 * period_s * self.qddd_max)


@dataclass(frozen=True)
class JawLimits:
    """Opening angle of the jaw [rad] and its greatest speed [rad/s]; not part of the joint vector q."""

    min_rad: float
    max_rad: float
    qd_max_rad_s: float


@dataclass(frozen=True, eq=False)
class Rcm:
    """The remote centre of motion: the point in the body wall that the shaft passes through.

    Attributes:
        kind: ``"mechanical"`` when the arm's linkage holds it, ``"software"`` when the controller must.
        p_base_rcm: ``(3,)`` the point in the arm's base frame [m].
        p_world_rcm: ``(3,)`` the same point in world [m].
    """

    kind: Literal["mechanical", "software"]
    p_base_rcm: Array
    p_world_rcm: Array
