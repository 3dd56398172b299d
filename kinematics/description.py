"""Parts of an arm's description as plain frozen data: its jaw and its remote centre of motion."""

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
