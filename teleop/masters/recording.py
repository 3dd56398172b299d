"""A recorded hand, played back: interpolation between samples, and what comes before, after and again.

Positions and the gripper go through the samples on a monotone cubic (PCHIP, Fritsch & Butland 1984), which
has a continuous velocity and never leaves the range of its two neighbours: it invents no motion. Orientations
turn from sample to sample at a constant rate about a fixed axis (slerp). Buttons keep the value of the sample
before.
"""

from __future__ import annotations

from bisect import bisect_right
from itertools import pairwise
from typing import Annotated, Literal

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field
from scipy.interpolate import PchipInterpolator

from kinematics.pose import quat_conj, quat_exp, quat_log, quat_mul
from teleop.masters.source import Array, HandSample, MasterError

Flags = npt.NDArray[np.bool_]

RETURN_PEAK_M_S = 0.1
RETURN_PEAK_RAD_S = 1.0
RETURN_MIN_S = 1.0
MINIMUM_JERK_PEAK = 1.875


class PlaybackSpec(BaseModel):
    """How a motion of finite length is played.

    Attributes:
        at_end: ``"hold"`` keeps the last pose and releases the deadman; ``"loop"`` presses the clutch, moves
            the hand back to the first pose in a smooth reach, and begins again.
        lead_in_s: the hand rests at the first pose, deadman held, for this long before it moves.
        start_timeout_s: begin this long after the process is ready even if no controller has spoken; left
            out, it waits for the first ``servo_cf``.
    """

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False, frozen=True)

    at_end: Literal["hold", "loop"] = "hold"
    lead_in_s: Annotated[float, Field(ge=0.0, le=60.0)] = 1.0
    start_timeout_s: Annotated[float, Field(ge=0.0)] | None = None


class Recording:
    """A hand source made of samples.

    Attributes:
        duration_s: lead-in and motion together, s; ``None`` when it loops.
        notes: see :class:`~teleop.masters.source.HandSource`.
        t_s: sample times after the lead-in, from 0, shape (n,).
        p_m: positions at the samples, shape (n, 3).
        quat_xyzw: orientations at the samples, shape (n, 4), neighbours in the same hemisphere.
        gripper_rad: shape (n,).
        lead_in_s: rest before the samples, s.
    """

    def __init__(
        self,
        t_s: Array,
        p_m: Array,
        quat_xyzw: Array,
        gripper_rad: Array,
        playback: PlaybackSpec,
        *,
        present: Flags | None = None,
        clutch: Flags | None = None,
        notes: tuple[str, ...] = (),
    ) -> None:
        """Prepare the interpolation.

        Args:
            t_s: strictly ascending times, shape (n,), n >= 2; shifted to begin at 0.
            p_m: positions, shape (n, 3).
            quat_xyzw: unit quaternions, shape (n, 4).
            gripper_rad: openings, shape (n,).
            playback: lead-in and end.
            present: deadman, shape (n,); held throughout when left out.
            clutch: shape (n,); never pressed when left out.
            notes: sentences for a person.

        Raises:
            MasterError: fewer than two samples.
        """
        count = t_s.size
        if count < 2:
            raise MasterError(f"a recording needs at least two samples to move between; this one has {count}")
        self.t_s = np.asarray(t_s - t_s[0])
        self.p_m, self.gripper_rad = p_m.copy(), gripper_rad.copy()
        self.quat_xyzw = _same_hemisphere(quat_xyzw)
        self.notes = notes
        self.lead_in_s = playback.lead_in_s
        self._present = np.ones(count, bool) if present is None else present.copy()
        self._clutch = np.zeros(count, bool) if clutch is None else clutch.copy()
        self._times: list[float] = self.t_s.tolist()
        # c[0..3]: cubic to constant coefficients of (t - t_i), one row an interval; columns x, y, z, gripper.
        self._cubic = PchipInterpolator(self.t_s, np.column_stack([p_m, gripper_rad]), axis=0).c
        self._turns = _turns(self.quat_xyzw)
        self._playback = playback
        self._length_s = self._times[-1]
        self._return_s = self._return_time()
        looping = playback.at_end == "loop"
        self.duration_s = None if looping else playback.lead_in_s + self._length_s

    def sample(self, t_s: float) -> HandSample:
        """The hand ``t_s`` seconds after the start; see :class:`PlaybackSpec` for before and after."""
        t = t_s - self._playback.lead_in_s
        if t <= 0.0:
            return self._at_sample(0, present=bool(self._present[0]))
        if t < self._length_s:
            return self._between(t)
        if self._playback.at_end == "hold":
            return self._at_sample(-1, present=False)
        t %= self._length_s + self._return_s
        return self._between(t) if t < self._length_s else self._returning(t - self._length_s)

    def _between(self, t: float) -> HandSample:
        i = bisect_right(self._times, t) - 1
        s = t - self._times[i]
        c3, c2, c1, c0 = self._cubic[:, i]
        y = ((c3 * s + c2) * s + c1) * s + c0
        u = s / (self._times[i + 1] - self._times[i])
        quat = quat_mul(self.quat_xyzw[i], quat_exp(u * self._turns[i]))
        return HandSample(y[:3], quat, float(y[3]), bool(self._present[i]), bool(self._clutch[i]), True)

    def _at_sample(self, i: int, *, present: bool) -> HandSample:
        gripper = float(self.gripper_rad[i])
        return HandSample(
            self.p_m[i].copy(), self.quat_xyzw[i].copy(), gripper, present, bool(self._clutch[i]), True
        )

    def _returning(self, t: float) -> HandSample:
        """The minimum-jerk way back to the first sample, clutch pressed."""
        u = min(1.0, t / self._return_s)
        s = u * u * u * (10.0 + u * (6.0 * u - 15.0))
        p = self.p_m[-1] + s * (self.p_m[0] - self.p_m[-1])
        turn = quat_log(quat_mul(quat_conj(self.quat_xyzw[-1]), self.quat_xyzw[0]))
        quat = quat_mul(self.quat_xyzw[-1], quat_exp(s * turn))
        gripper = float(self.gripper_rad[-1] + s * (self.gripper_rad[0] - self.gripper_rad[-1]))
        return HandSample(p, quat, gripper, True, True, True)

    def _return_time(self) -> float:
        turn = quat_log(quat_mul(quat_conj(self.quat_xyzw[-1]), self.quat_xyzw[0]))
        travel_s = float(np.linalg.norm(self.p_m[0] - self.p_m[-1])) / RETURN_PEAK_M_S
        turn_s = float(np.linalg.norm(turn)) / RETURN_PEAK_RAD_S
        return max(RETURN_MIN_S, MINIMUM_JERK_PEAK * travel_s, MINIMUM_JERK_PEAK * turn_s)


def _same_hemisphere(quat_xyzw: Array) -> Array:
    """Signs chosen so that each quaternion is the nearer one to its predecessor."""
    flips = np.einsum("ij,ij->i", quat_xyzw[1:], quat_xyzw[:-1]) < 0.0
    signs = np.where(np.cumsum(flips) % 2 == 1, -1.0, 1.0)
    return np.asarray(quat_xyzw * np.concatenate([[1.0], signs])[:, None])


def _turns(quat_xyzw: Array) -> Array:
    """Rotation vectors ``log(q_i^-1 q_{i+1})`` between neighbours, shape (n-1, 3)."""
    return np.array([quat_log(quat_mul(quat_conj(a), b)) for a, b in pairwise(quat_xyzw)])
