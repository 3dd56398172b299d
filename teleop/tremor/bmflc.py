"""Band-limited multiple Fourier linear combiner: a fixed grid of sinusoids with LMS or Kalman weights.

K. C. Veluvolu, W. T. Latt, W. T. Ang, Double adaptive bandlimited multiple Fourier linear combiner for
real-time estimation/filtering of physiological tremor, Biomed. Signal Process. Control 5:37, 2010 (LMS);
K. C. Veluvolu, W. T. Ang, Estimation of physiological tremor from accelerometers for real-time applications,
Sensors 11:3020, 2011, doi 10.3390/s110303020 (Kalman). The signal ``s`` is high-passed to ``b``; with
``h = [sin w_1 t .. sin w_m t, cos w_1 t .. cos w_m t]``:

    e = b - w' h,   LMS: w <- w + 2 mu e h,   Kalman: w <- w + K e,  w a random walk;   output = s - w' h

The high-pass shifts the tremor's phase before it is subtracted: the method's known weakness.
"""

from __future__ import annotations

import numpy as np
from scipy import signal

from teleop.compiled import kernel
from teleop.tremor.contract import Array
from teleop.tremor.lti import Cascade
from teleop.tremor.spec import BmflcKfSpec, BmflcSpec


class _Combiner:
    """What both share: high-pass, grid, phases and weights of ``k`` axes.

    Attributes:
        weights: shape (k, 2 m).
    """

    def __init__(self, spec: BmflcSpec | BmflcKfSpec, axes: int, rate_hz: float) -> None:
        low, high = spec.band_hz
        self._omega = 2.0 * np.pi * np.arange(low, high + 1e-9, spec.spacing_hz)
        sections = signal.butter(2, spec.high_pass_hz, "highpass", fs=rate_hz, output="sos")
        self._high = Cascade(sections, axes, 1.0 / rate_hz)
        self._passed = np.zeros(axes)
        self._phase = np.zeros(self._omega.size)
        self._basis = np.zeros(2 * self._omega.size)
        self.weights = np.zeros((axes, 2 * self._omega.size))

    def start(self, x: Array) -> None:
        """At rest at ``x`` (k,), without weights."""
        self._high.start(x)
        self._phase[:] = 0.0
        self.weights[:] = 0.0

    def transport(self, jacobian: Array, before: Array, after: Array, curvature: Array) -> None:
        """Turn the weights: all axes share the phases."""
        self._high.transport(jacobian, before, after, curvature)
        self.weights[:] = jacobian @ self.weights


class Bmflc(_Combiner):
    """The LMS kind, ``k`` axes."""

    def __init__(self, spec: BmflcSpec, axes: int, rate_hz: float) -> None:
        """For ``axes`` axes sampled at ``rate_hz``."""
        super().__init__(spec, axes, rate_hz)
        self._step = spec.step

    def advance(self, x: Array, dt: float, out: Array) -> None:
        """One sample; see :class:`~teleop.tremor.contract.FilterCore`."""
        self._high.advance(x, dt, self._passed)
        turn_basis(self._phase, self._omega, dt, self._basis)
        weigh(self.weights, 2.0 * self._step * self._basis, self._basis, x, self._passed, out)


class BmflcKf(_Combiner):
    """The Kalman kind, ``k`` axes, which share one covariance since they share basis and noise.

    Attributes:
        covariance: of the weights over the noise variance, shape (2 m, 2 m).
    """

    def __init__(self, spec: BmflcKfSpec, axes: int, rate_hz: float) -> None:
        """For ``axes`` axes sampled at ``rate_hz``."""
        super().__init__(spec, axes, rate_hz)
        self._walk_per_s = spec.walk_ratio
        self._gain = np.zeros(self._basis.size)
        self.covariance = np.eye(self._basis.size)

    def start(self, x: Array) -> None:
        """At rest at ``x`` (k,), without weights, as sure of them as of one sample."""
        super().start(x)
        self.covariance[:] = np.eye(self._basis.size)

    def advance(self, x: Array, dt: float, out: Array) -> None:
        """One sample; see :class:`~teleop.tremor.contract.FilterCore`."""
        self._high.advance(x, dt, self._passed)
        turn_basis(self._phase, self._omega, dt, self._basis)
        random_walk_gain(self.covariance, self._basis, self._walk_per_s * dt, self._gain)
        weigh(self.weights, self._gain, self._basis, x, self._passed, out)


@kernel
def turn_basis(phase: Array, omega: Array, dt: float, basis: Array) -> None:
    """Advance the phases (m,) by ``omega dt`` and write their sines and cosines, (2 m,)."""
    count = phase.size
    for i in range(count):
        phase[i] = (phase[i] + omega[i] * dt) % (2.0 * np.pi)
        basis[i] = np.sin(phase[i])
        basis[count + i] = np.cos(phase[i])


@kernel
def weigh(weights: Array, gain: Array, basis: Array, x: Array, passed: Array, out: Array) -> None:
    """Update the weights (k, 2 m) with ``gain`` (2 m,) and subtract their tremor from ``x`` (k,)."""
    for axis in range(x.size):
        error = passed[axis]
        for i in range(basis.size):
            error -= weights[axis, i] * basis[i]
        tremor = 0.0
        for i in range(basis.size):
            weights[axis, i] += gain[i] * error
            tremor += weights[axis, i] * basis[i]
        out[axis] = x[axis] - tremor


@kernel
def random_walk_gain(covariance: Array, basis: Array, walk: float, gain: Array) -> None:
    """One step of the covariance (2 m, 2 m), in units of the noise variance, and the gain (2 m,).

    ``P <- P + walk I``, ``K = P h / (h' P h + 1)``, ``P <- P - K h' P``; only the upper half is computed and
    mirrored, so it stays symmetric for ever.
    """
    n = basis.size
    for i in range(n):
        covariance[i, i] += walk
    spread = 1.0
    for i in range(n):
        total = 0.0
        for j in range(n):
            total += covariance[i, j] * basis[j]
        gain[i] = total
        spread += basis[i] * total
    for i in range(n):
        for j in range(i, n):
            covariance[i, j] -= gain[i] * gain[j] / spread
            covariance[j, i] = covariance[i, j]
    for i in range(n):
        gain[i] /= spread
