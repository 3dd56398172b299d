"""The arm: everything that one tick needs of it, in one compiled call."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pinocchio as pin
from numpy.typing import ArrayLike

from kinematics import chain as kernels
from kinematics.bodies import Bodies
from kinematics.build import build_bodies, build_chain, build_limits
from kinematics.description import JawLimits, Rcm, frozen
from kinematics.errors import KinematicsError, ModelError, ShapeError
from kinematics.limits import JointLimits
from kinematics.pose import Array, inverse
from kinematics.serial import SerialChain
from kinematics.spec import ArmSpec

__all__ = ["ArmModel", "ArmState", "JawLimits", "JointLimits", "Rcm"]

# How far beside the shaft at home a remote centre may lie [m]; the controller is to hold it within 50 um.
RCM_ON_SHAFT_M = 1e-5


@dataclass(frozen=True, eq=False, slots=True)
class ArmState:
    """The arm at one configuration. The arrays belong to the model and are overwritten by its next ``at()``.

    All in world axes. A Jacobian has one column per joint [per rad/s or m/s], linear rows before angular.

    Attributes:
        q: ``(n,)`` the configuration [rad] or [m], a copy of what was given. T_world_tip: ``(4, 4)`` pose of
        the controlled point. jacobian: ``(6, n)`` velocity of the tip point and angular velocity of the tip.
        shaft_point: ``(3,)`` a point on the shaft's axis [m]. shaft_axis: ``(3,)`` unit direction of the
        shaft, towards the tip. shaft_jacobian: ``(6, n)`` velocity of ``shaft_point`` as a point fixed to the
        shaft, and angular velocity of
            the shaft; another point p of the shaft moves with ``v + w x (p - shaft_point)``.
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

    pinocchio reads URDF files and holds the chain as :attr:`pinocchio_model`, on which :meth:`forward` runs.
    :meth:`at`, :meth:`sphere_centers` and :meth:`travel` are compiled kernels on the same chain: a tick costs
    one call, and the centres that the gate sees are those of the constraint rows to the last bit.

    Attributes:
        name: of the profile.
        n: number of joints.
        joint_names: their names, in the order of q.
        prismatic: which joints slide; the others turn.
        limits: position, speed, acceleration and jerk limits.
        home: ``(n,)`` a configuration well inside the limits, read-only.
        jaw: limits of the gripper, or None.
        rcm: the remote centre of motion, or None.
        bodies: the covering spheres; ``m = bodies.count``.
        T_world_base: ``(4, 4)`` placement of the base, read-only.
        frame_names: the frames there are: ``base``, one per joint, ``flange``, ``tip``, and a URDF's own.
        pinocchio_model: the same chain as a ``pinocchio.Model`` in world, with these frames.
    """

    def __init__(
        self,
        *,
        name: str,
        chain: SerialChain,
        limits: JointLimits,
        home: ArrayLike,
        jaw: JawLimits | None,
        rcm: Rcm | None,
        bodies: Bodies,
        shaft: tuple[str, Array, Array],
        T_world_base: ArrayLike,
    ) -> None:
        """Take over a checked description; :meth:`from_spec` is the usual way in.

        Args:
            name: of the profile.
            chain: joints and frames; must have a frame ``tip`` on its last link.
            limits: of its n joints.
            home: ``(n,)``.
            jaw: limits of the gripper.
            rcm: remote centre; the shaft at home must pass through it.
            bodies: covering spheres.
            shaft: frame, point ``(3,)`` and direction ``(3,)`` of the shaft's axis in it.
            T_world_base: ``(4, 4)``.

        Raises:
            ModelError: the parts do not fit together.
        """
        self.name = name
        self.n = chain.n
        self.joint_names = chain.joint_names
        self.prismatic = tuple(chain.prismatic)
        self.limits = limits
        self.home = frozen(home, (self.n,), "home")
        self.jaw = jaw
        self.rcm = rcm
        self.bodies = bodies
        self.T_world_base = frozen(T_world_base, (4, 4), "T_world_base")
        self.frame_names = tuple(chain.frames)
        self.pinocchio_model: Any = chain.to_pinocchio(self.T_world_base)
        self._pinocchio_data: Any = self.pinocchio_model.createData()
        self._tip_id = int(self.pinocchio_model.getFrameId("tip", pin.FrameType.OP_FRAME))

        n, m = self.n, bodies.count
        placements = np.ascontiguousarray(chain.placements[:, :3, :])
        self._prismatic = np.array(chain.prismatic, dtype=np.bool_)
        self._frames = np.zeros((n + 1, 3, 4))
        self._frames[0] = self.T_world_base[:3, :]
        self._dq = np.zeros(n)
        self._levers = np.zeros(n)
        shaft_link, T_link_shaft = chain.frame(shaft[0], where="shaft, frame")
        shaft_line = np.array(
            [T_link_shaft[:3, :3] @ shaft[1] + T_link_shaft[:3, 3], T_link_shaft[:3, :3] @ shaft[2]]
        )
        shaft_line[1] /= np.linalg.norm(shaft_line[1])
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
        self._evaluate_arguments = (
            self._state.q,
            placements,
            self._prismatic,
            self._frames,
            bodies.link,
            bodies.local,
            np.ascontiguousarray(chain.frame("tip", where="arm")[1][:3, :]),
            shaft_link,
            shaft_line,
            self._state.T_world_tip,
            self._state.jacobian,
            shaft_world,
            self._state.shaft_jacobian,
            self._state.centers,
            self._state.center_jacobians,
        )
        # Frames of its own: sphere_centers must not disturb the state that travel reads.
        self._path_q = np.zeros(n)
        self._path_arguments = (
            self._path_q,
            placements,
            self._prismatic,
            self._frames.copy(),
            bodies.link,
            bodies.local,
        )
        self._along_arguments = (
            placements,
            self._prismatic,
            self._frames,
            self._path_arguments[3],
            bodies.link,
            bodies.local,
            self._state.centers,
            self._state.center_jacobians,
            self._levers,
            self._path_q,
        )
        self.warm_up()
        self._check_rcm()

    @classmethod
    def from_spec(cls, spec: ArmSpec, T_world_base: ArrayLike | None = None) -> ArmModel:
        """Build the arm of a description.

        Args:
            spec: the checked TOML file.
            T_world_base: ``(4, 4)`` where the session places the arm; identity if not given.

        Raises:
            ModelError: the description cannot be built; the message names the key and what exists.
            ShapeError: ``T_world_base`` is not 4x4.
        """
        T = frozen(np.eye(4) if T_world_base is None else T_world_base, (4, 4), "T_world_base")
        R, p = T[:3, :3], T[:3, 3]
        if np.max(np.abs(R @ R.T - np.eye(3))) > 1e-9 or np.linalg.det(R) < 0.0 or list(T[3]) != [0, 0, 0, 1]:
            raise ModelError(
                "T_world_base must be a rigid transform: a rotation orthonormal to 1e-9 with determinant +1, "
                f"and last row [0, 0, 0, 1]; got {T.tolist()}"
            )
        chain = build_chain(spec)
        limits, home = build_limits(spec, chain)
        jaw = spec.tool.jaw
        rcm = None
        if spec.rcm is not None:
            p_base = frozen(spec.rcm.p_base_m, (3,), "rcm.p_base_m")
            rcm = Rcm(spec.rcm.kind, p_base, frozen(R @ p_base + p, (3,), "rcm"))
        return cls(
            name=spec.name,
            chain=chain,
            limits=limits,
            home=home,
            jaw=None if jaw is None else JawLimits(jaw.min_rad, jaw.max_rad, jaw.qd_max_rad_s),
            rcm=rcm,
            bodies=build_bodies(spec, chain),
            shaft=(spec.shaft.frame, np.array(spec.shaft.point_m), np.array(spec.shaft.axis)),
            T_world_base=T,
        )

    def at(self, q: Array) -> ArmState:
        """Everything of one tick at ``q (n,)``. The state's arrays are overwritten by the next call.

        Raises:
            ShapeError: q does not have n entries. Whether they are finite, the caller must have checked.
        """
        self._copy(q, self._state.q)
        kernels.evaluate(*self._evaluate_arguments)
        return self._state

    def forward(self, q: ArrayLike) -> Array:
        """``T_world_tip (4, 4)`` at ``q (n,)`` by pinocchio, as a new array; for set-up and tests.

        Raises:
            ShapeError: q does not have n entries.
            ModelError: an entry of q is not finite.
        """
        pin.framesForwardKinematics(self.pinocchio_model, self._pinocchio_data, frozen(q, (self.n,), "q"))
        return np.array(self._pinocchio_data.oMf[self._tip_id].homogeneous)

    def sphere_centers(self, q: Array, out: Array) -> Array:
        """Centres of the body spheres in world at ``q (n,)``, written to ``out (m, 3)`` and returned.

        Leaves the :class:`ArmState` alone, so that the gate can walk along a path with it.

        Raises:
            ShapeError: q or out has the wrong shape.
        """
        self._copy(q, self._path_q)
        _check_out(out, self._state.centers.shape)
        kernels.sphere_centers(*self._path_arguments, out)
        return out

    def look_ahead(self, q: Array, out: Array, jacobians: Array) -> None:
        """As :meth:`sphere_centers`, with the Jacobians of the centres, ``(m, 3, n)``.

        Raises:
            ShapeError: q or an output has the wrong shape.
        """
        self._copy(q, self._path_q)
        _check_out(out, self._state.centers.shape)
        _check_out(jacobians, self._state.center_jacobians.shape)
        kernels.spheres_ahead(*self._path_arguments, out, jacobians)

    def travel(self, state: ArmState, dq: Array, out: Array) -> Array:
        """Bound [m] on the motion of each sphere on the straight joint path from ``q`` to ``q + dq``.

        ``(t2 - t1) * out[i]`` bounds how far sphere i moves between the fractions t1 and t2 of the path, for
        a ``dq`` of any length. :func:`kinematics.chain.travel` has the derivation.

        Args:
            state: what the last :meth:`at` returned; its ``q`` is where the path starts.
            dq: ``(n,)`` joint step [rad] or [m].
            out: ``(m,)`` written and returned.

        Raises:
            ShapeError: dq or out has the wrong shape.
            KinematicsError: the state belongs to another arm.
        """
        if state is not self._state:
            raise KinematicsError(
                f"travel: the state does not belong to arm {self.name!r}; pass what its at() returned"
            )
        self._copy(dq, self._dq)
        _check_out(out, (self.bodies.count,))
        kernels.travel(
            self._dq,
            self._prismatic,
            self._frames,
            self.bodies.link,
            state.centers,
            state.center_jacobians,
            self._levers,
            out,
        )
        return out

    def along(self, q: Array, step: Array, fractions: Array, centers: Array, travel: Array) -> None:
        """What the gate asks of the straight joint path from ``q``, where the state is, to ``q + step``.

        Args:
            q: ``(n,)`` what the last :meth:`at` was given.
            step: ``(n,)`` joint step [rad] or [m].
            fractions: ``(k,)`` where on the path centres are wanted, 0 to 1.
            centers: ``(k, m, 3)`` written as by :meth:`sphere_centers`.
            travel: ``(m,)`` written as by :meth:`travel`.

        Raises:
            ShapeError: an array has the wrong shape.
        """
        m = self.bodies.count
        if not (q.shape == step.shape == (self.n,) and travel.shape == (m,)):
            raise ShapeError(
                f"along: expected q and step ({self.n},) and travel ({m},), got {q.shape}, {step.shape} and "
                f"{travel.shape}"
            )
        _check_out(centers, (len(fractions), m, 3))
        kernels.along(q, step, fractions, *self._along_arguments, centers, travel)

    def _copy(self, values: Array, into: Array) -> None:
        # NumPy would stretch one value over all joints; and a kernel must always get the same kind of array.
        if values.shape != into.shape:
            raise ShapeError(
                f"arm {self.name!r} has {self.n} joints ({', '.join(self.joint_names)}): expected shape "
                f"{into.shape}, got {values.shape}"
            )
        into[:] = values

    def warm_up(self) -> None:
        """Compile, or load from the cache, every kernel that a tick calls. The constructor has done it."""
        state = self.at(self.home)
        m = self.bodies.count
        self.sphere_centers(self.home, np.empty((m, 3)))
        self.look_ahead(self.home, np.empty((m, 3)), np.empty((m, 3, self.n)))
        self.travel(state, np.zeros(self.n), np.empty(m))
        self.along(self.home.copy(), np.zeros(self.n), np.zeros(1), np.empty((1, m, 3)), np.empty(m))

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
                f"arm {self.name!r}: at home the shaft passes {off * 1e3:.3f} mm beside rcm.p_base_m "
                f"(at most {RCM_ON_SHAFT_M * 1e3:g} mm is allowed); the nearest point of the shaft is "
                f"[{p[0]:.9f}, {p[1]:.9f}, {p[2]:.9f}]"
            )


def _check_out(out: Array, shape: tuple[int, ...]) -> None:
    # The kernels do not check bounds: a short array would be written past its end.
    if out.shape != shape:
        raise ShapeError(f"out: expected shape {shape} for the arm's spheres, got {out.shape}")
