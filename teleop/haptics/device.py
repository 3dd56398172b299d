"""What a haptic device can do: limits that every force is held to, read from ``configs/devices``."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

Positive = Annotated[float, Field(gt=0.0)]
NotNegative = Annotated[float, Field(ge=0.0)]


class DeviceSpec(BaseModel):
    """One haptic device. A number without a published source says ``assumed`` in ``sources``.

    Attributes:
        model: name for people.
        max_force_n: largest force at the handle, N.
        max_torque_nm: largest torque about the handle, N m; 0 for a device that renders none.
        max_stiffness_n_m: stiffest spring it is known to render well, N/m.
        max_torsional_nm_rad: the same for rotation, N m/rad.
        max_damping_ns_m: largest virtual damping it is known to render well, N s/m.
        damping_ns_m: its own viscous damping at the handle, N s/m.
        friction_n: its own Coulomb friction at the handle, N.
        inertia_kg: its apparent mass at the handle, kg.
        resolution_m: position resolution, m.
        rate_hz: rate of its servo loop, Hz.
        delay_s: from the position read to the force applied, beyond the sample-and-hold, s.
        reach_m: radius of its workspace, m.
        sources: where each number is from, by key.
    """

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False, frozen=True)

    model: str
    max_force_n: Positive
    max_torque_nm: NotNegative = 0.0
    max_stiffness_n_m: Positive
    max_torsional_nm_rad: NotNegative = 0.0
    max_damping_ns_m: Positive
    damping_ns_m: NotNegative
    friction_n: NotNegative
    inertia_kg: Positive
    resolution_m: Positive
    rate_hz: Annotated[float, Field(ge=100.0, le=100_000.0)] = 1000.0
    delay_s: Annotated[float, Field(ge=0.0, le=0.1)] = 0.0
    reach_m: Positive
    sources: dict[str, str]

    @model_validator(mode="after")
    def _every_number_has_a_source(self) -> DeviceSpec:
        fields = type(self).model_fields
        numbers = {key for key, field in fields.items() if getattr(self, key) != field.default}
        numbers -= {"model", "sources"}
        missing = sorted(numbers - set(self.sources))
        if missing:
            raise ValueError(
                f"sources must say where each number is from, or 'assumed: why': missing {', '.join(missing)}"
            )
        return self

    @property
    def assumed(self) -> tuple[str, ...]:
        """Keys whose number has no published source."""
        return tuple(sorted(key for key, text in self.sources.items() if text.startswith("assumed")))
