"""A gamepad over evdev: input only. Untested on hardware.

Left stick: right and forward. Right stick: up (y) and roll (x). Left shoulder: the deadman, held. Right
shoulder: the clutch. Right trigger: closes the gripper.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field

from teleop.devices.device import DeviceError, DeviceLostError, Pressed, Reading
from teleop.devices.rate import RatePose, RateSpec

Array = npt.NDArray[np.float64]

# linux/input-event-codes.h
EV_SYN, EV_KEY, EV_ABS = 0, 1, 3
SYN_DROPPED = 3
ABS_X, ABS_Y, ABS_RX, ABS_RY, ABS_RZ = 0, 1, 3, 4, 5
BTN_TL, BTN_TR = 0x136, 0x137
_STICKS = {ABS_X: (0, 1.0), ABS_Y: (1, -1.0), ABS_RY: (2, -1.0), ABS_RX: (5, -1.0)}
_MOST_EVENTS = 512


class GamepadSpec(BaseModel):
    """A gamepad.

    Attributes:
        path: its event device, such as ``/dev/input/event7``; left out, the first that has sticks and
        shoulders. rate: from deflection to motion.
        open_rad: opening of the gripper while the trigger is left alone.
    """

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False, frozen=True)

    kind: Literal["gamepad"]
    path: Path | None = None
    rate: RateSpec = RateSpec(dead_zone=0.12)
    open_rad: Annotated[float, Field(gt=0.0, le=3.2)] = 1.0


def _evdev() -> Any:
    try:
        import evdev
    except ImportError as error:
        raise DeviceError(f"a gamepad needs evdev ({error}): pip install 'trocar[devices]'") from None
    return evdev


class Gamepad:
    """See the module."""

    renders = False
    notes: tuple[str, ...] = ("hold the left shoulder button to move, the right one to clutch",)

    def __init__(self, spec: GamepadSpec, library: Callable[[], Any] = _evdev) -> None:
        """Not opened yet; ``library`` gives evdev's module."""
        self._spec = spec
        self._library = library
        self._device: Any = None
        self._pose = RatePose(spec.rate)
        self._deadman, self._clutch = Pressed(), Pressed()
        self._forget()

    def _forget(self) -> None:
        self._range: dict[int, tuple[float, float]] = {}
        self._value: dict[int, float] = {}
        self._keys: set[int] = set()
        self._last_ns = -1
        self._deadman.reset()
        self._clutch.reset()

    def open(self) -> None:
        """Open the pad and read where its sticks stand."""
        library = self._library()
        self._forget()
        paths = [str(self._spec.path)] if self._spec.path is not None else library.list_devices()
        for path in paths:
            try:
                device = library.InputDevice(path)
                able = device.capabilities()
            except OSError as error:
                if self._spec.path is not None:
                    raise DeviceError(f"{path} cannot be opened ({error}); are you in group input?") from None
                continue
            axes = {code for code, _ in able.get(EV_ABS, [])}
            if {ABS_X, ABS_Y} <= axes and {BTN_TL, BTN_TR} <= set(able.get(EV_KEY, [])):
                self._device = device
                for code, info in able[EV_ABS]:
                    self._range[code] = (float(info.min), float(info.max))
                self._resync()
                return
            device.close()
        where = "no gamepad found" if self._spec.path is None else f"{self._spec.path} is no gamepad"
        raise DeviceError(f"{where}: looked for two stick axes and two shoulder buttons; is it plugged in?")

    def _resync(self) -> None:
        """Ask for the state itself: at the start, and after the kernel has dropped events."""
        for code in self._range:
            self._value[code] = float(self._device.absinfo(code).value)
        self._keys = set(self._device.active_keys())

    def read(self, now_ns: int) -> Reading:
        """Take in all events that came, and move the virtual hand."""
        if self._device is None:
            raise DeviceLostError("not open")
        try:
            self._drain()
        except OSError as error:
            raise DeviceLostError(str(error) or "read failed") from None
        present = self._deadman(BTN_TL in self._keys)
        clutch = self._clutch(BTN_TR in self._keys)
        deflection = np.zeros(6)
        for code, (axis, sign) in _STICKS.items():
            deflection[axis] = sign * self._centred(code)
        if present and self._last_ns >= 0:
            self._pose.step(deflection, 1e-9 * (now_ns - self._last_ns))
        self._last_ns = now_ns
        closed = 0.5 * (1.0 + self._centred(ABS_RZ)) if ABS_RZ in self._range else 0.0
        return Reading(
            self._pose.p_m.copy(),
            self._pose.quat_xyzw.copy(),
            self._spec.open_rad * (1.0 - closed),
            present=present,
            clutch=clutch,
        )

    def _drain(self) -> None:
        for _ in range(_MOST_EVENTS):
            event = self._device.read_one()
            if event is None:
                return
            if event.type == EV_SYN and event.code == SYN_DROPPED:
                self._resync()
            elif event.type == EV_ABS and event.code in self._range:
                self._value[event.code] = float(event.value)
            elif event.type == EV_KEY:
                (self._keys.add if event.value else self._keys.discard)(event.code)

    def _centred(self, code: int) -> float:
        """An axis as -1 to 1; one that the pad does not have, or whose range is none, is 0."""
        low, high = self._range.get(code, (0.0, 0.0))
        if not high > low:
            return 0.0
        return min(1.0, max(-1.0, 2.0 * (self._value[code] - low) / (high - low) - 1.0))

    def apply(self, force_n: Array, torque_nm: Array) -> None:
        """It cannot push."""

    def close(self) -> None:
        """Let go of the device."""
        if self._device is not None:
            try:
                self._device.close()
            except OSError:
                pass
        self._device = None
