"""The simulated haptic device: a hand that wants something, on a handle that is pushed."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field

from teleop.devices.device import Reading
from teleop.devices.sim.model import HandModelSpec, HandOnDevice
from teleop.haptics.device import DeviceSpec
from teleop.masters.source import HandSource
from teleop.masters.synthetic import SyntheticSpec

Array = npt.NDArray[np.float64]

_MOST_AT_ONCE_S = 0.02
"""A process that was held up longer than this lets the simulated time stand still meanwhile."""


class HapticSimSpec(SyntheticSpec):
    """A simulated surgeon whose hand is on a haptic device and feels what the controller sends.

    The keys of ``synthetic`` say where the hand *wants* to be; where it is, is up to the forces.

    Attributes:
        hand: arm and grip.
        local: close the spring at the device, from planes; false renders ``force_n`` as it comes.
    """

    kind: Literal["haptic_sim"]  # type: ignore[assignment]
    hand: HandModelSpec = HandModelSpec()
    local: bool = True
    start_timeout_s: Annotated[float, Field(ge=0.0)] | None = None


class SimDevice:
    """A device for :func:`teleop.devices.process.run_device`.

    Attributes:
        handle: the mass and the servo.
    """

    renders = True

    def __init__(self, intent: HandSource, hand: HandModelSpec, device: DeviceSpec) -> None:
        """Rest where the intent begins; its time starts with :meth:`start`."""
        self._intent = intent
        self.notes = intent.notes
        self.handle = HandOnDevice(hand, device, intent.sample(0.0).p_m)
        self._force = np.zeros(3)
        self._now_ns = -1
        self._start_ns: int | None = None

    def start(self, now_ns: int) -> None:
        """The hand begins to move."""
        if self._start_ns is None:
            self._start_ns = now_ns

    def open(self) -> None:
        """Nothing to connect."""

    def read(self, now_ns: int) -> Reading:
        """Bring hand and handle to ``now_ns`` under the force applied last, and read the encoders."""
        if self._now_ns >= 0:
            self.advance(min(_MOST_AT_ONCE_S, 1e-9 * (now_ns - self._now_ns)), self._seconds(now_ns))
        self._now_ns = now_ns
        wanted = self._intent.sample(self._seconds(now_ns))
        return Reading(
            self.handle.measured,
            wanted.quat_xyzw,
            wanted.gripper_rad,
            present=wanted.present,
            clutch=wanted.clutch,
            valid=wanted.valid,
        )

    def _seconds(self, now_ns: int) -> float:
        return 0.0 if self._start_ns is None else 1e-9 * (now_ns - self._start_ns)

    def advance(self, dt_s: float, until_s: float) -> None:
        """Go on by ``dt_s``, to the intent's time ``until_s``."""
        a, b = self._intent.sample(until_s - dt_s).p_m, self._intent.sample(until_s).p_m
        self.handle.advance(dt_s, self._force, a, (b - a) / dt_s if dt_s > 0.0 else np.zeros(3))

    def apply(self, force_n: Array, torque_nm: Array) -> None:
        """Hold a force; the handle does not turn."""
        self._force[:] = force_n

    def close(self) -> None:
        """Give no force any more."""
        self._force[:] = 0.0
