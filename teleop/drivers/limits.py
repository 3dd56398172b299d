"""The driver's own limits: what it refuses to do, whatever the controller asks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from teleop.errors import TrocarError

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class JawRange:
    """Range (rad) and greatest speed (rad/s) of the jaw."""

    min_rad: float
    max_rad: float
    qd_max_rad_s: float


@dataclass(frozen=True, slots=True)
class DriverLimits:
    """Limits per joint, shape (n,), SI: rad or m. Copied and made read-only.

    Attributes:
        q_min: least position.
        q_max: greatest position.
        qd_max: greatest speed, 1/s.
        qdd_max: greatest acceleration, 1/s²; used only where the driver plans a motion itself.
        jaw: range of the jaw, ``None`` for an arm without one.

    Raises:
        TrocarError: shapes differ, a number is not finite, or limits are the wrong way round.
    """

    q_min: Array
    q_max: Array
    qd_max: Array
    qdd_max: Array
    jaw: JawRange | None = None

    def __post_init__(self) -> None:
        """Copy, check, freeze."""
        n = np.size(self.q_min)
        for name in ("q_min", "q_max", "qd_max", "qdd_max"):
            array = np.array(getattr(self, name), dtype=float)
            if array.shape != (n,):
                raise TrocarError(
                    f"driver limits: {name} has shape {array.shape}, expected ({n},) like q_min"
                )
            if not np.isfinite(array).all():
                raise TrocarError(f"driver limits: {name} must be finite, got {array.tolist()}")
            array.flags.writeable = False
            object.__setattr__(self, name, array)
        for low, high in (("q_min", "q_max"), (None, "qd_max"), (None, "qdd_max")):
            below = getattr(self, low) if low else np.zeros(n)
            wrong = np.flatnonzero(getattr(self, high) <= below)
            if wrong.size:
                raise TrocarError(
                    f"driver limits: joint {wrong[0]}: {high} = {getattr(self, high)[wrong[0]]:g} must be "
                    f"above {low or 'zero'} = {below[wrong[0]]:g}"
                )

    @property
    def n(self) -> int:
        """Number of joints."""
        return len(self.q_min)
