"""The emergency stop's own sockets: never conflated, never behind other traffic."""

from __future__ import annotations

import time

import zmq

from teleop.wire.codec import Codec
from teleop.wire.endpoints import Channel
from teleop.wire.messages import Estop
from teleop.wire.sockets import Context, Receiver, WireSocket
from teleop.wire.streams import SCHEMA


class EstopReceiver(Receiver[Estop]):
    """Receives e-stops; the controller and each arm driver bind one. ``receive()`` until ``None``."""

    def __init__(self, context: Context, channel: Channel) -> None:
        """Bind the receiver of ``channel``, an e-stop stream."""
        super().__init__(context, channel, zmq.PULL, Estop, bind=True)

    def receive(self) -> Estop | None:
        """The oldest e-stop waiting; ``None`` when there is none. Never blocks."""
        return self._receive()


class EstopPusher(WireSocket):
    """Sends e-stops to one receiver. A PUSH socket with two receivers would send each only half of them."""

    def __init__(self, context: Context, channel: Channel, session: bytes) -> None:
        """Connect to the receiver of ``channel``, as the sender ``session``."""
        super().__init__(context, channel, zmq.PUSH, bind=False, options={zmq.IMMEDIATE: 1})
        self._codec = Codec(Estop, channel.name)
        self._session = session
        self._seq = -1

    def push(self, source: str, why: str, *, timeout_s: float = 0.5) -> bool:
        """Send an e-stop; False if nobody was connected within ``timeout_s`` (0 in a loop), so it did not go.

        Args:
            source: who stops, e.g. ``"console"``.
            why: in a sentence.
            timeout_s: how long to wait for a connection.
        """
        self._seq += 1
        message = Estop(
            schema=SCHEMA,
            stream=self.channel.name,
            session=self._session,
            seq=self._seq,
            stamp_ns=time.monotonic_ns(),
            source=source[:256],
            why=why[:1024],
        )
        if not self._socket.poll(round(timeout_s * 1e3), zmq.POLLOUT):
            return False
        self._socket.send(self._codec.encode(message), zmq.NOBLOCK)
        return True
