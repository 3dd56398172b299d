"""The filter core: a joint observer of voluntary motion and a tremor bank whose gain follows the tremor."""

from __future__ import annotations

import numpy as np

from teleop.tremor.contract import Array
from teleop.tremor.kalman_bank import tracker
from teleop.tremor.kalman_bank.kernel import advance, turn_factors
from teleop.tremor.kalman_bank.table import GainTable

READ_PERIOD_S = 0.016
"""How often the spectrum is read and the gain moved."""


class KalmanBank:
    """Joint Kalman observer of ``k`` axes; see :mod:`teleop.tremor.kalman_bank.design` for the model.

    Attributes:
        state: the observer, shape (k, n), each row [p, v, a, Re z_1, Im z_1, Re w_1, Im w_1, ...]; m or rad.
        gain: gain in use, shape (k, n).
        reading: what the tracker last read, shape (k, 4); see :data:`~.tracker.READING`.
        followed: what the gain is for, shape (k, 3); see :data:`~.tracker.FOLLOWED`.
        blend: how much of the measurement is let through, 0 to 1, shape (k,).
    """

    def __init__(self, table: GainTable, axes: int, tracks: bool) -> None:
        """A bank over ``table`` for ``axes`` axes; with ``tracks`` false it keeps the wide gain for ever."""
        self.table = table
        self.tracks = tracks
        model = table.model
        n = model.size
        self._bank_hz = np.array(model.frequencies_hz)
        self._bank_decay = np.full(self._bank_hz.size, model.decay_1_s)
        self._coupling = model.coupling_1_s
        self._bins = tracker.bins_hz()
        self._weight = tracker.weights(table)
        half_width = 2.0 * np.pi * tracker.BIN_HALF_WIDTH_HZ
        self._bin_decay = np.full(self._bins.size, half_width)
        self._rates = np.array([half_width, 1.0 / tracker.ENERGY_TIME_S, 1.0 / tracker.SLIDE_TIME_S])
        self._read_every = max(1, round(READ_PERIOD_S / model.period_s))
        self._share = -np.expm1(-self._read_every * model.period_s / tracker.SLIDE_TIME_S)
        self._wide = np.tile(table.wide, (axes, 1))
        self._nominal = self._turns(model.period_s)
        self.state = np.zeros((axes, n))
        self.shadow = np.zeros((axes, n))
        self.gain = self._wide.copy()
        self.timid = np.zeros(axes)
        self.blend = np.zeros(axes)
        self.tones = np.zeros((axes, self._bins.size, 2))
        self.energy = np.zeros((axes, self._bins.size))
        self.reading = np.zeros((axes, tracker.READING))
        self.followed = np.zeros((axes, tracker.FOLLOWED))
        self.age = 0

    def start(self, x: Array) -> None:
        """Begin at ``x`` (k,), at rest, knowing nothing of the tremor."""
        for state in (self.state, self.shadow):
            state[:] = 0.0
            state[:, 0] = x
        self.gain[:] = self._wide
        self.timid[:] = 0.0
        self.blend[:] = 0.0
        self.followed[:] = 0.0
        self.tones[:] = 0.0
        self.energy[:] = 0.0
        self.reading[:] = 0.0
        self.age = 0

    def advance(self, x: Array, dt: float, out: Array) -> None:
        """One sample; see :class:`~teleop.tremor.contract.FilterCore`."""
        self.age += 1
        period = self.table.model.period_s
        if abs(dt - period) < 1e-9:
            periods, turns = 1.0, self._nominal
        else:
            periods, turns = dt / period, self._turns(dt)
        advance(
            self.state, self.shadow, self.gain, self.timid, self.blend, self._wide, self.table.starting,
            self.tones, self.energy, turns[0], self._coupling, turns[1], x, dt, periods, self.age,
            self._rates, out,
        )  # fmt: skip
        if self.tracks and self.age % self._read_every == 0:
            self._follow()

    def transport(self, jacobian: Array, before: Array, after: Array, curvature: Array) -> None:
        """Carry every vector over to new coordinates; velocity bends the acceleration."""
        for state in (self.state, self.shadow):
            step = state[:, 0] - before
            velocity = state[:, 1].copy()
            state[:] = jacobian @ state
            state[:, 0] = after + jacobian @ step
            state[:, 2] += curvature @ velocity @ velocity
        self.tones[:] = np.einsum("ij,jbc->ibc", jacobian, self.tones)

    def _follow(self) -> None:
        t = self.table
        tracker.read_spectrum(self.energy, self._bins, self._weight, self.reading)
        if self.age < t.starting.shape[0]:
            return
        tracker.follow(self.reading, self._share, self.followed, self.timid)
        tracker.look_up(self.followed, t.main_hz, t.offset_hz, t.single, t.pair, t.wide, self.gain)

    def _turns(self, dt: float) -> tuple[Array, Array]:
        bank, bins = np.empty((self._bank_hz.size, 2)), np.empty((self._bins.size, 2))
        turn_factors(self._bank_hz, self._bank_decay, dt, bank)
        turn_factors(self._bins, self._bin_decay, dt, bins)
        return bank, bins
