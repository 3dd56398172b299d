"""A joint servo as an outside observer sees it: delayed second-order response with limits, and encoders."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.linalg import expm

Array = npt.NDArray[np.float64]


def natural_frequency(bandwidth_hz: float, damping_ratio: float) -> float:
    """Natural frequency (rad/s) of the second-order system whose gain is -3 dB at ``bandwidth_hz``.

    ``|G(jw)|² = 1/2`` for ``G = wn²/(s² + 2 ζ wn s + wn²)`` gives
    ``w = wn sqrt(1 - 2ζ² + sqrt((1 - 2ζ²)² + 1))``.
    """
    k = 1.0 - 2.0 * damping_ratio**2
    return float(2.0 * np.pi * bandwidth_hz / np.sqrt(k + np.sqrt(k * k + 1.0)))


class Servo:
    """k joints, each ``p'' = wn² (u - p) - 2 ζ wn p'``, with bounds on rate and acceleration.

    The setpoint ``u`` is held over a period and the linear step is exact (matrix exponential), so away from
    the bounds the samples are those of the continuous system. Where the bound on acceleration acts, the
    velocity changes by ``a T`` and the position by the mean velocity.

    Attributes:
        p: position, shape (k,), rad or m.
        v: velocity, shape (k,).
    """

    def __init__(
        self,
        p: Array,
        *,
        period_s: float,
        bandwidth_hz: float,
        damping_ratio: float,
        delay_ticks: int,
        rate_max: Array,
        acceleration_max: Array,
    ) -> None:
        """At rest at ``p``; setpoints take effect ``delay_ticks`` periods after they are given."""
        wn = natural_frequency(bandwidth_hz, damping_ratio)
        # [p v u] with u constant: the exponential of the augmented matrix holds both Phi and Gamma.
        system = np.array([[0.0, 1.0, 0.0], [-wn * wn, -2.0 * damping_ratio * wn, wn * wn], [0.0, 0.0, 0.0]])
        self._phi = expm(system * period_s)
        self._period_s = period_s
        self._rate_max = rate_max
        self._dv_max = acceleration_max * period_s
        self.p = np.array(p, dtype=float)
        self.v = np.zeros_like(self.p)
        self._pipe = [self.p.copy() for _ in range(delay_ticks + 1)]
        self._next = 0

    def step(self, u: Array) -> None:
        """One period with setpoint ``u``, shape (k,)."""
        self._pipe[self._next][:] = u
        self._next = (self._next + 1) % len(self._pipe)
        phi, delayed = self._phi, self._pipe[self._next]
        error = self.p - delayed  # relative to the setpoint, so that rest stays rest to the last bit
        v = phi[1, 0] * error + phi[1, 1] * self.v
        p = delayed + phi[0, 0] * error + phi[0, 1] * self.v
        dv = v - self.v
        acts = (np.abs(dv) > self._dv_max) | (np.abs(v) > self._rate_max)
        if acts.any():
            bounded = self.v + np.clip(dv, -self._dv_max, self._dv_max)
            bounded = np.clip(bounded, -self._rate_max, self._rate_max)
            p = np.where(acts, self.p + 0.5 * (self.v + bounded) * self._period_s, p)
            v = np.where(acts, bounded, v)
        self.p, self.v = p, v


class Encoders:
    """Positions as the driver reads them: Gaussian noise, then whole counts.

    ``reading = round((p + noise) / quantum) * quantum``.
    """

    def __init__(self, quantum: Array, noise_rms: Array, seed: int) -> None:
        """Quantum and rms noise per joint, rad or m; the same seed gives the same noise."""
        self._quantum = quantum
        self._noise_rms = noise_rms
        self._random = np.random.default_rng(seed)

    def read(self, p: Array) -> Array:
        """Reading of the positions ``p``, shape (k,)."""
        noisy = p + self._noise_rms * self._random.standard_normal(p.shape)
        reading: Array = np.round(noisy / self._quantum) * self._quantum
        return reading
