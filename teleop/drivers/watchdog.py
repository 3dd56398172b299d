"""The policy on silence, PROTOCOL.md's last paragraph: late, then hold, then disable."""

from __future__ import annotations

import enum

HOLD_AFTER_S = 0.020
"""Silence after which the driver holds at the end of the stop and wants to be engaged again."""
DISABLE_AFTER_S = 0.100
"""Silence after which the driver disables itself and wants to be armed again."""
LATE_PERIODS = 1.5
"""Silence that is called a missing command. Only the reason shown depends on it: the stop runs anyway."""


class Silence(enum.IntEnum):
    """How long nothing was executed."""

    FRESH = 0
    LATE = 1
    HOLD = 2
    DISABLE = 3


class Watchdog:
    """Counts time since the last command that was executed.

    Attributes:
        streaming: a stream of commands has begun. Before it has, there is no motion to hold, and the
            controller has the full ``DISABLE_AFTER_S`` to send its first command.
    """

    def __init__(self, period_s: float) -> None:
        """Watch commands that should come every ``period_s``."""
        self._late_s = LATE_PERIODS * period_s
        self._fed_ns = 0
        self.streaming = False

    def start(self, now_ns: int) -> None:
        """The arm was enabled or has ended a motion of its own; the stream is still to come."""
        self._fed_ns = now_ns
        self.streaming = False

    def feed(self, now_ns: int) -> None:
        """The controller lives, but the stream has not begun or is not executed for now."""
        self._fed_ns = now_ns

    def command(self, now_ns: int) -> None:
        """A command was executed."""
        self._fed_ns = now_ns
        self.streaming = True

    def check(self, now_ns: int) -> Silence:
        """What the silence so far calls for."""
        silence_s = (now_ns - self._fed_ns) * 1e-9
        if silence_s >= DISABLE_AFTER_S:
            return Silence.DISABLE
        if not self.streaming or silence_s <= self._late_s:
            return Silence.FRESH
        return Silence.HOLD if silence_s >= HOLD_AFTER_S else Silence.LATE
