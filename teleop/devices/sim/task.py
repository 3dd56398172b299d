"""A surgeon who follows a path by eye: what the hand wants depends on what the tool was seen to do.

The aim runs along the path, and where the tool is seen off it, slower (a speed-accuracy trade of the kind of
Accot & Zhai's steering law, 1997) and to the other side:

    s'  = v / (1 + (|e| / w)^2),        x_i = (c(s) - x_0) / scale + wander + tremor - gain int(e) dt / scale

with e the tool's distance from the path `SEES_S` ago. Wander is what makes an unaided hand inaccurate: slow
noise of 0.05 to 0.5 Hz. All its numbers are assumed; :attr:`FollowSpec.wander_m` was set once so that
the unaided hand strays by about the published 8 mm (Enayati et al. 2016). Pure: no clock, seeded.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from teleop.devices.sim.loop import ClosedLoop
from teleop.masters.surgeon.signals import band_noise

Array = npt.NDArray[np.float64]

SEES_S = 0.2
"""From the tool's place to the hand's answer, by eye, s."""
_RATE_HZ = 1000.0


@dataclass(frozen=True, slots=True)
class FollowSpec:
    """How the surgeon follows.

    Attributes:
        speed_m_s: of the tool along the path where it is seen on it.
        width_m: w, error of the tool that halves the speed.
        wander_m: rms of the aim's wander, each axis, at the hand.
        tremor_m: rms of tremor (8 to 12 Hz), each axis, at the hand.
        gain_per_s: how fast a seen error is corrected.
        longest_s: after so long it is given up.
    """

    speed_m_s: float = 0.015
    width_m: float = 0.002
    wander_m: float = 0.0035
    tremor_m: float = 1e-4
    gain_per_s: float = 1.0
    longest_s: float = 12.0


@dataclass(frozen=True, slots=True)
class Followed:
    """What became of it.

    Attributes:
        tool_m: distance of the commanded tool from the path, each tick, shape (k,).
        hand_m: distance of the hand from the path as it is at the hand, shape (k,).
        device_n: size of the force that was rendered, shape (k,).
        pull_n: size of the pull of the hand's own spring, shape (k,).
        seconds: until the end was reached.
        done: the end was reached.
        least_j: least energy that the device's port ever held, J; below zero it gave out energy.
    """

    tool_m: Array
    hand_m: Array
    device_n: Array
    pull_n: Array
    seconds: float
    done: bool
    least_j: float


def nearest(path: Array, p: Array) -> Array:
    """The nearest point (3,) of a polyline (k, 3) to p (3,)."""
    a, along = path[:-1], np.diff(path, axis=0)
    t = np.clip(((p - a) * along).sum(1) / (along * along).sum(1), 0.0, 1.0)
    c = a + t[:, None] * along
    out: Array = c[int(np.argmin(((p - c) ** 2).sum(1)))]
    return out


def follow(made: ClosedLoop, path: Array, spec: FollowSpec, seed: int) -> Followed:
    """Let the surgeon follow ``path``, (k, 3), m, world, from where the tool is.

    Args:
        made: brought up, the hand at rest, no turned view.
        path: densely sampled; begins at the tool.
        spec: how.
        seed: of wander and tremor.
    """
    rng = np.random.default_rng(seed)
    ticks = round(spec.longest_s * _RATE_HZ)

    def noise(lo: float, hi: float, rms: float) -> Array:
        x = np.stack([band_noise(ticks, _RATE_HZ, lo, hi, rng) for _ in range(3)], axis=1)
        return np.asarray(rms * x)

    aim = noise(0.05, 0.5, spec.wander_m) + noise(8.0, 12.0, spec.tremor_m)
    # The hand begins at the path, not a wander away from it.
    aim *= np.minimum(1.0, np.arange(ticks) / 500.0)[:, None]
    scale, x0 = made.pair.mapping.scale, path[0]
    length = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(path, axis=0), axis=1))])
    seen = [np.zeros(3)] * round(SEES_S * _RATE_HZ)
    s, corrected, least_j = 0.0, np.zeros(3), 0.0
    hand0 = made.handle.p.copy()
    tool, hand, device, pull = [], [], [], []
    for k in range(ticks):
        e = seen.pop(0)
        s += spec.speed_m_s / _RATE_HZ / (1.0 + float(e @ e) / spec.width_m**2)
        corrected += spec.gain_per_s / _RATE_HZ * e
        at = np.array([np.interp(s, length, path[:, i]) for i in range(3)])
        made.intent = hand0 + (at - x0 - corrected) / scale + aim[k]
        felt = made.tick()
        tip = felt.out.T_world_tip[:3, 3]
        off = tip - nearest(path, tip)
        seen.append(off.copy())
        place = x0 + scale * (felt.p_hand - hand0)
        tool.append(float(np.linalg.norm(off)))
        hand.append(float(np.linalg.norm(place - nearest(path, place))) / scale)
        device.append(float(np.linalg.norm(felt.force)))
        pull.append(made.handle.hand.stiffness_n_m * float(np.linalg.norm(made.intent - felt.p_hand)))
        least_j = min(least_j, made.renderer.energy)
        if s >= length[-1]:
            break
    return Followed(
        tool_m=np.array(tool),
        hand_m=np.array(hand),
        device_n=np.array(device),
        pull_n=np.array(pull),
        seconds=len(tool) / _RATE_HZ,
        done=bool(s >= length[-1]),
        least_j=least_j,
    )
