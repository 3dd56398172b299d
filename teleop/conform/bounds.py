"""How far and how fast the arm under test may be moved. Nothing is sent that asks for more."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from teleop.errors import TrocarError

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a person allowed, per joint, shape (n,), rad or m and seconds.

    Attributes:
        excursion: farthest from where the arm stands when the test begins; 0 for a joint that must stay.
        speed: greatest speed, 1/s.
        jaw_rad: farthest the jaw may go from its first opening, rad.
        homing: the driver may home the arm, which is its own motion and knows none of these bounds.
    """

    excursion: tuple[float, ...]
    speed: tuple[float, ...]
    jaw_rad: float = 0.0
    homing: bool = False

    def check(self, joints: tuple[str, ...]) -> None:
        """See that there is a sane number for each joint.

        Raises:
            TrocarError: with every mistake at once.
        """
        mistakes = []
        for name, values in (("excursion", self.excursion), ("speed", self.speed)):
            if len(values) != len(joints):
                mistakes.append(
                    f"--{name} has {len(values)} numbers, the arm {len(joints)} joints: {', '.join(joints)}"
                )
            if not all(np.isfinite(v) and v >= 0.0 for v in values):
                mistakes.append(f"--{name} must be finite and not negative, got {list(values)}")
        if not (np.isfinite(self.jaw_rad) and self.jaw_rad >= 0.0):
            mistakes.append(f"--jaw-excursion must be finite and not negative, got {self.jaw_rad}")
        if not mistakes and not any(
            e > 0.0 and s > 0.0 for e, s in zip(self.excursion, self.speed, strict=True)
        ):
            mistakes.append("with these bounds no joint may move: give one a positive excursion and speed")
        if mistakes:
            raise TrocarError("\n".join(mistakes))

    def allow(self, q_start: Array, q: Array, qd: Array, stop_s: float) -> bool:
        """Whether a command and the stop after it stay inside: ``q`` and ``q + qd stop_s / 2``."""
        reach = np.array(self.excursion) + 1e-9
        ends = np.array([q, q + 0.5 * stop_s * qd])
        slow = np.abs(qd) <= np.array(self.speed) * (1.0 + 1e-9)
        return bool((np.abs(ends - q_start) <= reach).all() and slow.all())
