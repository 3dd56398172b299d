"""What a person at the console would do about each reason for which nothing follows."""

from __future__ import annotations

from teleop.cli import operator
from teleop.safety.reasons import Reason

_FAULTS = (Reason.ARM_FAULT, Reason.TRACKING_ERROR, Reason.ENCODER_JUMP, Reason.ESTOP, Reason.INTERNAL)

REMEDY = {**operator.REMEDY, **{fault.code: ("reset_fault", "enable") for fault in _FAULTS}}
"""By the code of a reason: the requests to send, in order. What is not here passes by itself.

Where the operator of a demo leaves a fault to a person, the bench is that person.
"""
