"""A surgeon's motion taken apart: what was meant, what shook, what the sensor added."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from teleop.errors import TrocarError
from teleop.masters.surgeon.signals import Array
from teleop.masters.surgeon.spec import SurgeonSpec
from teleop.masters.surgeon.tremor import tremor
from teleop.masters.surgeon.voluntary import Reaches, drift, plan_reaches

MIN_RATE_HZ = 60.0
"""Below this the tremor band (to 25 Hz) would alias."""

_COMPONENTS = ("reaches", "drift", "tremor", "noise")


@dataclass(frozen=True, slots=True, eq=False)
class SurgeonTrace:
    """Motion about the start pose: position (m) first, rotation vector (rad) second, columns x y z each.

    ``measured = voluntary + tremor + noise`` to the last bit. Rotation vectors are small enough (below
    ``pi``) to be the log map of an orientation relative to the start pose.

    Attributes:
        t: uniform times from 0, s, shape (n,).
        voluntary: reaches and drift, the truth a filter is judged against, shape (n, 6).
        tremor: what a filter should remove, shape (n, 6).
        noise: sensor noise, shape (n, 6).
        measured: what a master would report, shape (n, 6).
    """

    t: Array
    voluntary: Array
    tremor: Array
    noise: Array
    measured: Array


def sample_times(duration_s: float, rate_hz: float) -> Array:
    """Times ``0, 1/rate, ...`` covering ``[0, duration_s]``.

    Raises:
        TrocarError: the duration is not positive, or the rate too low to carry tremor.
    """
    if not (duration_s > 0.0 and np.isfinite(duration_s)):
        raise TrocarError(f"a trace needs a positive, finite duration; got {duration_s!r} s")
    if not (rate_hz >= MIN_RATE_HZ and np.isfinite(rate_hz)):
        raise TrocarError(f"a trace needs a rate of at least {MIN_RATE_HZ:g} Hz; got {rate_hz!r} Hz")
    return np.arange(round(duration_s * rate_hz) + 1) / rate_hz


def streams(seed: int, *names: str) -> dict[str, np.random.Generator]:
    """One independent generator per component: a change of one leaves the draws of the others alone."""
    children = np.random.SeedSequence(seed).spawn(len(names))
    return {name: np.random.default_rng(child) for name, child in zip(names, children, strict=True)}


def plan(duration_s: float, seed: int, spec: SurgeonSpec) -> Reaches:
    """The reaches behind :func:`synthesise` with the same arguments."""
    return plan_reaches(duration_s, spec, streams(seed, *_COMPONENTS)["reaches"])


def synthesise(duration_s: float, rate_hz: float, seed: int, spec: SurgeonSpec | None = None) -> SurgeonTrace:
    """A surgeon after the literature's recipe: minimum-jerk reaches, drift, FM/AM tremor, white sensor noise.

    The same arguments give the same bits. The reaches and drift of a seed do not depend on the tremor keys
    of ``spec``, nor the other way round.

    Args:
        duration_s: length of the trace, s.
        rate_hz: sample rate, at least 60.
        seed: non-negative.
        spec: the surgeon; the default one when left out.

    Raises:
        TrocarError: impossible duration or rate.
    """
    spec = spec or SurgeonSpec()
    t = sample_times(duration_s, rate_hz)
    rng = streams(seed, *_COMPONENTS)
    voluntary = plan(duration_s, seed, spec).at(t) + drift(t, rate_hz, spec, rng["drift"])
    shake = tremor(t, rate_hz, spec, rng["tremor"])
    noise = rng["noise"].standard_normal((t.size, 6))
    noise *= np.repeat([spec.noise_rms_m, spec.noise_rms_rad], 3)
    return SurgeonTrace(t, voluntary, shake, noise, voluntary + shake + noise)
