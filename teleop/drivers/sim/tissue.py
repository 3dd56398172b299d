"""What the simulated arm's tip may touch: a half space of springs and dampers, and the effort it costs.

With d the depth of the tip below the surface and n its outward normal, the tissue pushes the tip with

    f = max(0, k d - b (n . v)) n      where d > 0

(Kelvin and Voigt, never pulling). The arm's servo holds its place against it. At rest motors and tissue
balance, ``effort + J^T f = 0``, so the joint effort that a driver with torque sensing reports of a contact is
``-J^T f`` (N m; N for a sliding joint). What the arm needs for itself, gravity, friction and inertia, is not
simulated, and a real driver is to take it off.
"""

from __future__ import annotations

import math
from typing import Annotated

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, field_validator

from kinematics.arm import ArmModel

Array = npt.NDArray[np.float64]
Numbers3 = Annotated[list[float], Field(min_length=3, max_length=3)]


class TissueSpec(BaseModel):
    """Tissue that fills a half space.

    Attributes:
        point_m: on the surface, m, world.
        normal: out of the tissue, of any length, world.
        stiffness_n_m: k, N/m.
        damping_ns_m: b, N s/m.
    """

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False, frozen=True)

    point_m: Numbers3
    normal: Numbers3 = [0.0, 0.0, 1.0]
    stiffness_n_m: Annotated[float, Field(gt=0.0, le=1e5)] = 300.0
    damping_ns_m: Annotated[float, Field(ge=0.0, le=1e3)] = 1.0

    @field_validator("normal")
    @classmethod
    def _has_a_direction(cls, normal: list[float]) -> list[float]:
        if math.hypot(*normal) < 1e-6:
            raise ValueError(f"normal = {normal} has no direction: give a vector out of the tissue")
        return normal


class Tissue:
    """Contact of one arm's tip.

    Attributes:
        force: on the tip, shape (3,), N, world.
    """

    def __init__(self, spec: TissueSpec, arm: ArmModel) -> None:
        """Not touched yet."""
        self._spec, self._arm = spec, arm
        self._point = np.array(spec.point_m)
        self._normal = np.array(spec.normal) / math.hypot(*spec.normal)
        self.force = np.zeros(3)

    def effort(self, q: Array, qd: Array) -> Array:
        """What the motors give beyond moving the arm itself, shape (n,), N m or N."""
        state = self._arm.at(q)
        J = state.jacobian[:3]
        depth = float((self._point - state.T_world_tip[:3, 3]) @ self._normal)
        size = 0.0
        if depth > 0.0:
            leaving = float(self._normal @ (J @ qd))
            size = max(0.0, self._spec.stiffness_n_m * depth - self._spec.damping_ns_m * leaving)
        self.force = size * self._normal
        effort: Array = -J.T @ self.force
        return effort
