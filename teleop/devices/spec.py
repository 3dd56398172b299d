"""Which device a session uses, and how to make it."""

from __future__ import annotations

from teleop.devices.device import Device
from teleop.devices.force_dimension import ForceDimension, ForceDimensionSpec
from teleop.devices.gamepad import Gamepad, GamepadSpec
from teleop.devices.sim.device import HapticSimSpec, SimDevice
from teleop.devices.spacemouse import SpaceMouse, SpaceMouseSpec
from teleop.devices.touch import Touch, TouchSpec
from teleop.haptics.device import DeviceSpec
from teleop.masters.synthetic import synthetic

DeviceMasterSpec = ForceDimensionSpec | GamepadSpec | HapticSimSpec | SpaceMouseSpec | TouchSpec
"""A device as written in TOML; ``kind`` says which."""


def make_device(spec: DeviceMasterSpec, profile: DeviceSpec) -> Device:
    """The device that ``spec`` describes, not opened yet.

    Args:
        spec: what to make.
        profile: what it can render; a simulated device is made to be like it.
    """
    if isinstance(spec, HapticSimSpec):
        return SimDevice(synthetic(spec), spec.hand, profile)
    if isinstance(spec, ForceDimensionSpec):
        return ForceDimension(spec)
    if isinstance(spec, TouchSpec):
        return Touch(spec)
    return SpaceMouse(spec) if isinstance(spec, SpaceMouseSpec) else Gamepad(spec)
