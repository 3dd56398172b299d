from __future__ import annotations

import msgpack
import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from teleop.wire.codec import MAX_MESSAGE_BYTES, Codec, Reject, Rejected
from teleop.wire.errors import OversizedError
from teleop.wire.messages import MeasuredCp, MeasuredJs, Reply, Request
from teleop.wire.streams import STREAMS
from tests.wire.samples import every_message, header, measured_cp

SAMPLES = every_message()
CP = Codec(MeasuredCp, "left/measured_cp")


def cp_map() -> dict[str, object]:
    decoded: dict[str, object] = msgpack.unpackb(CP.encode(measured_cp(header("left/measured_cp"))))
    return decoded


def test_every_stream_of_the_table_has_a_sample() -> None:
    assert {type(message) for _, message in SAMPLES} == {s.message for s in STREAMS} | {Reply}


@pytest.mark.parametrize(("name", "message"), SAMPLES, ids=lambda x: type(x).__name__)
def test_a_message_survives_the_round_trip(name: str | None, message: msgspec.Struct) -> None:
    codec = Codec(type(message), name)
    assert codec.decode(codec.encode(message)) == message


@pytest.mark.parametrize(("name", "message"), SAMPLES, ids=lambda x: type(x).__name__)
def test_an_independent_decoder_reads_one_map_with_string_keys(
    name: str | None, message: msgspec.Struct
) -> None:
    decoded = msgpack.unpackb(Codec(type(message), name).encode(message))
    assert isinstance(decoded, dict)
    assert all(isinstance(key, str) for key in decoded)
    if name is not None:
        assert {"schema", "stream", "session", "seq", "stamp_ns"} <= decoded.keys()


def test_bytes_of_an_independent_encoder_are_read_and_unknown_keys_ignored() -> None:
    assert CP.decode(msgpack.packb(cp_map() | {"colour": "blue"})) == measured_cp(header("left/measured_cp"))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"schema": 2}, Reject.UNKNOWN_SCHEMA),
        ({"schema": 2, "p_m": "another shape altogether"}, Reject.UNKNOWN_SCHEMA),
        ({"stream": "right/measured_cp"}, Reject.WRONG_STREAM),
        ({"stream": "left/servo_cf", "p_m": None}, Reject.WRONG_STREAM),
        ({"p_m": [0.0, 0.0]}, Reject.MALFORMED),
        ({"p_m": [0.0, 0.0, "0"]}, Reject.MALFORMED),
        ({"quat_xyzw": [0.0] * 5}, Reject.MALFORMED),
        ({"session": b"short"}, Reject.MALFORMED),
        ({"seq": -1}, Reject.MALFORMED),
        ({"seq": 1.5}, Reject.MALFORMED),
        ({"present": True}, Reject.MALFORMED),
        ({"schema": "1"}, Reject.MALFORMED),
        ({"valid": 1}, Reject.MALFORMED),
    ],
)
def test_a_wrong_field_is_rejected_for_its_own_reason(change: dict[str, object], reason: Reject) -> None:
    rejected = CP.decode(msgpack.packb(cp_map() | change))
    assert isinstance(rejected, Rejected)
    assert rejected.reason is reason
    assert rejected.detail


@pytest.mark.parametrize("key", ["schema", "stream", "session", "seq", "stamp_ns", "p_m", "valid", "present"])
def test_a_missing_field_is_malformed_and_named(key: str) -> None:
    content = cp_map()
    del content[key]
    rejected = CP.decode(msgpack.packb(content))
    assert isinstance(rejected, Rejected)
    assert rejected.reason is Reject.MALFORMED
    assert key in rejected.detail


def test_every_truncation_is_rejected() -> None:
    data = CP.encode(measured_cp(header("left/measured_cp")))
    for cut in range(len(data)):
        rejected = CP.decode(data[:cut])
        assert isinstance(rejected, Rejected), cut
        assert rejected.reason is Reject.MALFORMED


def test_trailing_bytes_are_malformed() -> None:
    rejected = CP.decode(CP.encode(measured_cp(header("left/measured_cp"))) + b"\x00")
    assert isinstance(rejected, Rejected)


def test_size_is_bounded_on_both_sides() -> None:
    codec = Codec(Request, None)
    rejected = codec.decode(b"\x00" * (MAX_MESSAGE_BYTES + 1))
    assert isinstance(rejected, Rejected)
    assert rejected.reason is Reject.OVERSIZED
    with pytest.raises(OversizedError, match=str(MAX_MESSAGE_BYTES)):
        codec.encode(Request(id=1, op="x", args={"big": b"\x00" * MAX_MESSAGE_BYTES}))


def test_a_message_of_another_stream_cannot_be_sent() -> None:
    with pytest.raises(TypeError, match="expected a MeasuredJs, got a MeasuredCp"):
        Codec(MeasuredJs, "psm/measured_js").encode(measured_cp(header("psm/measured_js")))  # type: ignore[arg-type]


BOMBS = {
    "arrays nested 60000 deep": b"\x91" * 60_000,
    "maps nested 20000 deep": b"\x81\xa1a" * 20_000,
    "an array that claims 4 billion items": b"\xdd\xff\xff\xff\xff",
    "a map that claims 4 billion items": b"\xdf\xff\xff\xff\xff",
    "a string that claims 4 GB": b"\xdb\xff\xff\xff\xff",
    "a timestamp out of range": b"\xc7\x0c\xff" + b"\xff" * 12,
    "an unhashable key": b"\x81\x90\x01",
    "text that is not UTF-8": b"\xa2\xff\xfe",
    "an unused opcode": b"\xc1",
}


@pytest.mark.parametrize("bomb", BOMBS.values(), ids=BOMBS.keys())
@pytest.mark.parametrize(("name", "message"), SAMPLES, ids=lambda x: type(x).__name__)
def test_a_bomb_is_rejected_wherever_it_is_put(
    name: str | None, message: msgspec.Struct, bomb: bytes
) -> None:
    codec = Codec(type(message), name)
    known = [b"%c%s" % (0xA0 | len(f), f.encode()) for f in type(message).__struct_fields__]
    for key in [*known, b"\xa6colour"]:
        rejected = codec.decode(b"\x81" + key + bomb)
        assert isinstance(rejected, Rejected), key
        assert rejected.reason is Reject.MALFORMED


def test_an_unreadable_request_keeps_the_id_where_it_can_be_read() -> None:
    codec = Codec(Request, None)
    rejected = codec.decode(msgpack.packb({"id": 7, "op": 3}))
    assert isinstance(rejected, Rejected)
    assert rejected.request_id == 7
    newer = codec.decode(msgpack.packb({"schema": 2, "id": 8, "op": "enable", "args": {}}))
    assert isinstance(newer, Rejected)
    assert (newer.reason, newer.request_id) == (Reject.UNKNOWN_SCHEMA, 8)
    unreadable = codec.decode(b"\xff")
    assert isinstance(unreadable, Rejected)
    assert unreadable.request_id is None


# How fast a shared machine draws examples says nothing about the decoder.
fuzz = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

CODECS = [Codec(type(message), name) for name, message in SAMPLES]
ENCODED = [codec.encode(message) for codec, (_, message) in zip(CODECS, SAMPLES, strict=True)]


@fuzz
@given(st.binary(max_size=300))
def test_any_bytes_give_a_message_or_a_reject(data: bytes) -> None:
    for codec in CODECS:
        decoded = codec.decode(data)
        assert isinstance(decoded, (Rejected, msgspec.Struct))


@fuzz
@given(st.data())
def test_any_damage_to_a_good_message_gives_a_message_or_a_reject(data: st.DataObject) -> None:
    which = data.draw(st.integers(0, len(CODECS) - 1))
    damaged = bytearray(ENCODED[which])
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    decoded = CODECS[which].decode(bytes(damaged))
    assert isinstance(decoded, (Rejected, type(SAMPLES[which][1])))


json_like = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats()
    | st.text(max_size=20)
    | st.binary(),
    lambda inner: (
        st.lists(inner, max_size=5)
        | st.dictionaries(st.text(max_size=20) | st.integers(0, 9), inner, max_size=5)
    ),
    max_leaves=20,
)
fields = sorted({f for _, message in SAMPLES for f in type(message).__struct_fields__})


@fuzz
@given(st.dictionaries(st.sampled_from(fields), json_like, max_size=8))
def test_any_map_over_our_own_keys_gives_a_message_or_a_reject(content: dict[str, object]) -> None:
    data = msgpack.packb(content, strict_types=False)
    for codec in CODECS:
        assert isinstance(codec.decode(data), (Rejected, msgspec.Struct))
