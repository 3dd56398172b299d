"""Which master a session uses, and how to make it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, TypeAlias

from pydantic import Field

from teleop.devices.force_dimension import ForceDimensionSpec
from teleop.devices.gamepad import GamepadSpec
from teleop.devices.sim.device import HapticSimSpec
from teleop.devices.spacemouse import SpaceMouseSpec
from teleop.devices.touch import TouchSpec
from teleop.masters.console import ConsoleHand, ConsoleSpec
from teleop.masters.console_csv import ConsoleCsvSpec, read_console_csv
from teleop.masters.jigsaws import JigsawsSpec, read_jigsaws
from teleop.masters.mcap import McapSpec, read_mcap
from teleop.masters.pose_csv import PoseCsvSpec, read_pose_csv
from teleop.masters.source import HandSource, MasterError
from teleop.masters.synthetic import SyntheticSpec, synthetic

MasterSpec: TypeAlias = Annotated[
    ConsoleCsvSpec
    | ConsoleSpec
    | ForceDimensionSpec
    | GamepadSpec
    | HapticSimSpec
    | JigsawsSpec
    | McapSpec
    | PoseCsvSpec
    | SpaceMouseSpec
    | SyntheticSpec
    | TouchSpec,
    Field(discriminator="kind"),
]
"""A master as written in TOML; ``kind`` says which."""


DEVICES = (ForceDimensionSpec, GamepadSpec, HapticSimSpec, SpaceMouseSpec, TouchSpec)
"""Masters that are devices: they are read and may be given force, see :mod:`teleop.devices.spec`."""


def make_source(spec: MasterSpec, base_dir: Path) -> HandSource:
    """The hand source that ``spec`` describes.

    Args:
        spec: what to make.
        base_dir: folder of the TOML file that names it; relative paths are read from there.

    Raises:
        MasterError: the recording is missing or damaged; with file, line and column. Or ``spec`` is a device.
    """
    if isinstance(spec, ForceDimensionSpec | GamepadSpec | HapticSimSpec | SpaceMouseSpec | TouchSpec):
        raise MasterError(f"{spec.kind} is a device, not a motion that could be played")
    if isinstance(spec, SyntheticSpec):
        return synthetic(spec)
    if isinstance(spec, ConsoleSpec):
        return ConsoleHand(spec, None if spec.idle is None else synthetic(spec.idle))
    path = base_dir / spec.path.expanduser()
    if isinstance(spec, ConsoleCsvSpec):
        return read_console_csv(path, spec)
    if isinstance(spec, McapSpec):
        return read_mcap(path, spec.hand, spec)
    if isinstance(spec, JigsawsSpec):
        return read_jigsaws(path, spec.arm, spec)
    return read_pose_csv(path, spec)
