"""The policy on the length of the round trip (research: signal.md, "Proposed policy").

Two parts add up to what the person feels: controller to arm and back, from the echo in ``measured_js``, and
controller to master and back, from the echo in ``measured_cp`` of a master that gives one. Each is smoothed,
``s += (x - s) T/tau``, so that one late message is a matter for the policy on age and not for this one.
"""

from __future__ import annotations

import enum
import math
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

from teleop.safety.reasons import Reason

_SMOOTHING_NS = 100_000_000
_FORGET_NS = 2_000_000_000
_LONGEST_NS = 10_000_000_000
# A band is left for a better one only 10 % below its limit, and after a second there.
_RELEASE = 0.9
_DWELL_NS = 1_000_000_000


class RoundTripSpec(BaseModel):
    """Bands of the round trip, ms; a session may be stricter than the defaults, never laxer.

    Published thresholds: up to 100 ms acceptable in a dynamic task (Nankaku 2022), up to 200 ms ideal and
    300 ms suitable (Xu 2014), as quoted in the project's research notes. The speed cap is our own choice.

    Attributes:
        long_ms: above it the scale is halved.
        very_long_ms: above it the scale is a quarter and the speed is capped.
        too_long_ms: above it the arm holds, and an engagement is refused.
        speed_cap_m_s: greatest speed of the desired tip in the band before the last, m/s; the tip turns by
            at most 25 rad for each metre of it.
    """

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False, frozen=True)

    long_ms: Annotated[float, Field(gt=0.0, le=100.0)] = 100.0
    very_long_ms: Annotated[float, Field(gt=0.0, le=200.0)] = 200.0
    too_long_ms: Annotated[float, Field(gt=0.0, le=300.0)] = 300.0
    speed_cap_m_s: Annotated[float, Field(gt=0.0, le=0.02)] = 0.02

    @model_validator(mode="after")
    def _ordered(self) -> RoundTripSpec:
        if not self.long_ms <= self.very_long_ms <= self.too_long_ms:
            raise ValueError("long_ms, very_long_ms and too_long_ms must not decrease")
        return self


class Band(enum.IntEnum):
    """How long the round trip is."""

    SHORT = 0
    LONG = 1
    VERY_LONG = 2
    TOO_LONG = 3

    @property
    def reason(self) -> Reason:
        """What the person is told."""
        return _REASONS[self]

    @property
    def scale(self) -> float:
        """Factor on the motion."""
        return _SCALES[self]


_REASONS = (
    Reason.NONE,
    Reason.ROUND_TRIP_LONG,
    Reason.ROUND_TRIP_VERY_LONG,
    Reason.ROUND_TRIP_TOO_LONG,
)
_SCALES = (1.0, 0.5, 0.25, 0.25)


class Smoothed:
    """One part of the round trip, ns; unknown counts as zero.

    Attributes:
        value_ns: smoothed, 0 before the first sample and two seconds after the last.
    """

    def __init__(self) -> None:
        """Nothing known."""
        self.value_ns = 0.0
        self._last_ns: int | None = None

    def update(self, sample_ns: int, now_ns: int) -> None:
        """Take in a sample, or a negative number where none came; call it in every tick.

        A sample outside 0 to 10 s is a clock that was set or a false echo, and is not believed.
        """
        if not 0 <= sample_ns <= _LONGEST_NS:
            if self._last_ns is not None and now_ns - self._last_ns > _FORGET_NS:
                self._last_ns, self.value_ns = None, 0.0
            return
        if self._last_ns is None:
            self.value_ns = float(sample_ns)
        else:
            blend = 1.0 - math.exp(-(now_ns - self._last_ns) / _SMOOTHING_NS)
            self.value_ns += blend * (sample_ns - self.value_ns)
        self._last_ns = now_ns


class RoundTrip:
    """The band in force.

    Attributes:
        band: see :class:`Band`; to a worse one at once, to a better one after a second.
        to_arm: the part between controller and arm.
        to_master: the part between controller and master.
    """

    def __init__(self, spec: RoundTripSpec) -> None:
        """Nothing known, which counts as short: a lost link is a matter for the policy on age."""
        self.spec = spec
        self.to_arm, self.to_master = Smoothed(), Smoothed()
        self.band = Band.SHORT
        self._limits_ns = [1e6 * ms for ms in (spec.long_ms, spec.very_long_ms, spec.too_long_ms)]
        self._better_since_ns: int | None = None

    @property
    def total_ns(self) -> float:
        """Both parts together."""
        return self.to_arm.value_ns + self.to_master.value_ns

    def update(self, arm_ns: int, master_ns: int, now_ns: int) -> None:
        """One tick.

        Args:
            arm_ns: age of the command that the arm executed last, ns; negative where no new echo came.
            master_ns: the same for the force that the master received last.
            now_ns: clock of the tick.
        """
        self.to_arm.update(arm_ns, now_ns)
        self.to_master.update(master_ns, now_ns)
        total = self.total_ns
        if self.band is Band.SHORT and total <= self._limits_ns[0]:
            return
        wanted = Band(sum(total > limit for limit in self._limits_ns))
        if wanted > self.band:
            self.band = wanted
        if self.band is Band.SHORT or total > _RELEASE * self._limits_ns[self.band - 1]:
            self._better_since_ns = None
        elif self._better_since_ns is None:
            self._better_since_ns = now_ns
        elif now_ns - self._better_since_ns >= _DWELL_NS:
            self.band = Band(sum(total > _RELEASE * limit for limit in self._limits_ns))
            self._better_since_ns = None
