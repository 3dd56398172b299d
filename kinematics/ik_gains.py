"""Settings of the differential inverse kinematics, as written in TOML."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class IKGains(BaseModel):
    """How the tip is followed; docs/inverse-kinematics.md gives the reasons for the defaults."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False, frozen=True)

    angular_length_m: float = Field(default=0.05, gt=0, le=1)
    """Length [m] that weighs one radian against metres where not both can be had."""

    catch_up_m_s: float = Field(default=0.25, gt=0, le=5)
    """Highest tip speed [m/s] used to reduce a position error, besides following the hand."""

    catch_up_rad_s: float = Field(default=2.5, gt=0, le=50)
    """Highest angular speed [rad/s] used to reduce an orientation error."""

    braking_fraction: float = Field(default=0.8, gt=0, le=1)
    """Part of the joint acceleration that the approach to a far target plans to brake with."""

    singular_m_s: float = Field(default=0.02, gt=0, le=1)
    """Directions in which full joint speed moves the tip slower than this [m/s] are damped."""

    posture_per_s: float = Field(default=1.0, ge=0, le=20)
    """Rate [1/s] at which a redundant arm returns to its posture."""

    posture_speed_fraction: float = Field(default=0.1, ge=0, le=0.5)
    """Highest joint speed used for the posture, as a part of the joint's limit."""

    iteration_limit: int = Field(default=300, ge=20, le=10_000)
    """Cap on the iterations of one QP; reaching it means the stop."""
