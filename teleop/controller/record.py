"""One tick as the record that a recording is made of, and the inputs of a tick back from its record."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from hashlib import blake2b
from typing import Any, cast

import msgspec

from teleop.controller.types import Command, ControllerInputs, ControllerOutputs, PairInputs, PairOutputs
from teleop.wire.messages import Event, Reply, Request, Telemetry
from teleop.wire.record import (
    CommandRecord,
    EstopRecord,
    PairRecord,
    ReplyRecord,
    RequestRecord,
    TickRecord,
    TimingRecord,
)
from teleop.wire.sockets import HeaderFields


def tick_record(
    header: HeaderFields,
    names: Sequence[str],
    inputs: ControllerInputs,
    dt: float,
    outputs: ControllerOutputs,
    *,
    tick: int,
    events: list[Event],
    telemetry: bytes,
    before: tuple[int, int, int, list[int]] | None,
) -> TickRecord:
    """The record of one tick.

    Args:
        header: of the record's message.
        names: of the pairs.
        inputs: what the core was given.
        dt: likewise, s.
        outputs: what it gave back.
        tick: the tick's number.
        events: the events as they were sent.
        telemetry: the telemetry message as it was sent, already encoded: it goes in as it is.
        before: timing of the tick before.
    """
    return TickRecord(
        **header,
        tick=tick,
        now_ns=inputs.now_ns,
        dt_s=dt,
        shut_down=inputs.shut_down,
        mistake=inputs.mistake,
        pairs=[
            PairRecord(
                pair=name,
                master=came.master,
                arm=came.arm,
                arm_replies=[_no_lease_in_reply(reply) for reply in came.arm_replies],
                command=None if went.command is None else command_record(went.command),
                arm_requests=[_no_lease_in_request(request) for request in went.arm_requests],
                planes=went.planes,
                beside_n=went.beside_n.tolist(),
                remote_n=remote_record(went),
            )
            for name, came, went in zip(names, inputs.pairs, outputs.pairs, strict=True)
        ],
        requests=[RequestRecord(token=token, request=request) for token, request in inputs.requests],
        estops=[EstopRecord(source, why) for source, why in inputs.estops],
        replies=[ReplyRecord(token=token, reply=reply) for token, reply in outputs.replies],
        events=events,
        before=None if before is None else TimingRecord(*before),
        telemetry=cast(Telemetry, msgspec.Raw(telemetry)),
    )


def command_record(command: Command) -> CommandRecord:
    """A command as plain data, every bit kept."""
    return CommandRecord(
        command.mode.value,
        command.q.tolist(),
        command.qd.tolist(),
        command.stop_s,
        command.jaw_rad,
        stand_in(command.lease),
    )


def remote_record(outputs: PairOutputs) -> list[float] | None:
    """The arm's own force on the hand, shape (3,), N; ``None`` while there is none."""
    return outputs.remote_n.tolist() if outputs.remote_n.any() else None


_STAND_IN = b"recorded:"


@lru_cache(maxsize=64)
def stand_in(lease: bytes) -> bytes:
    """What a recording holds instead of a lease: who has the lease may command the arm.

    The same lease always has the same stand-in, and a stand-in is its own, so a replay gives the same bits.
    """
    if not lease or lease.startswith(_STAND_IN):
        return lease
    return _STAND_IN + blake2b(lease, digest_size=8).hexdigest().encode()


def _hidden(table: Any) -> Any:
    """A map of a request or a reply with a stand-in for its lease."""
    if isinstance(table, dict) and isinstance(table.get("lease"), bytes):
        return table | {"lease": stand_in(table["lease"])}
    return table


def _no_lease_in_reply(reply: Reply) -> Reply:
    return Reply(id=reply.id, ok=reply.ok, result=_hidden(reply.result), error=reply.error)


def _no_lease_in_request(request: Request) -> Request:
    return Request(id=request.id, op=request.op, args=_hidden(request.args))


def tick_inputs(record: TickRecord) -> ControllerInputs:
    """What the core was given in a recorded tick; with ``record.dt_s`` it can be given again."""
    return ControllerInputs(
        record.now_ns,
        tuple(PairInputs(pair.master, pair.arm, tuple(pair.arm_replies)) for pair in record.pairs),
        tuple((entry.token, entry.request) for entry in record.requests),
        tuple((estop.source, estop.why) for estop in record.estops),
        record.shut_down,
        record.mistake,
    )
