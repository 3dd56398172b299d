"""Band-limited noise: the raw material of drift, wander and tremor."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def band_noise(count: int, rate_hz: float, low_hz: float, high_hz: float, rng: np.random.Generator) -> Array:
    """Gaussian noise whose whole power lies in ``[low_hz, high_hz]``; unit rms over the samples returned.

    Built in the frequency domain: independent complex normal coefficients for the bins inside the band, zero
    elsewhere, no bin at 0 Hz. When the record is too short for eight bins, a longer one is made and cut.

    Args:
        count: number of samples, at least 1.
        rate_hz: sample rate.
        low_hz: lower edge, >= 0.
        high_hz: upper edge, above ``low_hz`` and not above ``rate_hz / 2``.
        rng: source of randomness.

    Returns:
        shape (count,), dimensionless.
    """
    length = max(count, int(np.ceil(8.0 * rate_hz / (high_hz - low_hz))))
    frequency = np.fft.rfftfreq(length, 1.0 / rate_hz)
    inside = (frequency >= low_hz) & (frequency <= high_hz) & (frequency > 0.0)
    bins = int(np.count_nonzero(inside))
    spectrum = np.zeros(frequency.size, dtype=np.complex128)
    spectrum[inside] = rng.standard_normal(bins) + 1j * rng.standard_normal(bins)
    return unit_rms(np.fft.irfft(spectrum, length)[:count])


def unit_rms(signal: Array) -> Array:
    """The signal divided by its root mean square; an all-zero signal stays zero."""
    rms = float(np.sqrt(np.mean(signal * signal)))
    return signal / rms if rms > 0.0 else signal


def unit_peak(signal: Array) -> Array:
    """The signal divided by its largest magnitude; an all-zero signal stays zero."""
    peak = float(np.max(np.abs(signal)))
    return signal / peak if peak > 0.0 else signal
