"""Who may connect over CURVE: ZeroMQ's authentication protocol (ZAP, RFC 27), answered between two ticks.

libzmq asks over ``inproc://zeromq.zap.01`` for each client that has proved to own its key, and lets the
client wait for the answer. Usually a thread of its own answers. A control process has no room for one: here
the loop calls :meth:`Gatekeeper.answer` once a tick. Where nobody answers, nobody gets in: the sockets
enforce their domain (``ZAP_ENFORCE_DOMAIN``), so a missing gatekeeper never lets everybody enter.
"""

from __future__ import annotations

from collections import Counter

import zmq
from zmq.utils import z85

from teleop.wire.endpoints import Channel
from teleop.wire.keys import Keyring
from teleop.wire.streams import Role

ADDRESS = "inproc://zeromq.zap.01"
_MOST_A_TICK = 4
_FRAMES = 7
"""version, request id, domain, address, identity, mechanism, client key"""


def domain(channel: Channel) -> bytes:
    """What libzmq names in its question: which stream of which role the client wants."""
    return f"{channel.stream.owner.value}/{channel.stream.name}".encode()


class Gatekeeper:
    """Answers libzmq's questions about clients; owned by the context.

    Attributes:
        admitted: clients let in, by name.
        refused: clients turned away, by reason.
    """

    def __init__(self, context: zmq.Context[zmq.Socket[bytes]], keyring: Keyring) -> None:
        """Bind before the first CURVE socket does."""
        self._keyring = keyring
        self._socket = context.socket(zmq.REP)
        self._socket.setsockopt(zmq.LINGER, 0)
        self._socket.bind(ADDRESS)
        self.admitted: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()

    def answer(self) -> None:
        """Answer the questions that are here; never blocks. Call it in every tick."""
        for _ in range(_MOST_A_TICK):
            try:
                frames = self._socket.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                return
            self._socket.send_multipart(self._judge(frames))

    def _judge(self, frames: list[bytes]) -> list[bytes]:
        if len(frames) != _FRAMES or frames[0] != b"1.0" or frames[5] != b"CURVE" or len(frames[6]) != 32:
            self.refused["no_curve"] += 1
            request = frames[1] if len(frames) > 1 else b""
            return [b"1.0", request, b"400", b"CURVE is asked for", b"", b""]
        _, request, wanted, _, _, _, key = frames
        name = self._keyring.who(z85.encode(key))
        role, _, stream = wanted.decode(errors="replace").partition("/")
        if name is None:
            self.refused["unknown_key"] += 1
        elif role in Role._value2member_map_ and self._keyring.lets_in(name, Role(role), stream):
            self.admitted[name] += 1
            return [b"1.0", request, b"200", b"OK", name.encode(), b""]
        else:
            self.refused["not_allowed"] += 1
        return [b"1.0", request, b"400", b"this key may not connect here", b"", b""]

    def close(self) -> None:
        """Close at once."""
        self._socket.close()
