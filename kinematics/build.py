"""From a checked description to the parts of an arm: chain, limits, home, bodies."""

from __future__ import annotations

import numpy as np

from kinematics.bodies import Bodies, Capsule, cover_bodies
from kinematics.dh import DhRow, dh_chain
from kinematics.errors import ModelError
from kinematics.limits import JointLimits
from kinematics.pose import Array
from kinematics.serial import SerialChain
from kinematics.spec import ArmSpec, Joint, PrismaticDh, RevoluteDh, UrdfChain
from kinematics.urdf import urdf_chain


def build_chain(spec: ArmSpec) -> SerialChain:
    """Joints and frames of the arm, its tool's ``tip`` included.

    Raises:
        ModelError: the URDF cannot be read, or its joints are not those listed.
        UnknownFrameError: a frame is not in the URDF.
    """
    if isinstance(spec.chain, UrdfChain):
        names = [joint.name for joint in spec.joints]
        chain = urdf_chain(
            spec.chain.path,
            base_frame=spec.chain.base_frame,
            tip_frame=spec.chain.tip_frame,
            joint_names=names,
        )
        for joint, slides in zip(spec.joints, chain.prismatic, strict=True):
            if (joint.type == "prismatic") != slides:
                found = "prismatic" if slides else "revolute"
                raise ModelError(f"joint {joint.name!r}: type is {joint.type!r}, in the URDF it is {found!r}")
    else:
        chain = dh_chain([_dh_row(joint) for joint in spec.joints], spec.chain.convention)
    T_flange_tip = np.eye(4)
    T_flange_tip[:3, :3] = spec.tool.tip_rotation
    T_flange_tip[:3, 3] = spec.tool.tip_offset_m
    return chain.with_frame("tip", "flange", T_flange_tip, where=f"arm {spec.name!r}, tool")


def _dh_row(joint: Joint) -> DhRow:
    match joint.dh:
        case RevoluteDh() as row:
            theta, d = row.offset_deg, row.d_m
        case PrismaticDh() as row:
            theta, d = row.theta_deg, row.offset_m
        case None:  # ArmSpec refuses this
            raise ModelError(f"joint {joint.name!r}: its dh row is missing")
    return DhRow(
        name=joint.name,
        prismatic=joint.type == "prismatic",
        alpha=float(np.deg2rad(row.alpha_deg)),
        a=row.a_m,
        theta=float(np.deg2rad(theta)),
        d=d,
    )


def build_limits(spec: ArmSpec, chain: SerialChain) -> tuple[JointLimits, Array]:
    """Limits and home ``(n,)``; what the description leaves out comes from the URDF.

    Raises:
        ModelError: neither gives a limit, or home is outside the limits.
    """
    table = np.empty((chain.n, 6))
    for j, joint in enumerate(spec.joints):
        given = joint.values
        table[j] = [*given[:3], *given[3:]]  # None becomes NaN
        table[j, :3] = np.where(np.isnan(table[j, :3]), chain.source_limits[j], table[j, :3])
        missing = [k for k, v in zip(("q_min", "q_max", "qd_max"), table[j, :3], strict=True) if np.isnan(v)]
        if missing:
            raise ModelError(
                f"joint {joint.name!r}: the URDF gives no {', '.join(missing)}; add it to the joint"
            )
        low, high, home = table[j, 0], table[j, 1], table[j, 5]
        if not low <= home <= high:
            raise ModelError(
                f"joint {joint.name!r}: home ({home:g}) must lie in its range ({low:g} to {high:g})"
            )
    return JointLimits(*table[:, :5].T), table[:, 5]


def build_bodies(spec: ArmSpec, chain: SerialChain) -> Bodies:
    """The covering spheres of the description's capsules.

    Raises:
        UnknownFrameError: a capsule names a frame that the arm does not have.
    """
    bodies = []
    for body in spec.bodies:
        capsules = []
        for capsule in body.capsules:
            link, T = chain.frame(capsule.frame, where=f"body {body.name!r}, capsule frame")
            start, end = (T[:3, :3] @ np.array(p) + T[:3, 3] for p in (capsule.from_m, capsule.to_m))
            capsules.append(Capsule(link, start, end, capsule.radius_m))
        bodies.append((body.name, body.cover_m, capsules))
    return cover_bodies(bodies)
