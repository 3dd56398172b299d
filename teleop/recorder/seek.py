"""Reads a recording by time: what was true ``t_s`` after its start, without reading the rest.

    seeker = Seeker(Path("run.mcap"))
    seeker.duration_s                              # s
    seeker.telemetry_at(2.5)                       # the newest telemetry at 2.5 s
    seeker.tick_at(2.5)                            # the whole tick: inputs, commands, ledger
    for t_s, told in seeker.telemetry(2.0, 4.0, every_s=0.02): ...
    seeker.events()                                # [(t_s, Event), ...]
    seeker.recording.session                       # the configuration; also fixtures, machine, damage

Times are seconds since the first recorded tick. The file's bytes stay in memory as they are on the disk
(compressed: a few MB a minute); of the chunks, only those last asked for are expanded. Files that were cut
or never closed are read as far as they go: see ``seeker.recording.damage``.
"""

from __future__ import annotations

import struct
from bisect import bisect_left, bisect_right
from collections import OrderedDict
from collections.abc import Collection, Iterator
from itertools import pairwise
from pathlib import Path

import msgspec

from teleop.recorder import schemas, text
from teleop.recorder.read import Filing, Recording, RecordingReadError, read_bytes
from teleop.recorder.walk import expand, walk
from teleop.wire.messages import Event, Telemetry
from teleop.wire.record import TickRecord

_TIMES = struct.Struct("<QQ")
_KEPT_CHUNKS = 64
_NS = 1e-9

_Messages = dict[str, list[tuple[int, bytes]]]


class _Chunk(msgspec.Struct, frozen=True):
    start_ns: int
    end_ns: int
    body: bytes
    at: int


class Seeker(Filing):
    """A recording read by time.

    Attributes:
        recording: attachments, metadata and damage of the file, without its messages.
        start_ns: log time of the first message, ns since 1970.
        end_ns: log time of the last one.
    """

    def __init__(self, path: Path) -> None:
        """Open a file.

        Raises:
            RecordingReadError: the file cannot be opened, is no MCAP file, or holds no tick.
        """
        super().__init__(Recording(path))
        self._chunks: list[_Chunk] = []
        self._kept: OrderedDict[int, _Messages] = OrderedDict()
        walk(read_bytes(path), self, self.recording.damage)
        if any(b.start_ns < a.start_ns or b.end_ns < b.start_ns for a, b in pairwise(self._chunks)):
            self._chunks = self._timed_by_messages()
        if not self._chunks:
            raise RecordingReadError(f"{path}: there is no tick in it")
        self._starts = [chunk.start_ns for chunk in self._chunks]
        self.start_ns, self.end_ns = self._starts[0], max(chunk.end_ns for chunk in self._chunks)

    def take_chunk(self, body: bytes, at: int) -> None:
        """File a chunk under its times."""
        if len(body) >= _TIMES.size:
            start_ns, end_ns = _TIMES.unpack_from(body)
            if end_ns:  # a chunk without messages says 0
                self._chunks.append(_Chunk(start_ns, end_ns, body, at))

    @property
    def duration_s(self) -> float:
        """From the first message to the last, s."""
        return (self.end_ns - self.start_ns) * _NS

    def telemetry_at(self, t_s: float) -> Telemetry | None:
        """The newest telemetry at ``t_s``; ``None`` before the first."""
        found = self._newest(schemas.TELEMETRY, t_s)
        return None if found is None else text.decode_telemetry(found[1])

    def tick_at(self, t_s: float) -> TickRecord | None:
        """The newest tick at ``t_s``, without its telemetry; ``None`` before the first."""
        found = self._newest(schemas.TICK, t_s)
        return None if found is None else text.decode_tick(found[1])

    def telemetry(
        self, from_s: float = 0.0, to_s: float | None = None, *, every_s: float = 0.0
    ) -> Iterator[tuple[float, Telemetry]]:
        """Telemetry and its time, ``from_s`` to ``to_s``, thinned to one per ``every_s``."""
        due_s = from_s
        for t_s, data in self._between(schemas.TELEMETRY, from_s, to_s):
            if t_s >= due_s:
                yield t_s, text.decode_telemetry(data)
                due_s = t_s + every_s - 1e-6

    def ticks_with(self, ops: Collection[str]) -> Iterator[tuple[float, TickRecord]]:
        """Ticks in which one of ``ops`` was asked of the controller; others are not decoded."""
        words = [f'"{op}"'.encode() for op in ops]
        for t_s, data in self._between(schemas.TICK, 0.0, None):
            if any(word in data for word in words):
                tick = text.decode_tick(data)
                if any(entry.request.op in ops for entry in tick.requests):
                    yield t_s, tick

    def events(self, from_s: float = 0.0, to_s: float | None = None) -> list[tuple[float, Event]]:
        """Events and their times, ``from_s`` to ``to_s``."""
        return [(t_s, text.decode_event(data)) for t_s, data in self._between(schemas.EVENT, from_s, to_s)]

    def _timed_by_messages(self) -> list[_Chunk]:
        """The sound chunks, their times as their messages say: no checksum covers those of a chunk."""
        timed = []
        for chunk in self._chunks:
            records = expand(chunk.body)
            times = [] if records is None else [ns for _, ns, _ in self._topics.messages(records)]
            if times:
                timed.append(_Chunk(times[0], times[-1], chunk.body, chunk.at))
            else:
                self.recording.damage.bad_chunks += 1
                self.recording.damage.note(chunk.at)
        return timed

    def _ns(self, t_s: float) -> int:
        return self.start_ns + round(t_s / _NS)

    def _newest(self, topic: str, t_s: float) -> tuple[int, bytes] | None:
        at_ns = self._ns(t_s)
        for index in range(bisect_right(self._starts, at_ns) - 1, -1, -1):
            messages = self._messages(index).get(topic, [])
            place = bisect_right(messages, at_ns, key=lambda message: message[0])
            if place:
                return messages[place - 1]
        return None

    def _between(self, topic: str, from_s: float, to_s: float | None) -> Iterator[tuple[float, bytes]]:
        begin, end = self._ns(from_s), self.end_ns if to_s is None else self._ns(to_s)
        # Chunks follow each other, so none before the last that begins before `begin` reaches up to it.
        first = max(0, bisect_left(self._starts, begin) - 1)
        for index in range(first, len(self._chunks)):
            if self._chunks[index].start_ns > end:
                return
            for log_ns, data in self._messages(index).get(topic, ()):
                if begin <= log_ns <= end:
                    yield (log_ns - self.start_ns) * _NS, data

    def _messages(self, index: int) -> _Messages:
        """The messages of a chunk by topic; none where it is damaged, which is noted."""
        if index in self._kept:
            self._kept.move_to_end(index)
            return self._kept[index]
        chunk = self._chunks[index]
        messages: _Messages = {}
        for topic, log_ns, data in self.messages_of(chunk.body, chunk.at):
            messages.setdefault(topic, []).append((log_ns, data))
        self._kept[index] = messages
        if len(self._kept) > _KEPT_CHUNKS:
            self._kept.popitem(last=False)
        return messages
