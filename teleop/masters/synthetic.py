"""The synthetic surgeon as a master: reaches, tremor, a gripper that opens and closes, a clutch."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from pydantic import Field
from scipy.spatial.transform import Rotation

from teleop.masters.recording import Flags, PlaybackSpec, Recording
from teleop.masters.source import Array
from teleop.masters.surgeon.spec import SurgeonSpec
from teleop.masters.surgeon.trace import plan, synthesise
from teleop.masters.surgeon.voluntary import Reaches, minimum_jerk

RATE_HZ = 1000.0
JAW_MOVE_S = 0.25


class SyntheticSpec(PlaybackSpec):
    """A master that needs no recording: seeded surgeon motion about the origin.

    Attributes:
        seed: another seed is another motion; the same one is the same to the bit.
        motion_s: length of the motion; its reaches end where they began, and with ``at_end = "loop"`` it
            goes on for ever.
        jaw_open_rad: gripper angle when open. It closes after every second reach and opens after the next.
        clutch_every: press the clutch during every n-th reach; 0 never.
        surgeon: how the hand moves and shakes.
    """

    kind: Literal["synthetic"]
    at_end: Literal["hold", "loop"] = "loop"
    seed: Annotated[int, Field(ge=0)] = 0
    motion_s: Annotated[float, Field(ge=1.0, le=600.0)] = 60.0
    jaw_open_rad: Annotated[float, Field(gt=0.0, le=3.2)] = 1.0
    clutch_every: Annotated[int, Field(ge=0)] = 0
    surgeon: SurgeonSpec = SurgeonSpec()


def synthetic(spec: SyntheticSpec) -> Recording:
    """The motion of ``spec``, sampled at 1 kHz; its rotation vectors are the log of the orientation."""
    trace = synthesise(spec.motion_s, RATE_HZ, spec.seed, spec.surgeon)
    reaches = plan(spec.motion_s, spec.seed, spec.surgeon)
    return Recording(
        trace.t,
        np.ascontiguousarray(trace.measured[:, :3]),
        np.asarray(Rotation.from_rotvec(trace.measured[:, 3:]).as_quat()),
        _jaw(trace.t, reaches, spec.jaw_open_rad),
        spec,
        clutch=_clutch(trace.t, reaches, spec.clutch_every),
    )


def _jaw(t: Array, reaches: Reaches, open_rad: float) -> Array:
    """Open at first; closes at the first target, opens at the second, and so on."""
    jaw = np.full(t.size, open_rad)
    for number, end in enumerate(reaches.start_s + reaches.duration_s):
        jaw += (open_rad if number % 2 else -open_rad) * minimum_jerk((t - end) / JAW_MOVE_S)
    return np.asarray(np.clip(jaw, 0.0, open_rad))


def _clutch(t: Array, reaches: Reaches, every: int) -> Flags:
    pressed = np.zeros(t.size, bool)
    for number, (start, duration) in enumerate(zip(reaches.start_s, reaches.duration_s, strict=True), 1):
        if every and number % every == 0:
            pressed |= (t >= start) & (t < start + duration)
    return pressed
