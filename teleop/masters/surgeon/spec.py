"""What the synthetic surgeon does, in numbers a person can read off the literature."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

Positive = Annotated[float, Field(gt=0.0)]
NonNegative = Annotated[float, Field(ge=0.0)]
Range = tuple[NonNegative, NonNegative]


class SurgeonSpec(BaseModel):
    """A surgeon's hand: how far and fast it reaches, how much it shakes. Both generators read the same keys.

    Attributes:
        moving: reach about the workspace; ``False`` holds still (drift and tremor remain).
        workspace_m: side lengths of the box, centred on the start pose, that the reaches stay in.
        reach_speed_m_s: lowest and highest peak speed of a reach.
        reach_min_s: shortest reach. With the peak of a minimum-jerk reach this keeps 98.9 % of the
            voluntary power below 2 Hz, as Riviere (1997) measured.
        pause_s: shortest and longest rest between reaches.
        turn_max_rad: the orientation stays within this rotation vector component of the start.
        drift_rms_m: slow involuntary wander below 0.5 Hz, rms per axis; part of what counts as voluntary,
            since a filter must not (and cannot) remove it.
        f0_hz: main tremor frequency; drawn from U(7, 12) by the seed when left out.
        tremor_rms_m: rms of the whole tremor on an axis whose ratio is 1 (literature: 30 to 100 um).
        axis_ratio: tremor rms of x, y, z relative to ``tremor_rms_m``.
        lever_m: distance from the pivot of the hand to the tip along z; tremor turns the tool by
            displacement / lever.
        noise_rms_m: sensor noise per position axis (3 to 5 um).
        noise_rms_rad: sensor noise per rotation axis.
    """

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False, frozen=True)

    moving: bool = True
    workspace_m: tuple[Positive, Positive, Positive] = (0.06, 0.06, 0.04)
    reach_speed_m_s: Range = (0.02, 0.08)
    reach_min_s: Annotated[float, Field(ge=0.2)] = 0.8
    pause_s: Range = (0.2, 1.0)
    turn_max_rad: Annotated[float, Field(ge=0.0, le=1.0)] = 0.4
    drift_rms_m: NonNegative = 70e-6
    f0_hz: Annotated[float, Field(ge=3.0, le=25.0)] | None = None
    tremor_rms_m: Annotated[float, Field(ge=0.0, le=2e-3)] = 50e-6
    axis_ratio: tuple[NonNegative, NonNegative, NonNegative] = (1.0, 1.0, 0.2)
    lever_m: Annotated[float, Field(ge=0.01)] = 0.1
    noise_rms_m: NonNegative = 4e-6
    noise_rms_rad: NonNegative = 4e-5

    @model_validator(mode="after")
    def _ranges_ascend(self) -> SurgeonSpec:
        for key in ("reach_speed_m_s", "pause_s"):
            low, high = getattr(self, key)
            if low > high:
                raise ValueError(f"{key} is [lowest, highest]; got [{low:g}, {high:g}]: swap the two")
        if self.reach_speed_m_s[0] <= 0.0:
            raise ValueError("reach_speed_m_s must start above 0: a reach at speed 0 never arrives")
        return self
