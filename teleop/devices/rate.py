"""Input-only devices push and spring back: their deflection is a speed, integrated here to a pose."""

from __future__ import annotations

from typing import Annotated

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field

from kinematics.pose import quat_exp, quat_mul, quat_normalize

Array = npt.NDArray[np.float64]


class RateSpec(BaseModel):
    """From deflection to motion.

    Attributes:
        speed_m_s: speed of the virtual hand at full deflection, m/s.
        turn_rad_s: turning rate at full deflection, rad/s.
        dead_zone: part of full deflection that counts as none.
        exponent: above 1, small deflections are finer.
        reach_m: the virtual hand stays in a cube of this half side, m.
    """

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False, frozen=True)

    speed_m_s: Annotated[float, Field(gt=0.0, le=1.0)] = 0.05
    turn_rad_s: Annotated[float, Field(gt=0.0, le=10.0)] = 0.8
    dead_zone: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.08
    exponent: Annotated[float, Field(ge=1.0, le=4.0)] = 1.5
    reach_m: Annotated[float, Field(gt=0.0, le=5.0)] = 1.0


class RatePose:
    """A virtual hand that moves as fast as the device is deflected.

    Attributes:
        p_m: position, shape (3,), m.
        quat_xyzw: orientation, shape (4,).
    """

    def __init__(self, spec: RateSpec) -> None:
        """At the origin."""
        self._spec = spec
        self.p_m = np.zeros(3)
        self.quat_xyzw = np.array([0.0, 0.0, 0.0, 1.0])

    def step(self, deflection: Array, dt_s: float) -> None:
        """Move on.

        Args:
            deflection: (6,) each -1 to 1: right, forward, up, then turns about these.
            dt_s: time since the last step, s; after a gap it counts as 20 ms at most.
        """
        spec, dt = self._spec, min(max(dt_s, 0.0), 0.02)
        d = np.clip(np.nan_to_num(deflection, nan=0.0, posinf=0.0, neginf=0.0), -1.0, 1.0)
        size = np.maximum(0.0, (np.abs(d) - spec.dead_zone) / (1.0 - spec.dead_zone)) ** spec.exponent
        rate = np.sign(d) * size
        self.p_m = np.clip(self.p_m + spec.speed_m_s * dt * rate[:3], -spec.reach_m, spec.reach_m)
        turned = quat_mul(quat_exp(spec.turn_rad_s * dt * rate[3:]), self.quat_xyzw)
        self.quat_xyzw = quat_normalize(turned)
