"""The contract of a master device, and what every one of them needs."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from teleop.errors import TrocarError

Array = npt.NDArray[np.float64]


class DeviceError(TrocarError):
    """A device cannot be used: its library is missing, or it is not there."""


class DeviceLostError(TrocarError):
    """A device that was there is gone: unplugged, or it no longer answers."""


@dataclass(slots=True, eq=False)
class Reading:
    """What a device says at one moment, in its own frame.

    Attributes:
        p_m: position, shape (3,), m.
        quat_xyzw: orientation, unit, shape (4,).
        gripper_rad: opening of the gripper.
        present: whatever this device takes for its deadman is held.
        clutch: the clutch is pressed.
        valid: the device vouches for the pose.
    """

    p_m: Array
    quat_xyzw: Array
    gripper_rad: float = 0.0
    present: bool = False
    clutch: bool = False
    valid: bool = True


class Device(Protocol):
    """A master device. No threads, no clocks: the process that owns it calls it, and says what time it is.

    Attributes:
        renders: whether it can be given forces.
        notes: sentences for a person.
    """

    renders: bool
    notes: tuple[str, ...]

    def open(self) -> None:
        """Connect; may be called again after a loss.

        Raises:
            DeviceError: it cannot be used.
        """
        ...

    def read(self, now_ns: int) -> Reading:
        """What it says now.

        Raises:
            DeviceLostError: it is gone.
        """
        ...

    def apply(self, force_n: Array, torque_nm: Array) -> None:
        """Hold a force (3,) N and torque (3,) N m, in its own frame, until the next call.

        Raises:
            DeviceLostError: it is gone.
        """
        ...

    def close(self) -> None:
        """Give no force any more, and let go. Never raises; may be called twice."""
        ...


class Pressed:
    """A button that counts only after it was seen released: one held while a device starts moves nothing."""

    __slots__ = ("_armed",)

    def __init__(self) -> None:
        """Not seen yet."""
        self._armed = False

    def reset(self) -> None:
        """The device was lost: see it released again first."""
        self._armed = False

    def __call__(self, down: bool) -> bool:
        """Whether the button counts as pressed, given what the device says of it."""
        if not down:
            self._armed = True
        return down and self._armed


class Toggle:
    """A button that is pressed once for on and once more for off; off after a loss."""

    __slots__ = ("_pressed", "_was", "on")

    def __init__(self) -> None:
        """Off."""
        self._pressed = Pressed()
        self.reset()

    def reset(self) -> None:
        """The device was lost."""
        self._pressed.reset()
        self._was = False
        self.on = False

    def __call__(self, down: bool) -> bool:
        """Whether it is on, given what the device says of the button."""
        down = self._pressed(down)
        if down and not self._was:
            self.on = not self.on
        self._was = down
        return self.on


class Velocity:
    """Velocity of the hand from positions: backward differences over a few milliseconds, ``tau`` smoothed."""

    def __init__(self, tau_s: float = 0.003) -> None:
        """At rest."""
        self._tau_s = tau_s
        self._p: Array | None = None
        self.v = np.zeros(3)

    def reset(self) -> None:
        """Forget: the next position starts anew."""
        self._p = None
        self.v[:] = 0.0

    def step(self, p: Array, dt_s: float) -> Array:
        """Velocity (3,) m/s after one more position (3,) m, ``dt_s`` after the last."""
        if self._p is None or not 0.0 < dt_s < 0.1 or not math.isfinite(float(p.sum())):
            self.v[:] = 0.0
        else:
            self.v += dt_s / (dt_s + self._tau_s) * ((p - self._p) / dt_s - self.v)
        self._p = p.copy()
        return self.v
