"""Shifts the stamps in a message, as if its sender's clock were another."""

from __future__ import annotations

from typing import Any

import msgspec

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder().decode


def shift_stamps(data: bytes, by_ns: int) -> bytes:
    """Every ``stamp_ns`` of a message, those of its buttons included, plus ``by_ns``.

    ``echo_stamp_ns`` is a quotation of somebody else's clock and stays. Other bytes pass as they are.
    """
    try:
        message = _decode(data)
    except Exception:
        return data
    if not isinstance(message, dict):
        return data
    _shift(message, by_ns)
    return _encode(message)


def _shift(table: dict[Any, Any], by_ns: int) -> None:
    for key, value in table.items():
        if key == "stamp_ns" and isinstance(value, int):
            table[key] = value + by_ns
        elif isinstance(value, dict):
            _shift(value, by_ns)
        elif key in ("present", "clutch") and isinstance(value, list) and len(value) == 2:
            table[key] = [value[0], value[1] + by_ns]
