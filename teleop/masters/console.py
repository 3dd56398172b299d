"""A hand that a person steers from a console; while nobody does, a synthetic surgeon may move it.

The console says where the hand should be at the rate of a screen. Here it becomes motion at the master's own
rate: a critically damped pursuit, bounded in speed, so that no message can make the hand jump. Every change
between surgeon and person happens with the deadman released, and moves nothing.
"""

from __future__ import annotations

import math
from typing import Annotated, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from kinematics.pose import quat_conj, quat_exp, quat_log, quat_mul
from teleop.masters.recording import Recording
from teleop.masters.source import Array, HandSample
from teleop.masters.synthetic import SyntheticSpec
from teleop.wire.messages import Steer

REACH_M = 1.0
"""Displacements beyond this are not believed; a person's mouse makes a few centimetres."""
_HOMING_M_S = 0.02
_HOMING_FROM_M = 0.3
_UNIT_TOLERANCE = 1e-3
_ARRIVED_M, _ARRIVED_RAD = 1e-6, 1e-5


class ConsoleSpec(BaseModel):
    """A master that is driven from the browser console.

    Attributes:
        idle: the synthetic surgeon that moves the hand until a person takes it; left out, the hand rests.
        pursuit_rad_s: bandwidth of the pursuit of the pointer, rad/s; the hand is ``2 / pursuit`` behind.
        speed_max_m_s: the hand's speed limit, m/s.
        turn_max_rad_s: the hand's turning speed limit, rad/s.
        start_timeout_s: start the surgeon without a controller after this long; wait for one when left out.
    """

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False, frozen=True)

    kind: Literal["console"]
    idle: SyntheticSpec | None = None
    pursuit_rad_s: Annotated[float, Field(ge=5.0, le=200.0)] = 60.0
    speed_max_m_s: Annotated[float, Field(gt=0.0, le=2.0)] = 0.5
    turn_max_rad_s: Annotated[float, Field(gt=0.0, le=20.0)] = 4.0
    start_timeout_s: Annotated[float, Field(ge=0.0)] | None = None


class ConsoleHand:
    """The hand: the surgeon's until a person takes it, then the person's until given back.

    Giving it back is an explicit act: when a console falls silent the hand stays where it is, its deadman
    released by age, and the surgeon does not wake up by himself.
    """

    duration_s: float | None = None

    def __init__(self, spec: ConsoleSpec, idle: Recording | None) -> None:
        """At rest at the surgeon's first pose, or at the origin."""
        self.spec = spec
        self.notes: tuple[str, ...] = () if idle is None else idle.notes
        self._idle = idle
        self._idle_s = 0.0
        self._t_s = 0.0
        self._surgeon = idle is not None
        self._steer: Steer | None = None
        self._epoch = -1
        first = None if idle is None else idle.sample(0.0)
        self._p = np.zeros(3) if first is None else first.p_m.copy()
        self._quat = np.array([0.0, 0.0, 0.0, 1.0]) if first is None else first.quat_xyzw.copy()
        self._gripper = 0.0 if first is None else first.gripper_rad
        self._v, self._w = np.zeros(3), np.zeros(3)
        self._p0, self._quat0 = self._p.copy(), self._quat.copy()

    def steer(self, message: Steer) -> None:
        """Take in what the person did; what cannot be believed is left out."""
        numbers = (*message.p_m, *message.quat_xyzw, message.gripper_rad)
        if not all(map(math.isfinite, numbers)) or max(map(abs, message.p_m)) > REACH_M:
            return
        if abs(math.hypot(*message.quat_xyzw) - 1.0) > _UNIT_TOLERANCE:
            return
        if message.drive and message.epoch != self._epoch:
            self._epoch = message.epoch
            self._p0, self._quat0 = self._p.copy(), self._quat.copy()
        if message.drive:
            self._surgeon = False
        self._steer = message

    def sample(self, t_s: float) -> HandSample:
        """The hand ``t_s`` seconds after the start. Called with growing times; it moves between two calls."""
        dt = min(max(t_s - self._t_s, 0.0), 0.1)
        self._t_s = t_s
        if self._surgeon and self._idle is not None:
            self._idle_s += dt
            hand = self._idle.sample(self._idle_s)
            self._p, self._quat = hand.p_m.copy(), hand.quat_xyzw.copy()
            self._gripper = hand.gripper_rad
            return hand
        steer = self._steer
        if steer is None or not steer.drive:
            self._give_back(dt)
            return self._hand(False, False, None)
        present = steer.present.value
        if present:
            quat = quat_mul(np.asarray(steer.quat_xyzw), self._quat0)
            self._pursue(self._p0 + np.asarray(steer.p_m), quat, dt)
        else:
            self._rest(dt)
        step = 4.0 * dt
        self._gripper += min(max(steer.gripper_rad - self._gripper, -step), step)
        return self._hand(present, steer.clutch.value, steer.present.stamp_ns)

    def _hand(self, present: bool, clutch: bool, stamp_ns: int | None) -> HandSample:
        return HandSample(self._p.copy(), self._quat.copy(), self._gripper, present, clutch, True, stamp_ns)

    def _pursue(self, p: Array, quat: Array, dt: float) -> None:
        """Critically damped: ``a = w^2 (target - x) - 2 w v``, speed bounded, semi-implicit Euler."""
        w = self.spec.pursuit_rad_s
        self._v += dt * (w * w * (p - self._p) - 2.0 * w * self._v)
        self._v *= min(1.0, self.spec.speed_max_m_s / max(1e-12, float(np.linalg.norm(self._v))))
        self._p = self._p + dt * self._v
        turn = quat_mul(quat, quat_conj(self._quat))
        away = quat_log(turn if turn[3] >= 0.0 else -turn)
        self._w += dt * (w * w * away - 2.0 * w * self._w)
        self._w *= min(1.0, self.spec.turn_max_rad_s / max(1e-12, float(np.linalg.norm(self._w))))
        self._quat = quat_mul(quat_exp(dt * self._w), self._quat)
        self._quat /= np.linalg.norm(self._quat)

    def _rest(self, dt: float) -> None:
        """Released: stand still; far from the origin walk back slowly, so that many grips do not run away."""
        self._v[:] = 0.0
        self._w[:] = 0.0
        away = float(np.linalg.norm(self._p))
        if away > _HOMING_FROM_M:
            self._p = self._p * (1.0 - _HOMING_M_S * dt / away)

    def _give_back(self, dt: float) -> None:
        """Go to where the surgeon stopped, deadman released; there he goes on."""
        if self._idle is None:
            self._rest(dt)
            return
        there = self._idle.sample(self._idle_s)
        self._pursue(there.p_m, there.quat_xyzw, dt)
        turn = quat_mul(there.quat_xyzw, quat_conj(self._quat))
        near = np.linalg.norm(there.p_m - self._p) < _ARRIVED_M
        self._surgeon = bool(near and np.linalg.norm(quat_log(turn)) < _ARRIVED_RAD)
