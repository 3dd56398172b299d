"""The pure core: which message is delivered when. No clock, no socket; randomness from a seed."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass

from teleop.impair.spec import NOTHING, Impairment
from teleop.impair.stamps import shift_stamps

_MS = 1_000_000
_COPY_MS = 5.0


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message on its way; ``due_ns`` is on the clock of the offers."""

    due_ns: int
    data: bytes


class Link:
    """One direction of one stream.

    Attributes:
        impairment: what it does now; may be replaced at any time.
        counts: offered, delivered, lost, outage, queue, duplicated, reordered, corrupted, bytes.
        delay_ms: sum over deliveries.
    """

    def __init__(self, impairment: Impairment = NOTHING, seed: int = 0) -> None:
        """A link on which nothing is under way."""
        self.impairment = impairment
        self.counts: Counter[str] = Counter()
        self.delay_ms = 0.0
        self._random = random.Random(seed)
        self._lose_next = 0  # messages still to be lost of the present burst
        self._last_due_ns = 0
        self._free_ns = 0  # when the wire will have carried what waits
        self._begin_ns: int | None = None
        self._outage: tuple[int, int] | None = None  # begin and end of the outage that is or comes

    def offer(self, now_ns: int, data: bytes) -> list[Delivery]:
        """A message enters; what comes out and when, in order of ``due_ns``: none, one or two deliveries."""
        spec, random_ = self.impairment, self._random
        self._begin_ns = now_ns if self._begin_ns is None else self._begin_ns
        self.counts["offered"] += 1
        if spec.outage or self._in_outage(now_ns):
            self.counts["outage"] += 1
            return []
        if self._lost():
            self.counts["lost"] += 1
            return []
        waited_ns = self._carry(now_ns, len(data))
        if waited_ns is None:
            self.counts["queue"] += 1
            return []
        if spec.clock_skew_ms or spec.clock_drift_ppm:
            skew_ms = spec.clock_skew_ms + (now_ns - self._begin_ns) * 1e-12 * spec.clock_drift_ppm
            data = shift_stamps(data, round(skew_ms * _MS))
        if spec.corrupt and random_.random() < spec.corrupt:
            self.counts["corrupted"] += 1
            data = self._corrupt(data)
        due_ns = now_ns + waited_ns + round(self._delay_ms() * _MS)
        if spec.reorder and random_.random() < spec.reorder:
            self.counts["reordered"] += 1
            due_ns += round(spec.reorder_ms * _MS)  # later ones are not made to wait for it
        elif spec.ordered:
            due_ns = max(due_ns, self._last_due_ns)
            self._last_due_ns = due_ns
        out = [Delivery(due_ns, data)]
        if spec.duplicate and random_.random() < spec.duplicate:
            self.counts["duplicated"] += 1
            out.append(Delivery(due_ns + round(random_.uniform(0.0, _COPY_MS) * _MS), data))
        for delivery in out:
            self.counts["delivered"] += 1
            self.counts["bytes"] += len(data)
            self.delay_ms += (delivery.due_ns - now_ns) / _MS
        return out

    def _lost(self) -> bool:
        """Bursts of ``L`` lost messages, mean ``burst``, so spaced that the share lost is ``loss``.

        Between bursts each message begins one with probability ``p = loss / (burst (1 - loss) + loss)``: with
        geometric lengths this is the chain of Gilbert and Elliott whose bad state loses everything.
        """
        spec = self.impairment
        if self._lose_next > 0:
            self._lose_next -= 1
            return spec.loss > 0.0
        if not spec.loss:
            return False
        begin = spec.loss / (spec.burst * (1.0 - spec.loss) + spec.loss)
        # A burst that follows another at once is the same burst to those who count; the share stays right.
        if self._random.random() >= begin:
            return False
        self._lose_next = self._length(spec.burst, spec.burst_shape) - 1
        return True

    def _length(self, mean: float, shape: float | None) -> int:
        if mean == 1.0:
            return 1
        if shape is None:
            length = 1
            while self._random.random() >= 1.0 / mean:
                length += 1
            return length
        # Pareto with this mean: least value mean (shape - 1) / shape. Rounded at random.
        drawn = mean * (shape - 1.0) / shape * self._random.paretovariate(shape)
        whole = int(drawn)
        return min(max(1, whole + (self._random.random() < drawn - whole)), 100_000)

    def _in_outage(self, now_ns: int) -> bool:
        spec = self.impairment
        if not spec.outage_share:
            self._outage = None
            return False
        while self._outage is None or now_ns >= self._outage[1]:
            after = now_ns if self._outage is None else self._outage[1]
            up_ms = min(0.5 * spec.outage_max_ms * (1.0 - spec.outage_share) / spec.outage_share, 1e12)
            begin = after + round(up_ms * _MS)
            self._outage = begin, begin + round(self._random.uniform(0.0, spec.outage_max_ms) * _MS)
        return now_ns >= self._outage[0]

    def _carry(self, now_ns: int, size: int) -> int | None:
        """Time until the wire has carried a message of ``size`` bytes, ns; ``None`` if its queue is full."""
        spec = self.impairment
        if not spec.bandwidth_kbit_s:
            return 0
        begin = max(now_ns, self._free_ns)
        bits_per_ns = spec.bandwidth_kbit_s * 1e-6
        if (begin - now_ns) * bits_per_ns / 8.0 + size > spec.queue_kb * 1024.0:
            return None
        self._free_ns = begin + round(size * 8.0 / bits_per_ns)
        return self._free_ns - now_ns

    def _delay_ms(self) -> float:
        spec, random_ = self.impairment, self._random
        delay = spec.delay_ms + (random_.uniform(0.0, spec.jitter_ms) if spec.jitter_ms else 0.0)
        if spec.tail is not None:
            rate = random_.choices(spec.tail.rates_per_ms, spec.tail.weights)[0]
            delay += random_.expovariate(rate)
        return delay

    def _corrupt(self, data: bytes) -> bytes:
        broken = bytearray(data)
        for _ in range(self._random.randint(1, 4)):
            if broken:
                broken[self._random.randrange(len(broken))] ^= self._random.randint(1, 255)
        return bytes(broken)
