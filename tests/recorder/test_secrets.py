"""No lease leaves the controller but to its arm: not in telemetry, events, answers, nor recordings."""

from __future__ import annotations

import msgspec

from teleop.controller.record import stand_in, tick_record
from teleop.controller.telemetry import telemetry
from teleop.wire.sockets import HeaderFields
from tests.controller.rig import Rig

HEAD: HeaderFields = {"schema": 1, "stream": "telemetry", "session": b"s" * 16, "seq": 1, "stamp_ns": 1}


def test_a_lease_is_in_no_telemetry_event_answer_or_recording() -> None:
    rig = Rig()
    lease = b"lease-" + rig.arm_session[:8]
    inputs = []
    step = rig.controller.step

    def watched(came, dt):  # type: ignore[no-untyped-def]
        out = step(came, dt)
        inputs.append((came, out))
        return out

    rig.controller.step = watched  # type: ignore[method-assign]
    rig.bring_up()
    assert rig.pair.link.lease == lease
    rig.request("get_state")
    rig.request("get_config")
    seen = b""
    for came, out in inputs:
        message = telemetry(
            HEAD, rig.controller.pairs, out, tick=1, skipped=0, overruns=0, compute_us=0.0, lateness_us=0.0
        )
        told = msgspec.msgpack.encode(message)
        seen += told + repr(out.events).encode() + repr(out.replies).encode()
        record = tick_record(HEAD, ["pair"], came, 1e-3, out, tick=1, events=[], telemetry=told, before=None)
        seen += msgspec.msgpack.encode(record)
    assert stand_in(lease) in seen
    assert lease not in seen


def test_a_stand_in_is_stable_its_own_and_as_short_as_a_lease_may_be() -> None:
    assert stand_in(b"a") == stand_in(b"a") != stand_in(b"b")
    assert stand_in(stand_in(b"a")) == stand_in(b"a")
    assert stand_in(b"") == b""
    assert len(stand_in(b"x" * 64)) <= 64
