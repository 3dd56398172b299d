"""Nothing that the core consumes is missing from the record of a tick."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import msgspec
import numpy as np

from teleop.controller.record import tick_inputs, tick_record
from teleop.controller.types import ControllerInputs, ControllerOutputs, PairInputs, PairOutputs
from teleop.recorder import text
from teleop.safety.reasons import Reason
from teleop.safety.states import Operating, Teleop
from teleop.wire.messages import Reply, Request
from teleop.wire.record import TickRecord

from .test_text import sample, tick


def outputs() -> ControllerOutputs:
    pair = PairOutputs(
        None, (), Teleop.IDLE, Reason.NONE, np.zeros(3), np.array([0, 0, 0, 1.0]), np.eye(4)
    )  # fmt: skip
    return ControllerOutputs(Operating.DISABLED, (pair,), (), ())


def test_every_input_of_the_core_comes_back_from_the_record() -> None:
    """An input added to the core and forgotten here would be lost: each field is given a value of its own."""
    pair = PairInputs(
        sample([1.0, 2.0, 3.0]), tick([1.0, 2.0, 3.0]).pairs[0].arm, (Reply(id=1, ok=False, error="no"),)
    )
    values: dict[str, Any] = {
        "now_ns": 5,
        "pairs": (pair,),
        "requests": ((3, Request(id=4, op="enable", args={"a": b"b"})),),
        "estops": (("console", "why"),),
        "shut_down": True,
        "mistake": "went wrong",
    }
    assert {f.name for f in fields(ControllerInputs)} == set(values)
    assert {f.name for f in fields(PairInputs)} == {"master", "arm", "arm_replies"}
    inputs = ControllerInputs(**values)
    record = tick_record(
        {"schema": 1, "stream": "tick", "session": bytes(16), "seq": 0, "stamp_ns": 0}, ["a"], inputs, 0.001,
        outputs(), tick=1, events=[], telemetry=b"\xc0", before=None,
    )  # fmt: skip
    received = msgspec.msgpack.decode(msgspec.msgpack.encode(record), type=TickRecord)
    assert tick_inputs(text.decode_tick(text.encode_tick(received))) == inputs
