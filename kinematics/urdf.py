"""The serial chain between two frames of a URDF file, read by pinocchio."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pinocchio as pin

from kinematics.errors import ModelError, UnknownFrameError
from kinematics.pose import Array
from kinematics.serial import RESERVED_FRAMES, SerialChain, make_chain

_REVOLUTE = ("JointModelR", "JointModelRevolute")
_PRISMATIC = ("JointModelP", "JointModelPrismatic")


def urdf_chain(
    path: Path, *, base_frame: str, tip_frame: str, joint_names: Sequence[str] | None = None
) -> SerialChain:
    """Read the chain of joints from ``base_frame`` to ``tip_frame``; joints beside it are left at zero.

    Frames: ``base`` (base_frame), each joint's child frame under the joint's name, ``flange`` (tip_frame),
    and every other frame of the file that the chain carries, under its own name.

    Args:
        path: the URDF file.
        base_frame: a link or frame name; the base of the arm.
        tip_frame: a link or frame name; what the tool is mounted on.
        joint_names: if given, the names expected along the chain, in order.

    Raises:
        ModelError: the file is missing or not a URDF, or a joint of the chain is neither revolute, continuous
            nor prismatic, or the joints are not those expected; the message lists the joints there are.
        UnknownFrameError: one of the frames is not in the file; the message lists those there are.
    """
    if not path.is_file():
        raise ModelError(f"there is no URDF file {path}")
    try:
        full = pin.buildModelFromUrdf(str(path))
    except Exception as error:  # pinocchio raises bare RuntimeError and ValueError
        raise ModelError(f"{path} could not be read as URDF: {error}") from error
    names = [f.name for f in full.frames]
    for key, frame in (("base_frame", base_frame), ("tip_frame", tip_frame)):
        if frame not in names:
            raise UnknownFrameError(frame, where=f"{path.name}, {key}", known=dict.fromkeys(names))

    base = full.frames[full.getFrameId(base_frame)]
    tip = full.frames[full.getFrameId(tip_frame)]
    support = [int(i) for i in full.supports[tip.parentJoint]]
    if base.parentJoint not in support:
        raise ModelError(
            f"{path.name}: {tip_frame!r} does not hang on {base_frame!r}; swap base_frame and tip_frame?"
        )
    chain_ids = support[support.index(base.parentJoint) + 1 :]
    chain_names = [str(full.names[i]) for i in chain_ids]
    if not chain_ids:
        raise ModelError(f"{path.name}: there is no joint between {base_frame!r} and {tip_frame!r}")
    if joint_names is not None and list(joint_names) != chain_names:
        raise ModelError(
            f"{path.name}: the joints from {base_frame!r} to {tip_frame!r} are {', '.join(chain_names)}; "
            f"the arm description lists {', '.join(joint_names) or 'none'}"
        )
    return _extract(full, path.name, base, chain_ids, chain_names, tip)


def _extract(
    full: Any, where: str, base: Any, chain_ids: list[int], chain_names: list[str], tip: Any
) -> SerialChain:
    data = full.createData()
    neutral = pin.neutral(full)
    pin.computeJointJacobians(full, data, neutral)
    pin.updateFramePlacements(full, data)
    T_world_base = data.oMi[base.parentJoint] * base.placement

    # Turn every joint frame so that its axis is z; `turned[i]` is the turned joint frame in the base frame at
    # q = 0.
    turned: dict[int, Any] = {base.parentJoint: pin.SE3.Identity()}
    prismatic = []
    placements = []
    limits = []
    previous = pin.SE3.Identity()
    for joint_id, name in zip(chain_ids, chain_names, strict=True):
        joint = full.joints[joint_id]
        slides, axis = _axis(
            joint, pin.getJointJacobian(full, data, joint_id, pin.ReferenceFrame.LOCAL), where, name
        )
        here = T_world_base.inverse() * data.oMi[joint_id] * pin.SE3(_rotation_taking_z_to(axis), np.zeros(3))
        turned[joint_id] = here
        placements.append((previous.inverse() * here).homogeneous)
        prismatic.append(slides)
        limits.append(_limits(full, joint))
        previous = here

    frames: dict[str, tuple[int, Array]] = {"base": (0, np.eye(4))}
    index = {base.parentJoint: 0, **{i: k + 1 for k, i in enumerate(chain_ids)}}
    for frame_id, frame in enumerate(full.frames):
        if frame.parentJoint in index and frame.name not in RESERVED_FRAMES:
            T = turned[frame.parentJoint].inverse() * T_world_base.inverse() * data.oMf[frame_id]
            frames[str(frame.name)] = (index[frame.parentJoint], T.homogeneous)
    T_tip = (
        turned[tip.parentJoint].inverse() * T_world_base.inverse() * data.oMi[tip.parentJoint] * tip.placement
    )
    frames["flange"] = (index[tip.parentJoint], T_tip.homogeneous)
    return make_chain(chain_names, prismatic, placements, frames, np.array(limits))


def _axis(joint: Any, jacobian: Array, where: str, name: str) -> tuple[bool, Array]:
    """Whether a joint slides, and its unit axis, from its column of the local Jacobian."""
    kind = joint.shortname()
    if joint.nv != 1 or not kind.startswith(_REVOLUTE + _PRISMATIC):
        raise ModelError(
            f"{where}: joint {name!r} is a {kind}; only revolute, continuous and prismatic joints will do"
        )
    column = jacobian[:, joint.idx_v]
    slides = kind.startswith(_PRISMATIC)
    axis = column[:3] if slides else column[3:]
    return slides, axis / np.linalg.norm(axis)


def _limits(full: Any, joint: Any) -> tuple[float, float, float]:
    """Lower, upper and speed limit; NaN where the file gives none, as for a continuous joint's position."""
    speed = float(full.velocityLimit[joint.idx_v])
    if joint.nq != 1:
        return np.nan, np.nan, speed if np.isfinite(speed) and speed > 0.0 else np.nan
    low, high = float(full.lowerPositionLimit[joint.idx_q]), float(full.upperPositionLimit[joint.idx_q])
    given = low < high and np.isfinite(low) and np.isfinite(high)
    return (
        low if given else np.nan,
        high if given else np.nan,
        speed if np.isfinite(speed) and speed > 0 else np.nan,
    )


def _rotation_taking_z_to(axis: Array) -> Array:
    """A rotation whose third column is ``axis``; identity for z itself, so that plain frames stay plain."""
    if axis[2] == 1.0:
        return np.eye(3)
    helper = np.eye(3)[int(np.argmin(np.abs(axis)))]
    x = np.cross(helper, axis)
    x /= np.linalg.norm(x)
    return np.column_stack([x, np.cross(axis, x), axis])
