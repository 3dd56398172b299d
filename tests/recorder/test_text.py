"""JSON that gives back every bit of a tick."""

from __future__ import annotations

import json
import math
import struct
from typing import Any

import jsonschema
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from teleop.recorder import schemas, text
from teleop.wire.messages import MeasuredCp, MeasuredJs, Reply, Request, Signal
from teleop.wire.record import (
    CommandRecord,
    EstopRecord,
    PairRecord,
    ReplyRecord,
    RequestRecord,
    TickRecord,
    from_json_safe,
    json_safe,
)

AWKWARD = [0.0, -0.0, 5e-324, 1.7976931348623157e308, 0.1 + 0.2, math.inf, -math.inf, math.nan]
numbers = st.floats() | st.sampled_from(AWKWARD)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | numbers | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text() | st.integers(0, 9), inner),
    max_leaves=12,
)  # fmt: skip


def bits(value: Any) -> bytes:
    """MessagePack tells 1 from 1.0 and keeps every bit, except which NaN a NaN is."""
    return msgspec.msgpack.encode(value)


def sample(p: list[float]) -> MeasuredCp:
    return MeasuredCp(
        schema=1, stream="hand/measured_cp", session=bytes(range(16)), seq=2**40, stamp_ns=-(2**62), p_m=p,
        quat_xyzw=[*p, 1.0], valid=True, present=Signal(True, 2**62), clutch=Signal(False, 0),
    )  # fmt: skip


def tick(p: list[float], value: Any = None) -> TickRecord:
    measured = MeasuredJs(
        schema=1, stream="arm/measured_js", session=bytes(16), seq=1, stamp_ns=3, q=p, qd=p, effort=p,
        state="ENABLED", is_homed=True, is_busy=False,
    )  # fmt: skip
    args = value if isinstance(value, dict) and all(isinstance(k, str) for k in value) else {"v": value}
    pair = PairRecord(
        pair="right",
        master=sample(p),
        arm=measured,
        arm_replies=[Reply(id=1, ok=True, result=value)],
        command=CommandRecord("SERVO", p, p, p[0], p[1], b"\x00lease\xff"),
        arm_requests=[Request(id=1, op="acquire", args=args)],
    )
    return TickRecord(
        schema=1,
        stream="tick",
        session=bytes(range(16)),
        seq=7,
        stamp_ns=2**62 - 1,
        tick=8,
        now_ns=2**62 - 3,
        dt_s=p[2],
        pairs=[pair, PairRecord(pair="left")],
        requests=[RequestRecord(token=3, request=Request(id=9, op="set_fixture", args=args))],
        estops=[EstopRecord("null", '"twist":null')],
        replies=[ReplyRecord(token=3, reply=Reply(id=9, ok=False, result=value, error="NaN"))],
    )


@given(p=st.lists(numbers, min_size=3, max_size=3), value=values)
@settings(max_examples=300, deadline=None)
def test_a_tick_comes_back_to_the_bit(p: list[float], value: Any) -> None:
    before = tick(p, value)
    expected = bits(before)
    data = text.encode_tick(msgspec.msgpack.decode(expected, type=TickRecord))
    json.loads(data)  # any JSON reader reads it; Python's own would take NaN, so:
    assert b"NaN" not in data.replace(b'"NaN"', b"")
    # A NaN's own pattern does not travel: compare with those of the standard one.
    assert bits(text.decode_tick(data)) == bits(_standard_nan(before))


def _standard_nan(record: TickRecord) -> TickRecord:
    def plain(value: Any) -> Any:
        if isinstance(value, float) and math.isnan(value):
            return math.nan
        if isinstance(value, list):
            return [plain(v) for v in value]
        return value

    for pair in record.pairs:
        for holder in (pair.master, pair.arm, pair.command):
            if holder is not None:
                for name in holder.__struct_fields__:
                    setattr(holder, name, plain(getattr(holder, name)))
    record.dt_s = plain(record.dt_s)
    return record


@given(value=values)
def test_values_of_free_form_survive_json(value: Any) -> None:
    data = msgspec.json.encode(json_safe(value))
    assert bits(from_json_safe(msgspec.json.decode(data))) == bits(value)


def test_a_value_that_looks_like_a_wrapped_one_is_not_taken_for_it() -> None:
    for value in ({"$msgpack": "AA=="}, {"$msgpack": b"\x01"}, {"$msgpack": {}}):
        back = from_json_safe(msgspec.json.decode(msgspec.json.encode(json_safe(value))))
        assert bits(back) == bits(value)


def test_numbers_that_are_not_finite_are_words_and_finite_ones_are_numbers() -> None:
    plain = json.loads(text.encode_tick(tick([math.nan, -math.inf, 1.5])))
    assert plain["pairs"][0]["master"]["p_m"] == ["NaN", "-Infinity", 1.5]
    assert plain["pairs"][0]["master"]["twist"] is None


def test_doubles_are_exact_not_only_close() -> None:
    for number in (0.1 + 0.2, 1 / 3, 5e-324, -0.0, 123456789.12345679):
        command = text.decode_tick(text.encode_tick(tick([number, 0.0, 0.0]))).pairs[0].command
        assert command is not None
        assert struct.pack("d", command.q[0]) == struct.pack("d", number)


@pytest.mark.parametrize("topic", list(schemas.STRUCTS))
def test_the_schemas_are_schemas_without_references(topic: str) -> None:
    schema = json.loads(schemas.struct_schema(schemas.STRUCTS[topic][1]))
    jsonschema.Draft202012Validator.check_schema(schema)
    assert "$ref" not in json.dumps(schema)
    assert schema["type"] == "object"
    assert schema["properties"]["stamp_ns"] == {"type": "integer"}


@pytest.mark.parametrize("data", [b"", b"{}", b"\xff", b'{"tick": 1}', b"[" * 100_000])
def test_what_is_no_tick_is_damaged(data: bytes) -> None:
    with pytest.raises(text.DamagedError):
        text.decode_tick(data)
