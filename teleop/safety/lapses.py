"""How much of the last second was bad: late samples of a hand, missed deadlines of a loop."""

from __future__ import annotations

_BINS = 10
_BIN_NS = 100_000_000


class Lapses:
    """Sums bad time over a sliding second, in tenths of it.

    A sum of 0.05 s is "5 % per second" from the first moment on: a stream that has just begun needs no
    warm-up to be judged.

    Attributes:
        bad_s: bad time in the last 0.9 to 1 s.
    """

    def __init__(self) -> None:
        """Nothing bad yet."""
        self._sums = [0.0] * _BINS
        self._bin = 0
        self.bad_s = 0.0

    def clear(self) -> None:
        """Forget what was bad."""
        self._sums = [0.0] * _BINS
        self.bad_s = 0.0

    def update(self, now_ns: int, bad_s: float) -> None:
        """Take note of ``bad_s`` seconds that were bad just before ``now_ns``; call it in every tick."""
        current = now_ns // _BIN_NS
        if current != self._bin:
            for k in range(self._bin + 1, min(current, self._bin + _BINS) + 1):
                self._sums[k % _BINS] = 0.0
            self._bin = current
        elif bad_s == 0.0:
            return
        self._sums[current % _BINS] += bad_s
        self.bad_s = sum(self._sums)
