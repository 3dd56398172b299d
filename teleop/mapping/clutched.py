"""Clutched relative motion with translation and rotation scale.

At each engage, and at each change of scale or registration, the mapping takes a new pair of references:
the hand as it is now and the tip as it is desired now. Desired is then

    p_d = p_d0 + s R_wm (p_m - p_m0)
    R_d = exp(s_r log(R_wm R_m R_m0^T R_wm^T)) R_d0

with ``R_wm = R_world_camera R_camera_master``. Taking references moves nothing, so every change is
bumpless by construction; there is no other way to change a parameter.

Over a long round trip the motion is eased: a factor on both scales that changes by at most 2 a second, and a
cap on the speed of what is desired that comes down from the speed there is by 0.5 m/s each second. What the
cap takes away is dropped, as if the clutch had slipped, so nothing is caught up with after the hand stops.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from kinematics.pose import quat_conj, quat_exp, quat_log, quat_mul, quat_to_matrix
from teleop.mapping.kernel import desired_orientation, desired_position, difference
from teleop.mapping.spec import MAX_SCALE, MappingSpec, RegistrationSpec

Array = npt.NDArray[np.float64]

# Past this turn of the hand new references are taken, because the logarithm folds over at pi.
_REREFERENCE_RAD = 2.0
_EASE_PER_S = 2.0
_CAP_M_S2 = 0.5
_CAP_RAD_PER_M = 25.0


class ClutchedMapping:
    """Maps the pose of one hand to the desired pose of one tip.

    Attributes:
        p_world: desired position of the tip, shape (3,), m, world frame. Read only.
        quat_world_xyzw: desired orientation of the tip, shape (4,), world frame. Read only.
        scale: translation scale in force, 1.
        rotation_scale: rotation scale in force, 1.
        eased_m: how much of the last step's motion easing took away, m.
    """

    def __init__(self, spec: MappingSpec) -> None:
        """Start at the identity; call :meth:`reference` before :meth:`step`."""
        self.spec = spec
        self.scale = spec.scale
        self.rotation_scale = spec.rotation_scale
        self.p_world = np.zeros(3)
        self.quat_world_xyzw = np.array([0.0, 0.0, 0.0, 1.0])
        self._p_master0 = np.zeros(3)
        self._quat_master0 = np.array([0.0, 0.0, 0.0, 1.0])
        self._p_world0 = np.zeros(3)
        self._quat_world0 = self.quat_world_xyzw.copy()
        self._ramp = 0.0
        self._easing = self._easing_wanted = 1.0
        self._cap = self._cap_wanted = math.inf
        self.eased_m = 0.0
        self._moved, self._turned = np.zeros(3), np.zeros(3)
        self._register(spec.registration)

    @property
    def R_world_master(self) -> Array:
        """Rotation from the master's frame to the world, shape (3, 3). Read only."""
        return self._R_wm

    def _register(self, registration: RegistrationSpec) -> None:
        self._quat_wm = quat_mul(
            np.asarray(registration.quat_world_camera_xyzw), np.asarray(registration.quat_camera_master_xyzw)
        )
        self._R_wm = quat_to_matrix(self._quat_wm)
        self._quat_handle_tip = np.asarray(registration.quat_handle_tip_xyzw)

    def reference(
        self, p_master: Array, quat_master_xyzw: Array, p_world: Array, quat_world_xyzw: Array
    ) -> None:
        """Tie the hand as it is to the tip as it is, and start the ramp. Moves nothing.

        Args:
            p_master: position of the hand, shape (3,), m, master frame.
            quat_master_xyzw: orientation of the hand, shape (4,).
            p_world: position of the tip, shape (3,), m, world frame.
            quat_world_xyzw: orientation of the tip, shape (4,).
        """
        self.p_world[:] = p_world
        self.quat_world_xyzw[:] = quat_world_xyzw
        self._rereference(p_master, quat_master_xyzw)
        self._ramp = 0.0 if self.spec.ramp_s > 0.0 else 1.0
        self._easing, self._cap = self._easing_wanted, self._cap_wanted

    def ease(self, factor: float, cap_m_s: float = math.inf) -> None:
        """Ask for ``factor`` on both scales and at most the speed ``cap_m_s``; both are approached slowly."""
        self._easing_wanted, self._cap_wanted = factor, cap_m_s

    def rebase(
        self, p_before: Array, quat_before: Array, p_master: Array, quat_master: Array, dt: float
    ) -> None:
        """Step with the pose that another filter gave last, and go on from the one that is in force now."""
        self.step(p_before, quat_before, dt)
        self._rereference(p_master, quat_master)

    def _rereference(self, p_master: Array, quat_master_xyzw: Array) -> None:
        self._p_master0[:] = p_master
        self._quat_master0[:] = quat_master_xyzw
        self._p_world0[:] = self.p_world
        self._quat_world0[:] = self.quat_world_xyzw

    def set_scale(
        self,
        p_master: Array,
        quat_master_xyzw: Array,
        scale: float | None = None,
        rotation_scale: float | None = None,
    ) -> None:
        """Change the scales in force from the hand's present pose on. Moves nothing.

        Raises:
            ValueError: a scale is not within (0, 5].
        """
        for name, value in (("scale", scale), ("rotation_scale", rotation_scale)):
            if value is not None and not 0.0 < value <= MAX_SCALE:
                raise ValueError(f"{name} must be above 0 and at most {MAX_SCALE:g}, not {value:g}")
        self._rereference(p_master, quat_master_xyzw)
        self.scale = self.scale if scale is None else scale
        self.rotation_scale = self.rotation_scale if rotation_scale is None else rotation_scale

    def set_registration(
        self, p_master: Array, quat_master_xyzw: Array, registration: RegistrationSpec
    ) -> None:
        """Change how the master stands in the world, from the hand's present pose on. Moves nothing."""
        self._rereference(p_master, quat_master_xyzw)
        self._register(registration)

    def misalignment(self, quat_master_xyzw: Array, quat_world_tip_xyzw: Array) -> float:
        """Angle between how the hand points and how the tool points, rad.

        The angle of ``(R_wm R_m R_handle_tip)^T R_world_tip``.
        """
        quat_hand = quat_mul(quat_mul(self._quat_wm, quat_master_xyzw), self._quat_handle_tip)
        return float(np.linalg.norm(quat_log(quat_mul(quat_conj(quat_hand), quat_world_tip_xyzw))))

    def step(self, p_master: Array, quat_master_xyzw: Array, dt: float) -> None:
        """Update :attr:`p_world` and :attr:`quat_world_xyzw` from the pose of the hand.

        Args:
            p_master: position of the hand, shape (3,), m, master frame.
            quat_master_xyzw: orientation of the hand, shape (4,), unit.
            dt: time since the last call, s; only the ramp uses it.
        """
        plain = self._ramp == self._easing == self._easing_wanted == 1.0
        if not plain or min(self._cap, self._cap_wanted) < math.inf:
            self._step_eased(p_master, quat_master_xyzw, dt)
            return
        self.eased_m = 0.0
        if self._move(p_master, quat_master_xyzw) > _REREFERENCE_RAD:
            self._rereference(p_master, quat_master_xyzw)

    def leash(self, p_tip_world: Array, p_master: Array, quat_master_xyzw: Array) -> float:
        """Keep the desired tip within ``leash_m`` of the commanded one; after :meth:`step`.

        What is beyond is given up: new references are taken there, so a hand that turns back moves the tool
        at once. The desired tip moves no more than hand and tool did in the tick.

        Args:
            p_tip_world: commanded tip, shape (3,), m.
            p_master: position of the hand, shape (3,), m, master frame.
            quat_master_xyzw: orientation of the hand, shape (4,).

        Returns:
            how much was given up, m.
        """
        if self.spec.leash_m is None:
            return 0.0
        away = self.p_world - p_tip_world
        distance = math.hypot(*away.tolist())
        if distance <= self.spec.leash_m:
            return 0.0
        self.p_world[:] = p_tip_world + self.spec.leash_m / distance * away
        self._rereference(p_master, quat_master_xyzw)
        return distance - self.spec.leash_m

    def _move(self, p_master: Array, quat_master_xyzw: Array) -> float:
        """Map the hand with the factors in force; returns how far it is turned from its reference, rad."""
        factor = self._ramp * self._easing
        desired_position(
            self._R_wm, factor * self.scale, p_master, self._p_master0, self._p_world0, self.p_world
        )
        if self.spec.orientation == "locked":
            return 0.0
        return desired_orientation(
            self._R_wm,
            factor * self.rotation_scale,
            quat_master_xyzw,
            self._quat_master0,
            self._quat_world0,
            self.quat_world_xyzw,
        )

    def _step_eased(self, p_master: Array, quat_master_xyzw: Array, dt: float) -> None:
        """A step while a factor changes or the speed is capped: each has the factors of its own time."""
        if self._ramp < 1.0:
            self._ramp = min(1.0, self._ramp + dt / self.spec.ramp_s)
        p_before, quat_before = self.p_world.copy(), self.quat_world_xyzw.copy()
        self._move(p_master, quat_master_xyzw)
        length, angle = difference(
            p_before, quat_before, self.p_world, self.quat_world_xyzw, self._moved, self._turned
        )
        speed = max(length, angle / _CAP_RAD_PER_M) / dt
        kept = self._capped(speed, dt)
        if kept < 1.0:
            self.p_world[:] = p_before + kept * self._moved
            self.quat_world_xyzw[:] = quat_mul(quat_exp(kept * self._turned), quat_before)
        self.eased_m = length * (1.0 / self._easing - kept)
        self._rereference(p_master, quat_master_xyzw)
        # Last, because a factor may only change from a fresh reference on.
        away = self._easing_wanted - self._easing
        self._easing += min(max(away, -_EASE_PER_S * dt), _EASE_PER_S * dt)

    def _capped(self, speed: float, dt: float) -> float:
        """Move the cap towards what is wanted; returns the part of a step at ``speed`` that it leaves."""
        if self._cap_wanted < self._cap:
            falling = min(self._cap, max(speed, self._cap_wanted)) - _CAP_M_S2 * dt
            self._cap = max(self._cap_wanted, falling)
        elif self._cap < math.inf and self._cap_wanted > self._cap:
            self._cap = min(self._cap_wanted, self._cap + _CAP_M_S2 * dt)
            if self._cap >= speed and self._cap_wanted == math.inf:
                self._cap = math.inf
        return 1.0 if speed <= self._cap else self._cap / speed
