"""Well-formed nonsense: whatever a decoder lets through, the contract answers and counts."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from teleop.wire.messages import Request
from tests.drivers.rig import LIMITS, MS, SESSION, armed, bench

NUMBER = st.one_of(st.floats(), st.floats(-1.0, 1.0), st.sampled_from([0.0, 1e308, -1e308, 5e-324]))
JOINTS = st.lists(NUMBER, min_size=1, max_size=4)
NONSENSE: dict[str, st.SearchStrategy[Any]] = {
    "session": st.sampled_from([SESSION, b"x" * 16]),
    "seq": st.integers(0, 2**64 - 1),
    "stamp_ns": st.integers(-(2**63), 2**64 - 1),
    "mode": st.sampled_from(["SERVO", "HOLD", "DISABLED", "", "servo"]),
    "q": JOINTS,
    "qd": JOINTS,
    "stop_s": NUMBER,
    "jaw_rad": NUMBER,
    "ttl_ms": NUMBER,
    "lease": st.binary(max_size=64),
}


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.fixed_dictionaries({}, optional=NONSENSE), min_size=1, max_size=20),
    st.booleans(),
)
def test_no_command_raises_or_moves_the_setpoint_faster_than_its_limit(
    changes: list[dict[str, Any]], shared_clock: bool
) -> None:
    arm = armed(shared_clock=shared_clock)
    for change in changes:
        before = arm.contract.setpoint.q.copy()
        after = arm.send(**change)
        assert (np.abs(after - before) <= LIMITS.qd_max * 1e-3 * (1 + 1e-9)).all()
    assert arm.contract.executed + sum(arm.contract.rejected.values()) == len(changes)


VALUE: st.SearchStrategy[Any] = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.binary()),
    lambda inner: st.one_of(st.lists(inner), st.dictionaries(st.text(), inner)),
    max_leaves=5,
)
OP = st.sampled_from(["acquire", "release", "enable", "disable", "home", "get_info", "", "__class__"])
KEY = st.sampled_from(["session", "lease", "reset_fault", "other"])


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(OP, st.dictionaries(KEY, VALUE)), max_size=10), st.booleans())
def test_no_request_raises_and_every_one_is_answered(
    requests: list[tuple[str, dict[str, Any]]], is_armed: bool
) -> None:
    arm = armed(is_homed=False) if is_armed else bench()
    for k, (op, args) in enumerate(requests):
        reply = arm.contract.request(b"anyone", Request(id=k, op=op, args=args), arm.now_ns)
        assert reply.id == k
        assert reply.ok or reply.error
        arm.tick(ns=MS)
