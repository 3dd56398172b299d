"""3Dconnexion SpaceMouse over hidapi: input only. Untested on hardware.

The reports, as the open drivers (pyspacemouse, spacenavd) read them, quoted from memory: id 1 carries three
little-endian int16 of translation, and on newer devices three more of rotation; id 2 carries the rotation on
older ones; id 3 a bit mask of buttons. Full deflection is about 350. The device's y points to the user and z
down; here x is right, y forward, z up.

A puck springs back when the hand leaves it, so motion stops by itself. The left button switches it on and off
(off at the start and after a loss), the right one is the clutch.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Annotated, Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field

from teleop.devices.device import DeviceError, DeviceLostError, Pressed, Reading, Toggle
from teleop.devices.rate import RatePose, RateSpec

Array = npt.NDArray[np.float64]

VENDORS = (0x256F, 0x046D)
FULL = 350.0
_SIGN = np.array([1.0, -1.0, -1.0, 1.0, -1.0, -1.0])
_MOST_REPORTS = 64
_QUIET_NS = 200_000_000
"""A deflected puck reports all the time; one that has said nothing for so long is taken as let go."""


class SpaceMouseSpec(BaseModel):
    """A SpaceMouse.

    Attributes:
        product_id: USB product to use; left out, the first one found.
        rate: from deflection to motion.
        gripper_rad: opening of the gripper that is reported all the time.
    """

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False, frozen=True)

    kind: Literal["spacemouse"]
    product_id: Annotated[int, Field(ge=0, le=0xFFFF)] | None = None
    rate: RateSpec = RateSpec()
    gripper_rad: Annotated[float, Field(ge=0.0, le=3.2)] = 0.5


def _hidapi() -> Any:
    try:
        import hid
    except ImportError as error:
        raise DeviceError(f"a SpaceMouse needs hidapi ({error}): pip install 'trocar[devices]'") from None
    return hid


class SpaceMouse:
    """See the module."""

    renders = False
    notes: tuple[str, ...] = ("press the left button to take control; hold the right one to clutch",)

    def __init__(self, spec: SpaceMouseSpec, library: Callable[[], Any] = _hidapi) -> None:
        """Not opened yet; ``library`` gives hidapi's module."""
        self._spec = spec
        self._library = library
        self._hid: Any = None
        self._pose = RatePose(spec.rate)
        self._on, self._clutch = Toggle(), Pressed()
        self._forget()

    def _forget(self) -> None:
        self._deflection = np.zeros(6)
        self._buttons = 0
        self._last_ns = self._heard_ns = -1
        self._on.reset()
        self._clutch.reset()

    def open(self) -> None:
        """Open the first device that fits."""
        library = self._library()
        self._forget()
        for vendor in VENDORS:
            for info in library.enumerate(vendor, self._spec.product_id or 0):
                # Logitech's number is on keyboards and mice too; 8 is the usage of a multi-axis controller.
                if vendor == VENDORS[1] and info.get("usage") != 8:
                    continue
                device = library.device()
                try:
                    device.open_path(info["path"])
                    device.set_nonblocking(True)
                except OSError as error:
                    raise DeviceError(
                        f"{info.get('product_string') or 'SpaceMouse'} cannot be opened ({error}); does a "
                        "udev rule give you access to /dev/hidraw*?"
                    ) from None
                self._hid = device
                return
        raise DeviceError("no SpaceMouse found; is it plugged in?")

    def read(self, now_ns: int) -> Reading:
        """Take in all reports that came, and move the virtual hand."""
        if self._hid is None:
            raise DeviceLostError("not open")
        try:
            for _ in range(_MOST_REPORTS):
                report = self._hid.read(64)
                if not report:
                    break
                self._take(bytes(report), now_ns)
        except (OSError, ValueError) as error:
            raise DeviceLostError(str(error) or "read failed") from None
        if self._heard_ns >= 0 and now_ns - self._heard_ns > _QUIET_NS:
            self._deflection[:] = 0.0
        present = self._on(bool(self._buttons & 1))
        clutch = self._clutch(bool(self._buttons & 2))
        if present and self._last_ns >= 0:
            self._pose.step(self._deflection, 1e-9 * (now_ns - self._last_ns))
        self._last_ns = now_ns
        return Reading(
            self._pose.p_m.copy(),
            self._pose.quat_xyzw.copy(),
            self._spec.gripper_rad,
            present=present,
            clutch=clutch,
        )

    def _take(self, report: bytes, now_ns: int) -> None:
        """One report; what is too short or unknown says nothing."""
        kind, body = report[0], report[1:]
        if kind == 1 and len(body) >= 6:
            count = 6 if len(body) >= 12 else 3
            self._set(0, struct.unpack(f"<{count}h", body[: 2 * count]))
        elif kind == 2 and len(body) >= 6:
            self._set(3, struct.unpack("<3h", body[:6]))
        elif kind == 3 and len(body) >= 1:
            self._buttons = body[0]
            return
        else:
            return
        self._heard_ns = now_ns

    def _set(self, first: int, values: tuple[int, ...]) -> None:
        for k, value in enumerate(values, first):
            self._deflection[k] = _SIGN[k] * min(1.0, max(-1.0, value / FULL))

    def apply(self, force_n: Array, torque_nm: Array) -> None:
        """It cannot push."""

    def close(self) -> None:
        """Let go of the device."""
        if self._hid is not None:
            try:
                self._hid.close()
            except (OSError, ValueError):
                pass
        self._hid = None
