"""Reads the spectrum: where the tremor's peaks are, and whether the filter does more good than harm.

The bins of a leaky Fourier transform (:func:`teleop.tremor.kalman_bank.kernel.listen`) hear what the static
observer does not believe to be voluntary. The strongest bin is the main peak, the strongest local maximum one
to three hertz away the second one.

What is read may jump; what is followed slides. The gain always comes out of one cell of the table, since a
straight line between the gains of two distant tremors passes through unstable observers.
"""

from __future__ import annotations

import numpy as np

from teleop.compiled import kernel
from teleop.tremor.contract import Array
from teleop.tremor.kalman_bank.table import GainTable, grid

BINS_HZ = (3.0, 30.0, 0.25)
"""First, last and spacing of the bins."""

BIN_HALF_WIDTH_HZ = 0.25
ENERGY_TIME_S = 1.0
SLIDE_TIME_S = 0.2
"""Time constants of the energy's smoothing and of the gain's sliding."""

TREMOR_BAND_HZ = (6.0, 15.5)
LOW_BAND_HZ = (3.0, 5.3)
HIGH_BAND_HZ = (18.0, 30.0)
HIGH_GAIN = 20.0
"""About what the filter multiplies the power of the high band by (13 dB); the low band by 3 at most."""

HARM_RATIO = (2.0, 6.0)
"""Harm is the energy of the low band plus ``HIGH_GAIN`` times that of the high band, over that of the tremor
band. At the first value the filter begins to let the measurement through, at the second it does: no causal
filter takes from one band without adding to another, and where what it adds outweighs what it takes, it steps
aside. Tremor of 6 Hz and above reads below 0.3, of 5.5 Hz 0.9, of 5 Hz 2, of 4 Hz 5; a quick hand without
tremor reads above 12."""

SECOND_RATIO = (0.08, 0.20)
"""Height of the second peak over the main one: where it begins to count, and where it counts fully. The skirt
of a bin is 0.06 at 1 Hz."""

SECOND_REACH_HZ = (1.0, 3.2)
POOL = 0.5
"""How much of the axes' mean spectrum counts beside an axis' own: a still axis learns from the others."""

JUMP_HZ = 0.8
"""A second peak that moves further at once is a new one: the old one fades out first."""

READING = 4
"""What is read of an axis: main peak (Hz), second peak (Hz), height ratio, harm."""

FOLLOWED = 3
"""What is followed: main peak (Hz), offset of the second (Hz), its share (0 to 1)."""


def bins_hz() -> Array:
    """Frequencies of the bins, shape (b,)."""
    return grid(*BINS_HZ)


def weights(table: GainTable) -> Array:
    """Weight of each bin's energy, (b,): undoes what the static observer took; more in the high band."""
    bins = bins_hz()
    undone = np.abs(1.0 - table.response(table.wide, bins)) ** -2.0
    return np.asarray(np.where(bins >= HIGH_BAND_HZ[0], HIGH_GAIN, 1.0) * undone)


@kernel
def read_spectrum(energy: Array, bins: Array, weight: Array, reading: Array) -> None:
    """Find the peaks and the harm of every axis.

    Args:
        energy: shape (k, b).
        bins: Hz, shape (b,), evenly spaced.
        weight: :func:`weights`, shape (b,).
        reading: receives main peak, second peak (Hz), their ratio, and the harm; (k, 4). A silent axis has
            main peak 0.
    """
    axes, count = energy.shape
    mean = np.zeros(count)
    for axis in range(axes):
        mean += energy[axis] / axes
    heard = np.empty(count)
    for axis in range(axes):
        harm = 0.0
        good = 0.0
        main = 0
        for i in range(count):
            heard[i] = energy[axis, i] + POOL * mean[i]
            if bins[i] <= LOW_BAND_HZ[1] or bins[i] >= HIGH_BAND_HZ[0]:
                harm += weight[i] * energy[axis, i]
            if bins[i] >= TREMOR_BAND_HZ[0] and bins[i] <= TREMOR_BAND_HZ[1]:
                good += weight[i] * energy[axis, i]
                if main == 0 or heard[i] > heard[main]:
                    main = i
        reading[axis] = 0.0
        if not (heard[main] > 0.0 and good > 0.0):
            continue
        bend = heard[main - 1] - 2.0 * heard[main] + heard[main + 1]
        offset = 0.5 * (heard[main - 1] - heard[main + 1]) / bend if bend < 0.0 else 0.0
        peak = bins[main] + min(max(offset, -0.5), 0.5) * (bins[1] - bins[0])
        second = -1
        for i in range(1, count - 1):
            distance = abs(bins[i] - peak)
            if distance < SECOND_REACH_HZ[0] or distance > SECOND_REACH_HZ[1] or bins[i] < TREMOR_BAND_HZ[0]:
                continue
            local = heard[i] >= heard[i - 1] and heard[i] >= heard[i + 1]
            if local and (second < 0 or heard[i] > heard[second]):
                second = i
        reading[axis, 0] = peak
        reading[axis, 1] = bins[second] if second >= 0 else peak
        reading[axis, 2] = heard[second] / heard[main] if second >= 0 else 0.0
        reading[axis, 3] = harm / good


@kernel
def follow(reading: Array, share: float, followed: Array, timid: Array) -> None:
    """Move what is followed towards what was read.

    Args:
        reading: of :func:`read_spectrum`, shape (k, 4); a silent axis moves nothing.
        share: of the way, 0 to 1.
        followed: main peak, second's offset (Hz), the second's share; (k, 3), updated. A main peak of 0 means
            that nothing was followed yet: then it takes what was read.
        timid: receives how much of the filter to give up, 0 to 1, shape (k,).
    """
    for axis in range(reading.shape[0]):
        main = reading[axis, 0]
        if main == 0.0:
            continue
        now = followed[axis]
        offset = reading[axis, 1] - main
        two = ramp(reading[axis, 2], SECOND_RATIO[0], SECOND_RATIO[1])
        if now[0] == 0.0:
            now[0] = main
            now[1] = offset
            now[2] = two
        now[0] += share * (main - now[0])
        other = abs(offset - now[1]) > JUMP_HZ
        if other and now[2] < 0.05:
            now[1] = offset
            other = False
        if other:
            two = 0.0
        else:
            now[1] += share * (offset - now[1])
        now[2] += share * (two - now[2])
        timid[axis] = 0.0
        if reading[axis, 3] > 0.0:
            timid[axis] = ramp(np.log(reading[axis, 3]), np.log(HARM_RATIO[0]), np.log(HARM_RATIO[1]))


@kernel
def look_up(
    followed: Array, main_hz: Array, offset_hz: Array, single: Array, pair: Array, wide: Array, gain: Array
) -> None:
    """Interpolate each axis' gain in the table.

    Args:
        followed: see :func:`follow`, shape (k, 3); an axis that follows nothing has the wide gain.
        main_hz: see :class:`~teleop.tremor.kalman_bank.table.GainTable`, as the next four.
        offset_hz: ditto.
        single: ditto.
        pair: ditto.
        wide: ditto.
        gain: receives the gains, shape (k, n).
    """
    for axis in range(followed.shape[0]):
        main, offset, two = followed[axis]
        if main == 0.0:
            gain[axis] = wide
            continue
        i, u = cell(main_hz, main)
        j, w = cell(offset_hz, abs(offset))
        if offset < 0.0:
            j += offset_hz.size
        for m in range(gain.shape[1]):
            one = (1.0 - u) * single[i, m] + u * single[i + 1, m]
            below = (1.0 - w) * pair[i, j, m] + w * pair[i, j + 1, m]
            above = (1.0 - w) * pair[i + 1, j, m] + w * pair[i + 1, j + 1, m]
            gain[axis, m] = (1.0 - two) * one + two * ((1.0 - u) * below + u * above)


@kernel
def cell(nodes: Array, value: float) -> tuple[int, float]:
    """Interval ``i`` of evenly spaced ``nodes`` and the place in it, 0 to 1, of ``value`` clipped to them."""
    place = (min(max(value, nodes[0]), nodes[-1]) - nodes[0]) / (nodes[1] - nodes[0])
    i = min(int(place), nodes.size - 2)
    return i, place - i


@kernel
def ramp(value: float, low: float, high: float) -> float:
    """0 below ``low``, 1 above ``high``, straight between."""
    return min(max((value - low) / (high - low), 0.0), 1.0)
