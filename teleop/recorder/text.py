"""Ticks as JSON that gives back every bit.

The shortest decimal that reads back as the same double is what msgspec writes, so finite numbers are exact.
JSON has no other numbers: NaN and the infinities are written as the strings ``"NaN"``, ``"Infinity"``,
``"-Infinity"`` (as in protobuf's JSON), which every reader can tell from numbers. Which of its many patterns
a NaN had is lost; the controller never looks at that. Bytes are base64. Values of free form (arguments and
results of requests) that JSON would change are kept as MessagePack, see
:func:`teleop.wire.record.json_safe`.
"""

from __future__ import annotations

import math
from typing import Any

import msgspec

from teleop.errors import TrocarError
from teleop.wire.messages import Event, Telemetry
from teleop.wire.record import TickRecord, from_json_safe, json_safe

_encoder = msgspec.json.Encoder()
# "Lax" reads the three strings as numbers where the schema says number.
_ticks = msgspec.json.Decoder(TickRecord, strict=False)
_telemetry = msgspec.json.Decoder(Telemetry, strict=False)
_events = msgspec.json.Decoder(Event, strict=False)

_OPTIONAL = (b'"twist":null', b'"effort":null')


class DamagedError(TrocarError):
    """A message of a recording that cannot be read."""


def encode(message: msgspec.Struct) -> bytes:
    """A message of fixed form as JSON; numbers that are not finite become strings."""
    data = _encoder.encode(message)
    # msgspec writes such a number as null; without any other null than the optional ones there is none.
    if data.count(b"null") != sum(data.count(word) for word in _OPTIONAL):
        data = _encoder.encode(_worded(msgspec.to_builtins(message)))
    return data


def _worded(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0.0 else "-Infinity"
    if isinstance(value, dict):
        return {key: _worded(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_worded(inner) for inner in value]
    return value


def encode_tick(record: TickRecord) -> bytes:
    """A tick as JSON, without its telemetry; the record's free-form values are replaced on the way."""
    for entry in record.requests:
        entry.request.args = json_safe(entry.request.args)
    for answer in record.replies:
        answer.reply.result = json_safe(answer.reply.result)
    for pair in record.pairs:
        for request in pair.arm_requests:
            request.args = json_safe(request.args)
        for reply in pair.arm_replies:
            reply.result = json_safe(reply.result)
    record.telemetry = None
    return encode(record)


def decode_tick(data: bytes) -> TickRecord:
    """The tick that :func:`encode_tick` was given.

    Raises:
        DamagedError: this is none.
    """
    try:
        record = _ticks.decode(data)
        for entry in record.requests:
            entry.request.args = from_json_safe(entry.request.args)
        for answer in record.replies:
            answer.reply.result = from_json_safe(answer.reply.result)
        for pair in record.pairs:
            for request in pair.arm_requests:
                request.args = from_json_safe(request.args)
            for reply in pair.arm_replies:
                reply.result = from_json_safe(reply.result)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise DamagedError(f"not a tick: {error}") from error
    return record


def decode_telemetry(data: bytes) -> Telemetry:
    """A telemetry message.

    Raises:
        DamagedError: this is none.
    """
    try:
        return _telemetry.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise DamagedError(f"not telemetry: {error}") from error


def decode_event(data: bytes) -> Event:
    """An event.

    Raises:
        DamagedError: this is none.
    """
    try:
        return _events.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise DamagedError(f"not an event: {error}") from error
