"""From a spec to a filter."""

from __future__ import annotations

import math

import numpy as np

from teleop.errors import TrocarError
from teleop.tremor.bmflc import Bmflc, BmflcKf
from teleop.tremor.contract import FilterCore
from teleop.tremor.guard import GuardedFilter
from teleop.tremor.kalman_bank import KalmanBank, gain_table
from teleop.tremor.lti import butterworth, notch
from teleop.tremor.nothing import Nothing
from teleop.tremor.one_euro import OneEuro
from teleop.tremor.pose import PoseFilter
from teleop.tremor.spec import (
    BmflcKfSpec,
    BmflcSpec,
    ButterworthSpec,
    FilterSpec,
    KalmanBankSpec,
    NoFilterSpec,
    NotchSpec,
    OneEuroSpec,
    WflcSpec,
)
from teleop.tremor.wflc import Wflc

LEAST_RATE_HZ = 100.0
"""Below this the bank's highest tone and the sliding gains have too few samples."""


def make_core(spec: FilterSpec, rate_hz: float, axes: int, *, turns: bool = False) -> FilterCore:
    """The algorithm of ``spec`` for ``axes`` axes, rotation axes (rad) if ``turns``.

    Raises:
        TrocarError: the rate is too low or not finite.
    """
    if not (math.isfinite(rate_hz) and rate_hz >= LEAST_RATE_HZ):
        raise TrocarError(f"a tremor filter needs at least {LEAST_RATE_HZ:g} Hz; got rate_hz = {rate_hz!r}")
    match spec:
        case NoFilterSpec():
            return Nothing()
        case ButterworthSpec():
            return butterworth(spec, axes, rate_hz)
        case OneEuroSpec():
            return OneEuro(spec, axes, spec.lever_m if turns else 1.0)
        case NotchSpec():
            return notch(spec, axes, rate_hz)
        case KalmanBankSpec():
            return KalmanBank(gain_table(spec, rate_hz), axes, spec.tracks)
        case WflcSpec():
            return Wflc(spec, axes, rate_hz)
        case BmflcSpec():
            return Bmflc(spec, axes, rate_hz)
        case BmflcKfSpec():
            return BmflcKf(spec, axes, rate_hz)


def make_axis_filter(spec: FilterSpec, rate_hz: float, axes: int, *, turns: bool = False) -> GuardedFilter:
    """A guarded filter of ``axes`` axes of one unit; see :func:`make_core`."""
    return GuardedFilter(make_core(spec, rate_hz, axes, turns=turns), axes, 1.0 / rate_hz, spec.max_gap_s)


def make_pose_filter(spec: FilterSpec, rate_hz: float) -> PoseFilter:
    """The filter of ``spec`` for poses that come at ``rate_hz``, compiled and ready for the loop.

    The first Kalman bank of a rate and tuning takes a second to solve for its gains; the process remembers
    them.

    Raises:
        TrocarError: the rate is too low or not finite.
    """
    made = PoseFilter(make_axis_filter(spec, rate_hz, 3), make_axis_filter(spec, rate_hz, 3, turns=True))
    _warm_up(made, 1.0 / rate_hz)
    return made


def _warm_up(made: PoseFilter, period_s: float) -> None:
    """Run every path the loop will take, re-centring included, so that nothing compiles inside it."""
    for i in range(64):
        angle = 0.02 * i
        quat_xyzw = np.array([math.sin(angle), 0.0, 0.0, math.cos(angle)])
        made.step(np.array([1e-3 * i, 0.0, 0.0]), quat_xyzw, period_s)
    made.step(np.zeros(3), np.array([0.0, 0.0, 0.0, 1.0]), 2.5 * period_s)
    made.reset()
    made.resets = 0
