"""What a user may say about the mapping, in TOML."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, field_validator

_CONFIG = ConfigDict(extra="forbid", allow_inf_nan=False, frozen=True)

QuatXyzw = tuple[float, float, float, float]
MAX_SCALE = 5.0


class RegistrationSpec(BaseModel):
    """Where the operator's view and device stand: rotations only, since the motion is relative.

    ``R_world_master = R_world_camera @ R_camera_master`` turns a motion of the hand as the operator sees
    it into the motion of the tip in the world.
    """

    model_config = _CONFIG

    quat_world_camera_xyzw: QuatXyzw = (0.0, 0.0, 0.0, 1.0)
    quat_camera_master_xyzw: QuatXyzw = (0.0, 0.0, 0.0, 1.0)
    quat_handle_tip_xyzw: QuatXyzw = (0.0, 0.0, 0.0, 1.0)
    """Orientation of the tool's tip frame in the handle's frame when hand and tool point alike."""

    @field_validator("*")
    @classmethod
    def _unit(cls, value: QuatXyzw) -> QuatXyzw:
        norm = float(np.linalg.norm(value))
        if abs(norm - 1.0) > 1e-3:
            raise ValueError(f"a rotation is a unit quaternion (x, y, z, w); this one has norm {norm:.4g}")
        return tuple(float(c) / norm for c in value)  # type: ignore[return-value]


class MappingSpec(BaseModel):
    """How the motion of the hand becomes motion of the tip.

    Attributes:
        scale: tip translation per hand translation, 1.
        rotation_scale: tip rotation per hand rotation, 1.
        orientation: ``"relative"`` keeps the offset between hand and tool that there is at engage;
            ``"aligned"`` engages only once hand and tool differ by less than the tolerance (the rest is
            kept, so engaging never turns the tool); ``"locked"`` leaves the tool's orientation alone.
        alignment_tolerance_deg: tolerance of ``"aligned"``. dVRK uses 5 degrees.
        leash_m: the desired tip is never farther than this from the commanded one, m, so that reversing takes
            effect at once: for input devices that feel nothing. Left out, hand and tool keep their tie.
        ramp_s: after each engage the scale grows from 0 to its value in this time, s.
        jaw_scale: jaw opening per gripper opening, 1.
        jaw_rate_max_rad_s: jaw speed limit, rad/s. dVRK uses 720 deg/s.
    """

    model_config = _CONFIG

    scale: Annotated[float, Field(gt=0.0, le=MAX_SCALE)] = 0.3
    rotation_scale: Annotated[float, Field(gt=0.0, le=MAX_SCALE)] = 1.0
    orientation: Literal["relative", "aligned", "locked"] = "relative"
    alignment_tolerance_deg: Annotated[float, Field(gt=0.0, le=180.0)] = 5.0
    leash_m: Annotated[float, Field(gt=0.0, le=1.0)] | None = None
    ramp_s: Annotated[float, Field(ge=0.0, le=10.0)] = 0.2
    jaw_scale: Annotated[float, Field(gt=0.0, le=10.0)] = 1.0
    jaw_rate_max_rad_s: Annotated[float, Field(gt=0.0, le=100.0)] = 12.57
    registration: RegistrationSpec = RegistrationSpec()
