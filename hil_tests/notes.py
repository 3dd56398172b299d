"""What was seen of a running stack, message by message, until it is judged."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

# What is kept of a message: the notes of a long run have to fit in memory.
KEPT_TICK = (
    *("teleop_state", "reason", "arm_state", "q_command", "p_command_m", "clearance_m", "violation"),
    *("rejected", "ledger", "tracking_error_m"),
)
KEPT_STATE = ("session", "q", "state", "reason", "rejected", "echo_seq")
_FREED_AT_ONCE = 20


@dataclass(slots=True)
class Tick:
    """What the controller said of one tick; ``at_s`` is its stamp, the same clock on one host."""

    at_s: float
    tick: int
    skipped: int
    state: str
    pair: dict[str, Any]
    compute_us: float = 0.0
    lateness_us: float = 0.0


@dataclass(slots=True)
class Seen:
    """What the arm itself published; ``at_s`` is the driver's stamp, the same clock on one host."""

    at_s: float
    m: dict[str, Any]


@dataclass(slots=True)
class Notes:
    """Everything since the last cut.

    Attributes:
        ticks: of the controller.
        seen: states of the arm.
        hand: when the hand was where, s and m.
        asked: when the operator asked for what.
        gap_s: longest time in which the loop that notes, and moves the hand, did not run.
    """

    ticks: list[Tick] = field(default_factory=list)
    seen: list[Seen] = field(default_factory=list)
    hand: list[tuple[float, np.ndarray]] = field(default_factory=list)
    asked: list[tuple[float, str]] = field(default_factory=list)
    gap_s: float = 0.0

    def states(self) -> str:
        """How much of the time went to which state, for a person who asks why it did not follow."""
        counts: dict[str, int] = {}
        for tick in self.ticks:
            name = f"{tick.pair['teleop_state']} {tick.pair['reason']}"
            counts[name] = counts.get(name, 0) + 1
        shares = sorted(((n / len(self.ticks), name) for name, n in counts.items()), reverse=True)
        return ", ".join(f"{name} {100.0 * share:.0f} %" for share, name in shares)


class Attic:
    """Frees notes a few at a time: all at once takes 20 ms, in which the hand would be silent."""

    def __init__(self) -> None:
        """Nothing to free."""
        self._lists: list[list[Any]] = []

    def put(self, notes: Notes) -> None:
        """Take notes whose owner has done with them."""
        self._lists += [notes.ticks, notes.seen, notes.hand]

    def sweep(self) -> None:
        """Free some; call it in every turn of the loop."""
        while self._lists and not self._lists[-1]:
            self._lists.pop()
        if self._lists:
            del self._lists[-1][-_FREED_AT_ONCE:]
