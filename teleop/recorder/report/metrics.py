"""Measures of skill that the field uses, from a path over time.

Smoothness by Balasubramanian, Melendez-Calderon and Burdet, "A robust and sensitive metric for quantifying
movement smoothness", IEEE Trans. Biomed. Eng. 59(8), 2012, and Balasubramanian, Melendez-Calderon, Roby-Brami
and Burdet, "On the analysis of movement smoothness", J. NeuroEng. Rehabil. 12:112, 2015 (constants and
formulas from memory of these papers; the closed forms in the tests do not depend on them).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import signal

Array = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

SPARC_CUTOFF_HZ = 10.0
SPARC_THRESHOLD = 0.05
SPARC_PADDING = 4
SMOOTHED_HZ = 20.0
"""Paths are low-passed here (Butterworth, order 4, forward and back) before they are differentiated."""
MOVING_M_S = 1e-3
"""Slower than this the tip counts as idle."""
LEAST_MOVEMENT_S = 0.2


def path_length(p: Array) -> float:
    """Length of a path (n, 3), m: the sum of its steps."""
    return float(np.linalg.norm(np.diff(p, axis=0), axis=1).sum())


def smoothed(p: Array, rate_hz: float) -> Array:
    """The path (n, k) without what is faster than ``SMOOTHED_HZ``; short paths are left as they are."""
    sos = signal.butter(4, SMOOTHED_HZ, fs=rate_hz, output="sos")
    if len(p) <= 30:
        return p
    return np.asarray(signal.sosfiltfilt(sos, p, axis=0))


def speed(p: Array, rate_hz: float) -> Array:
    """Speed (n,) along a path (n, 3), m/s, by central differences."""
    return np.asarray(np.linalg.norm(np.gradient(p, 1.0 / rate_hz, axis=0), axis=1))


def sparc(v: Array, rate_hz: float) -> float:
    """Spectral arc length of a speed profile (n,): 0 would be perfectly smooth, more negative is less smooth.

    ``-sum sqrt((dw/w_c)^2 + (dV)^2)`` over the magnitude spectrum V, normalised to 1 at zero frequency, up to
    the last frequency below 10 Hz at which V is at least 0.05. The spectrum is padded with zeros fourfold.
    """
    n = 2 ** (math.ceil(math.log2(len(v))) + SPARC_PADDING)
    magnitude = np.abs(np.fft.rfft(v, n))
    if not magnitude.max() > 0.0:
        return math.nan
    magnitude = magnitude / magnitude.max()
    frequency = np.fft.rfftfreq(n, 1.0 / rate_hz)
    inside = frequency <= SPARC_CUTOFF_HZ
    magnitude, frequency = magnitude[inside], frequency[inside]
    above = np.flatnonzero(magnitude >= SPARC_THRESHOLD)
    chosen = slice(above[0], above[-1] + 1)
    magnitude, frequency = magnitude[chosen], frequency[chosen]
    if len(frequency) < 2:
        return math.nan
    across = np.diff(frequency) / (frequency[-1] - frequency[0])
    return -float(np.hypot(across, np.diff(magnitude)).sum())


def log_dimensionless_jerk(v: Array, rate_hz: float) -> float:
    """``-ln(T^3 / v_peak^2 * integral |d2v/dt2|^2 dt)`` of a speed profile (n,); less negative is smoother.

    A minimum-jerk reach has ``-ln(720 / 1.875^2) = -5.32``.
    """
    duration = (len(v) - 1) / rate_hz
    peak = float(np.max(v))
    if not (peak > 0.0 and len(v) >= 5):
        return math.nan
    # Second differences inside the profile: at its ends there is nothing to difference with.
    bend = np.diff(v, 2) * rate_hz**2
    integral = float((bend * bend).sum() / rate_hz)
    return -math.log(duration**3 / peak**2 * integral) if integral > 0.0 else math.nan


def movements(v: Array, rate_hz: float) -> list[slice]:
    """Stretches of a speed profile (n,) that are faster than ``MOVING_M_S`` for at least 0.2 s."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], v > MOVING_M_S, [False]]).astype(np.int8)))
    return [
        slice(int(start), int(end))
        for start, end in zip(edges[::2], edges[1::2], strict=True)
        if end - start >= LEAST_MOVEMENT_S * rate_hz
    ]


def presses(pressed: Flags) -> int:
    """How often a button goes down; one that is down from the start counts."""
    return int(np.count_nonzero(np.diff(pressed.astype(np.int8), prepend=np.int8(0)) > 0))


def rms_and_max(error: Array) -> tuple[float, float] | None:
    """Root mean square and maximum of magnitudes (n,); ``None`` of nothing."""
    if error.size == 0:
        return None
    return float(np.sqrt(np.mean(error * error))), float(np.max(np.abs(error)))


@dataclass(frozen=True, slots=True)
class Skill:
    """Measures over the time an arm follows its hand.

    Attributes:
        completion_s: from the first tick of following to the last, pauses included.
        following_s: time of following.
        path_length_m: of the commanded tip while it follows.
        idle_s: following, but slower than 1 mm/s.
        movements: stretches of motion of at least 0.2 s.
        sparc: median over the movements; ``None`` without any.
        log_dimensionless_jerk: median over the movements.
        clutches: how often the clutch was pressed.
    """

    completion_s: float
    following_s: float
    path_length_m: float
    idle_s: float
    movements: int
    sparc: float | None
    log_dimensionless_jerk: float | None
    clutches: int


def skill(p: Array, following: Flags, clutch: Flags, rate_hz: float) -> Skill:
    """The measures of a run.

    Args:
        p: commanded tip, (n, 3), m, one row a tick at ``rate_hz``.
        following: whether the arm followed, (n,).
        clutch: whether the clutch was pressed, (n,).
        rate_hz: rows a second.
    """
    at = np.flatnonzero(following)
    if at.size == 0:
        return Skill(0.0, 0.0, 0.0, 0.0, 0, None, None, presses(clutch))
    runs = [run for run in np.split(at, np.flatnonzero(np.diff(at) > 1) + 1) if run.size >= 5]
    length, idle, smooth, jerk, count = 0.0, 0.0, [], [], 0
    for run in runs:
        path = p[run[0] : run[-1] + 1]
        v = speed(smoothed(path, rate_hz), rate_hz)
        length += path_length(path)
        idle += float(np.count_nonzero(v <= MOVING_M_S)) / rate_hz
        for part in movements(v, rate_hz):
            count += 1
            smooth.append(sparc(v[part], rate_hz))
            jerk.append(log_dimensionless_jerk(v[part], rate_hz))
    return Skill(
        completion_s=float(at[-1] - at[0] + 1) / rate_hz,
        following_s=float(at.size) / rate_hz,
        path_length_m=length,
        idle_s=idle,
        movements=count,
        sparc=_median(smooth),
        log_dimensionless_jerk=_median(jerk),
        clutches=presses(clutch),
    )


def _median(values: list[float]) -> float | None:
    finite = [value for value in values if math.isfinite(value)]
    return float(np.median(finite)) if finite else None
