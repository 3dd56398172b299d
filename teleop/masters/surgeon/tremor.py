"""Physiological hand tremor: two wandering, breathing sinusoids and a band of noise.

Surgeons' tremor shows several dominant peaks inside a band of about 4 Hz between 6 and 14 Hz, nonstationary
in amplitude, frequency and bandwidth (Tatinati, Veluvolu & Ang 2015); its axes are unequal (Becker et al.
2008). Per axis, with one frequency course for the whole hand:

``x(t) = A1(t) sin(2 pi int f(t) dt + phi1) + 0.5 A2(t) sin(2 pi int (f(t) + 1.7) dt + phi2) + 0.35 w(t)``

``f(t) = f0 + 0.5 m0(t)`` Hz, ``Ai(t) = 1 + 0.4 mi(t)``, ``mi`` noise below 0.5 Hz with peak 1, and ``w``
noise of 7 to 13 Hz with the rms of a unit sinusoid. Each axis is scaled to its rms over the trace exactly.
"""

from __future__ import annotations

import numpy as np

from teleop.masters.surgeon.signals import Array, band_noise, unit_peak, unit_rms
from teleop.masters.surgeon.spec import SurgeonSpec

F0_RANGE_HZ = (7.0, 12.0)
SECOND_OFFSET_HZ = 1.7
SECOND_RATIO = 0.5
WANDER_HZ = 0.5
AM_DEPTH = 0.4
MODULATION_BAND_HZ = (0.0, 0.5)
BAND_RATIO = 0.35
BAND_HZ = (7.0, 13.0)


def tremor(t: Array, rate_hz: float, spec: SurgeonSpec, rng: np.random.Generator) -> Array:
    """Tremor of the six axes at the times ``t``.

    Args:
        t: uniform times, s, shape (n,).
        rate_hz: their rate.
        spec: frequency, rms, axis ratios and lever.
        rng: source of randomness.

    Returns:
        position (m) and rotation vector (rad), shape (n, 6); see :func:`turn_about_pivot` for the rotation.
    """
    f0 = draw_f0(spec, rng)
    wander = WANDER_HZ * unit_peak(band_noise(t.size, rate_hz, *MODULATION_BAND_HZ, rng))
    turns = np.cumsum(f0 + wander) / rate_hz
    axes = np.stack([_axis(t, rate_hz, turns, rng) for _ in range(4)], axis=1)
    return turn_about_pivot(axes, spec)


def draw_f0(spec: SurgeonSpec, rng: np.random.Generator) -> float:
    """The asked tremor frequency, or one drawn from U(7, 12) Hz; takes one draw in either case."""
    drawn = float(rng.uniform(*F0_RANGE_HZ))
    return drawn if spec.f0_hz is None else spec.f0_hz


def turn_about_pivot(unit: Array, spec: SurgeonSpec) -> Array:
    """Scale four unit-rms signals to the tremor of a hand that turns about a pivot ``lever_m`` along z.

    The tip displacement ``d`` of a rotation ``theta`` about the pivot is ``theta x (lever z)``, so
    ``theta = (-d_y, d_x) / lever``. Roll about z does not move the tip: the fourth signal, at the ratio of z.

    Args:
        unit: x, y, z and roll, shape (n, 4).
        spec: rms, axis ratios, lever.

    Returns:
        shape (n, 6), m and rad.
    """
    out = np.empty((unit.shape[0], 6))
    out[:, :3] = unit[:, :3] * (spec.tremor_rms_m * np.array(spec.axis_ratio))
    out[:, 3] = -out[:, 1] / spec.lever_m
    out[:, 4] = out[:, 0] / spec.lever_m
    out[:, 5] = unit[:, 3] * (spec.tremor_rms_m * spec.axis_ratio[2] / spec.lever_m)
    return out


def _axis(t: Array, rate_hz: float, turns: Array, rng: np.random.Generator) -> Array:
    phases = rng.uniform(0.0, 2.0 * np.pi, 2)
    envelopes = [
        1.0 + AM_DEPTH * unit_peak(band_noise(t.size, rate_hz, *MODULATION_BAND_HZ, rng)) for _ in range(2)
    ]
    main = envelopes[0] * np.sin(2.0 * np.pi * turns + phases[0])
    second = envelopes[1] * np.sin(2.0 * np.pi * (turns + SECOND_OFFSET_HZ * t) + phases[1])
    band = band_noise(t.size, rate_hz, *BAND_HZ, rng) / np.sqrt(2.0)
    return unit_rms(main + SECOND_RATIO * second + BAND_RATIO * band)
