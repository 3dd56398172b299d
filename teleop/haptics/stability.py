"""How stiff a sampled spring may be before it gives out energy, and what a profile gets of what it asks.

A virtual wall of stiffness K and damping B, sampled with period T and delayed by t_d, on a device of own
viscous damping b, is passive if

    b > K (T / 2 + t_d) + |B|

(Colgate & Schenkel 1997 for t_d = 0, where it is exact; with a delay it is conservative). Encoders of
resolution D and Coulomb friction f_c also ask for

    K <= min(2 b / T, 2 f_c / D)

(Abbott & Okamura 2005; the formula is quoted from memory, the abstract confirms its kind).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from teleop.errors import TrocarError
from teleop.haptics.device import DeviceSpec
from teleop.haptics.spec import HapticsSpec

CONTROLLER_PERIOD_S = 1e-3
"""Period at which the controller's own force is held."""


class HapticsError(TrocarError):
    """A haptic profile asks for what its device cannot render stably."""


@dataclass(frozen=True, slots=True)
class Bound:
    """The stiffest passive spring.

    Attributes:
        stiffness_n_m: K, N/m; 0 if none is.
        limit: which of the conditions sets it, in words.
    """

    stiffness_n_m: float
    limit: str


@dataclass(frozen=True, slots=True)
class Spring:
    """A spring as it will be rendered.

    Attributes:
        stiffness_n_m: K in force, N/m.
        damping_ns_m: B in force, N s/m.
        reason: why it is less than was asked for; empty if it is not.
    """

    stiffness_n_m: float
    damping_ns_m: float
    reason: str = ""


def passive_bound(
    *,
    damping_ns_m: float,
    virtual_damping_ns_m: float,
    period_s: float,
    delay_s: float,
    friction_n: float,
    resolution_m: float,
) -> Bound:
    """The stiffest spring that both conditions of this module allow.

    Args:
        damping_ns_m: b, of the device and of the hand that is sure to hold it, N s/m.
        virtual_damping_ns_m: B, N s/m.
        period_s: T, s.
        delay_s: t_d, s.
        friction_n: f_c, N.
        resolution_m: D, m; 0 for one without steps.
    """
    spare = damping_ns_m - abs(virtual_damping_ns_m)
    candidates = [
        Bound(
            max(0.0, spare / (0.5 * period_s + delay_s)),
            f"b > K (T/2 + t_d) + |B| with b = {damping_ns_m:g} N s/m, B = {virtual_damping_ns_m:g} N s/m, "
            f"T = {1e3 * period_s:g} ms, t_d = {1e3 * delay_s:g} ms",
        ),
        Bound(
            2.0 * damping_ns_m / period_s,
            f"K <= 2 b / T with b = {damping_ns_m:g} N s/m, T = {1e3 * period_s:g} ms",
        ),
    ]
    if resolution_m > 0.0:
        candidates.append(
            Bound(
                2.0 * friction_n / resolution_m,
                f"K <= 2 f_c / D with f_c = {friction_n:g} N, D = {1e6 * resolution_m:g} um",
            )
        )
    return min(candidates, key=lambda bound: bound.stiffness_n_m)


def _spring(spec: HapticsSpec, device: DeviceSpec, period_s: float, delay_s: float, where: str) -> Spring:
    bound = passive_bound(
        damping_ns_m=device.damping_ns_m + spec.grip_damping_ns_m,
        virtual_damping_ns_m=spec.damping_ns_m,
        period_s=period_s,
        delay_s=delay_s,
        friction_n=device.friction_n,
        resolution_m=device.resolution_m,
    )
    best = min(bound.stiffness_n_m, device.max_stiffness_n_m)
    asked = device.max_stiffness_n_m if spec.stiffness_n_m is None else spec.stiffness_n_m
    if asked <= best:
        return Spring(asked, spec.damping_ns_m)
    if bound.stiffness_n_m <= device.max_stiffness_n_m:
        why = f"stiffer, it would give out energy: {bound.limit}"
    else:
        why = f"the device is known to render no more ({device.sources['max_stiffness_n_m']})"
    return Spring(best, spec.damping_ns_m, f"{where}: {asked:g} N/m capped to {math.floor(best)} N/m; {why}")


@dataclass(frozen=True, slots=True)
class Springs:
    """What a pair's profile comes to on its device.

    Attributes:
        force: the spring that the controller closes, over the wire.
        planes: the spring that the master closes from the planes, at its own rate.
        torsional_nm_rad: rotational stiffness, N m/rad.
    """

    force: Spring
    planes: Spring
    torsional_nm_rad: float

    @property
    def notes(self) -> tuple[str, ...]:
        """What a person should know: where less is rendered than was asked for."""
        return tuple(spring.reason for spring in (self.force, self.planes) if spring.reason)


def springs(spec: HapticsSpec, device: DeviceSpec) -> Springs:
    """Hold what a profile asks to what its device can render.

    The torsional spring is scaled down as much as the linear one: no rotational damping is published for any
    device, so there is no bound of its own.

    Raises:
        HapticsError: the profile refuses to be capped, or its damping alone breaks the bound.
    """
    if spec.damping_ns_m > device.max_damping_ns_m:
        raise HapticsError(
            f"haptics.damping_ns_m = {spec.damping_ns_m:g}: {device.model} is known to render at most "
            f"{device.max_damping_ns_m:g} N s/m ({device.sources['max_damping_ns_m']})"
        )
    force = _spring(
        spec,
        device,
        CONTROLLER_PERIOD_S,
        1e-3 * spec.round_trip_ms + device.delay_s,
        "force closed over the wire",
    )
    planes = _spring(spec, device, 1.0 / device.rate_hz, device.delay_s, "planes closed at the device")
    for spring in (force, planes):
        if spring.stiffness_n_m <= 0.0:
            raise HapticsError(
                f"haptics: on {device.model} no spring at all is passive: {spring.reason}. Lower "
                "haptics.damping_ns_m, or measure the device's own damping and friction"
            )
        if spring.reason and spec.on_bound == "refuse":
            # What is left to `None` asks for as much as there is, and so for nothing that could be refused.
            if spec.stiffness_n_m is None:
                continue
            raise HapticsError(
                f'haptics.stiffness_n_m: {spring.reason}. Ask for less, or say on_bound = "cap"'
            )
    share = force.stiffness_n_m / device.max_stiffness_n_m
    return Springs(force, planes, device.max_torsional_nm_rad * min(1.0, share))
