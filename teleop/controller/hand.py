"""The hand as the controller believes it: admitted, filtered, brought to the time of the tick.

Samples come from another process with a clock and a phase of its own, so in one tick there may be none,
one or several new ones. The pose used in a tick is therefore always the newest filtered sample carried
forward by its age with a velocity that decays, ``p + v tau (1 - exp(-age / tau))``: smooth while samples
come, and coming to rest by itself when they stop.
"""

from __future__ import annotations

import math
import operator
from typing import Annotated

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field

from teleop.controller._hand_kernels import carry, observe
from teleop.safety.age import Age, AgePolicy
from teleop.safety.lapses import Lapses
from teleop.tremor import PoseFilter
from teleop.wire.liveness import InputMonitor, Verdict
from teleop.wire.messages import MeasuredCp

Array = npt.NDArray[np.float64]

_DECAY_S = 0.005
_VELOCITY_SMOOTHING_S = 0.002
_UNIT_TOLERANCE = 1e-3
# Stamps of one sender may bunch: this much motion at full speed is believed between any two samples.
_BUNCHING_S = 0.001


class HandSpec(BaseModel):
    """What the controller accepts from a master.

    Attributes:
        reach_m: positions farther than this from the master's origin are refused, m.
        speed_max_m_s: a sample that would need a faster hand is refused, m/s.
        turn_max_rad_s: likewise for rotation, rad/s.
        late_ms: above this age the arm slows down, ms.
        stale_ms: above this age it holds until the clutch is cycled or the pair engaged again, ms.
        lost_ms: above this age the deadman trips and the pair must be engaged again, ms.
        deadman_ms: the deadman counts as released when its own stamp is older, ms.
        recovery_samples: good samples in a row before a hand that was lost may be followed again.
        late_ratio_max: share of the last second for which samples may be late before the arm holds.
    """

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False, frozen=True)

    reach_m: Annotated[float, Field(gt=0.0, le=100.0)] = 5.0
    speed_max_m_s: Annotated[float, Field(gt=0.0, le=100.0)] = 5.0
    turn_max_rad_s: Annotated[float, Field(gt=0.0, le=1000.0)] = 60.0
    late_ms: Annotated[float, Field(gt=0.0, le=5.0)] = 5.0
    stale_ms: Annotated[float, Field(gt=0.0, le=20.0)] = 20.0
    lost_ms: Annotated[float, Field(gt=0.0, le=100.0)] = 100.0
    deadman_ms: Annotated[float, Field(gt=0.0, le=100.0)] = 100.0
    recovery_samples: Annotated[int, Field(ge=1, le=10_000)] = 50
    late_ratio_max: Annotated[float, Field(gt=0.0, le=0.05)] = 0.05


class Hand:
    """Newest believed state of one hand.

    Attributes:
        p: position at the time of the tick, shape (3,), m, master frame, filtered.
        quat_xyzw: orientation at the time of the tick, shape (4,), filtered.
        gripper_rad: gripper opening of the newest sample, never filtered.
        seen: a sample has been admitted since the start or the last change of sender.
        age: band of lateness of the newest sample.
        age_ns: that lateness, ns.
        valid: what the sender says of its own sample.
        present: the deadman is held and freshly reported.
        deadman_stale: the deadman is held but its report is old.
        unsteady: samples were late for too much of the last second.
        clutch: the clutch is pressed, or its report is old.
        clutch_stale: it is not pressed, but its report is old.
        round_trip_ns: age of the force that the master names as received last; -1 if it named no new one.
        rebased_from: pose (position, quaternion) that the filter before would have given now, in a tick in
            which another filter, or the same one after a gap, began; else ``None``.
        energy_j: work that the hand did against the arm's force so far, J; below 0 if it is not counted.
        sender: session of the sender.
        good_run: admitted samples in a row that were valid and came in time.
        fresh_stamp_ns: stamp of the sample admitted in this tick, 0 if none.
        raw_p: position of the newest sample, shape (3,), m.
        filtered_p: the same after the filter.
        monitor: whether the stream is alive, at its rate, valid.
        rejected: refused samples by reason.
    """

    def __init__(self, spec: HandSpec, pose_filter: PoseFilter, rate_hz: float) -> None:
        """A hand that has not been seen."""
        self.spec = spec
        self.filter = pose_filter
        self.policy = AgePolicy(*(int(ms * 1e6) for ms in (spec.late_ms, spec.stale_ms, spec.lost_ms)))
        self.rejected: dict[str, int] = {}
        self.monitor = InputMonitor(rate_hz, alive_within_s=spec.lost_ms * 1e-3)
        self._forget()
        self.p = np.zeros(3)
        self.quat_xyzw = np.array([0.0, 0.0, 0.0, 1.0])
        self.gripper_rad = 0.0
        self.rebased_from: tuple[Array, Array] | None = None
        self._replaced = False

    def _forget(self) -> None:
        """Drop everything that ties to one sender; poses stay, so nothing downstream jumps."""
        self.seen = False
        self.age, self.age_ns = Age.LOST, -1
        self.valid = self.present = self.deadman_stale = self.clutch_stale = False
        self.clutch = True
        self.round_trip_ns = -1
        self.energy_j, self.sender = -1.0, b""
        self._echo_seq = -1
        self._late = Lapses()
        self.good_run = 0
        self.fresh_stamp_ns = 0
        self._stamp_ns = 0
        self.raw_p = np.zeros(3)
        self._raw_quat = np.array([0.0, 0.0, 0.0, 1.0])
        self.filtered_p = np.zeros(3)
        self._out_quat = np.array([0.0, 0.0, 0.0, 1.0])
        self._twist = np.zeros(6)
        self.filter.reset()

    @property
    def velocity(self) -> Array:
        """Velocity of the hand, shape (3,), m/s, master's frame, smoothed over some milliseconds."""
        return self._twist[:3]

    def replace_filter(self, pose_filter: PoseFilter) -> None:
        """Use another tremor filter from the next sample on."""
        self.filter = pose_filter
        self._replaced = True

    @property
    def unsteady(self) -> bool:
        """Whether samples were late, but not stale, for more than the allowed share of the last second."""
        return self._late.bad_s > self.spec.late_ratio_max

    def update(self, sample: MeasuredCp | None, now_ns: int, period_s: float = 1e-3) -> None:
        """Take in what came since the last tick and bring the pose to ``now_ns``."""
        self.fresh_stamp_ns = 0
        self.round_trip_ns = -1
        self.rebased_from = None
        if sample is not None:
            reject, verdict = self._refuse(sample, now_ns)
            if reject:
                self.rejected[reject] = self.rejected.get(reject, 0) + 1
            else:
                self._admit(sample, now_ns, verdict)
        if not self.seen:
            return
        self.age_ns = self.monitor.age_ns(now_ns) or 0
        self.age = self.policy.classify(self.age_ns)
        if self.age > Age.FRESH:
            self.good_run = 0
        if self.age >= Age.STALE:  # a hold of its own follows, with a recovery of its own
            self._late.clear()
        self._late.update(now_ns, period_s if self.age is Age.LATE else 0.0)
        carry(
            self.filtered_p, self._out_quat, self._twist, self.age_ns * 1e-9, _DECAY_S, self.p, self.quat_xyzw
        )

    def _refuse(self, sample: MeasuredCp, now_ns: int) -> tuple[str, Verdict | None]:
        """Why this sample cannot be believed, or an empty string; and what its header says, if looked at."""
        numbers = (*sample.p_m, *sample.quat_xyzw, sample.gripper_rad, sample.energy_j)
        if not all(map(math.isfinite, numbers)):
            return "not_finite", None
        if abs(math.hypot(*sample.quat_xyzw) - 1.0) > _UNIT_TOLERANCE:
            return "non_unit_quaternion", None
        if max(map(abs, sample.p_m)) > self.spec.reach_m:
            return "out_of_reach", None
        verdict = self.monitor.judge(sample, now_ns)
        if not verdict.admitted:
            return verdict.value, verdict
        # After a loss the hand may be anywhere: it is not followed before references are taken anew.
        known = self.seen and verdict is Verdict.ACCEPTED and self.age < Age.STALE
        return self._impossible(sample) if known else "", verdict

    def _impossible(self, sample: MeasuredCp) -> str:
        elapsed_s = (sample.stamp_ns - self._stamp_ns) * 1e-9 + _BUNCHING_S
        if math.dist(sample.p_m, self.raw_p.tolist()) > self.spec.speed_max_m_s * elapsed_s:
            return "jump"
        dot = sum(map(operator.mul, sample.quat_xyzw, self._raw_quat.tolist()))
        turn_rad = 2.0 * math.acos(min(1.0, abs(dot) / math.hypot(*sample.quat_xyzw)))
        return "jump" if turn_rad > self.spec.turn_max_rad_s * elapsed_s else ""

    def _admit(self, sample: MeasuredCp, now_ns: int, verdict: Verdict | None) -> None:
        self.monitor.observe(sample, now_ns, valid=sample.valid, judged=verdict)
        if verdict is Verdict.NEW_SESSION:
            self._forget()
        elapsed_s = (sample.stamp_ns - self._stamp_ns) * 1e-9 if self.seen else 0.0
        first = not self.seen or self.age >= Age.STALE
        if first:
            self.filter.reset()
        elif self._replaced or elapsed_s > self.filter.position.max_gap_s:
            self._rebase(now_ns)
        self._replaced = False
        self.raw_p[:] = sample.p_m
        self._raw_quat[:] = sample.quat_xyzw
        self._raw_quat /= math.hypot(*sample.quat_xyzw)
        p, quat = self.filter.step(self.raw_p, self._raw_quat, elapsed_s)
        if first:
            self._twist[:] = 0.0
            self.filtered_p[:] = p
            self._out_quat[:] = quat
        else:
            observe(p, quat, elapsed_s, _VELOCITY_SMOOTHING_S, self.filtered_p, self._out_quat, self._twist)
        self._stamp_ns = sample.stamp_ns
        self.seen = True
        self.fresh_stamp_ns = sample.stamp_ns
        self.gripper_rad = sample.gripper_rad
        self.energy_j, self.sender = sample.energy_j, sample.session
        self.valid = sample.valid
        self.good_run = self.good_run + 1 if sample.valid else 0
        deadman_ns = int(self.spec.deadman_ms * 1e6)
        held_fresh = 0 <= sample.stamp_ns - sample.present.stamp_ns <= deadman_ns
        self.present = sample.present.value and held_fresh
        self.deadman_stale = sample.present.value and not held_fresh
        # A clutch that is no longer reported counts as pressed: the arm then does not follow.
        clutch_fresh = 0 <= sample.stamp_ns - sample.clutch.stamp_ns <= deadman_ns
        self.clutch = sample.clutch.value or not clutch_fresh
        self.clutch_stale = self.clutch and not sample.clutch.value
        if sample.echo_seq >= 0 and sample.echo_seq != self._echo_seq:
            self._echo_seq = sample.echo_seq
            self.round_trip_ns = now_ns - sample.echo_stamp_ns

    def _rebase(self, now_ns: int) -> None:
        """Keep the pose that the filter before gives for now: the next one begins elsewhere."""
        age_s = (self.monitor.passage_age_ns(now_ns, self._stamp_ns)) * 1e-9
        p, quat = np.empty(3), np.empty(4)
        carry(self.filtered_p, self._out_quat, self._twist, age_s, _DECAY_S, p, quat)
        self.rebased_from = p, quat
