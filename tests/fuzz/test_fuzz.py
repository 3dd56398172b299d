"""Each target for a short while; `make fuzz` stays longer."""

from __future__ import annotations

from typing import Any

import msgpack
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz.targets import TARGETS, seeds

short = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
VALUE: st.SearchStrategy[Any] = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(2**63), 2**64 - 1),
        st.floats(),
        st.text(max_size=30),
        st.binary(max_size=70),
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=6), st.dictionaries(st.text(max_size=8), inner)),
    max_leaves=12,
)


@pytest.mark.parametrize("name", TARGETS)
def test_the_corpus_passes(name: str) -> None:
    assert seeds(name)
    for data in seeds(name):
        TARGETS[name](data)


@pytest.mark.parametrize("name", TARGETS)
@short
@given(data=st.data())
def test_damaged_samples_are_survived(name: str, data: st.DataObject) -> None:
    damaged = bytearray(data.draw(st.sampled_from(seeds(name))))
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(damaged) - 1))
        damaged[at : at + data.draw(st.integers(0, 2))] = data.draw(st.binary(max_size=3))
        if not damaged:
            break
    TARGETS[name](bytes(damaged))


@pytest.mark.parametrize("name", ["decode", "command", "arm_request", "controller_request", "sample"])
@short
@given(data=st.data())
def test_maps_with_a_field_of_any_value_are_survived(name: str, data: st.DataObject) -> None:
    content = msgpack.unpackb(data.draw(st.sampled_from(seeds(name))), strict_map_key=False)
    key = data.draw(st.sampled_from(sorted(content)))
    content[key] = data.draw(VALUE)
    TARGETS[name](msgpack.packb(content))


HUGE = {
    "deep arrays": b"\x91" * 60_000,
    "deep maps": b"\x81\xa1a" * 20_000,
    "many keys": msgpack.packb({f"k{i}": 0 for i in range(6000)}),
    "a request with deep arguments": b"\x83\xa2id\x01\xa2op\xa8get_info\xa4args\x81\xa1a" + b"\x91" * 50_000,
    "a request with many arguments": msgpack.packb(
        {"id": 1, "op": "set_scale", "args": {str(i): i for i in range(5000)}}
    ),
    "huge integers": msgpack.packb({"id": 2**64 - 1, "op": "get_state", "args": {"pair": 2**64 - 1}}),
    "a claim of 4 GB": b"\x81\xa1a\xdb\xff\xff\xff\xff",
}


@pytest.mark.parametrize("bomb", HUGE.values(), ids=HUGE.keys())
@pytest.mark.parametrize("name", TARGETS)
def test_bombs_are_survived(name: str, bomb: bytes) -> None:
    TARGETS[name](bomb)
