"""What every master is made of: a pure source of hand samples."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from teleop.errors import TrocarError

Array = npt.NDArray[np.float64]


class MasterError(TrocarError):
    """A master cannot be set up: its recording is missing, damaged or not what the session says it is."""


@dataclass(frozen=True, slots=True, eq=False)
class HandSample:
    """The hand at one moment, in the master's frame.

    Attributes:
        p_m: position, m, shape (3,).
        quat_xyzw: orientation, unit quaternion, shape (4,).
        gripper_rad: opening of the gripper, 0 is closed.
        present: the deadman is held.
        clutch: the clutch is pressed: the hand moves, the arm should not.
        valid: the source vouches for the pose.
        buttons_stamp_ns: when deadman and clutch were last reported, monotonic clock; left out, they are of
            the moment of the sample.
    """

    p_m: Array
    quat_xyzw: Array
    gripper_rad: float
    present: bool
    clutch: bool
    valid: bool
    buttons_stamp_ns: int | None = None


class HandSource(Protocol):
    """A hand as a function of time: no clock, no randomness; the same time gives the same bits.

    Attributes:
        duration_s: when the motion is over; ``None`` if it never is.
        notes: what a person should know of the source, a sentence each (e.g. how many samples were lost).
    """

    duration_s: float | None
    notes: tuple[str, ...]

    def sample(self, t_s: float) -> HandSample:
        """The hand ``t_s`` seconds after the start; any finite time, also before 0 or after the end."""
        ...
