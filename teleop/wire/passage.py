"""How old a message is, whatever the clocks say.

Sender and receiver may have different clocks, so age is measured against the quickest passage seen: a
message that took 3 ms longer than the quickest of the last seconds is 3 ms old. A delay that is always there
cannot be seen this way.
"""

from __future__ import annotations

_WINDOW_NS = 1_000_000_000
_STEP_NS = 20_000_000


def clock_was_set(stamps_ns: int, messages: int, early_ns: int, period_ns: int) -> bool:
    """Whether a sender's clock was set ahead between two of its messages.

    Its stamps then advance by more than 20 ms beyond what its sequence numbers say, and the message is here
    by more than 20 ms sooner after its stamp than any of late. A delay that becomes shorter brings many
    messages at once. A sender that slept skips stamps, but is no sooner than it was; neither is one that
    slept while its last message was under way, as where a whole machine stood still.

    Args:
        stamps_ns: from one stamp to the other.
        messages: from one sequence number to the other.
        early_ns: how much quicker than the quickest passage of late the second one seems.
        period_ns: nominal time between messages.
    """
    return min(stamps_ns - messages * period_ns, early_ns) > _STEP_NS


def numbers_jumped(stamps_ns: int, messages: int, arrivals_ns: int, period_ns: int) -> bool:
    """Whether sequence numbers grew by more than a sender can have sent in the time that passed.

    Twice the nominal rate, and 20 ms, are more than any sender of the stream is ahead.

    Args:
        stamps_ns: from one stamp to the other.
        messages: from one sequence number to the other.
        arrivals_ns: from one arrival to the other, receiver's clock.
        period_ns: nominal time between messages.
    """
    return messages * period_ns - _STEP_NS > 2 * max(stamps_ns, arrivals_ns)


class Passage:
    """Tracks the quickest passage from a sender's stamp to our clock over the last one to two seconds."""

    __slots__ = ("_candidate", "_since_ns", "best_ns")

    def __init__(self) -> None:
        """Nothing seen yet."""
        self.reset()

    def reset(self) -> None:
        """Forget; the next sample sets the baseline."""
        self.best_ns: int | None = None
        self._candidate: int | None = None
        self._since_ns = 0

    def update(self, now_ns: int, stamp_ns: int) -> None:
        """Take note of a sample stamped ``stamp_ns`` that arrived at ``now_ns``."""
        passage = now_ns - stamp_ns
        if self.best_ns is None or self._candidate is None:
            self.best_ns = self._candidate = passage
            self._since_ns = now_ns
            return
        self._candidate = min(self._candidate, passage)
        if now_ns - self._since_ns > _WINDOW_NS:
            # The best of the window that just closed replaces the baseline, so a clock that runs slowly
            # is followed, and one that was set back is believed again after at most two windows.
            self.best_ns, self._candidate, self._since_ns = self._candidate, passage, now_ns
        self.best_ns = min(self.best_ns, passage)

    def age_ns(self, now_ns: int, stamp_ns: int) -> int:
        """How much later than the quickest passage the sample is, at ``now_ns``."""
        return now_ns - stamp_ns - (self.best_ns or 0)
