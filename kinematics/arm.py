"""The arm: from a description to everything that one tick needs of it, in one compiled call."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pinocchio as pin

from kinematics import chain as kernels
from kinematics.bodies import Bodies, Capsule, cover_bodies
from kinematics.description import JawLimits, JointLimits, Rcm, frozen
from kinematics.dh import DhRow, dh_chain
from kinematics.errors import ModelError, ShapeError
from kinematics.pose import Array, inverse
from kinematics.serial import SerialChain
from kinematics.spec import ArmSpec, Joint, PrismaticJoint, UrdfChain
from kinematics.urdf import urdf_chain

# A software remote centre must lie on the shaft at home to this distance [m]: the controller holds it to 50 um.
RCM_ON_SHAFT_M = 1e-5


@dataclass(frozen=True, eq=False, slots=True)
class ArmState:
    """The arm at one configuration. The arrays belong to the model and are overwritten by its next ``at()``.

    All in world axes; Jacobians have one column per joint, linear rows [m/s per rad/s, or per m/s] before angular.

    Attributes:
        q: ``(n,)`` the configuration [rad] or [m], a copy of what was given.
        T_world_tip: ``(4, 4)`` pose of the controlled point.
        jacobian: ``(6, n)`` velocity of the tip point and angular velocity of the tip.
        shaft_point: ``(3,)`` a point on the shaft's axis [m].
        shaft_axis: ``(3,)`` unit direction of the shaft, towards the tip.
        shaft_jacobian: ``(6, n)`` velocity of ``shaft_point`` as a point of the shaft, and the shaft's angular velocity.
        centers: ``(m, 3)`` centres of the body spheres [m].
        center_jacobians: ``(m, 3, n)`` their velocities.
    """

    q: Array
    T_world_tip: Array
    jacobian: Array
    shaft_point: Array
    shaft_axis: Array
    shaft_jacobian: Array
    centers: Array
    center_jacobians: Array


class ArmModel:
    """A serial arm with a tool, its limits, its remote centre and its bodies.

    pinocchio reads URDF files and gives :meth:`forward` and :attr:`pinocchio_model`; :meth:`at`,
    :meth:`sphere_centers` and :meth:`travel` are compiled kernels on the same chain, so that a tick costs one call
    and the centres of the gate are those of the constraint rows to the last bit.

    Attributes:
        name: of the profile.
        n: number of joints.
        joint_names: their names, in the order of q.
        limits: position, speed, acceleration and jerk limits.
        home: ``(n,)`` a configuration well inside the limits, read-only.
        jaw: limits of the gripper, or None.
        rcm: the remote centre of motion, or None.
        bodies: the covering spheres; ``m = bodies.count``.
        T_world_base: ``(4, 4)`` placement of the base, read-only.
        pinocchio_model: the same chain as a ``pinocchio.Model``, in world, with frames ``tip``, ``flange``, ``base``,
            and one per joint.
    """

    def __init__(
        self,
        *,
        name: str,
        chain: SerialChain,
        limits: JointLimits,
        home: Array,
        jaw: JawLimits | None,
        rcm: Rcm | None,
        bodies: Bodies,
        shaft: tuple[str, Array, Array],
        T_world_base: Array,
    ) -> None:
        """Take over a checked description; :meth:`from_spec` is the usual way in.

        Args:
            name: of the profile.
            chain: joints and frames; must have a frame ``tip`` on its last link.
            limits: of its n joints.
            home: ``(n,)``.
            jaw: limits of the gripper.
            rcm: remote centre.
            bodies: covering spheres.
            shaft: frame, point ``(3,)`` and direction ``(3,)`` of the shaft's axis in it.
            T_world_base: ``(4, 4)``.
        """
        self.name = name
        self.n = chain.n
        self.joint_names = chain.joint_names
        self.limits = limits
        self.home = frozen(home, (self.n,), "home")
        self.jaw = jaw
        self.rcm = rcm
        self.bodies = bodies
        self.T_world_base = frozen(T_world_base, (4, 4), "T_world_base")
        self.pinocchio_model: Any = chain.to_pinocchio(self.T_world_base)
        self._pinocchio_data: Any = self.pinocchio_model.createData()
        self._tip_id = int(self.pinocchio_model.getFrameId("tip", pin.FrameType.OP_FRAME))

        n, m = self.n, bodies.count
        self._placements = np.ascontiguousarray(chain.placements[:, :3, :])
        self._prismatic = np.array(chain.prismatic, dtype=np.bool_)
        self._tool = np.ascontiguousarray(chain.frame("tip", where="arm")[1][:3, :])
        self._shaft_link, T_link_shaft = chain.frame(shaft[0], where="shaft, frame")
        axis = T_link_shaft[:3, :3] @ shaft[2]
        self._shaft = np.stack(
            [T_link_shaft[:3, :3] @ shaft[1] + T_link_shaft[:3, 3], axis / np.linalg.norm(axis)]
        )
        self._frames = np.zeros((n + 1, 3, 4))
        self._frames[0] = self.T_world_base[:3, :]
        self._path_frames = self._frames.copy()  # sphere_centers must not disturb the state that travel reads
        self._path_q = np.zeros(n)
        self._dq = np.zeros(n)
        self._levers = np.zeros(n)
        shaft_world = np.zeros((2, 3))
        self._state = ArmState(
            q=np.zeros(n),
            T_world_tip=np.eye(4),
            jacobian=np.zeros((6, n)),
            shaft_point=shaft_world[0],
            shaft_axis=shaft_world[1],
            shaft_jacobian=np.zeros((6, n)),
            centers=np.zeros((m, 3)),
            center_jacobians=np.zeros((m, 3, n)),
        )
        s = self._state
        self._evaluate_arguments = (
            s.q, self._placements, self._prismatic, self._frames, bodies.link, bodies.local, self._tool,
            self._shaft_link, self._shaft, s.T_world_tip, s.jacobian, shaft_world, s.shaft_jacobian, s.centers,
            s.center_jacobians,
        )  # fmt: skip
        self.warm_up()
        self._check_rcm()

    @classmethod
    def from_spec(cls, spec: ArmSpec, T_world_base: Array | None = None) -> ArmModel:
        """Build the arm of a description.

        Args:
            spec: the checked TOML file.
            T_world_base: ``(4, 4)`` where the session places the arm; identity if not given.

        Raises:
            ModelError: the description cannot be built; the message names the key and what exists.
        """
        T = np.eye(4) if T_world_base is None else frozen(T_world_base, (4, 4), "T_world_base")
        if np.max(np.abs(T[:3, :3] @ T[:3, :3].T - np.eye(3))) > 1e-9 or np.linalg.det(T[:3, :3]) < 0.0:
            raise ModelError("T_world_base: its rotation must be orthonormal to 1e-9 with determinant +1")
        chain = _chain(spec).with_frame(
            "tip", "flange", _tool_transform(spec), where=f"arm {spec.name!r}, tool"
        )
        limits, home = _limits(spec, chain)
        jaw = spec.tool.jaw
        p = None if spec.rcm is None else np.array(spec.rcm.p_base_m)
        return cls(
            name=spec.name,
            chain=chain,
            limits=limits,
            home=home,
            jaw=None if jaw is None else JawLimits(jaw.min_rad, jaw.max_rad, jaw.qd_max_rad_s),
            rcm=None
            if spec.rcm is None or p is None
            else Rcm(spec.rcm.kind, frozen(p, (3,), "rcm"), frozen(T[:3, :3] @ p + T[:3, 3], (3,), "rcm")),
            bodies=_bodies(spec, chain),
            shaft=(spec.shaft.frame, np.array(spec.shaft.point_m), np.array(spec.shaft.axis)),
            T_world_base=T,
        )

    def at(self, q: Array) -> ArmState:
        """Everything of one tick at ``q (n,)``. The state's arrays are overwritten by the next call."""
        self._state.q[:] = q
        kernels.evaluate(*self._evaluate_arguments)
        return self._state

    def forward(self, q: Array) -> Array:
        """``T_world_tip (4, 4)`` at ``q (n,)``, by pinocchio, as a new array. For set-up and tests, not for the tick."""
        pin.framesForwardKinematics(self.pinocchio_model, self._pinocchio_data, frozen(q, (self.n,), "q"))
        return np.array(self._pinocchio_data.oMf[self._tip_id].homogeneous)

    def sphere_centers(self, q: Array, out: Array) -> Array:
        """Centres of the body spheres in world at ``q (n,)``, written to ``out (m, 3)`` and returned.

        Leaves the :class:`ArmState` alone: the gate walks along a path with it.
        """
        self._path_q[:] = q
        kernels.sphere_centers(
            self._path_q, self._placements, self._prismatic, self._path_frames, self.bodies.link, self.bodies.local, out
        )  # fmt: skip
        return out

    def travel(self, state: ArmState, dq: Array, out: Array) -> Array:
        """Bound [m] on the motion of each sphere on the straight joint path from ``state.q`` to ``state.q + dq``.

        ``(t2 - t1) * out[i]`` bounds how far sphere i moves between the fractions t1 and t2 of the path, for any
        ``dq`` however long. :func:`kinematics.chain.travel` has the derivation.

        Args:
            state: what the last :meth:`at` returned.
            dq: ``(n,)`` joint step [rad] or [m].
            out: ``(m,)`` written.
        """
        self._dq[:] = dq
        kernels.travel(
            self._dq, self._prismatic, self._frames, self.bodies.link, state.centers, state.center_jacobians,
            self._levers, out,
        )  # fmt: skip
        return out

    def warm_up(self) -> None:
        """Compile, or load from the cache, every kernel that a tick calls. The constructor has done it."""
        state = self.at(self.home)
        self.sphere_centers(self.home, np.empty((self.bodies.count, 3)))
        self.travel(state, np.zeros(self.n), np.empty(self.bodies.count))

    def _check_rcm(self) -> None:
        if self.rcm is None:
            return
        state = self.at(self.home)
        along = float(state.shaft_axis @ (self.rcm.p_world_rcm - state.shaft_point))
        nearest = state.shaft_point + along * state.shaft_axis
        off = float(np.linalg.norm(nearest - self.rcm.p_world_rcm))
        if off > RCM_ON_SHAFT_M:
            T_base_world = inverse(self.T_world_base)
            p = T_base_world[:3, :3] @ nearest + T_base_world[:3, 3]
            raise ModelError(
                f"arm {self.name!r}: at home the shaft passes {off * 1e3:.3f} mm beside rcm.p_base_m, at most "
                f"{RCM_ON_SHAFT_M * 1e3:g} mm is allowed; the nearest point of the shaft is "
                f"[{p[0]:.9f}, {p[1]:.9f}, {p[2]:.9f}]"
            )


def _chain(spec: ArmSpec) -> SerialChain:
    if isinstance(spec.chain, UrdfChain):
        chain = urdf_chain(
            spec.chain.path,
            base_frame=spec.chain.base_frame,
            tip_frame=spec.chain.tip_frame,
            joint_names=[j.name for j in spec.joints],
        )
        for joint, slides in zip(spec.joints, chain.prismatic, strict=True):
            if (joint.type == "prismatic") != slides:
                raise ModelError(
                    f"joint {joint.name!r}: type is {joint.type!r}, in the URDF it is "
                    f"{'prismatic' if slides else 'revolute'}"
                )
        return chain
    return dh_chain([_dh_row(j) for j in spec.joints], spec.chain.convention)


def _dh_row(joint: Joint) -> DhRow:
    assert joint.dh is not None  # ArmSpec has checked it
    rad = np.deg2rad
    if isinstance(joint, PrismaticJoint):
        assert joint.dh is not None
        dh = joint.dh
        return DhRow(
            joint.name, True, float(rad(dh.alpha_deg)), dh.a_m, float(rad(dh.theta_deg)), dh.offset_m
        )
    row = joint.dh
    return DhRow(joint.name, False, float(rad(row.alpha_deg)), row.a_m, float(rad(row.offset_deg)), row.d_m)


def _tool_transform(spec: ArmSpec) -> Array:
    T = np.eye(4)
    T[:3, :3] = spec.tool.tip_rotation
    T[:3, 3] = spec.tool.tip_offset_m
    return T


def _limits(spec: ArmSpec, chain: SerialChain) -> tuple[JointLimits, Array]:
    """Limits and home; what the TOML leaves out comes from the URDF."""
    table = np.empty((chain.n, 6))
    for j, joint in enumerate(spec.joints):
        for k, value in enumerate(joint.values):
            table[j, k] = value if value is not None else chain.source_limits[j, k]
        if not np.all(np.isfinite(table[j])):
            missing = [
                key for key, v in zip(("q_min", "q_max", "qd_max"), table[j, :3], strict=True) if np.isnan(v)
            ]
            raise ModelError(
                f"joint {joint.name!r}: the URDF gives no {', '.join(missing)}; add it to the joint"
            )
        if not table[j, 0] <= table[j, 5] <= table[j, 1]:
            raise ModelError(
                f"joint {joint.name!r}: home ({table[j, 5]:g}) must lie between its limits "
                f"({table[j, 0]:g} and {table[j, 1]:g})"
            )
    return JointLimits(*table[:, :5].T), table[:, 5]


def _bodies(spec: ArmSpec, chain: SerialChain) -> Bodies:
    bodies = []
    for body in spec.bodies:
        capsules = []
        for capsule in body.capsules:
            link, T = chain.frame(capsule.frame, where=f"body {body.name!r}, capsule frame")
            ends = (T[:3, :3] @ np.array(p) + T[:3, 3] for p in (capsule.from_m, capsule.to_m))
            capsules.append(Capsule(link, *ends, capsule.radius_m))
        bodies.append((body.name, body.cover_m, capsules))
    return cover_bodies(bodies)
