"""What a person does at the console before driving, done by the program: enable, home, engage."""

from __future__ import annotations

from teleop.safety.reasons import Reason
from teleop.safety.states import Teleop
from teleop.wire.messages import Telemetry
from teleop.wire.requests import RequestClient

_PAUSE_S = 0.2

# What passes but leaves the arm held: `engage` is refused while it lasts, and asked again.
_ENGAGE_AGAIN = (
    Reason.NOT_ENGAGED,
    Reason.MASTER_STALE,
    Reason.MASTER_LOST,
    Reason.MASTER_UNSTEADY,
    Reason.MASTER_INVALID,
    Reason.ROUND_TRIP_TOO_LONG,
    Reason.CONTROLLER_LATE,
    Reason.ARM_HELD,
    Reason.ARM_STALE,
    Reason.ARM_RESTARTED,
)
REMEDY: dict[str, tuple[str, ...]] = {
    Reason.NOT_ENABLED.code: ("enable", "home"),
    Reason.ARM_NOT_ENABLED.code: ("enable", "home"),
    Reason.ARM_NOT_HOMED.code: ("home",),
    **{reason.code: ("engage",) for reason in _ENGAGE_AGAIN},
}
"""Requests that an obstacle asks for, by its code; an emergency stop or another fault is left to a person."""

# Coming straight from one of these, a pair is disabled or released because somebody asked for it; after a
# fault a person decides as well. Both are left to them.
_ASKED_FOR = frozenset({Reason.NOT_ENABLED.code, Reason.NOT_ENGAGED.code})
_BEFORE = frozenset(
    reason.code
    for reason in (
        *(Reason.NONE, Reason.PAUSED, Reason.CLUTCHED, Reason.ALIGNING, Reason.SETTLING, Reason.MASTER_LATE),
        *(Reason.DEADMAN_RELEASED, Reason.DEADMAN_STALE, Reason.MASTER_RECOVERING),
        *(Reason.ESTOP, Reason.TRACKING_ERROR, Reason.ARM_FAULT, Reason.INTERNAL),
    )
)


class Operator:
    """Sends what the state of each pair asks for, one step at a time.

    What a person asked for is not undone: a pair that was released, or a controller that was disabled or
    stopped, is left alone until a person has engaged it again.

    Attributes:
        refusal: the controller's last refusal, in its words.
    """

    def __init__(self, client: RequestClient) -> None:
        """Talk to the controller through ``client``."""
        self._client = client
        self._not_before_s = 0.0
        self.refusal = ""
        self._before: dict[str, str] = {}
        self._seq = -1
        self._hands_off: set[str] = set()

    def look(self, telemetry: Telemetry, now_s: float) -> None:
        """Look at the newest telemetry and do the next thing, without waiting for its answer."""
        while (reply := self._client.receive()) is not None:
            self.refusal = reply.error
        if now_s < self._not_before_s:
            return
        for pair in telemetry.pairs:
            if pair.pair in self._hands_off:
                continue
            for op in REMEDY.get(pair.reason, ()):
                self._client.send(op, {} if op == "enable" else {"pair": pair.pair})
                self._not_before_s = now_s + _PAUSE_S

    def see(self, telemetry: Telemetry) -> None:
        """Notice what a person asked for, by what came in the tick before; call it for every message."""
        if telemetry.seq != self._seq + 1:
            self._before.clear()  # what was missed may be the cause: nobody is taken to have asked
        self._seq = telemetry.seq
        for pair in telemetry.pairs:
            if pair.teleop_state != Teleop.IDLE.value:
                self._hands_off.discard(pair.pair)
            elif pair.reason in _ASKED_FOR and self._before.get(pair.pair) in _BEFORE:
                self._hands_off.add(pair.pair)
            self._before[pair.pair] = pair.reason
