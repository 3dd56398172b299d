"""A serial chain of hinges and slides: the one form that DH tables and URDF files are turned into."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pinocchio as pin

from kinematics.description import frozen
from kinematics.errors import UnknownFrameError
from kinematics.pose import Array

# Frames that every arm has; a joint or a URDF's own frame of such a name does not replace them.
RESERVED_FRAMES = ("base", "flange", "tip")


@dataclass(frozen=True, eq=False)
class SerialChain:
    """n joints in a row. Joint j turns about, or slides along, the z axis of its own frame.

    With ``T_base_0 = I`` the frame after joint j is

        T_base_j = T_base_(j-1) @ placements[j] @ motion(q_j),

    where ``motion`` is a rotation about z by q_j [rad] or a translation along z by q_j [m].

    Attributes:
        joint_names: n names. prismatic: ``(n,)`` bool, true for a joint that slides. placements: ``(n, 4,
        4)`` from the frame after the previous joint to this joint's frame at q = 0. frames: for each named
        frame, the index of the joint frame that carries it (0 is the base, j + 1 follows
            joint j) and its constant transform in that frame ``(4, 4)``.
        source_limits: ``(n, 3)`` lower, upper and speed limit that the source itself gave; NaN where it gave
            none.
    """

    joint_names: tuple[str, ...]
    prismatic: tuple[bool, ...]
    placements: Array
    frames: Mapping[str, tuple[int, Array]]
    source_limits: Array

    @property
    def n(self) -> int:
        """Number of joints."""
        return len(self.joint_names)

    def frame(self, name: str, *, where: str) -> tuple[int, Array]:
        """Carrying joint frame and constant transform of a named frame.

        Raises:
            UnknownFrameError: there is no such frame; the message lists those there are.
        """
        try:
            return self.frames[name]
        except KeyError:
            raise UnknownFrameError(name, where=where, known=self.frames) from None

    def with_frame(self, name: str, parent: str, T_parent_frame: Array, *, where: str) -> SerialChain:
        """The same chain with one more named frame, fixed to ``parent``."""
        carrier, T_carrier_parent = self.frame(parent, where=where)
        T = frozen(T_carrier_parent @ T_parent_frame, (4, 4), where)
        return SerialChain(
            self.joint_names,
            self.prismatic,
            self.placements,
            {**self.frames, name: (carrier, T)},
            self.source_limits,
        )

    def to_pinocchio(self, T_world_base: Array) -> Any:
        """A ``pinocchio.Model`` of this chain in world, with every named frame as an operational frame.

        The links carry no mass: this package is about geometry only.
        """
        model = pin.Model()
        parent = 0
        joint_ids = [0]
        for j, name in enumerate(self.joint_names):
            T = T_world_base @ self.placements[j] if j == 0 else self.placements[j]
            joint = pin.JointModelPZ() if self.prismatic[j] else pin.JointModelRZ()
            parent = model.addJoint(parent, joint, pin.SE3(T), name)
            model.addJointFrame(parent)
            joint_ids.append(parent)
        for name, (carrier, T_carrier_frame) in self.frames.items():
            T = T_world_base @ T_carrier_frame if carrier == 0 else T_carrier_frame
            if not model.existFrame(name, pin.FrameType.OP_FRAME):
                model.addFrame(pin.Frame(name, joint_ids[carrier], pin.SE3(T), pin.FrameType.OP_FRAME))
        return model


def make_chain(
    joint_names: Sequence[str],
    prismatic: Sequence[bool],
    placements: Sequence[Array],
    frames: Mapping[str, tuple[int, Array]],
    source_limits: Array | None = None,
) -> SerialChain:
    """A :class:`SerialChain` with its arrays copied, checked and made read-only."""
    n = len(joint_names)
    limits = np.full((n, 3), np.nan) if source_limits is None else np.array(source_limits, dtype=np.float64)
    limits.setflags(write=False)
    return SerialChain(
        tuple(joint_names),
        tuple(bool(p) for p in prismatic),
        frozen(np.array(placements), (n, 4, 4), "joint placements"),
        {name: (i, frozen(T, (4, 4), f"frame {name!r}")) for name, (i, T) in frames.items()},
        limits,
    )
