"""Requests and their replies: ROUTER on the side that binds, DEALER on the side that asks."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import zmq

from teleop.wire.codec import Codec, Rejected
from teleop.wire.endpoints import Channel
from teleop.wire.errors import OversizedError, RequestRefusedError, RequestTimeoutError
from teleop.wire.messages import Reply, Request
from teleop.wire.sockets import MAX_PER_CALL, Context, WireSocket

QUEUE_DEPTH = 64
"""Requests waiting per client, and replies waiting for a client that does not read."""


@dataclass(frozen=True, slots=True)
class Incoming:
    """A valid request and the way back to who asked."""

    request: Request
    route: tuple[bytes, ...]


class RequestServer(WireSocket):
    """Answers requests; the owner of the stream binds it.

    A request that is malformed or names an unknown operation is answered here with an error if its ``id``
    can be read, and counted in ``rejected`` in any case. Clients may be DEALER or REQ sockets.
    """

    def __init__(self, context: Context, channel: Channel, ops: Iterable[str]) -> None:
        """Bind the server.

        Args:
            context: the process's context.
            channel: a ROUTER stream.
            ops: the operations there are.
        """
        super().__init__(
            context,
            channel,
            zmq.ROUTER,
            bind=True,
            options={zmq.RCVHWM: QUEUE_DEPTH, zmq.SNDHWM: QUEUE_DEPTH},
        )
        self._ops = frozenset(ops)
        self._requests = Codec(Request, None)
        self._replies = Codec(Reply, None)
        self.rejected: Counter[str] = Counter()

    def receive(self) -> Incoming | None:
        """The next valid request that is already here; ``None`` when there is none. Never blocks."""
        for _ in range(MAX_PER_CALL):
            try:
                frames = self._socket.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                return None
            # A REQ socket puts an empty frame between its identity and the body.
            *route, body = frames
            if route[1:] not in ([], [b""]):
                self.rejected["malformed"] += 1
                continue
            request = self._requests.decode(body)
            if isinstance(request, Rejected):
                self.rejected[request.reason.value] += 1
                if request.request_id is not None:
                    self._send(route, Reply(id=request.request_id, ok=False, error=request.detail))
            elif request.op not in self._ops:
                self.rejected["unknown_operation"] += 1
                error = f"no operation {request.op!r}; there are: {', '.join(sorted(self._ops))}"
                self._send(route, Reply(id=request.id, ok=False, error=error))
            else:
                return Incoming(request, tuple(route))
        return None

    def succeed(self, incoming: Incoming, result: Any = None) -> None:
        """Answer with ``ok`` and a result MessagePack can carry."""
        try:
            self._send(incoming.route, Reply(id=incoming.request.id, ok=True, result=result))
        except OversizedError as error:
            self.refuse(incoming, f"the answer does not fit the wire: {error}")

    def refuse(self, incoming: Incoming, error: str) -> None:
        """Answer that it was not done, and why, in a sentence."""
        self._send(incoming.route, Reply(id=incoming.request.id, ok=False, error=error))

    def _send(self, route: Iterable[bytes], reply: Reply) -> None:
        # A ROUTER drops what a client that left or does not read cannot take; it never blocks.
        self._socket.send_multipart([*route, self._replies.encode(reply)], zmq.NOBLOCK)


class RequestClient(WireSocket):
    """Asks the owner of a request stream.

    A request is only sent over a connection that stands: none waits in a queue to be executed by a driver
    that starts a minute later.
    """

    def __init__(self, context: Context, channel: Channel) -> None:
        """Connect to the server of ``channel``, a ROUTER stream."""
        super().__init__(
            context,
            channel,
            zmq.DEALER,
            bind=False,
            options={zmq.IMMEDIATE: 1, zmq.RCVHWM: QUEUE_DEPTH, zmq.SNDHWM: QUEUE_DEPTH},
        )
        self._requests = Codec(Request, None)
        self._replies = Codec(Reply, None)
        self._last_id = 0

    def send(self, op: str, args: dict[str, Any] | None = None) -> int | None:
        """Send without waiting, for loops. Its ``id``, or ``None`` if nobody is connected."""
        self._last_id += 1
        data = self._requests.encode(Request(id=self._last_id, op=op, args=args or {}))
        try:
            self._socket.send(data, zmq.NOBLOCK)
        except zmq.Again:
            return None
        return self._last_id

    def receive(self) -> Reply | None:
        """The next reply already here, ``None`` when there is none; its ``id`` says to which request."""
        for _ in range(MAX_PER_CALL):
            try:
                reply = self._replies.decode(self._socket.recv(zmq.NOBLOCK))
            except zmq.Again:
                return None
            if not isinstance(reply, Rejected):
                return reply
        return None

    def call(self, op: str, args: dict[str, Any] | None = None, *, timeout_s: float = 1.0) -> Any:
        """Ask and wait for the answer's ``result``. Replies to earlier requests are dropped.

        Raises:
            RequestTimeoutError: nobody connected, or no answer, within ``timeout_s``.
            RequestRefusedError: the other side said no; the text says why.
        """
        deadline = time.monotonic() + timeout_s
        self._socket.poll(round(timeout_s * 1e3), zmq.POLLOUT)
        sent = self.send(op, args)
        if sent is None:
            raise RequestTimeoutError(
                f"{op!r}: nobody is at {self.channel.address} after {timeout_s:g} s; is that process running?"
            )
        while (left := deadline - time.monotonic()) > 0 and self.wait(left):
            reply = self.receive()
            if reply is None or reply.id != sent:
                continue
            if not reply.ok:
                raise RequestRefusedError(reply.error)
            return reply.result
        raise RequestTimeoutError(
            f"{op!r}: {self.channel.address} is connected but gave no answer within {timeout_s:g} s"
        )
