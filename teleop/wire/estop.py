"""The emergency stop's own sockets: never conflated, never behind other traffic."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import ExitStack

import zmq

from teleop.wire.codec import Codec
from teleop.wire.endpoints import Channel
from teleop.wire.messages import Estop
from teleop.wire.sockets import Context, Receiver, WireSocket
from teleop.wire.streams import SCHEMA

ESTOP_MAX_BYTES = 8_192
"""Largest e-stop: 1280 characters of up to four bytes, and the header."""

_WAITING = 64
# The one message that must not be dropped because its sender has said all and ends.
_LINGER_MS = 250


class EstopReceiver(Receiver[Estop]):
    """Receives e-stops; the controller and each arm driver bind one. ``receive()`` until ``None``."""

    def __init__(self, context: Context, channel: Channel) -> None:
        """Bind the receiver of ``channel``, an e-stop stream."""
        super().__init__(
            context,
            channel,
            zmq.PULL,
            Estop,
            bind=True,
            options={zmq.RCVHWM: _WAITING, zmq.MAXMSGSIZE: ESTOP_MAX_BYTES},
        )

    def receive(self) -> Estop | None:
        """The oldest e-stop waiting; ``None`` when there is none. Never blocks."""
        return self._receive()


class EstopPusher(WireSocket):
    """Sends e-stops to one receiver. A PUSH socket with two receivers would send each only half of them."""

    def __init__(self, context: Context, channel: Channel, session: bytes) -> None:
        """Connect to the receiver of ``channel``, as the sender ``session``."""
        super().__init__(
            context, channel, zmq.PUSH, bind=False, options={zmq.IMMEDIATE: 1, zmq.LINGER: _LINGER_MS}
        )
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


def push_to_all(
    context: Context,
    channels: Mapping[str, Channel],
    session: bytes,
    source: str,
    why: str,
    *,
    timeout_s: float = 0.5,
) -> list[str]:
    """Send an e-stop to every receiver at once, each as soon as it is connected.

    A controller that hangs costs the arms nothing: nobody waits for anybody.

    Args:
        context: the process's context.
        channels: e-stop channel by name of who binds it.
        session: the sender's 16 bytes.
        source: who stops.
        why: in a sentence.
        timeout_s: how long to wait for connections.

    Returns:
        The names that could not be reached in time.
    """
    end_s = time.monotonic() + timeout_s
    with ExitStack() as stack:
        missed = {
            name: stack.enter_context(EstopPusher(context, channel, session))
            for name, channel in channels.items()
        }
        while missed:
            for name, pusher in list(missed.items()):
                if pusher.push(source, why, timeout_s=0.0):
                    del missed[name]
            left_s = end_s - time.monotonic()
            if not missed or left_s <= 0.0:
                break
            poller = zmq.Poller()
            for pusher in missed.values():
                poller.register(pusher._socket, zmq.POLLOUT)
            poller.poll(max(1, round(left_s * 1e3)))
        return list(missed)
