"""Three questions to an input: is it alive, is its rate right, does its sender call it valid?

Pure: the caller gives the time, so a recorded session asks and answers the same again.
"""

from __future__ import annotations

import enum
from collections import Counter, deque
from dataclasses import dataclass

from teleop.wire.messages import Header
from teleop.wire.passage import Passage, clock_was_set, numbers_jumped

RATE_WINDOW_S = 0.1
RATE_WINDOW_MIN = 8
RATE_TOLERANCE = 0.2


class Verdict(enum.Enum):
    """What became of a message, by its header alone."""

    ACCEPTED = "accepted"
    NEW_SESSION = "new_session"
    DUPLICATE = "duplicate"
    OUT_OF_ORDER = "out_of_order"
    FOREIGN_SESSION = "foreign_session"
    STAMP_BACKWARD = "stamp_backward"
    CLOCK_STEP = "clock_step"
    SEQ_JUMP = "seq_jump"

    # Counted by the thousand: the hash of an Enum is a call into Python, that of an object is not.
    __hash__ = object.__hash__

    @property
    def admitted(self) -> bool:
        """The message counts. ``NEW_SESSION``: it restarted or set its clock, and what it began is void."""
        return self in (Verdict.ACCEPTED, Verdict.NEW_SESSION)


@dataclass(frozen=True, slots=True)
class Health:
    """The answers at one instant.

    Attributes:
        alive: the newest content is younger than the limit.
        rate_ok: messages reach us at the nominal rate, within 20 %.
        valid: the sender called the newest content valid.
        age_ns: age of the newest content, beyond the quickest passage; ``None`` before the first message.
        rate_hz: messages a second that reached us lately; 0 before the second message.
    """

    alive: bool
    rate_ok: bool
    valid: bool
    age_ns: int | None
    rate_hz: float


class InputMonitor:
    """Judges the messages of one stream by their headers, and tells the health of the stream.

    The first session heard is believed until it is silent for longer than ``alive_within_s``; any other is
    foreign until then. A sender whose clock was set, back or more than 20 ms ahead, or whose numbers jumped,
    is refused as long; then it begins anew, as if it had restarted. So one damaged header, whatever is in
    it, costs a stream ``alive_within_s`` at most.

    Attributes:
        counts: messages by verdict.
        missing: messages that never came, by gaps in ``seq``; a conflated stream drops some by design.
        session: the session believed now; ``None`` before the first message.
    """

    def __init__(self, rate_hz: float, alive_within_s: float) -> None:
        """Start with nothing heard.

        Args:
            rate_hz: nominal rate of the stream.
            alive_within_s: age above which the input counts as dead.
        """
        self.counts: Counter[Verdict] = Counter()
        self.missing = 0
        self.session: bytes | None = None
        self._passage = Passage()
        self._rate_hz = rate_hz
        self._period_ns = round(1e9 / rate_hz)
        self._alive_within_ns = round(alive_within_s * 1e9)
        window = max(RATE_WINDOW_MIN, round(RATE_WINDOW_S * rate_hz))
        self._arrivals_ns: deque[int] = deque(maxlen=window + 1)
        self._seq = -1
        self._stamp_ns = 0
        self._valid = False

    def observe(
        self, header: Header, now_ns: int, *, valid: bool = True, judged: Verdict | None = None
    ) -> Verdict:
        """Judge and count one message.

        Args:
            header: the message.
            now_ns: receiver's monotonic clock.
            valid: what the sender says of the content.
            judged: what :meth:`judge` has just said of it, if it was asked.
        """
        verdict = self.judge(header, now_ns) if judged is None else judged
        self.counts[verdict] += 1
        if not verdict.admitted:
            return verdict
        if verdict is Verdict.NEW_SESSION:
            self.session = header.session
            self._arrivals_ns.clear()
            self._passage.reset()
        else:
            self.missing += header.seq - self._seq - 1
        self._arrivals_ns.append(now_ns)
        self._seq = header.seq
        self._stamp_ns = header.stamp_ns
        self._valid = valid
        self._passage.update(now_ns, header.stamp_ns)
        return verdict

    def judge(self, header: Header, now_ns: int) -> Verdict:
        """What :meth:`observe` would say of a message; changes nothing."""
        verdict = self._verdict(header, now_ns)
        if verdict in (Verdict.ACCEPTED, Verdict.DUPLICATE) or not self._silent(now_ns):
            return verdict
        # Nothing was admitted for so long that what was believed may itself be the mistake.
        return Verdict.NEW_SESSION

    def _verdict(self, header: Header, now_ns: int) -> Verdict:
        if header.session != self.session:
            return Verdict.FOREIGN_SESSION
        if header.seq == self._seq:
            return Verdict.DUPLICATE
        if header.seq < self._seq:
            return Verdict.OUT_OF_ORDER
        if header.stamp_ns < self._stamp_ns:
            return Verdict.STAMP_BACKWARD
        if not self._arrivals_ns:
            return Verdict.ACCEPTED
        stamps_ns, messages = header.stamp_ns - self._stamp_ns, header.seq - self._seq
        early_ns = -self._passage.age_ns(now_ns, header.stamp_ns)
        if clock_was_set(stamps_ns, messages, early_ns, self._period_ns):
            return Verdict.CLOCK_STEP
        arrivals_ns = now_ns - self._arrivals_ns[-1]
        if numbers_jumped(stamps_ns, messages, arrivals_ns, self._period_ns):
            return Verdict.SEQ_JUMP
        return Verdict.ACCEPTED

    def _silent(self, now_ns: int) -> bool:
        """Whether nothing was admitted for longer than the input may be silent."""
        return not self._arrivals_ns or now_ns - self._arrivals_ns[-1] > self._alive_within_ns

    def age_ns(self, now_ns: int) -> int | None:
        """Age of the newest admitted content, see :class:`Passage`; ``None`` before the first message."""
        if self.session is None:
            return None
        return self._passage.age_ns(now_ns, self._stamp_ns)

    def passage_age_ns(self, now_ns: int, stamp_ns: int) -> int:
        """Age that a message stamped ``stamp_ns`` would have, by the quickest passage lately."""
        return self._passage.age_ns(now_ns, stamp_ns)

    def health(self, now_ns: int) -> Health:
        """The three answers at ``now_ns``."""
        age_ns = self.age_ns(now_ns)
        rate_hz = self._measured_rate_hz(now_ns)
        full = len(self._arrivals_ns) == self._arrivals_ns.maxlen
        return Health(
            alive=age_ns is not None and age_ns <= self._alive_within_ns,
            rate_ok=full and abs(rate_hz - self._rate_hz) <= RATE_TOLERANCE * self._rate_hz,
            valid=self._valid,
            age_ns=age_ns,
            rate_hz=rate_hz,
        )

    def _measured_rate_hz(self, now_ns: int) -> float:
        arrivals = self._arrivals_ns
        if len(arrivals) < 2:
            return 0.0
        # Waiting for the next message counts once it is late, so the rate of a dead input falls to zero.
        until_ns = max(arrivals[-1], now_ns - self._period_ns)
        return (len(arrivals) - 1) * 1e9 / max(1, until_ns - arrivals[0])
