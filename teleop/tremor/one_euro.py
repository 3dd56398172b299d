"""The one-euro filter: a first-order low-pass whose cutoff rises with speed.

G. Casiez, N. Roussel, D. Vogel, 1 euro filter: a simple speed-based low-pass filter for noisy input in
interactive systems, CHI 2012, doi 10.1145/2207676.2208639. Per axis:

    alpha(f) = 1 / (1 + 1 / (2 pi f dt))
    v <- v + alpha(f_d) ((x - x_prev) / dt - v)
    y <- y + alpha(f_min + beta |v|) (x - y)
"""

from __future__ import annotations

import numpy as np

from teleop.compiled import kernel
from teleop.tremor.contract import Array
from teleop.tremor.spec import OneEuroSpec


class OneEuro:
    """One-euro filter of ``k`` axes.

    Attributes:
        output: shape (k,).
        speed: filtered derivative, shape (k,).
    """

    def __init__(self, spec: OneEuroSpec, axes: int, scale: float) -> None:
        """For ``axes`` axes; ``scale`` turns their unit into metres (1 for m, the lever for rad)."""
        self._min_cutoff_hz = spec.min_cutoff_hz
        self._beta = spec.beta_hz_s_m * scale
        self._derivative_cutoff_hz = spec.derivative_cutoff_hz
        self.output = np.zeros(axes)
        self.speed = np.zeros(axes)
        self._previous = np.zeros(axes)

    def start(self, x: Array) -> None:
        """At rest at ``x`` (k,)."""
        self.output[:] = x
        self._previous[:] = x
        self.speed[:] = 0.0

    def advance(self, x: Array, dt: float, out: Array) -> None:
        """One sample; see :class:`~teleop.tremor.contract.FilterCore`."""
        one_euro(
            self.output, self.speed, self._previous, x, dt,
            self._min_cutoff_hz, self._beta, self._derivative_cutoff_hz,
        )  # fmt: skip
        out[:] = self.output

    def transport(self, jacobian: Array, before: Array, after: Array, curvature: Array) -> None:
        """Turn the memory; the cutoffs follow from it."""
        self._previous[:] = after + jacobian @ (self._previous - before)
        self.output[:] = after + jacobian @ (self.output - before)
        self.speed[:] = jacobian @ self.speed


@kernel
def one_euro(
    output: Array,
    speed: Array,
    previous: Array,
    x: Array,
    dt: float,
    min_cutoff_hz: float,
    beta: float,
    derivative_cutoff_hz: float,
) -> None:
    """Equations of the module, in place; arrays (k,)."""
    turn = 2.0 * np.pi * dt
    slow = 1.0 / (1.0 + 1.0 / (turn * derivative_cutoff_hz))
    for axis in range(x.size):
        speed[axis] += slow * ((x[axis] - previous[axis]) / dt - speed[axis])
        cutoff = min_cutoff_hz + beta * abs(speed[axis])
        output[axis] += (x[axis] - output[axis]) / (1.0 + 1.0 / (turn * cutoff))
        previous[axis] = x[axis]
