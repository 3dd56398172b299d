"""From the clamp to a force: what one hand feels in one tick. No clock, no sockets.

    f = sat( K u - B (v.n) n + f_guide ),       u = R_wm^T (x_c - x_free) / s,   n = u / |u|

with x_c the tip after the gate, x_free where it would be if nothing clamped it (:mod:`teleop.haptics.free`),
s the translation scale and R_wm the rotation from the master's frame to the world. The damper never pulls:
the part along n is at least zero, so a wall does not stick.

Guidance draws the tool to a guide, and the hand is not pulled after it: a spring would store energy and move
the hand when the grip loosens. It feels a viscous force that bends its own motion towards the guide instead
(after Enayati, Ferrigno & De Momi 2016, motion redirection; the idea is theirs, the formula is ours). With h
the vector from hand to guide in the master's frame, n = h / |h|, and c = b min(1, |h| / full):

    f_guide = c ( |v| n - (v.n) v / |v| ) - c min(0, v.n) n

The first term is square to v: it turns the motion and does no work. The second resists what leads away. Their
power, -c min(0, v.n)^2, is never positive.

Rotation: torque = K_r R_wm^T (theta_push + theta_guide) / s_r, rotation vectors; orientation fixtures turn
the desired pose back, and that turn is felt as a spring.

Between ticks the force changes by at most `slew`. Where it is not safe to render it goes to zero, by
``max_force / release`` a tick.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from teleop.compiled import kernel
from teleop.haptics.device import DeviceSpec
from teleop.haptics.planes import PlaneMaker
from teleop.haptics.spec import HapticsSpec
from teleop.haptics.stability import Springs, springs
from teleop.wire.messages import ConstraintPlane

Array = npt.NDArray[np.float64]

_DAMPED_FROM_M = 2e-4
"""Depth at which the damper is fully there, so that touching does not switch it on at once, m."""
PLANES_WITHIN = 0.25
"""Planes nearer than this part of the device's reach are sent."""
_SLEW_S = 0.010
"""Full force from nothing, unless the profile says otherwise, s."""


@kernel
def wrench(
    push: Array,
    guide: Array,
    v_hand: Array,
    R_wm: Array,
    scale: float,
    rotation_scale: float,
    stiffness: float,
    damping: float,
    torsional: float,
    viscous: float,
    full_m: float,
    clamp_force: Array,
    guide_force: Array,
    torque: Array,
) -> None:
    """Write the three parts of what is felt, master's frame, before any limit.

    Args:
        push: (6,) commanded less free tool, world [m, rad].
        guide: (6,) guided less asked pose, world [m, rad].
        v_hand: (3,) velocity of the hand, master's frame [m/s].
        R_wm: (3, 3).
        scale: s.
        rotation_scale: s_r.
        stiffness: K [N/m].
        damping: B [N s/m].
        torsional: K_r [N m/rad].
        viscous: b of guidance [N s/m].
        full_m: distance at which it is reached [m].
        clamp_force: (3,) out [N].
        guide_force: (3,) out [N].
        torque: (3,) out [N m].
    """
    depth = away = toward = hand_speed = along = 0.0
    h = np.zeros(3)
    for i in range(3):
        u = turn = 0.0
        for k in range(3):
            u += R_wm[k, i] * push[k]
            h[i] += R_wm[k, i] * guide[k] / scale
            turn += R_wm[k, i] * (push[3 + k] + guide[3 + k])
        clamp_force[i] = u / scale
        torque[i] = torsional * turn / rotation_scale
        depth += clamp_force[i] * clamp_force[i]
        away += h[i] * h[i]
        along += clamp_force[i] * v_hand[i]
        toward += h[i] * v_hand[i]
        hand_speed += v_hand[i] * v_hand[i]
    depth, away, hand_speed = math.sqrt(depth), math.sqrt(away), math.sqrt(hand_speed)
    if depth > 0.0:
        share = min(1.0, depth / _DAMPED_FROM_M)
        size = max(0.0, stiffness * depth - share * damping * along / depth)
        for i in range(3):
            clamp_force[i] *= size / depth
    c = viscous * min(1.0, away / full_m)
    for i in range(3):
        guide_force[i] = 0.0
    if away > 0.0 and c > 0.0:
        toward /= away
        for i in range(3):
            n = h[i] / away
            guide_force[i] = c * (hand_speed * n - min(0.0, toward) * n)
            if hand_speed > 0.0:
                guide_force[i] -= c * toward * v_hand[i] / hand_speed


@kernel
def saturate(x: Array, most: float) -> None:
    """Shorten ``x`` (3,) to length ``most``; its direction stays. What is not a number becomes zero."""
    size = math.sqrt(x[0] * x[0] + x[1] * x[1] + x[2] * x[2])
    if not math.isfinite(size):
        x[:] = 0.0
    elif size > most:
        for i in range(3):
            x[i] *= most / size


@kernel
def approach(x: Array, target: Array, step: float) -> None:
    """Move ``x`` (3,) towards ``target`` (3,) by at most ``step``."""
    away = 0.0
    for i in range(3):
        away += (target[i] - x[i]) ** 2
    away = math.sqrt(away)
    share = 1.0 if away <= step else step / away
    for i in range(3):
        x[i] += share * (target[i] - x[i])


@kernel
def pursue(x: Array, target: Array, most: float, step: float) -> None:
    """Shorten ``target`` (3,) to ``most`` and move ``x`` (3,) towards it by at most ``step``."""
    saturate(target, most)
    approach(x, target, step)


class Feel:
    """What one hand feels.

    Attributes:
        springs: what the profile comes to on this device.
        force: sent last, shape (3,), N, master's frame. Read only.
        torque: sent last, shape (3,), N m, master's frame. Read only.
        clamp_force: the part of the clamp before limits, shape (3,), N.
        guide_force: the part of guidance before limits, shape (3,), N.
        planes: the planes of this tick; None where none are sent.
        push: commanded less free tool, shape (6,), world [m, rad].
    """

    def __init__(self, spec: HapticsSpec, device: DeviceSpec, period_s: float) -> None:
        """Nothing felt yet.

        Raises:
            HapticsError: the profile asks for what the device cannot render stably.
        """
        self.spec, self.device = spec, device
        self.springs: Springs = springs(spec, device)
        slew = device.max_force_n / _SLEW_S if spec.slew_n_s is None else spec.slew_n_s
        self._step_n = slew * period_s
        self._step_nm = device.max_torque_nm / _SLEW_S * period_s
        released = period_s / (1e-3 * spec.release_ms)
        self._release_n = device.max_force_n * released
        self._release_nm = device.max_torque_nm * released
        self.force, self.torque = np.zeros(3), np.zeros(3)
        self.clamp_force, self.guide_force = np.zeros(3), np.zeros(3)
        self.push = np.zeros(6)
        reach_m = PLANES_WITHIN * device.reach_m
        wanted = spec.enabled and spec.planes
        self.planes = PlaneMaker(self.springs.planes, reach_m) if wanted else None
        self._target, self._twist = np.zeros(3), np.zeros(3)
        self._none = np.zeros(3)

    def follow(
        self,
        *,
        R_wm: Array,
        scale: float,
        rotation_scale: float,
        v_hand: Array,
        guide: Array,
    ) -> None:
        """A tick in which the tool follows the hand; :attr:`push` has been set.

        Args:
            R_wm: rotation from master to world, shape (3, 3).
            scale: tip translation per hand translation.
            rotation_scale: tip rotation per hand rotation.
            v_hand: velocity of the hand, shape (3,), m/s, master's frame.
            guide: guided less asked pose, shape (6,), world [m, rad].
        """
        spring = self.springs.force
        wrench(
            self.push,
            guide,
            v_hand,
            R_wm,
            scale,
            rotation_scale,
            spring.stiffness_n_m,
            spring.damping_ns_m,
            self.springs.torsional_nm_rad,
            self.spec.guidance_ns_m,
            self.spec.guidance_full_m,
            self.clamp_force,
            self.guide_force,
            self._twist,
        )
        np.add(self.clamp_force, self.guide_force, out=self._target)
        pursue(self.force, self._target, self.device.max_force_n, self._step_n)
        pursue(self.torque, self._twist, self.device.max_torque_nm, self._step_nm)

    def beside(self) -> Array:
        """The part of :attr:`force` that no plane stands for, shape (3,), N."""
        return self.force.copy() if self.planes is None else self.planes.beside(self.force)

    def constraint_planes(self, names: Sequence[str]) -> list[ConstraintPlane]:
        """The planes for the wire; ``names`` are those of the scene's fixtures."""
        return [] if self.planes is None else self.planes.planes(names)

    def release(self) -> None:
        """A tick in which nothing may be felt: stale data, clutch, hold, fault. Fades to exact zero."""
        self.push[:] = 0.0
        self.clamp_force[:] = 0.0
        self.guide_force[:] = 0.0
        if self.planes is not None:
            self.planes.clear()
        approach(self.force, self._none, self._release_n)
        approach(self.torque, self._none, self._release_nm)
