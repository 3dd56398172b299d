"""3D Systems Touch and Touch X through OpenHaptics' HDAPI (libHD), by ctypes. Untested on hardware.

HDAPI gives millimetres and a column-major transform; force in newtons. Its frames belong into its own servo,
so each tick asks for one synchronous call there, which gives the force applied last and reads the rest: the
force is one servo period late, which the device's profile counts as delay. Button 1 (dark grey) is the
deadman, button 2 the clutch. Constants: HDAPI's hdDefines.h as the package pyOpenHaptics 1.0.1 gives them.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict

from kinematics.pose import matrix_to_quat
from teleop.devices.device import DeviceError, DeviceLostError, Pressed, Reading

Array = npt.NDArray[np.float64]

HD_SUCCESS, HD_INVALID_HANDLE = 0x0000, 0xFFFFFFFF
HD_CURRENT_BUTTONS, HD_CURRENT_TRANSFORM, HD_CURRENT_FORCE = 0x2000, 0x2052, 0x2700
HD_FORCE_OUTPUT, HD_CALLBACK_DONE = 0x4000, 0
CALLBACK = ctypes.CFUNCTYPE(ctypes.c_uint, ctypes.c_void_p)
_MOST_ERRORS = 64
_PRIORITY = 32767  # HD_DEFAULT_SCHEDULER_PRIORITY
_BUTTON_1, _BUTTON_2 = 1, 2
# Errors after which the device is not there any more; others (warm motors, too much force) pass.
_LOST = {
    0x0300: "device fault",
    0x0302: "communication error",
    0x0303: "communication set-up",
    0x0304: "timer",
}


class HDErrorInfo(ctypes.Structure):
    """What ``hdGetError`` returns."""

    _fields_ = (
        ("errorCode", ctypes.c_uint),
        ("internalErrorCode", ctypes.c_int),
        ("hHD", ctypes.c_uint),
    )


class TouchSpec(BaseModel):
    """A Touch.

    Attributes:
        name: its name in the maker's set-up program.
    """

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False, frozen=True)

    kind: Literal["touch"]
    name: str = "Default Device"


def _libhd() -> Any:
    try:
        library = ctypes.CDLL("libHD.so")
    except OSError as error:
        raise DeviceError(
            f"a Touch needs the maker's OpenHaptics library libHD.so ({error}); install OpenHaptics and the "
            "device driver"
        ) from None
    library.hdInitDevice.argtypes, library.hdInitDevice.restype = [ctypes.c_char_p], ctypes.c_uint
    library.hdGetError.restype = HDErrorInfo
    for name in ("hdBeginFrame", "hdEndFrame", "hdDisableDevice", "hdMakeCurrentDevice"):
        getattr(library, name).argtypes = [ctypes.c_uint]
        getattr(library, name).restype = None
    library.hdEnable.argtypes = library.hdDisable.argtypes = [ctypes.c_uint]
    for name in ("hdGetDoublev", "hdSetDoublev"):
        getattr(library, name).argtypes = [ctypes.c_uint, ctypes.POINTER(ctypes.c_double)]
        getattr(library, name).restype = None
    library.hdScheduleSynchronous.argtypes = [CALLBACK, ctypes.c_void_p, ctypes.c_ushort]
    library.hdGetIntegerv.argtypes = [ctypes.c_uint, ctypes.POINTER(ctypes.c_int)]
    return library


class Touch:
    """See the module."""

    renders = True
    notes: tuple[str, ...] = ()

    def __init__(self, spec: TouchSpec, library: Callable[[], Any] = _libhd) -> None:
        """Not opened yet; ``library`` gives libHD."""
        self._spec = spec
        self._library = library
        self._hd: Any = None
        self._handle = HD_INVALID_HANDLE
        self._deadman, self._clutch = Pressed(), Pressed()
        self._matrix = (ctypes.c_double * 16)()
        self._force = (ctypes.c_double * 3)()
        self._buttons = ctypes.c_int(0)
        self._frame = CALLBACK(self._exchange)

    def open(self) -> None:
        """Open the device, start HDAPI's servo and let it render."""
        hd = self._library()
        for _ in range(_MOST_ERRORS):  # left over from before a loss
            if hd.hdGetError().errorCode == HD_SUCCESS:
                break
        handle = hd.hdInitDevice(self._spec.name.encode())
        if handle == HD_INVALID_HANDLE or hd.hdGetError().errorCode != HD_SUCCESS:
            raise DeviceError(
                f"no Touch named {self._spec.name!r}; is it plugged in, and set up in the maker's program?"
            )
        self._hd, self._handle = hd, handle
        self._deadman.reset()
        self._clutch.reset()
        self._force[:] = [0.0, 0.0, 0.0]
        hd.hdEnable(HD_FORCE_OUTPUT)
        hd.hdStartScheduler()
        if hd.hdGetError().errorCode != HD_SUCCESS:
            self.close()
            raise DeviceError("HDAPI's servo does not start; does another program use the device?")

    def read(self, now_ns: int) -> Reading:
        """One frame: the force applied last goes out, pose and buttons come in."""
        if self._hd is None:
            raise DeviceLostError("not open")
        self._hd.hdScheduleSynchronous(self._frame, None, _PRIORITY)
        self._check()
        T = np.array(self._matrix[:]).reshape(4, 4).T
        R = T[:3, :3]
        good = bool(np.isfinite(T).all()) and abs(float(np.linalg.det(R)) - 1.0) < 1e-2
        return Reading(
            1e-3 * T[:3, 3],
            matrix_to_quat(np.ascontiguousarray(R)) if good else np.array([0.0, 0.0, 0.0, 1.0]),
            present=self._deadman(bool(self._buttons.value & _BUTTON_1)),
            clutch=self._clutch(bool(self._buttons.value & _BUTTON_2)),
            valid=good,
        )

    def _exchange(self, _data: Any) -> int:
        """Runs in HDAPI's servo."""
        hd = self._hd
        if hd is not None:
            hd.hdBeginFrame(self._handle)
            hd.hdGetDoublev(HD_CURRENT_TRANSFORM, self._matrix)
            hd.hdGetIntegerv(HD_CURRENT_BUTTONS, self._buttons)
            hd.hdSetDoublev(HD_CURRENT_FORCE, self._force)
            hd.hdEndFrame(self._handle)
        return HD_CALLBACK_DONE

    def apply(self, force_n: Array, torque_nm: Array) -> None:
        """The force of the next frame; a Touch renders no torque."""
        self._force[:] = force_n.tolist()

    def _check(self) -> None:
        code = int(self._hd.hdGetError().errorCode)
        if code in _LOST:
            raise DeviceLostError(f"HDAPI: {_LOST[code]} (0x{code:04x})")

    def close(self) -> None:
        """No force, then let go."""
        hd = self._hd
        if hd is None:
            return
        self._force[:] = [0.0, 0.0, 0.0]
        hd.hdScheduleSynchronous(self._frame, None, _PRIORITY)
        self._hd = None
        hd.hdDisable(HD_FORCE_OUTPUT)
        hd.hdStopScheduler()
        hd.hdDisableDevice(self._handle)
