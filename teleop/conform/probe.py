"""The sockets to one arm driver, as any client would open them, and a log of all that the driver published.

Messages are plain maps here, not our structs: a rule has to be able to send what is wrong, and to see what a
driver really said.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import msgspec
import zmq

from teleop.errors import TrocarError
from teleop.wire.curve import lock_socket
from teleop.wire.endpoints import Channel, Participant, check_connect
from teleop.wire.sockets import Context
from teleop.wire.streams import Role

Message = dict[str, Any]

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder().decode
_ANSWER_S = 1.0
PERIOD_S = 1e-3
DISTURBED_S = 0.008
"""A rule that failed while this program itself stood still for longer than this is tried again."""


class SilentError(TrocarError):
    """Nobody answers at the endpoint, or the driver stopped speaking."""


@dataclass(slots=True)
class State:
    """One ``measured_js`` as it came.

    Attributes:
        at_ns: our clock when it was read.
        m: the message, any map.
    """

    at_ns: int
    m: Message


@dataclass(slots=True)
class Sent:
    """One command as it went out; ``at_ns`` is our clock."""

    at_ns: int
    m: Message


@dataclass(slots=True)
class Log:
    """What was sent and what came since the log was last cut."""

    states: list[State] = field(default_factory=list)
    sent: list[Sent] = field(default_factory=list)
    garbage: int = 0


class Client:
    """One connection for requests; two of them are two clients to the driver."""

    def __init__(self, context: Context, channel: Channel) -> None:
        """Connect to a ROUTER."""
        self._socket = _socket(context, zmq.DEALER, channel)
        self._id = 0

    def connected(self, timeout_s: float) -> bool:
        """Whether somebody takes requests within ``timeout_s``."""
        return bool(self._socket.poll(round(timeout_s * 1e3), zmq.POLLOUT))

    def send(self, op: str, args: Message | None = None) -> int:
        """Ask without waiting; returns the id."""
        self._id += 1
        self.send_raw(_encode({"id": self._id, "op": op, "args": args or {}}))
        return self._id

    def send_raw(self, data: bytes) -> None:
        """Send bytes as they are."""
        if not self.connected(_ANSWER_S):
            raise SilentError("nobody takes requests at the endpoint any more")
        self._socket.send(data, zmq.NOBLOCK)

    def receive(self, number: int) -> Message | None:
        """The reply to ``number`` if it is here; replies to others are dropped."""
        while self._socket.poll(0):
            try:
                reply = _decode(self._socket.recv(zmq.NOBLOCK))
            except (msgspec.DecodeError, zmq.Again):
                continue
            if isinstance(reply, dict) and reply.get("id") == number:
                return reply
        return None


class Commander:
    """One sender of ``servo_jp`` with its own session and sequence."""

    def __init__(self, context: Context, channel: Channel, stream: str) -> None:
        """Connect to the driver's SUB."""
        self._socket = _socket(context, zmq.PUB, channel)
        self._stream = stream
        self.session = os.urandom(16)
        self.seq = -1

    def header(self) -> Message:
        """A fresh header, stamped now."""
        self.seq += 1
        return {
            "schema": 1,
            "stream": self._stream,
            "session": self.session,
            "seq": self.seq,
            "stamp_ns": time.monotonic_ns(),
        }

    def send(self, message: Message) -> None:
        """Send a map."""
        self.send_raw(_encode(message))

    def send_raw(self, data: bytes) -> None:
        """Send bytes as they are."""
        self._socket.send(data, zmq.NOBLOCK)


class Probe:
    """One driver under test.

    Attributes:
        log: what happened since :meth:`cut`.
        newest: the last state that came, if any.
        info: what ``get_info`` answered.
        gap_s: longest time since :meth:`cut` in which this program itself did not run.
    """

    def __init__(
        self, context: Context, endpoint: str, *, owner: str = "arm", timeout_s: float = 3.0
    ) -> None:
        """Connect and find out who is there.

        Args:
            context: with the controller's keys, where the driver speaks CURVE.
            endpoint: base endpoint of the driver.
            owner: whose public key the driver has to prove; of no meaning without keys.
            timeout_s: how long the first answer may take, s.

        Raises:
            EndpointError: not an endpoint.
            SilentError: nobody answers ``get_info``, or nothing is published.
        """
        at = Participant(Role.ARM, owner, endpoint).channel
        self.endpoint = endpoint
        self.shared_clock = endpoint.startswith("ipc://")
        self._context = context
        self._request_channel, self._command_channel = at("request"), at("servo_jp")
        self._estop_socket = _socket(context, zmq.PUSH, at("estop"))
        self._states = _socket(context, zmq.SUB, at("measured_js"))
        self._states.subscribe(b"")
        self._clients: list[Client] = []
        self._commanders: list[Commander] = []
        self.client = self.new_client()
        self.log = Log()
        self.newest: State | None = None
        self.gap_s = 0.0
        self._deadline_s = self._last_s = time.monotonic()
        self._passages: list[int] = []
        begin_s = time.monotonic()
        try:
            self.client.connected(timeout_s)  # a driver that was started just now may still be loading
            reply = self.ask("get_info", timeout_s=max(_ANSWER_S, timeout_s + begin_s - time.monotonic()))
        except SilentError:
            raise SilentError(
                f"nobody answers at {endpoint}: no reply to `get_info` from {self._request_channel.address} "
                f"within {timeout_s:g} s. Is the driver running, and is this its base endpoint? "
                f"{_about(context)}"
            ) from None
        self.info: Message = reply["result"] if isinstance(reply.get("result"), dict) else {}
        self.name = str(self.info.get("name", "arm"))
        self.commander = self.new_commander()

    # -- connections -----------------------------------------------------------------------------------

    def new_client(self) -> Client:
        """A further connection for requests; it stays open to the end, as one to a program would."""
        self._clients.append(Client(self._context, self._request_channel))
        return self._clients[-1]

    def new_commander(self) -> Commander:
        """A further sender of commands."""
        self._commanders.append(Commander(self._context, self._command_channel, f"{self.name}/servo_jp"))
        return self._commanders[-1]

    # -- time ------------------------------------------------------------------------------------------

    def cut(self) -> Log:
        """Begin a new log; returns the old one."""
        self.drain()
        log, self.log = self.log, Log()
        self.gap_s, self._last_s = 0.0, time.monotonic()
        return log

    def pump(
        self,
        seconds: float,
        make: Callable[[float], Message | None] | None = None,
        until: Callable[[], bool] | None = None,
    ) -> bool:
        """Run for a time on absolute deadlines of 1 ms: send what ``make`` gives, read all that comes.

        Args:
            seconds: how long, at most.
            make: gets the time since the start, s; gives the command to send in this tick, or none.
            until: ends it early.

        Returns:
            Whether ``until`` came true.
        """
        begin_s = self._deadline_s = time.monotonic()
        self._last_s = begin_s
        while True:
            now_s = time.monotonic()
            self.gap_s = max(self.gap_s, now_s - self._last_s)
            self._last_s = now_s
            if make is not None and (message := make(now_s - begin_s)) is not None:
                self.send(message)
            self.drain()
            if until is not None and until():
                return True
            if now_s - begin_s >= seconds:
                return False
            self._deadline_s = max(self._deadline_s + PERIOD_S, now_s)
            time.sleep(max(0.0, self._deadline_s - time.monotonic()))

    def send(self, message: Message) -> None:
        """Send a command from our own sender and note it."""
        self.commander.send(message)
        self.log.sent.append(Sent(time.monotonic_ns(), message))

    def drain(self) -> None:
        """Read every state that has come."""
        while self._states.poll(0):
            data = self._states.recv(zmq.NOBLOCK)
            now_ns = time.monotonic_ns()
            try:
                message = _decode(data)
            except Exception:
                self.log.garbage += 1
                continue
            if not isinstance(message, dict):
                self.log.garbage += 1
                continue
            self.newest = State(now_ns, message)
            self.log.states.append(self.newest)
            if isinstance(stamp := message.get("stamp_ns"), int):
                self._passages.append(now_ns - stamp)
                del self._passages[:-4000]

    def to_driver_ns(self, our_ns: int) -> int:
        """Our clock as the driver's; over tcp with the error of the quickest passage."""
        if self.shared_clock or not self._passages:
            return our_ns
        least = min(self._passages)
        # Two clocks of one host differ by nothing but the passage; do not count that as a difference.
        return our_ns if 0 <= least < 2_000_000 else our_ns - least

    def ask(
        self,
        op: str,
        args: Message | None = None,
        *,
        client: Client | None = None,
        make: Callable[[float], Message | None] | None = None,
        timeout_s: float = _ANSWER_S,
    ) -> Message:
        """Ask and wait for the reply, going on sending what ``make`` gives.

        Raises:
            SilentError: no answer.
        """
        client = client or self.client
        number = client.send(op, args)
        reply: list[Message] = []

        def answered() -> bool:
            if (got := client.receive(number)) is not None:
                reply.append(got)
            return bool(reply)

        if not self.pump(timeout_s, make, answered):
            raise SilentError(f"no answer to `{op}` within {timeout_s:g} s")
        return reply[0]

    def estop(self, why: str) -> int:
        """Send an emergency stop; returns our clock when it went."""
        message = {
            "schema": 1,
            "stream": "estop",
            "session": self.commander.session,
            "seq": 0,
            "stamp_ns": time.monotonic_ns(),
            "source": "trocar conform",
            "why": why,
        }
        if not self._estop_socket.poll(round(_ANSWER_S * 1e3), zmq.POLLOUT):
            raise SilentError("nobody takes e-stops at the endpoint")
        self._estop_socket.send(_encode(message), zmq.NOBLOCK)
        return time.monotonic_ns()


def _about(context: Context) -> str:
    """Why somebody who is there may not answer; libzmq itself says nothing."""
    if context.keyring is None:
        return "One that speaks CURVE answers nobody without keys: give --keys and --arm."
    return f"It must know the public key of {context.keyring.name}, and prove the one that we have of it."


def _socket(context: Context, kind: int, channel: Channel) -> zmq.Socket[bytes]:
    socket = context.socket(kind)
    socket.setsockopt(zmq.LINGER, 0)
    socket.setsockopt(zmq.RECONNECT_IVL, 20)
    socket.setsockopt(zmq.IPV6, int("[" in channel.address))
    if kind != zmq.SUB:
        socket.setsockopt(zmq.IMMEDIATE, 1)
    if kind == zmq.SUB:
        socket.setsockopt(zmq.RCVHWM, 20_000)
    check_connect(channel.address, has_keys=lock_socket(socket, channel, context.keyring, bind=False))
    socket.connect(channel.address)
    return socket
