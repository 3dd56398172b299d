"""The model of a trembling hand and its optimal observer gains, solved offline.

One axis of the hand is a voluntary motion whose jerk is white, plus a bank of resonances:

``x = [p, v, a | z_1, w_1, z_2, w_2, ...]``,  ``y = p + Re w_1 + Re w_2 + ... + n``,  z_i and w_i complex

    d/dt [p, v, a] = [v, a, 0] + [0, 0, e],  e white of spectral density q_v (m^2/s^5)
    d/dt z_i = (-lambda + j omega_i) z_i + white noise
    d/dt w_i = (-lambda + j omega_i) w_i + sqrt(2) lambda z_i

Two sections in a row, because the skirt of one falls so slowly (1/f^2) that the model would take part of
every quick voluntary motion for tremor; two fall with 1/f^4. The factor ``sqrt(2) lambda`` gives real and
imaginary parts of both sections the same stationary variance ``sigma_i^2``; their covariance is
``sigma_i^2 / sqrt(2)``.

With constant noise the Kalman filter settles to one gain ``K = P C' / (C P C' + r)``, where ``P`` solves the
discrete algebraic Riccati equation. Only the ratios ``q_v : sigma^2 : r`` matter, so one design serves metres
and radians alike. The idea of a bank of fixed frequencies is BMFLC (Veluvolu & Ang, Sensors 11:3020, 2011,
doi 10.3390/s110303020); a bank that follows the tremor is from ASBMFLC (Wang, Veluvolu et al., Biomed. Signal
Process. Control, 2014); the joint voluntary state is what spares the high-pass prefilter and its phase.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import block_diag

from teleop.errors import TrocarError
from teleop.tremor.contract import Array

VOLUNTARY = 3
"""States of the voluntary motion: position, velocity, acceleration."""

MOST_DOUBLINGS = 40


@dataclass(frozen=True, slots=True)
class HandModel:
    """The discrete model of one axis at a fixed period.

    Attributes:
        period_s: sampling period.
        frequencies_hz: the bank, shape (m,).
        width_hz: ``lambda / pi``, the full width at half power of one section alone.
    """

    period_s: float
    frequencies_hz: tuple[float, ...]
    width_hz: float

    @property
    def size(self) -> int:
        """Number of states ``n = 3 + 4 m``."""
        return VOLUNTARY + 4 * len(self.frequencies_hz)

    @property
    def decay_1_s(self) -> float:
        """``lambda``, 1/s."""
        return float(np.pi * self.width_hz)

    @property
    def coupling_1_s(self) -> float:
        """``sqrt(2) lambda``, how fast the first section drives the second, 1/s."""
        return float(np.sqrt(2.0) * self.decay_1_s)

    def transition(self) -> Array:
        """State transition ``A`` over one period, shape (n, n)."""
        T = self.period_s
        blocks = [np.array([[1.0, T, 0.5 * T * T], [0.0, 1.0, T], [0.0, 0.0, 1.0]])]
        for f in self.frequencies_hz:
            w = 2.0 * np.pi * f
            c, s = np.exp(-self.decay_1_s * T) * np.array([np.cos(w * T), np.sin(w * T)])
            turn = np.array([[c, s], [-s, c]])
            blocks.append(np.kron([[1.0, 0.0], [self.coupling_1_s * T, 1.0]], turn))
        return np.asarray(block_diag(*blocks))

    def observation(self) -> Array:
        """Observation row ``C``, shape (n,): position plus the real part of every second section."""
        row = np.zeros(self.size)
        row[0] = 1.0
        row[VOLUNTARY + 2 :: 4] = 1.0
        return row

    def stationary(self, variances: Array) -> Array:
        """Covariance the bank's states settle to, (4 m, 4 m); ``variances`` are ``sigma_i^2``, shape (m,)."""
        between = np.sqrt(0.5)
        section = np.kron([[1.0, between], [between, 1.0]], np.eye(2))
        return np.asarray(np.kron(np.diag(variances), section))

    def process_noise(self, jerk_density: float, variances: Array) -> Array:
        """Process noise ``Q`` over one period, shape (n, n).

        Args:
            jerk_density: ``q_v``, m^2/s^5.
            variances: stationary variance of each resonance's states, shape (m,), m^2.
        """
        T = self.period_s
        T2, T3, T4, T5 = T**2, T**3, T**4, T**5
        white_jerk = np.array([[T5 / 20, T4 / 8, T3 / 6], [T4 / 8, T3 / 3, T2 / 2], [T3 / 6, T2 / 2, T]])
        A, S = self.transition()[VOLUNTARY:, VOLUNTARY:], self.stationary(variances)
        return np.asarray(block_diag(jerk_density * white_jerk, S - A @ S @ A.T))


def steady_gain(model: HandModel, jerk_density: float, variances: Array, noise_variance: float) -> Array:
    """The observer gain ``K`` (n,) the Kalman filter settles to, for ``x+ = x- + K (y - C x-)``."""
    C = model.observation()
    P = riccati(model.transition(), C, model.process_noise(jerk_density, variances), noise_variance)
    return np.asarray(P @ C / (C @ P @ C + noise_variance))


def riccati(A: Array, C: Array, Q: Array, r: float) -> Array:
    """Prediction covariance ``P = A P A' - A P C' (C P C' + r)^-1 C P A' + Q``, shape (n, n).

    By the structure-preserving doubling algorithm (Chu, Fan, Lin & Wang, Int. J. Control 77:767, 2004): step
    ``k`` holds the covariance after ``2^k`` samples. Twenty times faster here than
    ``scipy.linalg.solve_discrete_are``, against which the tests check it.

    Raises:
        TrocarError: it does not settle; the model is not observable or the noise is not positive.
    """
    identity = np.eye(A.shape[0])
    F, G, P = A.T, np.outer(C, C) / r, Q
    for _ in range(MOST_DOUBLINGS):
        solved = np.linalg.solve(identity + G @ P, np.hstack([F, G]))
        WF, WG = np.hsplit(solved, 2)
        growth = F.T @ P @ WF
        F, G, P = F @ WF, G + F @ WG @ F.T, P + 0.5 * (growth + growth.T)
        if np.max(np.abs(growth)) <= 1e-13 * np.max(np.abs(P)):
            return np.asarray(P)
    raise TrocarError(
        f"the Riccati equation of the tremor bank did not settle in 2^{MOST_DOUBLINGS} samples "
        f"(r = {r:g} m^2); check that noise, jerk and tremor are positive and the frequencies distinct"
    )


def starting_gains(
    model: HandModel,
    jerk_density: float,
    variances: Array,
    noise_variance: float,
    start_variances: tuple[float, float, float],
    count: int,
) -> Array:
    """Gains of the first ``count`` samples of the time-varying Kalman filter, shape (count, n).

    The filter wakes knowing little of the hand and nothing of the tremor's phase. Row 0 belongs to the very
    first sample: with a wide prior on the position, it takes the position from the measurement.

    Args:
        model: the hand.
        jerk_density: ``q_v``, m^2/s^5.
        variances: of the resonances, shape (m,), m^2.
        noise_variance: ``r``, m^2.
        start_variances: prior variance of position (m^2), velocity (m^2/s^2) and acceleration (m^2/s^4).
        count: rows wanted.
    """
    A, C = model.transition(), model.observation()
    Q = model.process_noise(jerk_density, variances)
    P = np.asarray(block_diag(np.diag(start_variances), model.stationary(variances)))
    gains = np.empty((count, model.size))
    for row in gains:
        PC = P @ C
        row[:] = PC / (C @ PC + noise_variance)
        P = P - np.outer(row, PC)
        P = A @ P @ A.T + Q
        P = 0.5 * (P + P.T)
    return gains


def response(A: Array, C: Array, K: Array, frequency_hz: Array, period_s: float) -> Array:
    """Complex response from ``y`` to the estimated voluntary position, of the observer with fixed gain.

    ``x+_t = (I - K C) A x+_{t-1} + K y_t``, output ``p``: ``H(z) = e_0' (I - (I - K C) A / z)^-1 K``.

    Returns:
        complex, same shape as ``frequency_hz``.
    """
    closed = (np.eye(K.size) - np.outer(K, C)) @ A
    z = np.exp(2j * np.pi * np.asarray(frequency_hz) * period_s)
    systems = np.eye(K.size)[None] - closed[None] / z[:, None, None]
    return np.asarray(np.linalg.solve(systems, np.broadcast_to(K[:, None], (z.size, K.size, 1)))[:, 0, 0])
