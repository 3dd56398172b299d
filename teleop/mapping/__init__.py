"""Clutched relative motion: from the pose of the hand to the desired pose of the tip."""

from teleop.mapping.clutched import ClutchedMapping
from teleop.mapping.spec import MappingSpec, RegistrationSpec

__all__ = ["ClutchedMapping", "MappingSpec", "RegistrationSpec"]
