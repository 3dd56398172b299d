"""The one table of streams. Endpoints, sockets, liveness checks and tests are all read from it."""

from __future__ import annotations

import enum
from dataclasses import dataclass

import msgspec

from teleop.wire import messages as m
from teleop.wire.record import TickRecord

SCHEMA = 1


class Role(enum.Enum):
    """A participant of the wire; each owns one base endpoint and binds the sockets of its streams."""

    MASTER = "master"
    ARM = "arm"
    CONTROLLER = "controller"
    RECORDER = "recorder"


class Pattern(enum.Enum):
    """Socket type of the side that binds; the other side connects with the counterpart."""

    PUB = "PUB"
    SUB = "SUB"
    ROUTER = "ROUTER"
    PULL = "PULL"


@dataclass(frozen=True, slots=True)
class Stream:
    """One stream of the protocol.

    Attributes:
        name: last part of the stream's name on the wire (``<owner>/<name>`` for masters and arms).
        owner: the role that binds the socket.
        pattern: socket type of the binding side.
        message: the struct carried.
        rate_hz: nominal rate; ``None`` for streams sent on change or on demand.
        conflate: the receiver keeps only the newest message.
        port_offset: added to the owner's tcp base port; the ipc address takes ``.name`` instead.
    """

    name: str
    owner: Role
    pattern: Pattern
    message: type[msgspec.Struct]
    rate_hz: float | None
    conflate: bool
    port_offset: int


STREAMS: tuple[Stream, ...] = (
    Stream("measured_cp", Role.MASTER, Pattern.PUB, m.MeasuredCp, 1000.0, True, 0),
    Stream("servo_cf", Role.MASTER, Pattern.SUB, m.ServoCf, 1000.0, True, 1),
    Stream("steer", Role.MASTER, Pattern.SUB, m.Steer, None, True, 2),
    Stream("servo_jp", Role.ARM, Pattern.SUB, m.ServoJp, 1000.0, True, 0),
    Stream("measured_js", Role.ARM, Pattern.PUB, m.MeasuredJs, 1000.0, True, 1),
    Stream("request", Role.ARM, Pattern.ROUTER, m.Request, None, False, 2),
    Stream("estop", Role.ARM, Pattern.PULL, m.Estop, None, False, 3),
    Stream("telemetry", Role.CONTROLLER, Pattern.PUB, m.Telemetry, 1000.0, False, 0),
    Stream("event", Role.CONTROLLER, Pattern.PUB, m.Event, None, False, 1),
    Stream("request", Role.CONTROLLER, Pattern.ROUTER, m.Request, None, False, 2),
    Stream("estop", Role.CONTROLLER, Pattern.PULL, m.Estop, None, False, 3),
    Stream("tick", Role.RECORDER, Pattern.PULL, TickRecord, 1000.0, False, 0),
)


def stream(owner: Role, name: str) -> Stream:
    """The stream ``name`` that ``owner`` binds.

    Raises:
        KeyError: no such stream; the message lists the owner's streams.
    """
    for entry in STREAMS:
        if entry.owner is owner and entry.name == name:
            return entry
    known = ", ".join(s.name for s in STREAMS if s.owner is owner)
    raise KeyError(f"{owner.value} has no stream {name!r}; it has: {known}")
