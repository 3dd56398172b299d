"""Writes ticks into an MCAP file: JSON with schemas, zstd, chunks of 64 KiB, each in the file at once."""

from __future__ import annotations

import errno
import time
from pathlib import Path
from typing import Any

import msgspec
from mcap.data_stream import RecordBuilder
from mcap.records import DataEnd, Footer
from mcap.writer import MCAP0_MAGIC, CompressionType, Writer

from teleop.recorder import schemas, text
from teleop.recorder.sink import RecordingError, Sink
from teleop.wire.messages import Event, Telemetry
from teleop.wire.record import TickRecord

FORMAT = "1"
CHUNK_BYTES = 64 * 1024
SYNC_EVERY_S = 1.0
POSE_EVERY_TICKS = 20
"""Poses for Foxglove's panels are thinned to 50 Hz: the ticks beside them have each one."""

_LOG_LEVEL = {"state": 2, "alarm": 4}
_NS = 1_000_000_000


class RecordingWriter:
    """One recording.

    Attributes:
        ticks: ticks written.
        dropped: ticks missing between those written, by their ``seq``.
    """

    def __init__(self, path: Path) -> None:
        """Create the file.

        Raises:
            RecordingError: it cannot be created, or holds something already.
        """
        self._sink = Sink(path)
        self._mcap = Writer(self._sink, chunk_size=CHUNK_BYTES, compression=CompressionType.ZSTD)  # type: ignore[arg-type]
        self._mcap.start(profile="", library=f"trocar {FORMAT}")
        self._channels = {
            topic: self._mcap.register_channel(
                topic, "json", self._mcap.register_schema(name, "jsonschema", schemas.struct_schema(struct))
            )
            for topic, (name, struct) in schemas.STRUCTS.items()
        }
        self._pose_schema = self._mcap.register_schema(
            schemas.POSE_SCHEMA, "jsonschema", schemas.schema(schemas.POSE_SCHEMA)
        )
        log_schema = self._mcap.register_schema(
            schemas.LOG_SCHEMA, "jsonschema", schemas.schema(schemas.LOG_SCHEMA)
        )
        self._channels[schemas.LOG] = self._mcap.register_channel(schemas.LOG, "json", log_schema)
        self.ticks = self.dropped = 0
        self._next_seq: int | None = None
        self._wall_ns = 0
        self._synced_s = time.monotonic()
        self._commit()

    @property
    def path(self) -> Path:
        """The file."""
        return self._sink.path

    @property
    def size(self) -> int:
        """Bytes in the file."""
        return self._sink.committed

    def attach(self, name: str, media_type: str, data: bytes) -> None:
        """Add an attachment."""
        now_ns = time.time_ns()
        self._mcap.add_attachment(now_ns, now_ns, name, media_type, data)
        self._commit()

    def metadata(self, name: str, values: dict[str, str]) -> None:
        """Add named facts."""
        self._mcap.add_metadata(name, values)
        self._commit()

    def add(self, record: TickRecord) -> None:
        """Add one tick; it is in the file when its chunk is full.

        Raises:
            RecordingError: the system refuses; the file ends with the last chunk that fitted.
        """
        if self._next_seq is None:
            self._wall_ns = _wall_offset_ns(record.now_ns)
            self.metadata("trocar.clock", {"unix_minus_monotonic_ns": str(self._wall_ns)})
        else:
            self.dropped += max(0, record.seq - self._next_seq)
        self._next_seq = record.seq + 1
        telemetry, events = record.telemetry, record.events
        log_ns = record.now_ns + self._wall_ns
        self._message(schemas.TICK, text.encode_tick(record), log_ns, record.seq)
        if telemetry is not None:
            self._message(schemas.TELEMETRY, text.encode(telemetry), log_ns, telemetry.seq)
            if record.tick % POSE_EVERY_TICKS == 1:
                self._poses(telemetry, log_ns)
        for event in events:
            self._message(schemas.EVENT, text.encode(event), log_ns, event.seq)
            self._message(schemas.LOG, _log(event, log_ns), log_ns, event.seq)
        self.ticks += 1
        if self._sink.tell() > self._sink.committed:
            self._commit()

    def _message(self, topic: str, data: bytes, log_ns: int, seq: int) -> None:
        self._mcap.add_message(self._channels[topic], log_ns, data, log_ns, seq & 0xFFFF_FFFF)

    def _poses(self, telemetry: Telemetry, log_ns: int) -> None:
        for pair in telemetry.pairs:
            for what, p, quat in (
                ("desired", pair.p_desired_m, pair.quat_desired_xyzw),
                ("command", pair.p_command_m, pair.quat_command_xyzw),
            ):
                topic = f"{pair.pair}/{what}"
                if topic not in self._channels:
                    self._channels[topic] = self._mcap.register_channel(topic, "json", self._pose_schema)
                position, orientation = dict(zip("xyz", p, strict=True)), dict(zip("xyzw", quat, strict=True))
                pose = {"position": position, "orientation": orientation}
                body = {"timestamp": _stamp(log_ns), "frame_id": "world", "pose": pose}
                self._message(topic, msgspec.json.encode(body), log_ns, telemetry.seq)

    def flush(self) -> None:
        """Put an unfinished chunk into the file: for when nothing comes any more."""
        self._mcap.flush()  # type: ignore[no-untyped-call]
        self._commit()

    def _commit(self) -> None:
        try:
            self._sink.commit()
            if time.monotonic() - self._synced_s > SYNC_EVERY_S:
                self._sink.sync()
                self._synced_s = time.monotonic()
        except OSError as error:
            self._seal()
            full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
            why = "there is no more room for it" if full else f"{error.strerror}"
            raise RecordingError(
                f"the recording {self.path} ends after {self.size} bytes: {why} ({error.strerror}). "
                "What is in it can be replayed. The session goes on without it"
            ) from error

    def _seal(self) -> None:
        """Give a file whose writing failed an end that readers know, in the room that rolling back left."""
        end = RecordBuilder()
        DataEnd(0).write(end)
        Footer(summary_start=0, summary_offset_start=0, summary_crc=0).write(end)
        self._sink.write(bytes(end.end()) + MCAP0_MAGIC)  # type: ignore[no-untyped-call]
        try:
            self._sink.commit()
        except OSError:
            pass  # no room even for that: readers of damaged files find the chunks
        self._sink.close()

    def finish(self, facts: dict[str, str]) -> None:
        """Write the index and close.

        Args:
            facts: for the metadata ``trocar.end``; a file without it was not closed in order.
        """
        self._mcap.add_metadata("trocar.end", facts)
        self._mcap.finish()  # type: ignore[no-untyped-call]
        self._commit()
        self._sink.sync()
        self._sink.close()


def _wall_offset_ns(now_ns: int) -> int:
    """Unix time minus the sender's monotonic clock, which is ours on one host."""
    own = time.time_ns() - time.monotonic_ns()
    of_other_host = abs(time.monotonic_ns() - now_ns) > 60 * _NS
    return time.time_ns() - now_ns if of_other_host else own


def _stamp(ns: int) -> dict[str, int]:
    return {"sec": ns // _NS, "nsec": ns % _NS}


def _log(event: Event, log_ns: int) -> bytes:
    data: dict[str, Any] = event.data
    sentence = f"{event.state} {event.teleop_state} {data.get('sentence', '')} {data.get('detail', '')}"
    body = {
        "timestamp": _stamp(log_ns),
        "level": _LOG_LEVEL.get(event.kind, 2),
        "message": " ".join(sentence.split()),
        "name": str(data.get("pair", "")),
        "file": event.kind,
        "line": 0,
    }
    return msgspec.json.encode(body)
