"""Is the arm where it was told to be? Compared with the command it says it executes, not with the newest.

Over a long link the arm is right to be behind: at 0.1 m/s and a round trip of 100 ms it trails the newest
command by 10 mm without any error.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

_LENGTH = 512
# The oldest command that an echo may name; above 300 ms of round trip nothing is followed anyway.
_OLDEST_NS = 400_000_000
# A command is stamped with the deadline of its tick; the tick itself began less than a period later.
_LATE_NS = 999_999


class SentCommands:
    """The joint positions commanded lately, by the time they were sent."""

    def __init__(self, n: int) -> None:
        """Room for half a second of an arm of ``n`` joints."""
        self._q = np.zeros((_LENGTH, n))
        self._sent_ns = [0] * _LENGTH
        self.forget()

    def forget(self) -> None:
        """Commanding begins anew."""
        self._count = 0
        self._at = 0

    def add(self, q: Array, now_ns: int) -> None:
        """Positions ``q``, shape (n,), go out in the tick at ``now_ns``."""
        slot = self._count % _LENGTH
        self._q[slot] = q
        self._sent_ns[slot] = now_ns
        self._count += 1

    def executed(self, echo_stamp_ns: int, now_ns: int) -> Array | None:
        """The positions of the newest command due at or before ``echo_stamp_ns``, shape (n,), a view.

        An echo that is older than 0.4 s, or none at all (0), counts as one of 0.4 s or of now.

        Args:
            echo_stamp_ns: stamp of the last command that the arm executed; 0 if it does not say.
            now_ns: clock of the tick.
        """
        if not self._count:
            return None
        until_ns = max(echo_stamp_ns, now_ns - _OLDEST_NS) + _LATE_NS if echo_stamp_ns else now_ns
        self._at = max(self._at, self._count - _LENGTH)
        while self._at + 1 < self._count and self._sent_ns[(self._at + 1) % _LENGTH] <= until_ns:
            self._at += 1
        view: Array = self._q[self._at % _LENGTH]
        return view
