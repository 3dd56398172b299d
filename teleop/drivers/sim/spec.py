"""Settings of the simulated arm."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

from teleop.drivers.sim.tissue import TissueSpec
from teleop.drivers.watchdog import DISABLE_AFTER_S

Positive = Annotated[float, Field(gt=0.0)]
PerJoint = Annotated[list[float], Field(min_length=1, max_length=32)]


class OwnLimits(BaseModel):
    """Limits of the driver where they differ from the arm's profile; one number a joint, rad or m and s."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False, frozen=True)

    q_min: PerJoint | None = None
    q_max: PerJoint | None = None
    qd_max: PerJoint | None = None
    qdd_max: PerJoint | None = None


class SimArmSpec(BaseModel):
    """A simulated arm: how its servo answers, what its encoders read, how it homes.

    Attributes:
        rate_hz: rate of the driver's loop, and of the commands it expects.
        bandwidth_hz: -3 dB frequency of the joint servo.
        damping_ratio: of the same second-order system; 1 does not overshoot.
        delay_ms: time from setpoint to effect, rounded to whole periods.
        rate_headroom: greatest joint speed of the motors, as a multiple of the driver's limit.
        acceleration_headroom: greatest joint acceleration of the motors, as a multiple of the driver's limit.
        encoder_counts: counts over the range of each joint.
        noise_counts: rms noise of a reading before it is rounded, counts.
        seed: of the noise; the same seed and inputs give the same bits.
        homed_at_start: absolute encoders; ``home`` is not needed.
        q_start: joint positions at the start, rad or m; the profile's home if left out.
        homing_s: homing takes at least this long.
        homing_speed: greatest speed while homing, as a fraction of the driver's limit.
        lease_ttl_s: the lease lapses when no command came for this long.
        stop_max_s: longest stop a command may ask for.
        limits: the driver's own limits; the profile's where left out.
        tissue: what the tip may touch; with it the arm reports `effort`.
    """

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False, frozen=True)

    rate_hz: Annotated[float, Field(ge=100.0, le=4000.0)] = 1000.0
    bandwidth_hz: Annotated[float, Field(gt=0.0, le=1000.0)] = 40.0
    damping_ratio: Annotated[float, Field(ge=0.1, le=10.0)] = 1.0
    delay_ms: Annotated[float, Field(ge=0.0, le=1000.0)] = 1.0
    rate_headroom: Annotated[float, Field(ge=1.0)] = 1.2
    acceleration_headroom: Annotated[float, Field(ge=1.0)] = 2.0
    encoder_counts: Annotated[int, Field(ge=2)] = 1 << 20
    noise_counts: Annotated[float, Field(ge=0.0)] = 0.5
    seed: Annotated[int, Field(ge=0)] = 0
    homed_at_start: bool = False
    q_start: PerJoint | None = None
    homing_s: Positive = 1.0
    homing_speed: Annotated[float, Field(gt=0.0, le=1.0)] = 0.2
    lease_ttl_s: Positive = 1.0
    stop_max_s: Positive = 2.0
    limits: OwnLimits = OwnLimits()
    tissue: TissueSpec | None = None

    @model_validator(mode="after")
    def _lease_outlives_the_watchdog(self) -> SimArmSpec:
        if self.lease_ttl_s <= DISABLE_AFTER_S:
            raise ValueError(
                f"lease_ttl_s = {self.lease_ttl_s:g} must be above {DISABLE_AFTER_S:g}: "
                "the driver disables itself before its lease lapses"
            )
        return self
