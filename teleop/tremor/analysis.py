"""What a filter did to a motion: spectra, attenuation, delay, error, overshoot.

Works on recorded signals alone: nothing is assumed of the filter. With the truth known (a synthetic tremor),
errors are against it; without, the report says what can be said from the two signals.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass

import numpy as np
from scipy import signal

from teleop.errors import TrocarError
from teleop.tremor.contract import Array

TREMOR_BAND_HZ = (6.0, 14.0)
CORE_BAND_HZ = (8.0, 12.0)
DELAY_AT_HZ = (0.5, 1.0, 2.0)
SEGMENT_S = 8.0
"""Length of a Welch segment; sets the resolution, 1/8 Hz."""

DELAY_HALF_WIDTH_HZ = 0.25
LONGEST_SHIFT_S = 0.1
LEAST_COHERENCE = 0.5
LEAST_SECONDS = 4.0


@dataclass(frozen=True, slots=True)
class AxisReport:
    """One axis; lengths are in the unit of the signal (m or rad). ``None``: the signal cannot tell.

    Attributes:
        tremor_rms_in: rms in 6 to 14 Hz before the filter.
        tremor_rms_out: after.
        band_db: power out over power in, 6 to 14 Hz, dB; negative is attenuation.
        core_db: the same in 8 to 12 Hz.
        low_db: the same in 3 to 6 Hz, where a causal filter pays.
        delay_s: group delay at 0.5, 1 and 2 Hz, from the phase slope of the cross spectrum; ``None`` where
            the motion has no coherent power there.
        change_rms: rms of filtered minus raw.
        error_rms: rms of filtered minus truth.
        error_raw_rms: rms of raw minus truth.
        aligned_error_rms: the error left after the best shift in time and its value ``shift_s``.
        shift_s: that shift; positive means that the output is late.
    """

    tremor_rms_in: float
    tremor_rms_out: float
    band_db: float | None
    core_db: float | None
    low_db: float | None
    delay_s: tuple[float | None, float | None, float | None]
    change_rms: float
    error_rms: float | None = None
    error_raw_rms: float | None = None
    aligned_error_rms: float | None = None
    shift_s: float | None = None

    @property
    def cut(self) -> float | None:
        """Share of the tremor band's rms removed, 0 to 1 (negative: amplified)."""
        return None if self.tremor_rms_in == 0.0 else 1.0 - self.tremor_rms_out / self.tremor_rms_in


@dataclass(frozen=True, slots=True, eq=False)
class TremorReport:
    """The whole comparison.

    Attributes:
        axes: one report an axis.
        rate_hz: of the signals.
        seconds: their length.
        overshoot: largest step overshoot over the step, if a filter was given to ask.
        frequency_hz: of the spectra, shape (f,).
        density_in: power spectral density before, shape (f, k), unit^2/Hz.
        density_out: after.
    """

    axes: tuple[AxisReport, ...]
    rate_hz: float
    seconds: float
    overshoot: float | None
    frequency_hz: Array
    density_in: Array
    density_out: Array


def analyse(
    t: Array, raw: Array, filtered: Array, truth: Array | None = None, overshoot: float | None = None
) -> TremorReport:
    """Compare a motion before and after a filter.

    Args:
        t: evenly spaced times, s, shape (n,).
        raw: before, shape (n, k), m or rad.
        filtered: after, same shape.
        truth: the voluntary motion, same shape, if known.
        overshoot: step overshoot of the filter, see :func:`step_overshoot`, to carry along.

    Raises:
        TrocarError: shapes that differ, values that are not finite, times that are uneven, or a record of
            under four seconds.
    """
    rate = _rate_of(t)
    for name, values in (("raw", raw), ("filtered", filtered), ("truth", truth)):
        if values is None:
            continue
        if values.ndim != 2 or values.shape != (t.size, raw.shape[1]):
            raise TrocarError(f"{name} has shape {values.shape}; expected ({t.size}, {raw.shape[-1]})")
        if not np.all(np.isfinite(values)):
            raise TrocarError(f"{name} holds values that are not finite; cut them out before the analysis")
    segment = min(t.size, round(SEGMENT_S * rate))
    frequency, density_in = signal.welch(raw, rate, nperseg=segment, axis=0)
    _, density_out = signal.welch(filtered, rate, nperseg=segment, axis=0)
    axes = []
    for k in range(raw.shape[1]):
        before, after = density_in[:, k], density_out[:, k]
        truths = {} if truth is None else _against(truth[:, k], raw[:, k], filtered[:, k], rate)
        axes.append(
            AxisReport(
                tremor_rms_in=band_power(frequency, before, TREMOR_BAND_HZ) ** 0.5,
                tremor_rms_out=band_power(frequency, after, TREMOR_BAND_HZ) ** 0.5,
                band_db=_ratio_db(frequency, before, after, TREMOR_BAND_HZ),
                core_db=_ratio_db(frequency, before, after, CORE_BAND_HZ),
                low_db=_ratio_db(frequency, before, after, (3.0, 6.0)),
                delay_s=group_delays(raw[:, k], filtered[:, k], rate),
                change_rms=_rms(filtered[:, k] - raw[:, k]),
                **truths,
            )
        )
    return TremorReport(
        axes=tuple(axes),
        rate_hz=rate,
        seconds=t.size / rate,
        overshoot=overshoot,
        frequency_hz=frequency,
        density_in=density_in,
        density_out=density_out,
    )


def band_power(frequency_hz: Array, density: Array, band_hz: tuple[float, float]) -> float:
    """Power of a density (f,) inside a band, unit^2: its sum over the bins times their width."""
    inside = (frequency_hz >= band_hz[0]) & (frequency_hz <= band_hz[1])
    return float(density[inside].sum() * (frequency_hz[1] - frequency_hz[0]))


def group_delays(
    raw: Array, filtered: Array, rate_hz: float
) -> tuple[float | None, float | None, float | None]:
    """Group delay at 0.5, 1 and 2 Hz, s.

    ``-d phase / d omega`` of the cross spectrum, fitted over +-0.25 Hz, weighted by its magnitude; ``None``
    where the coherence is below 0.5.
    """
    segment = min(raw.size, round(SEGMENT_S * rate_hz))
    frequency, cross = signal.csd(raw, filtered, rate_hz, nperseg=segment)
    power = [signal.welch(x, rate_hz, nperseg=segment)[1] for x in (raw, filtered)]
    both = power[0] * power[1]
    coherence = np.divide(np.abs(cross) ** 2, both, out=np.zeros_like(both), where=both > 0.0)
    delays: list[float | None] = []
    for centre in DELAY_AT_HZ:
        near = np.abs(frequency - centre) <= DELAY_HALF_WIDTH_HZ
        if near.sum() < 3 or not coherence[near].mean() >= LEAST_COHERENCE:
            delays.append(None)
            continue
        weight = np.sqrt(np.abs(cross[near]))
        slope = np.polyfit(2.0 * np.pi * frequency[near], np.unwrap(np.angle(cross[near])), 1, w=weight)[0]
        delays.append(float(-slope))
    return delays[0], delays[1], delays[2]


def best_shift(truth: Array, filtered: Array, rate_hz: float) -> tuple[float, float]:
    """Error rms after the best shift in time, and the shift (s, positive: the output is late).

    Whole samples up to 100 ms either way, then a parabola through the best three for the fraction.
    """
    most = min(round(LONGEST_SHIFT_S * rate_hz), truth.size // 4)
    middle = slice(most, truth.size - most)
    lags = np.arange(-most, most + 1)
    power = np.array(
        [np.mean((filtered[most + lag : truth.size - most + lag] - truth[middle]) ** 2) for lag in lags]
    )
    best = int(np.argmin(power))
    if not 0 < best < lags.size - 1:
        return float(np.sqrt(power[best])), float(lags[best] / rate_hz)
    left, here, right = power[best - 1 : best + 2]
    bend = left - 2.0 * here + right
    fraction = 0.5 * (left - right) / bend if bend > 0.0 else 0.0
    least = max(here - 0.25 * (left - right) * fraction, 0.0)
    return float(np.sqrt(least)), float((lags[best] + fraction) / rate_hz)


def step_overshoot(run: Callable[[Array], Array], rate_hz: float, step: float = 1e-3) -> float:
    """Overshoot of a step of the hand, over the step: largest output less the step, two seconds after it.

    Args:
        run: filters a signal (n, 1) from rest.
        rate_hz: of the signal.
        step: height, m. Adaptive filters answer to it; 1 mm is a large jerk of the hand.
    """
    before = round(4.0 * rate_hz)
    x = np.zeros((before + round(2.0 * rate_hz), 1))
    x[before:] = step
    return float(run(x).max() / step - 1.0)


def to_json(report: TremorReport) -> str:
    """The report's figures (not its spectra) as JSON; lengths in the unit of the signal."""
    axes = [asdict(axis) | {"cut": axis.cut} for axis in report.axes]
    head = {"rate_hz": report.rate_hz, "seconds": report.seconds, "overshoot": report.overshoot}
    return json.dumps(head | {"axes": axes}, indent=2, allow_nan=False)


def _rate_of(t: Array) -> float:
    if t.ndim != 1 or t.size < 2 or not np.all(np.isfinite(t)):
        raise TrocarError(f"times must be finite and of shape (n,); got shape {t.shape}")
    steps = np.diff(t)
    period = float(np.mean(steps))
    if not (period > 0.0 and np.max(np.abs(steps - period)) <= 0.01 * period):
        raise TrocarError("times are not evenly spaced to 1 %; resample the record before the analysis")
    if t.size * period < LEAST_SECONDS:
        raise TrocarError(f"a record of {t.size * period:.3g} s is too short; {LEAST_SECONDS:g} s are needed")
    return 1.0 / period


def _against(truth: Array, raw: Array, filtered: Array, rate: float) -> dict[str, float]:
    aligned, shift = best_shift(truth, filtered, rate)
    return {
        "error_rms": _rms(filtered - truth),
        "error_raw_rms": _rms(raw - truth),
        "aligned_error_rms": aligned,
        "shift_s": shift,
    }


def _ratio_db(frequency: Array, before: Array, after: Array, band: tuple[float, float]) -> float | None:
    power_in, power_out = band_power(frequency, before, band), band_power(frequency, after, band)
    if not (power_in > 0.0 and power_out > 0.0):
        return None
    return float(10.0 * np.log10(power_out / power_in))


def _rms(values: Array) -> float:
    return float(np.sqrt(np.mean(values * values)))
