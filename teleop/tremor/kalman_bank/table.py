"""The precomputed gains between which the bank slides, one table for each rate and tuning."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from threadpoolctl import threadpool_limits

from teleop.tremor.contract import Array
from teleop.tremor.kalman_bank.design import HandModel, response, starting_gains, steady_gain
from teleop.tremor.spec import KalmanBankSpec

BANK_HZ = (5.0, 17.0, 0.6)
"""First, last and spacing of the resonances: closer than one is wide, so that no frequency falls between."""

WIDTH_HZ = 0.75
"""Width of one section: about as long as a burst of tremor keeps its phase."""

PEAK_HALF_WIDTH_HZ = 0.6
"""How far a peak's weight in the bank reaches: its width, its wander, and the tracker's error."""

MAIN_HZ = (6.0, 15.0, 0.5)
"""Grid of the main peak's frequency."""

OFFSET_HZ = (1.0, 3.0, 1.0)
"""Grid of the distance from the main to the second peak, mirrored for a second peak below the main one."""

SECOND_POWER = 0.25
"""Power of the second peak over that of the main one."""

FLAT_SHARE = 0.06
"""Share of the tremor's power spread over ``FLAT_BAND_HZ``, for what is not in a peak."""

FLAT_BAND_HZ = (6.4, 13.6)
START_SECONDS = 1.0
"""How long the starting gains last: about what the bank needs to know the tremor's phase."""

START_SPREAD = (1e4, 0.3, 3.0)
"""Standard deviations before the first sample: position over tremor, velocity (m/s), acceleration (m/s^2)."""


@dataclass(frozen=True, slots=True, eq=False)
class GainTable:
    """Every gain the bank may use.

    Attributes:
        model: the hand.
        main_hz: grid of the main peak, shape (a,).
        offset_hz: grid of the second peak's distance, shape (d,), positive.
        single: gains for one peak, shape (a, n).
        pair: gains for two peaks, shape (a, 2 d, n): second peak above first, then below.
        wide: gain before anything is known, shape (n,).
        starting: gains of the first samples after a reset, shape (c, n).
    """

    model: HandModel
    main_hz: Array
    offset_hz: Array
    single: Array
    pair: Array
    wide: Array
    starting: Array

    def response(self, gain: Array, frequency_hz: Array) -> Array:
        """Complex response of the observer with a fixed ``gain`` (n,), same shape as ``frequency_hz``."""
        model = self.model
        return response(model.transition(), model.observation(), gain, frequency_hz, model.period_s)


@lru_cache(maxsize=8)
def gain_table(spec: KalmanBankSpec, rate_hz: float) -> GainTable:
    """Solve the Riccati equation for every cell; some two seconds, remembered for the process.

    On one thread: matrices this small gain nothing from more, and threads that wait for each other cost five
    times as much on a busy machine.
    """
    bank = grid(*BANK_HZ)
    model = HandModel(1.0 / rate_hz, tuple(bank.tolist()), WIDTH_HZ)
    tremor, noise, jerk = spec.tremor_rms_m**2, spec.noise_rms_m**2, spec.jerk_density_m2_s5

    def gain(*peaks: tuple[float, float]) -> Array:
        return steady_gain(model, jerk, tremor * tremor_shape(bank, peaks), noise)

    main, offset = grid(*MAIN_HZ), grid(*OFFSET_HZ)
    both = np.concatenate([offset, -offset])
    spread = tremor * wide_shape(bank)
    with threadpool_limits(limits=1, user_api="blas"):
        return GainTable(
            model=model,
            main_hz=main,
            offset_hz=offset,
            single=np.array([gain((f, 1.0)) for f in main]),
            pair=np.array([[gain((f, 1.0), (f + d, SECOND_POWER)) for d in both] for f in main]),
            wide=steady_gain(model, jerk, spread, noise),
            starting=starting_gains(
                model,
                jerk,
                spread,
                noise,
                ((START_SPREAD[0] * spec.tremor_rms_m) ** 2, START_SPREAD[1] ** 2, START_SPREAD[2] ** 2),
                round(START_SECONDS * rate_hz),
            ),
        )


def grid(first: float, last: float, step: float) -> Array:
    """``first, first + step, ..., last``."""
    return np.asarray(first + step * np.arange(round((last - first) / step) + 1.0))


def tremor_shape(bank_hz: Array, peaks: tuple[tuple[float, float], ...]) -> Array:
    """Share of the tremor's power on each resonance, shape (m,), summing to 1.

    Args:
        bank_hz: shape (m,).
        peaks: frequency (Hz) and power of each peak.
    """
    lines = np.zeros(bank_hz.size)
    for frequency, power in peaks:
        line = (1.0 + ((bank_hz - frequency) / PEAK_HALF_WIDTH_HZ) ** 2) ** -2.0
        lines += power * line / line.sum()
    flat = ((bank_hz >= FLAT_BAND_HZ[0]) & (bank_hz <= FLAT_BAND_HZ[1])).astype(np.float64)
    return np.asarray((1.0 - FLAT_SHARE) * lines / lines.sum() + FLAT_SHARE * flat / flat.sum())


def wide_shape(bank_hz: Array) -> Array:
    """Share of the power on each resonance while nothing is known: 6 to 14 Hz alike, a tenth beyond."""
    shape = np.where((bank_hz >= 6.0) & (bank_hz <= 14.0), 1.0, 0.1)
    return np.asarray(shape / shape.sum())
