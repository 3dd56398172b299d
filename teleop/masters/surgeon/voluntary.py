"""Voluntary motion: minimum-jerk reaches between random targets, with rests, turns and slow drift.

A minimum-jerk reach from ``a`` to ``b`` in ``T`` seconds (Flash & Hogan, J. Neurosci. 5:1688, 1985):
``x(t) = a + (b - a) s(t/T)``, ``s(u) = 10 u^3 - 15 u^4 + 6 u^5``; its peak speed is ``1.875 |b - a| / T``
at half time.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from teleop.masters.surgeon.signals import Array, band_noise
from teleop.masters.surgeon.spec import SurgeonSpec

PEAK_FACTOR = 1.875
"""Peak speed of a minimum-jerk reach over its mean speed."""

TURN_SPEED_RAD_S = 1.0
"""Peak speed of a turn of the hand; a reach that turns far takes as long as its turn."""

DRIFT_BAND_HZ = (0.05, 0.5)


@dataclass(frozen=True, slots=True, eq=False)
class Reaches:
    """A plan of reaches, one after the other, each from the last one's target.

    Attributes:
        start_s: when each reach begins, shape (k,), ascending.
        duration_s: how long each takes, shape (k,); the hand rests in between.
        targets: position (m) and rotation vector (rad) before the first reach and after each, shape (k+1, 6).
    """

    start_s: Array
    duration_s: Array
    targets: Array

    def at(self, t: Array) -> Array:
        """Pose at the times ``t`` (n,): position (m) and rotation vector (rad), shape (n, 6)."""
        if self.start_s.size == 0:
            return np.repeat(self.targets[:1], t.size, axis=0)
        index = np.clip(np.searchsorted(self.start_s, t, side="right") - 1, 0, None)
        progress = minimum_jerk((t - self.start_s[index]) / self.duration_s[index])
        a = self.targets[index]
        return np.asarray(a + progress[:, None] * (self.targets[index + 1] - a))


def minimum_jerk(u: Array) -> Array:
    """The minimum-jerk course ``10 u^3 - 15 u^4 + 6 u^5`` of ``u`` clipped to [0, 1]."""
    u = np.clip(u, 0.0, 1.0)
    return np.asarray(u * u * u * (10.0 + u * (6.0 * u - 15.0)))


def plan_reaches(duration_s: float, spec: SurgeonSpec, rng: np.random.Generator) -> Reaches:
    """Draw reaches that fill ``duration_s``; the last ends at the start pose, so that a loop closes.

    Targets are uniform in the box. A duration too short for a reach and its return has none.
    """
    half = np.append(0.5 * np.array(spec.workspace_m), np.full(3, spec.turn_max_rad))
    home = np.zeros(6)
    targets, starts, durations = [home], [], []
    now = float(rng.uniform(*spec.pause_s))
    while spec.moving:
        target = rng.uniform(-half, half)
        speed = float(rng.uniform(*spec.reach_speed_m_s))
        reach = reach_time(target - targets[-1], speed, spec)
        rest = float(rng.uniform(*spec.pause_s))
        if now + reach + rest + reach_time(target - home, speed, spec) > duration_s:
            break
        starts.append(now)
        durations.append(reach)
        targets.append(target)
        now += reach + rest
    if starts:
        starts.append(now)
        durations.append(duration_s - now)
        targets.append(home)
    return Reaches(np.array(starts), np.array(durations), np.array(targets))


def reach_time(step: Array, speed_m_s: float, spec: SurgeonSpec) -> float:
    """Seconds for a minimum-jerk reach over ``step`` (6,), m and rad.

    The longest of ``reach_min_s``, what peak speed ``speed_m_s`` asks, and what the turn asks.
    """
    travel = PEAK_FACTOR * float(np.linalg.norm(step[:3])) / speed_m_s
    turn = PEAK_FACTOR * float(np.linalg.norm(step[3:])) / TURN_SPEED_RAD_S
    return max(spec.reach_min_s, travel, turn)


def drift(t: Array, rate_hz: float, spec: SurgeonSpec, rng: np.random.Generator) -> Array:
    """Slow wander of the hand, 0.05 to 0.5 Hz, ``drift_rms_m`` per position axis, over the lever in rotation.

    Returns:
        shape (n, 6), m and rad.
    """
    unit = np.stack([band_noise(t.size, rate_hz, *DRIFT_BAND_HZ, rng) for _ in range(6)], axis=1)
    return np.asarray(unit * spec.drift_rms_m * np.repeat([1.0, 1.0 / spec.lever_m], 3))
