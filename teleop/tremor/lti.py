"""Fixed linear filters as cascades of biquads: Butterworth low-pass and notches.

S. Butterworth, On the theory of filter amplifiers, Wireless Engineer 7:536, 1930. Both designs come from
``scipy.signal``; a sample over ``m`` periods runs the cascade ``m`` times on a straight line between the
last two samples, so that a lost sample costs no phase.
"""

from __future__ import annotations

import numpy as np
from scipy import signal

from teleop.compiled import kernel
from teleop.tremor.contract import Array
from teleop.tremor.spec import ButterworthSpec, NotchSpec


class Cascade:
    """Second-order sections in transposed direct form II, the same for ``k`` axes.

    Attributes:
        sections: rows [b0, b1, b2, 1, a1, a2], shape (s, 6).
        memory: shape (s, k, 2).
    """

    def __init__(self, sections: Array, axes: int, period_s: float) -> None:
        """The cascade at rest at zero."""
        self.sections = np.ascontiguousarray(sections, dtype=np.float64)
        self.memory = np.zeros((self.sections.shape[0], axes, 2))
        self._rest = resting_memory(self.sections)
        self._period_s = period_s
        self._previous = np.zeros(axes)

    def start(self, x: Array) -> None:
        """At rest, as if ``x`` (k,) had been there for ever."""
        self.memory[:] = self._rest[:, None, :] * x[:, None]
        self._previous[:] = x

    def advance(self, x: Array, dt: float, out: Array) -> None:
        """One sample; see :class:`~teleop.tremor.contract.FilterCore`."""
        periods = max(1, round(dt / self._period_s))
        cascade(self.sections, self.memory, self._previous, x, periods, out)

    def transport(self, jacobian: Array, before: Array, after: Array, curvature: Array) -> None:
        """Linear memory: turn it, and move the constant it stands on."""
        shift = after - jacobian @ before
        turned = np.einsum("ij,sjc->sic", jacobian, self.memory)
        self.memory[:] = turned + self._rest[:, None, :] * shift[:, None]
        self._previous[:] = jacobian @ self._previous + shift


def butterworth(spec: ButterworthSpec, axes: int, rate_hz: float) -> Cascade:
    """Low-pass of ``spec`` for ``axes`` axes sampled at ``rate_hz``."""
    return Cascade(signal.butter(spec.order, spec.cutoff_hz, fs=rate_hz, output="sos"), axes, 1.0 / rate_hz)


def notch(spec: NotchSpec, axes: int, rate_hz: float) -> Cascade:
    """Notches of ``spec`` for ``axes`` axes sampled at ``rate_hz``."""
    sections = [np.hstack(signal.iirnotch(f, spec.quality, fs=rate_hz)) for f in spec.frequencies_hz]
    return Cascade(np.array(sections), axes, 1.0 / rate_hz)


def resting_memory(sections: Array) -> Array:
    """Memory of each section, (s, 2), when the input has been 1 for ever."""
    return np.asarray(signal.sosfilt_zi(sections))


@kernel
def cascade(sections: Array, memory: Array, previous: Array, x: Array, periods: int, out: Array) -> None:
    """Run the cascade over ``periods`` samples on the line from ``previous`` (k,) to ``x`` (k,)."""
    for axis in range(x.size):
        value = 0.0
        for step in range(1, periods + 1):
            value = x[axis] - (x[axis] - previous[axis]) * (periods - step) / periods
            for s in range(sections.shape[0]):
                y = sections[s, 0] * value + memory[s, axis, 0]
                memory[s, axis, 0] = sections[s, 1] * value - sections[s, 4] * y + memory[s, axis, 1]
                memory[s, axis, 1] = sections[s, 2] * value - sections[s, 5] * y
                value = y
        out[axis] = value
        previous[axis] = x[axis]
