"""The two state machines: CRTK operating state of the controller, teleop state of a pair.

CRTK (collaborative-robotics, "Robot operating state"): ``enable`` leads from DISABLED to ENABLED,
``pause`` only from ENABLED, PAUSED leaves by ``resume`` or ``disable``, never by ``enable``. There is no
command *to* FAULT. Stricter than CRTK: FAULT leaves only by ``reset_fault`` (to DISABLED), so that a
latched emergency stop cannot be ended by an enable that was already on its way.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field

from teleop.safety.reasons import Reason


class Operating(enum.Enum):
    """CRTK operating state."""

    DISABLED = "DISABLED"
    ENABLED = "ENABLED"
    PAUSED = "PAUSED"
    FAULT = "FAULT"


class Teleop(enum.Enum):
    """Teleop state of one master-arm pair."""

    IDLE = "IDLE"
    ALIGNING = "ALIGNING"
    FOLLOWING = "FOLLOWING"
    CLUTCHED = "CLUTCHED"
    HOLDING = "HOLDING"


_TRANSITIONS: dict[str, tuple[frozenset[Operating], Operating, str]] = {
    "enable": (
        frozenset({Operating.DISABLED, Operating.ENABLED}),
        Operating.ENABLED,
        "`enable` leads from DISABLED only; PAUSED needs `resume`, FAULT needs `reset_fault` first",
    ),
    "disable": (frozenset(Operating) - {Operating.FAULT}, Operating.DISABLED, "FAULT needs `reset_fault`"),
    "pause": (
        frozenset({Operating.ENABLED, Operating.PAUSED}),
        Operating.PAUSED,
        "`pause` leads from ENABLED only",
    ),
    "resume": (
        frozenset({Operating.ENABLED, Operating.PAUSED}),
        Operating.ENABLED,
        "`resume` leads from PAUSED only",
    ),
    "reset_fault": (
        frozenset({Operating.FAULT, Operating.DISABLED}),
        Operating.DISABLED,
        "`reset_fault` leads from FAULT only",
    ),
}


@dataclass(slots=True)
class OperatingMachine:
    """CRTK operating state and the reason for it.

    Attributes:
        state: where it is now.
        reason: why, where it is not ENABLED.
        detail: what came with the reason, e.g. who pressed the emergency stop.
    """

    state: Operating = Operating.DISABLED
    reason: Reason = Reason.NOT_ENABLED
    detail: str = ""
    ops: frozenset[str] = field(default=frozenset(_TRANSITIONS), repr=False)

    def request(self, op: str) -> str:
        """Apply one of :attr:`ops`.

        Returns:
            An empty string, or one sentence that says why it is refused in this state.
        """
        sources, target, rule = _TRANSITIONS[op]
        if self.state not in sources:
            return f"`{op}` is not possible in {self.state.value}: {rule}"
        if self.state is not target:
            self.state = target
            self.detail = ""
            self.reason = {
                Operating.DISABLED: Reason.NOT_ENABLED,
                Operating.PAUSED: Reason.PAUSED,
            }.get(target, Reason.NONE)
        return ""

    def fault(self, reason: Reason, detail: str = "") -> None:
        """Latch FAULT. The first reason stays: later ones are often consequences."""
        if self.state is not Operating.FAULT:
            self.state, self.reason, self.detail = Operating.FAULT, reason, detail
