"""What a session may say about what the hand feels, in TOML."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

_CONFIG = ConfigDict(extra="forbid", allow_inf_nan=False, frozen=True)
Positive = Annotated[float, Field(gt=0.0)]
NotNegative = Annotated[float, Field(ge=0.0)]


class RemoteSpec(BaseModel):
    """The arm's own force on the hand, from `effort` of its driver.

    Attributes:
        gain: force at the hand per force at the tip.
        max_force_n: most of it that is felt, N; it comes and goes within 10 ms.
        max_round_trip_ms: with a longer round trip, master to arm and back, it is not passed on.
    """

    model_config = _CONFIG

    gain: Annotated[float, Field(gt=0.0, le=10.0)] = 1.0
    max_force_n: Annotated[float, Field(gt=0.0, le=10.0)] = 3.0
    max_round_trip_ms: Annotated[float, Field(gt=0.0, le=200.0)] = 50.0


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
        remote: also pass on the arm's own force; left out, it is not.
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
    remote: RemoteSpec | None = None

    @model_validator(mode="after")
    def _near_enough_for_the_force_of_the_arm(self) -> HapticsSpec:
        remote = self.remote
        if remote is not None and self.round_trip_ms > remote.max_round_trip_ms:
            raise ValueError(
                f"round_trip_ms = {self.round_trip_ms:g} is above remote.max_round_trip_ms = "
                f"{remote.max_round_trip_ms:g}: the force of the arm would never be passed on. Leave out "
                "`remote`, or raise its bound if so late a force is of use"
            )
        if remote is not None and not self.enabled:
            raise ValueError("remote: nothing is felt with enabled = false; leave one of the two out")
        return self
