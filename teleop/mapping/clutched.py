"""Clutched relative motion with translation and rotation scale.

At each engage, and at each change of scale or registration, the mapping takes a new pair of references:
the hand as it is now and the tip as it is desired now. Desired is then

    p_d = p_d0 + s R_wm (p_m - p_m0)
    R_d = exp(s_r log(R_wm R_m R_m0^T R_wm^T)) R_d0

with ``R_wm = R_world_camera R_camera_master``. Taking references moves nothing, so every change is
bumpless by construction; there is no other way to change a parameter.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from kinematics.pose import quat_conj, quat_log, quat_mul, quat_to_matrix
from teleop.mapping.kernel import desired_orientation, desired_position
from teleop.mapping.spec import MAX_SCALE, MappingSpec, RegistrationSpec

Array = npt.NDArray[np.float64]

# Past this turn of the hand new references are taken, because the logarithm folds over at pi.
_REREFERENCE_RAD = 2.0


class ClutchedMapping:
    """Maps the pose of one hand to the desired pose of one tip.

    Attributes:
        p_world: desired position of the tip, shape (3,), m, world frame. Read only.
        quat_world_xyzw: desired orientation of the tip, shape (4,), world frame. Read only.
        scale: translation scale in force, 1.
        rotation_scale: rotation scale in force, 1.
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
        self._register(spec.registration)

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
        ramping = self._ramp < 1.0
        if ramping:
            self._ramp = min(1.0, self._ramp + dt / self.spec.ramp_s)
        desired_position(
            self._R_wm, self._ramp * self.scale, p_master, self._p_master0, self._p_world0, self.p_world
        )
        turned = 0.0
        if self.spec.orientation != "locked":
            turned = desired_orientation(
                self._R_wm,
                self._ramp * self.rotation_scale,
                quat_master_xyzw,
                self._quat_master0,
                self._quat_world0,
                self.quat_world_xyzw,
            )
        # While the scale still grows each step counts with the scale of its own time.
        if ramping or turned > _REREFERENCE_RAD:
            self._rereference(p_master, quat_master_xyzw)
