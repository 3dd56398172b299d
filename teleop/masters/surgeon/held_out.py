"""The generator held apart: same keys, different models, for judging what was tuned on the first.

| | :func:`~teleop.masters.surgeon.trace.synthesise` | here |
|---|---|---|
| reaches | minimum jerk, one after the other | sigma-lognormal strokes that overlap |
| between | rest | restless motion of 0.2 to 1.8 Hz |
| drift | band noise | first-order Gauss-Markov, smoothed once |
| tremor | sinusoids with FM and AM | autoregressive resonances driven by noise |
| frequency | wanders | jumps |
| envelope | 1 +- 0.4 | log-normal bursts |
| rotation | follows the tip about a pivot | independent |
| sensor | white noise | white noise and an encoder's steps |
"""

from __future__ import annotations

import numpy as np
from scipy.signal import lfilter
from scipy.special import ndtr

from teleop.masters.surgeon.signals import Array, band_noise, unit_rms
from teleop.masters.surgeon.spec import SurgeonSpec
from teleop.masters.surgeon.trace import SurgeonTrace, sample_times, streams
from teleop.masters.surgeon.tremor import draw_f0

STROKE_SIGMA = (0.25, 0.4)
"""Range of the log-time spread of a stroke, as reported for human strokes (Plamondon 1995)."""

SPREAD_OF_MINIMUM_JERK = 28.0**-0.5
"""Standard deviation of a minimum-jerk speed profile, a Beta(3, 3), over its duration."""

OVERLAP = (0.55, 1.1)
"""When the next stroke begins, as a fraction of the time to 95 % of this one."""

RESTLESS_BAND_HZ = (0.2, 1.8)
RESTLESS_RMS_M = 3e-4
RESTLESS_RMS_RAD = 5e-3
DRIFT_TIME_S = 1.0
SECOND_PEAK_HZ = (0.8, 2.4)
SECOND_PEAK_RATIO = (0.3, 0.7)
PEAK_WIDTH_HZ = (0.8, 1.6)
JUMP_EVERY_S = 3.0
JUMP_HZ = 0.4
BURST_SIGMA = 0.5
BURST_TIME_S = 0.35
ENCODER_STEP_M = 5e-6
ENCODER_STEP_RAD = 5e-5


def synthesise_held_out(
    duration_s: float, rate_hz: float, seed: int, spec: SurgeonSpec | None = None
) -> SurgeonTrace:
    """A surgeon built on other models than :func:`~teleop.masters.surgeon.trace.synthesise`; same contract.

    Raises:
        TrocarError: impossible duration or rate.
    """
    spec = spec or SurgeonSpec()
    t = sample_times(duration_s, rate_hz)
    rng = streams(seed, "strokes", "restless", "drift", "tremor", "noise")
    voluntary = _drift(t.size, rate_hz, spec, rng["drift"])
    if spec.moving:
        voluntary += _strokes(t, spec, rng["strokes"]) + _restless(t.size, rate_hz, rng["restless"])
    shake = _tremor(t.size, rate_hz, spec, rng["tremor"])
    noise = _sensor(voluntary + shake, spec, rng["noise"])
    return SurgeonTrace(t, voluntary, shake, noise, voluntary + shake + noise)


def _strokes(t: Array, spec: SurgeonSpec, rng: np.random.Generator) -> Array:
    """Sigma-lognormal strokes: each adds ``step * Phi((ln(t - t0) - mu) / sigma)`` (Plamondon 1995).

    The peak speed of a stroke, ``|step| / (sigma sqrt(2 pi) exp(mu - sigma^2 / 2))``, is drawn from
    ``reach_speed_m_s``, but its spread in time is no narrower than that of a reach of ``reach_min_s``.
    """
    half = np.append(0.5 * np.array(spec.workspace_m), np.full(3, spec.turn_max_rad))
    out = np.zeros((t.size, 6))
    here = np.zeros(6)
    start = float(rng.uniform(*spec.pause_s))
    while start < t[-1]:
        step = rng.uniform(-half, half) - here
        here = here + step
        sigma = float(rng.uniform(*STROKE_SIGMA))
        speed = float(rng.uniform(*spec.reach_speed_m_s))
        peak = np.exp(0.5 * sigma**2) / (sigma * np.sqrt(2.0 * np.pi))
        median = peak * float(np.linalg.norm(step[:3])) / speed
        median = max(median, SPREAD_OF_MINIMUM_JERK * spec.reach_min_s / sigma)
        begun = t > start
        progress = ndtr(np.log((t[begun] - start) / median) / sigma)
        out[begun] += progress[:, None] * step
        start += float(rng.uniform(*OVERLAP)) * median * np.exp(1.645 * sigma)
    return out


def _restless(count: int, rate_hz: float, rng: np.random.Generator) -> Array:
    unit = np.stack([band_noise(count, rate_hz, *RESTLESS_BAND_HZ, rng) for _ in range(6)], axis=1)
    return np.asarray(unit * np.repeat([RESTLESS_RMS_M, RESTLESS_RMS_RAD], 3))


def _drift(count: int, rate_hz: float, spec: SurgeonSpec, rng: np.random.Generator) -> Array:
    unit = np.stack([_smooth_noise(count, rate_hz, DRIFT_TIME_S, rng) for _ in range(6)], axis=1)
    return np.asarray(unit * spec.drift_rms_m * np.repeat([1.0, 1.0 / spec.lever_m], 3))


def _tremor(count: int, rate_hz: float, spec: SurgeonSpec, rng: np.random.Generator) -> Array:
    """Two resonances of noise under log-normal bursts, each axis for itself; shape (n, 6)."""
    f0 = draw_f0(spec, rng)
    jumps = rng.random(count) < 1.0 / (JUMP_EVERY_S * rate_hz)
    levels = rng.uniform(-JUMP_HZ, JUMP_HZ, int(np.count_nonzero(jumps)) + 1)
    frequency = f0 + levels[np.cumsum(jumps)]
    second = float(rng.uniform(*SECOND_PEAK_HZ))
    ratio = float(rng.uniform(*SECOND_PEAK_RATIO))
    out = np.empty((count, 6))
    for axis in range(6):
        narrow, wide = rng.uniform(*PEAK_WIDTH_HZ, 2)
        shake = _resonance(frequency, rate_hz, narrow, rng)
        shake += ratio * _resonance(frequency + second, rate_hz, wide, rng)
        bursts = np.exp(BURST_SIGMA * _smooth_noise(count, rate_hz, BURST_TIME_S, rng))
        out[:, axis] = unit_rms(bursts * shake)
    rms = spec.tremor_rms_m * np.array(spec.axis_ratio)
    return np.asarray(out * np.concatenate([rms, rms / spec.lever_m]))


def _resonance(frequency_hz: Array, rate_hz: float, width_hz: float, rng: np.random.Generator) -> Array:
    """Noise through an autoregressive resonance at a frequency that may change; unit rms, shape (n,).

    A real AR(2) with poles ``rho exp(+-i w)`` is the real part of the complex AR(1)
    ``z[k+1] = rho exp(i w[k]) z[k] + e[k]``. Circular noise stays circular under a turn of phase, so
    ``z = exp(i sum w) u`` with ``u`` a complex AR(1) at 0 Hz. Two such sections in a row are used: one alone
    falls so slowly that a sixth of its rms would lie below 4 Hz, where no filter could tell it from intent.
    """
    lead = int(np.ceil(4.0 * rate_hz / width_hz))
    rho = np.exp(-np.pi * width_hz / rate_hz)
    white = rng.standard_normal(frequency_hz.size + lead) + 1j * rng.standard_normal(frequency_hz.size + lead)
    u = lfilter([1.0], [1.0, -2.0 * rho, rho * rho], white)[lead:]
    return unit_rms(np.real(u * np.exp(2j * np.pi * np.cumsum(frequency_hz) / rate_hz)))


def _smooth_noise(count: int, rate_hz: float, time_s: float, rng: np.random.Generator) -> Array:
    """Gaussian noise through two first-order lags of ``time_s`` each; unit rms, stationary from the start."""
    lead = int(np.ceil(10.0 * time_s * rate_hz))
    pole = np.exp(-1.0 / (time_s * rate_hz))
    white = rng.standard_normal(count + lead)
    return unit_rms(lfilter([1.0], [1.0, -2.0 * pole, pole * pole], white)[lead:])


def _sensor(truth: Array, spec: SurgeonSpec, rng: np.random.Generator) -> Array:
    """White noise, then rounding to the encoder's steps; what the two together add to ``truth``."""
    if spec.noise_rms_m == 0.0 and spec.noise_rms_rad == 0.0:
        return np.zeros_like(truth)
    noise = rng.standard_normal(truth.shape) * np.repeat([spec.noise_rms_m, spec.noise_rms_rad], 3)
    step = np.repeat([ENCODER_STEP_M, ENCODER_STEP_RAD], 3)
    return np.asarray(np.round((truth + noise) / step) * step - truth)
