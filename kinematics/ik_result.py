"""What the differential inverse kinematics decided in a tick, and why."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

LIMITERS = (
    "catch_up",
    "singularity",
    "joint_speed",
    "joint_acceleration",
    "joint_position",
    "rows",
    "hold",
)
"""Who can take tip motion away, in the order of the rows of `IKResult.lost`."""


class IKStatus(IntEnum):
    """How the step of a tick came about; higher is worse."""

    TRACKING = 0
    LIMITED = 1
    CONSTRAINED = 2
    RELAXED_SOFT = 3
    RELAXED_HARD = 4
    HOLD_SOLVER = 5
    HOLD_INVALID = 6

    @property
    def sentence(self) -> str:
        """One sentence for people: cause, and what happens."""
        return _SENTENCES[self]

    @property
    def holds(self) -> bool:
        """Whether the result is the stop step instead of a solution."""
        return self >= IKStatus.HOLD_SOLVER


_SENTENCES = {
    IKStatus.TRACKING: "The tip follows the desired pose.",
    IKStatus.LIMITED: "A joint limit or a singularity slows the tip; it follows as fast as the arm can.",
    IKStatus.CONSTRAINED: "Constraint rows shape the motion; all of them are met.",
    IKStatus.RELAXED_SOFT: "The rows conflict, so soft rows gave way in their declared order.",
    IKStatus.RELAXED_HARD: "Hard rows conflict or ask more than the arm can do, so it brakes.",
    IKStatus.HOLD_SOLVER: "The solver gave no answer that passed the check, so the arm stops.",
    IKStatus.HOLD_INVALID: "An input is not a finite number, so the arm stops.",
}


@dataclass(eq=False, slots=True)  # not frozen: that costs more than the solution of a small QP
class IKResult:
    """The joint velocity of a tick and its reasons, not to be changed. The arrays belong to the caller.

    ``m`` task rows (6 without a task: linear [m] and angular [rad], world), ``n`` joints, ``k`` given rows.

    Attributes:
        v: Joint velocity [1/s], shape ``(n,)``. Always finite, always inside the box (the stop included).
        status: How it came about.
        active: Indices of the rows that press on the motion (multiplier above zero), shape ``(na,)``.
        active_shift: Motion of the task that each active row caused [m or rad per tick], shape ``(na, m)``.
        active_m: Length of the linear part of `active_shift` [m], shape ``(na,)``.
        relaxed: Indices of the rows that are not met as asked; with `active`, the rows in conflict.
        slack: How far each row is from being met as asked [row units per tick], shape ``(k,)``; 0 if met.
        joint_active: Limit that acted on each joint, shape ``(n,)``: 0 none, 1 position, 2 speed, 3
        acceleration.
        lost: Task motion [m or rad per tick] that each of `LIMITERS` took away, shape ``(7, m)``. The sum
        over
            the limiters is what was asked (``feedforward + error``) less what is sent (``P J v T``).
        lost_m: Length of the linear part of `lost` [m], shape ``(7,)``.
        sigma_min: Smallest singular value [m/s]: tip speed in the worst direction at full joint speed.
        singular: Whether a direction was damped (``sigma_min`` below the configured threshold).
        residual: Worst violation of a row after relaxing [row units per tick]; rounding only.
        qp_solves: Number of QPs solved in this tick; 0 if the wanted motion met all rows by itself.
    """

    v: Array
    status: IKStatus
    active: NDArray[np.int64]
    active_shift: Array
    active_m: Array
    relaxed: NDArray[np.int64]
    slack: Array
    joint_active: NDArray[np.int8]
    lost: Array
    lost_m: Array
    sigma_min: float
    singular: bool
    residual: float
    qp_solves: int
