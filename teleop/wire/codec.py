"""MessagePack bytes to messages and back. Decoding survives any bytes: it returns a message or a reject."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Generic, TypeVar

import msgspec

from teleop.wire.errors import OversizedError
from teleop.wire.messages import Header
from teleop.wire.streams import SCHEMA

MAX_MESSAGE_BYTES = 65_536
"""Largest message sent or accepted. A telemetry tick of two arms is about 3 kB."""

MessageT = TypeVar("MessageT", bound=msgspec.Struct)


class Reject(enum.Enum):
    """Why bytes were not accepted as a message."""

    OVERSIZED = "oversized"
    MALFORMED = "malformed"
    UNKNOWN_SCHEMA = "unknown_schema"
    WRONG_STREAM = "wrong_stream"


@dataclass(frozen=True, slots=True)
class Rejected:
    """A reject and a sentence about it; ``request_id`` where the bytes still named a request to answer."""

    reason: Reject
    detail: str
    request_id: int | None = None


class _Envelope(msgspec.Struct):
    """What can be read of a message whose body cannot; only for naming the reason."""

    schema: int = SCHEMA
    stream: str | None = None
    id: int | None = None


_envelope = msgspec.msgpack.Decoder(_Envelope)
_encoder = msgspec.msgpack.Encoder()


class Codec(Generic[MessageT]):
    """Encodes and decodes the messages of one channel."""

    def __init__(self, message: type[MessageT], stream_name: str | None) -> None:
        """Prepare the decoder.

        Args:
            message: the struct carried.
            stream_name: full stream name every message must bear; ``None`` for messages without a header.
        """
        self._message = message
        self._stream_name = stream_name
        self._decoder = msgspec.msgpack.Decoder(message)

    def encode(self, message: MessageT) -> bytes:
        """The message as one MessagePack map.

        Raises:
            TypeError: not this channel's message, or it holds a value that MessagePack cannot carry.
            OversizedError: larger than ``MAX_MESSAGE_BYTES``.
        """
        if type(message) is not self._message:
            raise TypeError(f"expected a {self._message.__name__}, got a {type(message).__name__}")
        data = _encoder.encode(message)
        if len(data) > MAX_MESSAGE_BYTES:
            raise OversizedError(
                f"a {self._message.__name__} of {len(data)} bytes is over the limit of {MAX_MESSAGE_BYTES}"
            )
        return data

    def decode(self, data: bytes) -> MessageT | Rejected:
        """The message in ``data``, or why there is none. Never raises on any bytes."""
        if len(data) > MAX_MESSAGE_BYTES:
            return Rejected(Reject.OVERSIZED, f"{len(data)} bytes, at most {MAX_MESSAGE_BYTES} allowed")
        try:
            message = self._decoder.decode(data)
        except Exception as error:  # besides DecodeError: RecursionError, UnicodeDecodeError; never our crash
            return self._explain(data, str(error))
        if isinstance(message, Header):
            if message.schema != SCHEMA:
                return _unknown_schema(message.schema)
            if message.stream != self._stream_name:
                return self._wrong_stream(message.stream)
            return message
        # Requests and replies need no header, but one that claims another schema is not ours to guess at.
        envelope = self._envelope_of(data)
        if envelope is not None and envelope.schema != SCHEMA:
            return _unknown_schema(envelope.schema, envelope.id)
        return message

    def _explain(self, data: bytes, detail: str) -> Rejected:
        """Tell a message of another schema or stream from one that is broken."""
        envelope = self._envelope_of(data)
        if envelope is None:
            return Rejected(Reject.MALFORMED, detail)
        if envelope.schema != SCHEMA:
            return _unknown_schema(envelope.schema, envelope.id)
        if envelope.stream is not None and self._stream_name not in (None, envelope.stream):
            return self._wrong_stream(envelope.stream)
        return Rejected(Reject.MALFORMED, detail, envelope.id)

    @staticmethod
    def _envelope_of(data: bytes) -> _Envelope | None:
        try:
            return _envelope.decode(data)
        except Exception:
            return None

    def _wrong_stream(self, got: str) -> Rejected:
        return Rejected(Reject.WRONG_STREAM, f"stream {got[:80]!r}, expected {self._stream_name!r}")


def _unknown_schema(schema: int, request_id: int | None = None) -> Rejected:
    return Rejected(Reject.UNKNOWN_SCHEMA, f"schema {schema}, this program speaks {SCHEMA}", request_id)
