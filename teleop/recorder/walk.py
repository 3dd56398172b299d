"""Walks over the records of an MCAP file, whole, cut or damaged, and tells what is missing.

Records are walked one by one from the start, not by the index at the end, so a file that was never closed
reads up to its last whole chunk. A chunk whose checksum fails is left out; after bytes that are no record,
reading goes on at the next chunk that can be found.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from typing import Protocol

import zstandard
from mcap.data_stream import ReadDataStream
from mcap.opcode import Opcode
from mcap.records import Attachment, Channel, Chunk, Message, Metadata

from teleop.recorder import schemas

MAGIC = b"\x89MCAP0\r\n"
_HEAD = struct.Struct("<BQ")
_CHUNK_MAX = 64 * 1024 * 1024
_EXPANDED_MAX = 256 * 1024 * 1024


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


class Taker(Protocol):
    """What the contents of a file are handed to."""

    def take_chunk(self, body: bytes, at: int) -> None:
        """A chunk, not looked into yet; ``at`` is its byte in the file."""

    def take_attachment(self, name: str, data: bytes) -> None:
        """An attachment whose checksum fits."""

    def take_metadata(self, name: str, facts: dict[str, str]) -> None:
        """Named facts."""


def walk(data: bytes, taker: Taker, damage: Damage) -> None:
    """Hand the contents of a file to ``taker`` in their order; what is wrong is noted in ``damage``."""
    at = len(MAGIC)
    while at + _HEAD.size <= len(data):
        opcode, length = _HEAD.unpack_from(data, at)
        end = at + _HEAD.size + length
        if not 1 <= opcode <= Opcode.DATA_END or end > len(data):
            rest = _next_chunk(data, at + 1)
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
        _take(opcode, data[at + _HEAD.size : end], at, taker, damage)
        at = end
    damage.note(at)
    damage.lost_bytes += len(data) - at
    damage.truncated = True


def _next_chunk(data: bytes, start: int) -> int:
    """Where the next chunk that is in order begins, or -1."""
    at = start
    while (at := data.find(b"zstd", at)) >= 0:
        # opcode, length, two times, size, checksum, length of the compression's name, its name
        begin = at - 4 - 4 - 8 - 8 - 8 - _HEAD.size
        if begin >= start:
            opcode, length = _HEAD.unpack_from(data, begin)
            body = data[begin + _HEAD.size : begin + _HEAD.size + length]
            if opcode == Opcode.CHUNK and len(body) == length and expand(body) is not None:
                return begin
        at += 1
    return -1


def _take(opcode: int, body: bytes, at: int, taker: Taker, damage: Damage) -> None:
    if opcode == Opcode.CHUNK:
        taker.take_chunk(body, at)
        return
    try:
        if opcode == Opcode.ATTACHMENT:
            attachment = Attachment.read(ReadDataStream(BytesIO(body)))
            if _attachment_sound(body):
                taker.take_attachment(attachment.name, attachment.data)
            else:
                damage.bad_messages += 1
                damage.note(at)
        elif opcode == Opcode.METADATA:
            metadata = Metadata.read(ReadDataStream(BytesIO(body)))
            taker.take_metadata(metadata.name, metadata.metadata)
    except Exception:  # mcap raises what it happens to meet in damaged bytes
        damage.bad_messages += 1
        damage.note(at)


class Topics:
    """Channels of a file by their number.

    Every recording begins with the same ones, so they are known even where its first chunk is damaged.
    """

    def __init__(self) -> None:
        """Know the channels that every recording begins with."""
        self._names = dict(enumerate(schemas.STRUCTS, 1))

    def messages(self, records: bytes) -> Iterator[tuple[str, int, bytes]]:
        """Topic, log time (ns since 1970) and content of each message in the ``records`` of a sound chunk."""
        at = 0
        while at + _HEAD.size <= len(records):
            opcode, length = _HEAD.unpack_from(records, at)
            at += _HEAD.size
            if opcode == Opcode.MESSAGE:
                message = Message.read(ReadDataStream(BytesIO(records[at : at + length])), length)
                topic = self._names.get(message.channel_id)
                if topic is not None:
                    yield topic, message.log_time, message.data
            elif opcode == Opcode.CHANNEL:
                channel = Channel.read(ReadDataStream(BytesIO(records[at : at + length])))
                self._names[channel.id] = channel.topic
            at += length


def expand(body: bytes) -> bytes | None:
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
