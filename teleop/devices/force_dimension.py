"""Force Dimension omega, sigma, lambda and delta through `forcedimension-core`. Untested on hardware.

The bindings need the maker's SDK (libdrd). Positions are in metres, forces in newtons, in the device's
frame, as the SDK gives them. The deadman is button 0, the clutch button 1 where a device has one.
"""

from __future__ import annotations

from collections.abc import Callable
from ctypes import c_double
from typing import Annotated, Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field

from kinematics.pose import matrix_to_quat
from teleop.devices.device import DeviceError, DeviceLostError, Pressed, Reading

Array = npt.NDArray[np.float64]


class ForceDimensionSpec(BaseModel):
    """A Force Dimension device.

    Attributes:
        index: which of the devices that are plugged in.
        deadman: ``"button"``: button 0 is held; ``"gripper"``: the gripper is not fully open, for devices
        whose
            button is the gripper's.
        gripper_open_rad: opening that counts as fully open for ``"gripper"``.
    """

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False, frozen=True)

    kind: Literal["force_dimension"]
    index: Annotated[int, Field(ge=0, le=15)] = 0
    deadman: Literal["button", "gripper"] = "button"
    gripper_open_rad: Annotated[float, Field(gt=0.0, le=1.5)] = 0.4


def _dhd() -> Any:
    try:
        from forcedimension_core import dhd
    except ImportError as error:
        raise DeviceError(
            f"a Force Dimension device needs forcedimension-core and the maker's SDK ({str(error)[:120]}): "
            "pip install 'trocar[force-dimension]', and set FDSDK to the SDK's folder"
        ) from None
    return dhd


class ForceDimension:
    """See the module."""

    renders = True
    notes: tuple[str, ...] = ()

    def __init__(self, spec: ForceDimensionSpec, library: Callable[[], Any] = _dhd) -> None:
        """Not opened yet; ``library`` gives `forcedimension_core.dhd`."""
        self._spec = spec
        self._library = library
        self._dhd: Any = None
        self._id = -1
        self._deadman, self._clutch = Pressed(), Pressed()

    def open(self) -> None:
        """Open the device and let it render."""
        dhd = self._library()
        found = dhd.openID(self._spec.index)
        if found < 0:
            raise DeviceError(
                f"no Force Dimension device {self._spec.index} ({dhd.errorGetLastStr()}); is it on?"
            )
        self._dhd, self._id = dhd, found
        self._deadman.reset()
        self._clutch.reset()
        self._wrist, self._gripper = bool(dhd.hasWrist(found)), bool(dhd.hasGripper(found))
        if dhd.enableForce(True, found) < 0:
            self.close()
            raise DeviceError(f"the device renders no force: {dhd.errorGetLastStr()}")

    def read(self, now_ns: int) -> Reading:
        """Position, orientation where there is a wrist, gripper, buttons."""
        if self._dhd is None:
            raise DeviceLostError("not open")
        p, R = [0.0, 0.0, 0.0], [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
        if self._wrist:
            self._ask(self._dhd.getPositionAndOrientationFrame(p, R, self._id))
        else:
            self._ask(self._dhd.getPosition(p, self._id))
        gripper = c_double(0.0)
        if self._gripper:
            self._ask(self._dhd.getGripperAngleRad(gripper, self._id))
        matrix = np.array(R, dtype=np.float64)
        finite = bool(np.isfinite(matrix).all())
        if self._spec.deadman == "button":
            held = self._dhd.getButton(0, self._id) == 1
        else:
            held = gripper.value < self._spec.gripper_open_rad
        return Reading(
            np.array(p, dtype=np.float64),
            matrix_to_quat(matrix) if finite else np.full(4, np.nan),
            float(gripper.value),
            present=self._deadman(held),
            clutch=self._clutch(self._dhd.getButton(1, self._id) == 1),
            valid=finite and abs(float(np.linalg.det(matrix)) - 1.0) < 1e-3,
        )

    def _ask(self, code: int) -> None:
        """The SDK answers 0, or 1 where it had nothing newer, and -1 for an error."""
        if code < 0:
            raise DeviceLostError(str(self._dhd.errorGetLastStr()))

    def apply(self, force_n: Array, torque_nm: Array) -> None:
        """Hold a force and a torque."""
        if self._dhd is None:
            raise DeviceLostError("not open")
        self._ask(self._dhd.setForceAndTorque(force_n.tolist(), torque_nm.tolist(), self._id))

    def close(self) -> None:
        """No force, then let go."""
        if self._dhd is not None:
            self._dhd.setForceAndTorque([0.0] * 3, [0.0] * 3, self._id)
            self._dhd.enableForce(False, self._id)
            self._dhd.close(self._id)
        self._dhd = None
