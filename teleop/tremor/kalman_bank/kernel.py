"""The compiled heart of the Kalman bank: observer, shadow and spectrum of all axes in one call."""

from __future__ import annotations

import numpy as np

from teleop.compiled import kernel
from teleop.tremor.contract import Array


@kernel
def turn_factors(frequency_hz: Array, decay_1_s: Array, dt: float, out: Array) -> None:
    """``exp(-decay dt) (cos w dt, sin w dt)`` of each frequency (m,), into ``out`` (m, 2)."""
    for i in range(frequency_hz.size):
        angle = 2.0 * np.pi * frequency_hz[i] * dt
        shrink = np.exp(-decay_1_s[i] * dt)
        out[i, 0] = shrink * np.cos(angle)
        out[i, 1] = shrink * np.sin(angle)


@kernel
def observe(
    state: Array, gain: Array, turns: Array, coupling: float, y: Array, dt: float, periods: float
) -> None:
    """Predict and update every axis once, in place.

    The exact transition over ``dt`` predicts, so lost samples are bridged by the model. The gain belongs to
    one nominal period; over ``periods`` of them it is scaled so that the innovation shrinks as it would have:
    ``1 - g c = (1 - c)^periods`` with ``c = C K``.

    Args:
        state: shape (k, n), each row [p, v, a, Re z_1, Im z_1, Re w_1, Im w_1, ...].
        gain: shape (k, n).
        turns: :func:`turn_factors` of the bank over ``dt``, shape (m, 2).
        coupling: how fast the first sections drive the second, 1/s.
        y: measurement, shape (k,).
        dt: seconds since the last update.
        periods: ``dt`` over the nominal period.
    """
    for axis in range(state.shape[0]):
        x = state[axis]
        K = gain[axis]
        x[0] += dt * (x[1] + 0.5 * dt * x[2])
        x[1] += dt * x[2]
        predicted = x[0]
        share = K[0]
        for i in range(turns.shape[0]):
            j = 3 + 4 * i
            c, s = turns[i, 0], turns[i, 1]
            re = x[j + 2] + coupling * dt * x[j]
            im = x[j + 3] + coupling * dt * x[j + 1]
            x[j], x[j + 1] = c * x[j] + s * x[j + 1], c * x[j + 1] - s * x[j]
            x[j + 2], x[j + 3] = c * re + s * im, c * im - s * re
            predicted += x[j + 2]
            share += K[j + 2]
        innovation = y[axis] - predicted
        if periods != 1.0:
            innovation *= (1.0 - (1.0 - share) ** periods) / share
        for j in range(x.size):
            x[j] += K[j] * innovation


@kernel
def listen(tones: Array, energy: Array, turns: Array, heard: Array, admit: float, forget: float) -> None:
    """Leaky Fourier sums of one axis, ``z <- e^{(jw - b) dt} z + admit heard``, and their smoothed energy.

    Args:
        tones: shape (b, 2), real and imaginary part, updated.
        energy: shape (b,), updated: ``E <- E + forget (|z|^2 - E)``.
        turns: decay and turn over the interval, shape (b, 2).
        heard: the signal.
        admit: ``1 - decay``; a tone of amplitude ``a`` then settles at ``|z| = a / 2``.
        forget: share of the new energy, 0 to 1.
    """
    for i in range(energy.size):
        re = turns[i, 0] * tones[i, 0] - turns[i, 1] * tones[i, 1] + admit * heard
        im = turns[i, 1] * tones[i, 0] + turns[i, 0] * tones[i, 1]
        tones[i, 0] = re
        tones[i, 1] = im
        energy[i] += forget * (re * re + im * im - energy[i])


@kernel
def advance(
    state: Array,
    shadow: Array,
    gain: Array,
    timid: Array,
    blend: Array,
    wide: Array,
    starting: Array,
    tones: Array,
    energy: Array,
    bank_turns: Array,
    coupling: float,
    bin_turns: Array,
    y: Array,
    dt: float,
    periods: float,
    age: int,
    rates: Array,
    out: Array,
) -> None:
    """One sample through everything: the sliding observer, its static shadow, and the spectrum it hears.

    The output turns to the measurement itself where the tracker finds that the filter would raise more than
    it removes: blending outputs keeps every observer stable, which blending gains would not. The shadow keeps
    the wide gain. What it does not believe to be voluntary, ``y - p_shadow``, feeds the spectrum; so the
    tracker never listens to its own decisions.

    Args:
        state: the observer, (k, n).
        shadow: the static observer, (k, n).
        gain: gain in use, (k, n).
        timid: how much of the filter to give up, 0 to 1, (k,).
        blend: how much is given up now, (k,); slides to ``timid``.
        wide: the shadow's gain, (k, n).
        starting: gains of the first samples, (c, n).
        tones: (k, b, 2).
        energy: (k, b).
        bank_turns: over ``dt``, (m, 2).
        coupling: see :func:`observe`.
        bin_turns: over ``dt``, (b, 2).
        y: measurement, (k,).
        dt: s.
        periods: ``dt`` over the nominal period.
        age: samples since the start; 0 was the first.
        rates: how fast the spectrum admits, the energy forgets and the blend slides, 1/s, (3,).
        out: the voluntary position, or as much of the measurement as ``blend`` says, (k,).
    """
    axes = y.size
    if age < starting.shape[0]:
        for axis in range(axes):
            gain[axis] = starting[age]
        observe(state, gain, bank_turns, coupling, y, dt, periods)
        observe(shadow, gain, bank_turns, coupling, y, dt, periods)
    else:
        if age == starting.shape[0]:
            gain[:] = wide
        observe(state, gain, bank_turns, coupling, y, dt, periods)
        observe(shadow, wide, bank_turns, coupling, y, dt, periods)
    admit = -np.expm1(-rates[0] * dt)
    forget = -np.expm1(-rates[1] * dt)
    slide = -np.expm1(-rates[2] * dt)
    for axis in range(axes):
        listen(tones[axis], energy[axis], bin_turns, y[axis] - shadow[axis, 0], admit, forget)
        blend[axis] += slide * (timid[axis] - blend[axis])
        out[axis] = state[axis, 0] + blend[axis] * (y[axis] - state[axis, 0])
