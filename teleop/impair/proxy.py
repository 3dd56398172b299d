"""The shell around the links: binds what a participant would bind, connects to where it really is."""

from __future__ import annotations

import heapq
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import msgspec
import zmq

from teleop.impair.link import Link
from teleop.impair.spec import Change, ImpairSpec, from_preset
from teleop.loop.signals import StopFlag
from teleop.wire.binding import bind_socket
from teleop.wire.codec import MAX_MESSAGE_BYTES
from teleop.wire.curve import lock_socket
from teleop.wire.endpoints import Channel, Participant, check_connect
from teleop.wire.errors import EndpointError
from teleop.wire.keys import Keyring
from teleop.wire.sockets import HANDSHAKE_MS, RECONNECT_MS, Context
from teleop.wire.streams import STREAMS, Pattern, Role, Stream

_QUEUE = 10_000
_CLIENTS = 32
_MAX_PER_TURN = 256
_SLICE_S = 0.0002

Socket = zmq.Socket[bytes]
Forward = Callable[[bytes], None]


@dataclass(order=True, slots=True)
class _Pending:
    due_ns: int
    number: int
    data: bytes = field(compare=False)
    forward: Forward = field(compare=False)


class Proxy:
    """Stands between a participant and everybody who connects to it.

    Attributes:
        links: by direction, e.g. ``"servo_jp"``, ``"request"`` and ``"request reply"``.
    """

    def __init__(
        self,
        context: Context,
        role: Role,
        real: str,
        shown: str,
        spec: ImpairSpec,
        control: str | None = None,
        *,
        name: str = "any",
        inward: Keyring | None = None,
    ) -> None:
        """Open every socket of the role.

        Args:
            context: the process's context; its keys, if any, are the participant's, shown to who connects.
            role: what the participant is: its streams are those of the table.
            real: base endpoint that the participant binds.
            shown: base endpoint that the others connect to; bound here.
            spec: what happens in between.
            control: ipc address of a REP socket that takes ``set`` and ``stats`` while it runs.
            name: the participant's name, by which its keys go.
            inward: keys under which the proxy connects to the participant.

        Raises:
            EndpointError: an endpoint cannot be used.
        """
        self._context = context
        self._spec = spec
        self._number = 0
        self._begin_s = time.monotonic()
        self._pending: list[_Pending] = []
        self._readers: dict[Socket, Callable[[Socket], None]] = {}
        self._poller = zmq.Poller()
        self.links: dict[str, Link] = {}
        self._inward = inward
        there, here = Participant(role, name, real), Participant(role, name, shown)
        for entry in STREAMS:
            if entry.owner is role:
                self._open(entry, there.channel(entry.name), here.channel(entry.name))
        self._timeline = sorted(spec.timeline, key=lambda change: change.at_s)
        if control is not None:
            if not control.startswith("ipc://"):
                raise EndpointError(f"--control {control}: it takes orders from anybody, so only on ipc://")
            self._read(self._plain(zmq.REP, control), self._control)

    # -- sockets ---------------------------------------------------------------------------------------

    def _plain(self, kind: int, address: str) -> Socket:
        """A socket bound on this host, of no participant."""
        socket = self._context.socket(kind)
        socket.setsockopt(zmq.LINGER, 0)
        socket.setsockopt(zmq.MAXMSGSIZE, MAX_MESSAGE_BYTES)
        bind_socket(socket, address)
        return socket

    def _socket(self, kind: int, *, bind: Channel | None = None, connect: Channel | None = None) -> Socket:
        channel = bind or connect
        assert channel is not None
        socket = self._context.socket(kind)
        for option, value in (
            (zmq.LINGER, 0),
            (zmq.MAXMSGSIZE, MAX_MESSAGE_BYTES),
            (zmq.RECONNECT_IVL, RECONNECT_MS),
            (zmq.HANDSHAKE_IVL, HANDSHAKE_MS),
            (zmq.RCVHWM, _QUEUE),
            (zmq.IPV6, int("[" in channel.address)),
        ):
            socket.setsockopt(option, value)
        if kind == zmq.SUB:
            socket.subscribe(b"")
        keyring = self._context.keyring if bind else self._inward
        has_keys = lock_socket(socket, channel, keyring, bind=bind is not None)
        if bind:
            bind_socket(socket, channel.address, has_keys=has_keys)
        else:
            check_connect(channel.address, has_keys=has_keys)
            socket.connect(channel.address)
        return socket

    def _read(self, socket: Socket, reader: Callable[[Socket], None]) -> None:
        self._readers[socket] = reader
        self._poller.register(socket, zmq.POLLIN)

    def _link(self, name: str) -> Link:
        seed = self._spec.seed * 1000 + len(self.links)
        self.links[name] = Link(self._spec.impairment(name.split()[0]), seed)
        return self.links[name]

    def _open(self, entry: Stream, real: Channel, shown: Channel) -> None:
        link = self._link(entry.name)
        if entry.pattern is Pattern.ROUTER:
            self._open_requests(link, self._link(f"{entry.name} reply"), real, shown)
            return
        if entry.pattern is Pattern.PUB:
            source, sink = self._socket(zmq.SUB, connect=real), self._socket(zmq.PUB, bind=shown)
        elif entry.pattern is Pattern.SUB:
            source, sink = self._socket(zmq.SUB, bind=shown), self._socket(zmq.PUB, connect=real)
        else:
            source, sink = self._socket(zmq.PULL, bind=shown), self._socket(zmq.PUSH, connect=real)

        self._read(source, lambda socket: self._take(socket, link, partial(_forward, sink)))

    def _take(self, socket: Socket, link: Link, forward: Forward) -> None:
        for _ in range(_MAX_PER_TURN):
            try:
                frames = socket.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                return
            self._offer(link, frames[-1], forward)

    def _offer(self, link: Link, data: bytes, forward: Forward) -> None:
        for delivery in link.offer(time.monotonic_ns(), data):
            self._number += 1
            heapq.heappush(self._pending, _Pending(delivery.due_ns, self._number, delivery.data, forward))

    def _open_requests(self, there: Link, back: Link, real: Channel, shown: Channel) -> None:
        """One connection to the real side for each client, so that it still tells them apart."""
        router = self._socket(zmq.ROUTER, bind=shown)
        clients: OrderedDict[bytes, Socket] = OrderedDict()

        def connection(route: list[bytes]) -> Socket:
            key = route[0]
            if key not in clients:
                if len(clients) >= _CLIENTS:
                    _, oldest = clients.popitem(last=False)
                    self._poller.unregister(oldest)
                    del self._readers[oldest]
                    oldest.close()
                clients[key] = self._socket(zmq.DEALER, connect=real)
                self._read(clients[key], lambda socket: self._take(socket, back, answer))

                def answer(data: bytes) -> None:
                    _try_send(router, [*route, data])

            clients.move_to_end(key)
            return clients[key]

        def ask(socket: Socket) -> None:
            for _ in range(_MAX_PER_TURN):
                try:
                    *route, body = socket.recv_multipart(zmq.NOBLOCK)
                except zmq.Again:
                    return
                self._offer(there, body, partial(_forward, connection(route)))

        self._read(router, ask)

    # -- the loop --------------------------------------------------------------------------------------

    def run(self, stop: StopFlag, seconds: float | None = None) -> None:
        """Pass messages on until told to stop."""
        begin_s = self._begin_s = time.monotonic()
        while not stop.asked:
            now_s = time.monotonic() - begin_s
            if seconds is not None and now_s >= seconds:
                return
            while self._timeline and self._timeline[0].at_s <= now_s:
                self._apply(self._timeline.pop(0))
            self._deliver()
            self._context.admit()
            # A change of the timeline may be late by one wait, 1 ms.
            for socket, _ in self._poller.poll(0 if self._wait() else 1):
                if socket in self._readers:
                    self._readers[socket](socket)

    def _wait(self) -> bool:
        """Sleep until the next delivery, in slices so short that no arrival waits for long."""
        if not self._pending:
            return False
        left_s = (self._pending[0].due_ns - time.monotonic_ns()) * 1e-9
        if left_s > 0.0:
            time.sleep(min(left_s, _SLICE_S))
        return True

    def _deliver(self) -> None:
        now_ns = time.monotonic_ns()
        while self._pending and self._pending[0].due_ns <= now_ns:
            message = heapq.heappop(self._pending)
            message.forward(message.data)

    def _apply(self, change: Change) -> None:
        self._set(change.streams, change.preset, change.impair)

    def _set(self, streams: tuple[str, ...], preset: str | None, impair: dict[str, object]) -> None:
        wanted = from_preset(preset, impair)
        for name, link in self.links.items():
            if not streams or name in streams or name.split()[0] in streams:
                link.impairment = wanted

    def _control(self, socket: Socket) -> None:
        reply: dict[str, Any]
        try:
            request = msgspec.msgpack.decode(socket.recv(zmq.NOBLOCK))
            args = request.get("args", {})
            if request["op"] == "set":
                streams = tuple(args.get("streams", ()))
                self._set(streams, args.get("preset"), args.get("impair", {}))
                if (for_s := args.get("for_s")) is not None:
                    at_s = time.monotonic() - self._begin_s + float(for_s)
                    self._timeline = sorted(
                        [*self._timeline, Change(at_s=at_s, streams=streams)], key=lambda change: change.at_s
                    )
            elif request["op"] != "stats":
                raise ValueError(f"no operation {request['op']!r}; there are: set, stats")
            reply = {"ok": True, "result": self.statistics()}
        except zmq.Again:
            return
        except Exception as error:  # whatever was asked, the proxy goes on
            reply = {"ok": False, "error": str(error)}
        socket.send(msgspec.msgpack.encode(reply))

    def statistics(self) -> dict[str, dict[str, float]]:
        """What each direction did so far."""
        return {
            name: {**link.counts, "mean_delay_ms": link.delay_ms / max(1, link.counts["delivered"])}
            for name, link in self.links.items()
            if link.counts
        }


def _forward(socket: Socket, data: bytes) -> None:
    _try_send(socket, [data])


def _try_send(socket: Socket, frames: list[bytes]) -> None:
    """Send, or let it be: nobody is there, or its queue is full. A network does not wait either."""
    try:
        socket.send_multipart(frames, zmq.NOBLOCK)
    except zmq.ZMQError:
        return
