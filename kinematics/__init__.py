"""Arm models, frames and differential inverse kinematics. Knows no fixtures, no sockets, no clock."""

from kinematics.arm import ArmModel, ArmState
from kinematics.bodies import Bodies
from kinematics.description import JawLimits, Rcm
from kinematics.errors import KinematicsError, ModelError, ShapeError, UnknownFrameError
from kinematics.limits import JointLimits
from kinematics.spec import ArmSpec

__all__ = [
    "ArmModel",
    "ArmSpec",
    "ArmState",
    "Bodies",
    "JawLimits",
    "JointLimits",
    "KinematicsError",
    "ModelError",
    "Rcm",
    "ShapeError",
    "UnknownFrameError",
]
