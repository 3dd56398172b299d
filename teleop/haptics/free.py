"""Where the tool would be if nothing but its own speed and acceleration held it back.

The force on the hand must come from what clamps the tool, not from ordinary tracking error: an arm that is
asked for more than its acceleration lags a little, and a spring over that lag would make free motion feel
like syrup. So a second tool, the *free* one, follows the same desired pose with the same law, from the same
arm and Jacobian, but without rows, joint ranges, trocar or gate. The clamp is the difference

    push = x_commanded - x_free

which is exactly zero for as long as nothing has taken motion away: the free tool is then the commanded one
and costs nothing. It parts from it in the tick in which a limiter acts, and joins it again when both are at
one place.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from kinematics.ik import DifferentialIK
from kinematics.ik_result import LIMITERS, IKResult
from kinematics.pose import pose_difference
from kinematics.task import TipTask
from teleop.compiled import kernel

Array = npt.NDArray[np.float64]

_CLAMPS = tuple(LIMITERS.index(name) for name in ("joint_position", "rows", "hold"))
# Below these the two tools are one: a hundredth of what any haptic device resolves.
_TAKEN = 1e-9
_TOGETHER_M = 2e-7
_TOGETHER_RAD = 2e-6


@kernel
def parted(lost: Array, v_sent: Array, v_solved: Array, period: float) -> bool:
    """Whether a clamp took motion away, of `IKResult.lost` (7, m), or the gate did: what was sent differs."""
    for limiter in _CLAMPS:
        for k in range(lost.shape[1]):
            if abs(lost[limiter, k]) > _TAKEN:
                return True
    for j in range(v_sent.shape[0]):
        if not abs(v_sent[j] - v_solved[j]) * period <= _TAKEN:
            return True
    return False


@kernel
def between(
    lag: Array, P: Array, p: Array, quat: Array, T_world_tip: Array, quat_tip: Array, whole: bool, out: Array
) -> bool:
    """Commanded less free tool (6,), see `FreeTracker.push`; whether they are one, and ``out`` is zero."""
    together = True
    pose_error = pose_difference(p, quat, T_world_tip[:3, 3], quat_tip)
    for k in range(lag.shape[0]):
        apart = lag[k]
        for i in range(6):
            apart -= P[k, i] * pose_error[i]
        together = together and abs(apart) < (_TOGETHER_M if k < 3 else _TOGETHER_RAD)
        out[k] = apart
    if not whole:
        # Of a tool on a trocar only the roll is followed (row 3); its other rotations follow the tip.
        roll = out[3]
        for i in range(3):
            out[3 + i] = roll * P[3, 3 + i]
    if together:
        for i in range(6):
            out[i] = 0.0
    return together


class FreeTracker:
    """The free tool of one arm.

    Attributes:
        together: nothing holds the tool back; free and commanded tool are one.
        v: joint velocity of the free tool, shape (n,).
        lag: desired less free, shape (m,) as the task has it [m, rad].
    """

    def __init__(self, ik: DifferentialIK) -> None:
        """Beside the commanded tool, whose inverse kinematics ``ik`` is."""
        self._ik = ik
        self._full = TipTask.full()
        self._task = self._full
        self.together = True
        self.v = np.zeros(ik.limits.n)
        self.lag = np.zeros(6)

    def reset(self) -> None:
        """References were taken anew, or the arm stops: free and commanded tool are one."""
        self.together = True

    def step(
        self,
        *,
        v_before: Array,
        v_sent: Array,
        jacobian: Array,
        task: TipTask | None,
        error: Array,
        feedforward: Array,
        result: IKResult,
    ) -> None:
        """One tick beside the commanded tool; before that one has moved.

        Args:
            v_before: joint velocity commanded last, shape (n,).
            v_sent: joint velocity of this tick, shape (n,).
            jacobian: of the tip at ``q``, shape (6, n).
            task: what is followed; ``None`` for the whole pose.
            error: desired pose of the last tick less the commanded one, shape (m,).
            feedforward: motion of the desired pose in this tick, shape (m,).
            result: what the inverse kinematics decided.
        """
        self._task = self._full if task is None else task
        if self.together:
            if not parted(result.lost, v_sent, result.v, self._ik.period_s):
                return
            self.together = False
            self.v[:] = v_before
            self.lag = error.copy()
        self._ik.follow_freely(
            jacobian=jacobian, error=self.lag, feedforward=feedforward, v=self.v, task=task
        )

    def push(self, p: Array, quat_xyzw: Array, T_world_tip: Array, quat_tip_xyzw: Array, out: Array) -> Array:
        """How far the clamp keeps the commanded tool from the free one; after it has moved.

        Args:
            p: desired position, shape (3,), world [m].
            quat_xyzw: desired orientation, shape (4,).
            T_world_tip: commanded pose, shape (4, 4).
            quat_tip_xyzw: its orientation, shape (4,).
            out: result, shape (6,): commanded less free, world [m, rad].
        """
        if self.together:
            out[:] = 0.0
            return out
        self.together = between(
            self.lag, self._task.P, p, quat_xyzw, T_world_tip, quat_tip_xyzw, self._task is self._full, out
        )
        return out
