"""What a person does at the console before driving, done by the program: enable, home, engage."""

from __future__ import annotations

from teleop.safety.reasons import Reason
from teleop.wire.messages import Telemetry
from teleop.wire.requests import RequestClient

_PAUSE_S = 0.2

# What each obstacle asks for; an emergency stop or another fault is left to a person.
_REMEDY = {
    Reason.NOT_ENABLED.code: ("enable", "home"),
    Reason.ARM_NOT_ENABLED.code: ("enable", "home"),
    Reason.ARM_NOT_HOMED.code: ("home",),
    Reason.ARM_HELD.code: ("engage",),
    Reason.NOT_ENGAGED.code: ("engage",),
    Reason.MASTER_STALE.code: ("engage",),
    Reason.MASTER_INVALID.code: ("engage",),
}


class Operator:
    """Sends what the state of each pair asks for, one step at a time.

    Attributes:
        refusal: the controller's last refusal, in its words.
    """

    def __init__(self, client: RequestClient) -> None:
        """Talk to the controller through ``client``."""
        self._client = client
        self._not_before_s = 0.0
        self.refusal = ""

    def look(self, telemetry: Telemetry, now_s: float) -> None:
        """Look at the newest telemetry and do the next thing, without waiting for its answer."""
        while (reply := self._client.receive()) is not None:
            self.refusal = reply.error
        if now_s < self._not_before_s:
            return
        for pair in telemetry.pairs:
            for op in _REMEDY.get(pair.reason, ()):
                self._client.send(op, {} if op == "enable" else {"pair": pair.pair})
                self._not_before_s = now_s + _PAUSE_S
