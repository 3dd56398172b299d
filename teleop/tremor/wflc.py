"""Weighted-frequency Fourier linear combiner: tracks one tremor frequency and cancels it.

C. N. Riviere, R. S. Rader, N. V. Thakor, Adaptive cancelling of physiological tremor for improved precision
in microsurgery, IEEE Trans. Biomed. Eng. 45(7):839, 1998, doi 10.1109/10.686791. Two combiners in parallel
share the frequency. The tracker sees the band-passed signal ``b``; the canceller sees the signal ``s``, so
that the band-pass costs no phase. With the running phase ``phi`` and ``h_r = sin(r phi)``,
``h_{M+r} = cos(r phi)``:

    e = b - sum w_i h_i,   w_i <- w_i + 2 mu e h_i
    omega <- omega + mu_0 e sum_r r (w_r h_{M+r} - w_{M+r} h_r) / sum w_i^2
    y = s - c - sum v_i h_i,   v_i <- v_i + 2 mu_c y h_i,   c <- c + 2 mu_b y,   output = s - sum v_i h_i

``c`` is the paper's bias weight against slow motion. Unlike the paper's, the update of ``omega`` is
normalised by the power of the weights, so that its speed does not depend on the tremor's amplitude or unit.
"""

from __future__ import annotations

import numpy as np
from scipy import signal

from teleop.compiled import kernel
from teleop.tremor.contract import Array
from teleop.tremor.lti import Cascade
from teleop.tremor.spec import WflcSpec


class Wflc:
    """WFLC canceller of ``k`` axes.

    Attributes:
        omega: tracked frequency of each axis, rad/s, shape (k,).
        tracked: the tracker's weights, shape (k, 2 M).
        cancelled: the canceller's weights, shape (k, 2 M).
        bias: shape (k,).
    """

    def __init__(self, spec: WflcSpec, axes: int, rate_hz: float) -> None:
        """For ``axes`` axes sampled at ``rate_hz``."""
        sections = signal.butter(2, spec.band_hz, "bandpass", fs=rate_hz, output="sos")
        self._band = Cascade(sections, axes, 1.0 / rate_hz)
        self._start_omega = 2.0 * np.pi * spec.start_hz
        self._limits = 2.0 * np.pi * np.array(spec.band_hz)
        self._steps = np.array([spec.weight_step, spec.frequency_step, spec.cancel_step, spec.bias_step])
        self._passed = np.zeros(axes)
        self._phase = np.zeros(axes)
        self.omega = np.full(axes, self._start_omega)
        self.tracked = np.zeros((axes, 2 * spec.harmonics))
        self.cancelled = np.zeros((axes, 2 * spec.harmonics))
        self.bias = np.zeros(axes)

    def start(self, x: Array) -> None:
        """At rest at ``x`` (k,), at the start frequency."""
        self._band.start(x)
        self._phase[:] = 0.0
        self.omega[:] = self._start_omega
        self.tracked[:] = 0.0
        self.cancelled[:] = 0.0
        self.bias[:] = x

    def advance(self, x: Array, dt: float, out: Array) -> None:
        """One sample; see :class:`~teleop.tremor.contract.FilterCore`."""
        self._band.advance(x, dt, self._passed)
        combine(
            self.tracked, self.cancelled, self.bias, self.omega, self._phase,
            x, self._passed, dt, self._steps, self._limits, out,
        )  # fmt: skip

    def transport(self, jacobian: Array, before: Array, after: Array, curvature: Array) -> None:
        """Move the bias and the band-pass.

        The weights stay: each axis has its own phase, and a turn of 0.3 rad hardly mixes the axes.
        """
        self._band.transport(jacobian, before, after, curvature)
        self.bias[:] = after + jacobian @ (self.bias - before)


@kernel
def combine(
    tracked: Array,
    cancelled: Array,
    bias: Array,
    omega: Array,
    phase: Array,
    x: Array,
    passed: Array,
    dt: float,
    steps: Array,
    limits: Array,
    out: Array,
) -> None:
    """The module's equations for every axis, in place.

    Args:
        tracked: ``w``, (k, 2 M).
        cancelled: ``v``, (k, 2 M).
        bias: ``c``, (k,).
        omega: rad/s, (k,); kept inside ``limits`` (2,).
        phase: rad, (k,).
        x: the signal, (k,).
        passed: the band-passed signal, (k,).
        dt: s.
        steps: ``mu, mu_0, mu_c, mu_b``, (4,).
        limits: lowest and highest omega, (2,).
        out: signal less cancelled tremor, (k,).
    """
    harmonics = tracked.shape[1] // 2
    for axis in range(x.size):
        phase[axis] = (phase[axis] + omega[axis] * dt) % (2.0 * np.pi)
        error = passed[axis]
        tremor = 0.0
        power = 0.0
        for r in range(harmonics):
            sin, cos = np.sin((r + 1) * phase[axis]), np.cos((r + 1) * phase[axis])
            error -= tracked[axis, r] * sin + tracked[axis, harmonics + r] * cos
            tremor += cancelled[axis, r] * sin + cancelled[axis, harmonics + r] * cos
            power += tracked[axis, r] ** 2 + tracked[axis, harmonics + r] ** 2
        rest = x[axis] - bias[axis] - tremor
        push = 0.0
        for r in range(harmonics):
            sin, cos = np.sin((r + 1) * phase[axis]), np.cos((r + 1) * phase[axis])
            push += (r + 1) * (tracked[axis, r] * cos - tracked[axis, harmonics + r] * sin)
            tracked[axis, r] += 2.0 * steps[0] * error * sin
            tracked[axis, harmonics + r] += 2.0 * steps[0] * error * cos
            cancelled[axis, r] += 2.0 * steps[2] * rest * sin
            cancelled[axis, harmonics + r] += 2.0 * steps[2] * rest * cos
        bias[axis] += 2.0 * steps[3] * rest
        if power > 0.0:
            faster = omega[axis] + steps[1] * error * push / power
            omega[axis] = min(max(faster, limits[0]), limits[1])
        out[axis] = x[axis] - tremor
