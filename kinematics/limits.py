"""Joint limits of an arm, and the acceleration the control loop may use of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kinematics.errors import KinematicsError

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class JointLimits:
    """Hard limits per joint, each shape ``(n,)``; rad for a revolute joint, m for a prismatic one.

    The arrays are copied and made read-only.

    Attributes:
        q_min: Lowest position [rad or m].
        q_max: Highest position [rad or m].
        qd_max: Largest speed [1/s].
        qdd_max: Largest acceleration [1/s²].
        qddd_max: Largest jerk [1/s³]; ``inf`` where a joint has none.

    Raises:
        KinematicsError: If shapes differ, a value is NaN, a range is empty, or a rate is not positive.
    """

    q_min: Array
    q_max: Array
    qd_max: Array
    qdd_max: Array
    qddd_max: Array

    def __post_init__(self) -> None:
        """Copy, check and freeze."""
        n = np.size(self.q_min)
        for name in ("q_min", "q_max", "qd_max", "qdd_max", "qddd_max"):
            value = _frozen(getattr(self, name))
            if value.shape != (n,):
                raise KinematicsError(f"limits: {name} has shape {value.shape}, expected ({n},) like q_min")
            if np.isnan(value).any() or (name != "qddd_max" and not np.isfinite(value).all()):
                raise KinematicsError(f"limits: {name} must be finite numbers, got {value.tolist()}")
            object.__setattr__(self, name, value)
        if not (self.q_min < self.q_max).all():
            joint = int(np.argmin(self.q_max - self.q_min))
            raise KinematicsError(
                f"limits: joint {joint} has q_min {self.q_min[joint]:g} not below q_max "
                f"{self.q_max[joint]:g}; were they written the wrong way round?"
            )
        for name in ("qd_max", "qdd_max", "qddd_max"):
            value = getattr(self, name)
            if not (value > 0).all():
                joint = int(np.argmin(value))
                raise KinematicsError(
                    f"limits: {name} of joint {joint} is {value[joint]:g}, expected above 0"
                )

    @property
    def n(self) -> int:
        """Number of joints."""
        return len(self.q_min)

    def effective_acceleration(self, period_s: float) -> Array:
        """Acceleration [1/s²], shape ``(n,)``, that also keeps the sampled jerk inside its limit.

        ``a = min(qdd_max, qddd_max T / 2)``: the largest change of acceleration in a tick is ``2 a`` (from
        ``+a`` to ``-a``), so the sampled jerk is at most ``2 a / T <= qddd_max``.
        """
        return np.minimum(self.qdd_max, 0.5 * period_s * self.qddd_max)


def _frozen(value: ArrayLike) -> Array:
    array = np.array(value, dtype=np.float64)
    array.flags.writeable = False
    return array
