"""Another clock: every stamp of a message is shifted, and nothing else."""

from __future__ import annotations

import msgpack
from hypothesis import given
from hypothesis import strategies as st

from teleop.impair.stamps import shift_stamps


def test_the_stamps_of_the_message_and_of_its_buttons_are_shifted_and_the_echo_is_not() -> None:
    message = {
        "stamp_ns": 10,
        "seq": 3,
        "present": {"value": True, "stamp_ns": 9},
        "clutch": [False, 8],
        "echo_stamp_ns": 7,
        "lease": b"\x00\xff",
    }
    out = msgpack.unpackb(shift_stamps(msgpack.packb(message), 100))
    assert out == {
        **message,
        "stamp_ns": 110,
        "present": {"value": True, "stamp_ns": 109},
        "clutch": [False, 108],
    }


@given(st.binary(max_size=200), st.integers(-(10**12), 10**12))
def test_any_bytes_pass(data: bytes, by_ns: int) -> None:
    assert isinstance(shift_stamps(data, by_ns), bytes)
