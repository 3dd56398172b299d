"""Fakes at the libraries' boundaries: they behave as the devices do, unplugging included."""

from __future__ import annotations

import ctypes
import errno
import struct
from types import SimpleNamespace

import numpy as np


class FakeHid:
    """hidapi's module: one puck, whose reports the test queues."""

    def __init__(self, usage: int = 8, vendor: int = 0x256F) -> None:
        self.present, self.allowed = True, True
        self.vendor, self.usage = vendor, usage
        self.reports: list[bytes] = []
        self.opened = 0

    def enumerate(self, vendor: int, product: int) -> list[dict[str, object]]:
        there = self.present and vendor == self.vendor
        return [{"path": b"/dev/hidraw0", "usage": self.usage, "product_string": "Puck"}] if there else []

    def device(self) -> FakeHid:
        return self

    def open_path(self, path: bytes) -> None:
        if not self.allowed:
            raise OSError("open failed")
        self.opened += 1

    def set_nonblocking(self, on: bool) -> None:
        assert on

    def read(self, size: int) -> list[int]:
        if not self.present:
            raise OSError("read error")
        return list(self.reports.pop(0)) if self.reports else []

    def close(self) -> None:
        self.reports.clear()

    def push(self, *six: int) -> None:
        self.reports.append(struct.pack("<B6h", 1, *six))

    def buttons(self, mask: int) -> None:
        self.reports.append(bytes([3, mask]))


class FakeEvdev:
    """evdev's module: one pad, whose state the test sets; only changes are events, as in the kernel."""

    def __init__(self) -> None:
        self.present = True
        self.axes = {0: 128, 1: 128, 3: 128, 4: 128, 5: 0}
        self.keys: set[int] = set()
        self.events: list[SimpleNamespace] = []

    def list_devices(self) -> list[str]:
        return ["/dev/input/event3"] if self.present else []

    def InputDevice(self, path: str) -> FakeEvdev:
        if not self.present:
            raise OSError(errno.ENOENT, "No such file")
        return self

    def capabilities(self) -> dict[int, list[object]]:
        return {3: [(code, self.absinfo(code)) for code in self.axes], 1: [0x130, 0x136, 0x137]}

    def absinfo(self, code: int) -> SimpleNamespace:
        return SimpleNamespace(value=self.axes[code], min=0, max=255)

    def active_keys(self) -> list[int]:
        return sorted(self.keys)

    def read_one(self) -> SimpleNamespace | None:
        if not self.present:
            raise OSError(errno.ENODEV, "No such device")
        return self.events.pop(0) if self.events else None

    def close(self) -> None:
        self.events.clear()

    def stick(self, code: int, value: int) -> None:
        self.axes[code] = value
        self.events.append(SimpleNamespace(type=3, code=code, value=value))

    def key(self, code: int, down: bool) -> None:
        (self.keys.add if down else self.keys.discard)(code)
        self.events.append(SimpleNamespace(type=1, code=code, value=int(down)))


class FakeDhd:
    """`forcedimension_core.dhd`, as far as it is used."""

    def __init__(self) -> None:
        self.present = True
        self.p, self.R, self.gripper = [0.01, 0.02, 0.03], np.eye(3), 0.2
        self.pressed: set[int] = set()
        self.force, self.torque = [0.0] * 3, [0.0] * 3
        self.enabled = False
        self.wrist = True

    def openID(self, index: int) -> int:
        return 7 if self.present and index == 0 else -1

    def errorGetLastStr(self) -> str:
        return "communication error"

    def hasWrist(self, ID: int) -> bool:
        return self.wrist

    def hasGripper(self, ID: int) -> bool:
        return True

    def enableForce(self, on: bool, ID: int) -> int:
        self.enabled = on
        return 0

    def getPosition(self, out: list[float], ID: int) -> int:
        out[:] = self.p
        return 0 if self.present else -1

    def getPositionAndOrientationFrame(self, out: list[float], R: list[list[float]], ID: int) -> int:
        for i in range(3):
            R[i][:] = self.R[i].tolist()
        return self.getPosition(out, ID)

    def getGripperAngleRad(self, out: ctypes.c_double, ID: int) -> int:
        out.value = self.gripper
        return 1 if self.present else -1

    def getButton(self, index: int, ID: int) -> int:
        return int(index in self.pressed)

    def setForceAndTorque(self, f: list[float], t: list[float], ID: int) -> int:
        self.force, self.torque = list(f), list(t)
        return 0 if self.present else -1

    def close(self, ID: int) -> int:
        return 0


class FakeHD:
    """libHD: millimetres, column-major, buttons as a mask, errors that are asked for afterwards."""

    def __init__(self) -> None:
        self.present = True
        self.p_mm, self.R, self.mask = [10.0, 20.0, 30.0], np.eye(3), 0
        self.force = [0.0] * 3
        self.running = self.enabled = False
        self.in_frame = False
        self._error = 0

    def hdInitDevice(self, name: bytes) -> int:
        return 5 if self.present and name == b"Default Device" else 0xFFFFFFFF

    def hdGetError(self) -> SimpleNamespace:
        code, self._error = self._error, 0
        return SimpleNamespace(errorCode=code)

    def hdEnable(self, what: int) -> None:
        self.enabled = True

    def hdDisable(self, what: int) -> None:
        self.enabled = False

    def hdStartScheduler(self) -> None:
        self.running = True

    def hdStopScheduler(self) -> None:
        self.running = False

    def hdScheduleSynchronous(self, callback, data, priority) -> None:
        assert self.running, "HDAPI calls back only while its scheduler runs"
        if not self.present:
            self._error = 0x0302
            return
        assert callback(None) == 0

    def hdBeginFrame(self, handle: int) -> None:
        assert handle == 5
        self.in_frame = True

    def hdEndFrame(self, handle: int) -> None:
        self.in_frame = False

    def hdGetDoublev(self, what: int, out) -> None:
        assert self.in_frame
        assert what == 0x2052
        T = np.eye(4)
        T[:3, :3], T[:3, 3] = self.R, self.p_mm
        out[:] = T.T.ravel().tolist()

    def hdGetIntegerv(self, what: int, out) -> None:
        assert self.in_frame
        assert what == 0x2000
        out.value = self.mask

    def hdSetDoublev(self, what: int, value) -> None:
        assert self.in_frame
        assert what == 0x2700
        self.force = list(value)

    def hdDisableDevice(self, handle: int) -> None:
        assert not self.running
