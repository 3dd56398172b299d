"""What a session may say about what the hand feels, in TOML."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

_CONFIG = ConfigDict(extra="forbid", allow_inf_nan=False, frozen=True)
Positive = Annotated[float, Field(gt=0.0)]
NotNegative = Annotated[float, Field(ge=0.0)]


class HapticsSpec(BaseModel):
    """What the hand of one pair feels.

    Attributes:
        enabled: false sends zero force and no planes.
        device: name or file of a profile under ``configs/devices``.
        stiffness_n_m: of the spring between hand and clamp, N/m; left out, as much as is stable.
        damping_ns_m: B along the clamp's direction, N s/m.
        guidance_ns_m: viscous gain of guidance where the guide is far, N s/m; 0 leaves guidance unfelt.
        guidance_full_m: distance of the hand from the guide at which the gain is reached, m.
        grip_damping_ns_m: damping of the lightest hand that holds the handle, N s/m; 0 for a bound that
            holds with nobody there. 1 is assumed: identified grips damp several times as much.
        round_trip_ms: delay of a spring that is closed over the wire, ms: filter, two hops, a tick.
        on_bound: what to do with more stiffness than is stable: ``"cap"`` it and say so, or ``"refuse"``.
        slew_n_s: fastest change of the force, N/s; left out, full force in 10 ms.
        release_ms: from full force to none where force is not safe, ms.
        planes: also send constraint planes.
    """

    model_config = _CONFIG

    enabled: bool = True
    device: str = "generic"
    stiffness_n_m: Positive | None = None
    damping_ns_m: NotNegative = 0.0
    guidance_ns_m: Annotated[float, Field(ge=0.0, le=100.0)] = 4.0
    guidance_full_m: Positive = 0.005
    grip_damping_ns_m: Annotated[float, Field(ge=0.0, le=20.0)] = 1.0
    round_trip_ms: Annotated[float, Field(ge=0.0, le=500.0)] = 3.0
    on_bound: Literal["cap", "refuse"] = "cap"
    slew_n_s: Positive | None = None
    release_ms: Annotated[float, Field(ge=1.0, le=1000.0)] = 20.0
    planes: bool = True
