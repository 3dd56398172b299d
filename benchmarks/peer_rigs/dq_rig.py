"""dqrobotics: vector-field inequalities from its Jacobians, solved by its quadprog solver."""

from __future__ import annotations

from math import radians

import numpy as np
from dqrobotics import DQ, k_, translation
from dqrobotics.robot_modeling import DQ_Kinematics, DQ_SerialManipulatorMDH
from dqrobotics.solvers import DQ_QuadprogSolver

from .scene import BALL_M, HOME, PERIOD_S, Array, LacksError, Scene, arm_model, arm_spec

GAIN = 100.0
"""eta [1/s]."""


def _robot() -> DQ_SerialManipulatorMDH:
    rows = []
    for joint in arm_spec().joints:
        dh = joint.dh
        slides = joint.type == "prismatic"
        theta = radians(dh.theta_deg if slides else dh.offset_deg)
        rows.append([theta, dh.offset_m if slides else dh.d_m, dh.a_m, radians(dh.alpha_deg), float(slides)])
    return DQ_SerialManipulatorMDH(np.array(rows).T)


class DqRig:
    """min ``|J qd - e/T|^2`` under ``-J_d qd <= eta d``, joint and speed limits."""

    title = "dqrobotics"

    def __init__(self, scene: Scene, period_s: float = PERIOD_S) -> None:
        """At home over the obstacle."""
        if scene.name not in ("plane", "sphere"):
            raise LacksError("no meshes, no boxes: points, lines and planes only")
        self._scene = scene
        self._period = period_s
        self._robot = _robot()
        self._limits = arm_model().limits
        self._solver = DQ_QuadprogSolver()
        self._at = scene.at.copy()
        self.q = HOME.copy()
        self._pose = self._robot.fkm(self.q)
        self._first = self._pose

    @property
    def tip(self) -> Array:
        """Tip [m]."""
        return np.array(translation(self._pose).vec3())

    def step(self, p: Array, wall_m_s: float = 0.0) -> None:
        """One tick."""
        J8 = self._robot.pose_jacobian(self.q)
        x = translation(self._pose)
        J = DQ_Kinematics.translation_jacobian(J8, self._pose)
        Jr = DQ_Kinematics.rotation_jacobian(J8)
        turned = (self._first.P() - self._pose.P()).vec4()
        error = p - self.tip
        H = J.T @ J + (0.02**2) * 4 * Jr.T @ Jr + 1e-10 * np.eye(len(self.q))
        f = -(J[1:].T @ error + (0.02**2) * 4 * Jr.T @ turned) / self._period
        if self._scene.name == "plane":
            plane = k_ + DQ([0, 0, 0, 0, 1, 0, 0, 0]) * (self._at[2])
            Jd = DQ_Kinematics.point_to_plane_distance_jacobian(J, x, plane)
            d = self.tip[2] - self._at[2] - BALL_M
            residual = -wall_m_s
        else:
            center = DQ([0.0, *self._at])
            Jd = DQ_Kinematics.point_to_point_distance_jacobian(J, x, center)
            reach = self._scene.table["geometry"]["radius_m"] + BALL_M
            d = float(np.sum((self.tip - self._at) ** 2)) - reach**2
            residual = 0.0
        lim, eye = self._limits, np.eye(len(self.q))
        low = np.maximum(-lim.qd_max, (lim.q_min - self.q) / self._period)
        high = np.minimum(lim.qd_max, (lim.q_max - self.q) / self._period)
        A = np.vstack([-np.atleast_2d(Jd), eye, -eye])
        b = np.concatenate([[GAIN * d + residual], high, -low])
        qd = self._solver.solve_quadratic_program(H, f, A, b, None, None)
        self.q = self.q + qd * self._period
        self._pose = self._robot.fkm(self.q)

    def raise_wall(self, by_m: float) -> None:
        """Move the plane up."""
        self._at[2] += by_m
