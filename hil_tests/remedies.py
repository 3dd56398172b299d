"""What a person at the console would do about each reason for which nothing follows."""

from __future__ import annotations

from teleop.safety.reasons import Reason

_ENABLE, _RESET = ("enable", "home"), ("reset_fault", "enable")
_ENGAGE = ("engage",)

REMEDY: dict[str, tuple[str, ...]] = {
    Reason.NOT_ENABLED.code: _ENABLE,
    Reason.ARM_NOT_ENABLED.code: _ENABLE,
    Reason.ARM_NOT_HOMED.code: ("home",),
    Reason.ARM_FAULT.code: _RESET,
    Reason.TRACKING_ERROR.code: _RESET,
    Reason.ENCODER_JUMP.code: _RESET,
    Reason.ESTOP.code: _RESET,
    Reason.INTERNAL.code: _RESET,
    Reason.ARM_HELD.code: _ENGAGE,
    Reason.NOT_ENGAGED.code: _ENGAGE,
    Reason.MASTER_STALE.code: _ENGAGE,
    Reason.MASTER_INVALID.code: _ENGAGE,
    Reason.MASTER_LOST.code: _ENGAGE,
    Reason.MASTER_UNSTEADY.code: _ENGAGE,
    Reason.ARM_RESTARTED.code: _ENGAGE,
    Reason.ARM_STALE.code: _ENGAGE,
    Reason.ROUND_TRIP_TOO_LONG.code: _ENGAGE,
    Reason.CONTROLLER_LATE.code: _ENGAGE,
}
"""By the code of a reason: the requests to send, in order. What is not here passes by itself."""
