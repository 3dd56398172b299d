"""Reads recordings: whole ones, cut ones and damaged ones, as much of them as there is.

Records are walked one by one from the start, not by the index at the end, so a file that was never closed
reads up to its last whole chunk. A chunk whose checksum fails is left out; after bytes that are no record,
reading goes on at the next chunk that can be found. What is missing is told.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any

import zstandard
from mcap.data_stream import ReadDataStream
from mcap.opcode import Opcode
from mcap.records import Attachment, Channel, Chunk, Message, Metadata

from teleop.errors import TrocarError
from teleop.recorder import schemas, text
from teleop.recorder.luggage import FIELDS_JSON, MACHINE_JSON, SESSION_JSON
from teleop.wire.messages import Event, Telemetry
from teleop.wire.record import TickRecord

MAGIC = b"\x89MCAP0\r\n"
_HEAD = struct.Struct("<BQ")
_CHUNK_MAX = 64 * 1024 * 1024
_EXPANDED_MAX = 256 * 1024 * 1024


class RecordingReadError(TrocarError):
    """A file that holds no recording."""


@dataclass(slots=True)
class Damage:
    """What is wrong with a file.

    Attributes:
        truncated: the file ends within a record or without its footer: nobody closed it, or it was cut.
        lost_bytes: bytes that belong to no readable record.
        bad_chunks: chunks whose content does not fit their checksum or does not expand.
        bad_messages: messages that are not what their channel says.
        first_at: where in the file the first of these is, byte; -1 without any.
    """

    truncated: bool = False
    lost_bytes: int = 0
    bad_chunks: int = 0
    bad_messages: int = 0
    first_at: int = -1

    def note(self, at: int) -> None:
        """Remember the first place."""
        if self.first_at < 0:
            self.first_at = at

    def __bool__(self) -> bool:
        """Whether anything is wrong."""
        return self.truncated or bool(self.lost_bytes or self.bad_chunks or self.bad_messages)

    def sentences(self) -> list[str]:
        """For people."""
        said = []
        if self.truncated:
            said.append("the file was not closed: the recorder was killed, or the file was cut")
        if self.bad_chunks:
            said.append(f"{self.bad_chunks} chunks are damaged and left out")
        if self.lost_bytes:
            said.append(f"{self.lost_bytes} bytes belong to nothing that can be read")
        if self.bad_messages:
            said.append(f"{self.bad_messages} messages are damaged and left out")
        if said and self.first_at >= 0:
            said[-1] += f"; the first damage is at byte {self.first_at}"
        return said


@dataclass(slots=True)
class Recording:
    """A recording in memory, its messages still as bytes.

    Attributes:
        path: the file.
        attachments: by name.
        metadata: by name.
        messages: by topic: log time (ns since 1970) and JSON, in the order of the file.
        damage: what is wrong with the file.
    """

    path: Path
    attachments: dict[str, bytes] = field(default_factory=dict)
    metadata: dict[str, dict[str, str]] = field(default_factory=dict)
    messages: dict[str, list[tuple[int, bytes]]] = field(default_factory=dict)
    damage: Damage = field(default_factory=Damage)

    def ticks(self) -> Iterator[TickRecord]:
        """The ticks, damaged ones left out and counted."""
        for _, data in self.messages.get(schemas.TICK, ()):
            try:
                yield text.decode_tick(data)
            except text.DamagedError:
                self.damage.bad_messages += 1

    def telemetry(self) -> Iterator[Telemetry]:
        """The telemetry, damaged messages left out and counted."""
        for _, data in self.messages.get(schemas.TELEMETRY, ()):
            try:
                yield text.decode_telemetry(data)
            except text.DamagedError:
                self.damage.bad_messages += 1

    def events(self) -> Iterator[Event]:
        """The events, damaged ones left out and counted."""
        for _, data in self.messages.get(schemas.EVENT, ()):
            try:
                yield text.decode_event(data)
            except text.DamagedError:
                self.damage.bad_messages += 1

    @property
    def session(self) -> dict[str, Any]:
        """The configuration, see :func:`teleop.recorder.luggage.pack`."""
        return self._json(SESSION_JSON)

    @property
    def machine(self) -> dict[str, Any]:
        """What recorded it, see :func:`teleop.recorder.luggage.machine`."""
        return self._json(MACHINE_JSON)

    @property
    def fields(self) -> dict[str, Any]:
        """Hashes of the baked fields by fixture; empty if the file has none."""
        return self._json(FIELDS_JSON) if FIELDS_JSON in self.attachments else {}

    def _json(self, name: str) -> dict[str, Any]:
        if name not in self.attachments:
            raise RecordingReadError(
                f"{self.path}: the attachment {name} is missing: this is no recording of Trocar, or its "
                "beginning is lost"
            )
        try:
            value: dict[str, Any] = json.loads(self.attachments[name])
        except ValueError as error:
            raise RecordingReadError(f"{self.path}: the attachment {name} is damaged: {error}") from error
        return value


def read_recording(path: Path) -> Recording:
    """Read a file, whatever its state.

    Raises:
        RecordingReadError: the file cannot be opened, or is no MCAP file at all.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise RecordingReadError(f"{path}: cannot be read: {error.strerror}") from error
    if not data.startswith(MAGIC):
        what = "is empty" if not data else "does not begin as an MCAP file does"
        raise RecordingReadError(f"{path}: {what}; expected a recording made with --record")
    recording = Recording(path)
    _Walk(data, recording).run()
    return recording


class _Walk:
    """One pass over the bytes of a file."""

    def __init__(self, data: bytes, recording: Recording) -> None:
        self._data = data
        self._recording = recording
        # Every recording begins with these, so they are known even where its first chunk is damaged.
        self._topics = dict(enumerate(schemas.STRUCTS, 1))

    def run(self) -> None:
        data, damage = self._data, self._recording.damage
        at = len(MAGIC)
        while at + _HEAD.size <= len(data):
            opcode, length = _HEAD.unpack_from(data, at)
            end = at + _HEAD.size + length
            if not 1 <= opcode <= Opcode.DATA_END or end > len(data):
                rest = self._next_chunk(at + 1)
                damage.note(at)
                if rest < 0:
                    damage.lost_bytes += len(data) - at
                    damage.truncated = True
                    return
                damage.lost_bytes += rest - at
                at = rest
                continue
            if opcode == Opcode.FOOTER:
                damage.truncated = data[end:] != MAGIC
                return
            self._take(opcode, data[at + _HEAD.size : end], at)
            at = end
        damage.note(at)
        damage.lost_bytes += len(data) - at
        damage.truncated = True

    def _next_chunk(self, start: int) -> int:
        """Where the next chunk that is in order begins, or -1."""
        at = start
        while (at := self._data.find(b"zstd", at)) >= 0:
            # opcode, length, two times, size, checksum, length of the compression's name, its name
            begin = at - 4 - 4 - 8 - 8 - 8 - _HEAD.size
            if begin >= start:
                opcode, length = _HEAD.unpack_from(self._data, begin)
                body = self._data[begin + _HEAD.size : begin + _HEAD.size + length]
                if opcode == Opcode.CHUNK and len(body) == length and _expand(body) is not None:
                    return begin
            at += 1
        return -1

    def _take(self, opcode: int, body: bytes, at: int) -> None:
        recording = self._recording
        if opcode == Opcode.CHUNK:
            records = _expand(body)
            if records is None:
                recording.damage.bad_chunks += 1
                recording.damage.note(at)
            else:
                self._messages(records)
            return
        try:
            if opcode == Opcode.ATTACHMENT:
                attachment = Attachment.read(ReadDataStream(BytesIO(body)))
                if _attachment_sound(body):
                    recording.attachments[attachment.name] = attachment.data
                else:
                    recording.damage.bad_messages += 1
                    recording.damage.note(at)
            elif opcode == Opcode.METADATA:
                metadata = Metadata.read(ReadDataStream(BytesIO(body)))
                recording.metadata[metadata.name] = metadata.metadata
        except Exception:  # mcap raises what it happens to meet in damaged bytes
            recording.damage.bad_messages += 1
            recording.damage.note(at)

    def _messages(self, records: bytes) -> None:
        """The channels and messages of one chunk, known to be as they were written."""
        messages, topics = self._recording.messages, self._topics
        at = 0
        while at + _HEAD.size <= len(records):
            opcode, length = _HEAD.unpack_from(records, at)
            at += _HEAD.size
            if opcode == Opcode.MESSAGE:
                message = Message.read(ReadDataStream(BytesIO(records[at : at + length])), length)
                topic = topics.get(message.channel_id)
                if topic is not None:
                    messages.setdefault(topic, []).append((message.log_time, message.data))
            elif opcode == Opcode.CHANNEL:
                channel = Channel.read(ReadDataStream(BytesIO(records[at : at + length])))
                topics[channel.id] = channel.topic
            at += length


def _expand(body: bytes) -> bytes | None:
    """The records in a chunk; ``None`` where it is damaged."""
    try:
        chunk = Chunk.read(ReadDataStream(BytesIO(body)))
        if chunk.uncompressed_size > _EXPANDED_MAX or len(body) > _CHUNK_MAX:
            return None
        if chunk.compression == "zstd":
            records = zstandard.ZstdDecompressor().decompress(chunk.data, chunk.uncompressed_size)
        elif not chunk.compression:
            records = chunk.data
        else:
            return None
    except Exception:  # damaged bytes: mcap and zstandard raise what they happen to meet
        return None
    sound = len(records) == chunk.uncompressed_size and (
        not chunk.uncompressed_crc or zlib.crc32(records) == chunk.uncompressed_crc
    )
    return records if sound else None


def _attachment_sound(body: bytes) -> bool:
    """Whether an attachment's checksum fits; 0 says that there is none."""
    (checksum,) = struct.unpack_from("<I", body, len(body) - 4)
    return checksum in (0, zlib.crc32(body[:-4]))
