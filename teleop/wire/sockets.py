"""Sockets of the wire: one per stream, no topic prefixes, nothing that blocks a loop.

Which side binds follows from the table of streams: the owner does. So a :class:`Publisher` on a PUB stream
binds and on a SUB stream connects; the subscribers do the opposite. Connecting before the other side exists
is normal: ZeroMQ keeps trying.

None of these is thread-safe. Open them before the process becomes real time, so that ZeroMQ's I/O thread is
there to become real time too.
"""

from __future__ import annotations

import os
import resource
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Generic, Self, TypedDict

import zmq

from teleop.wire.binding import bind_socket
from teleop.wire.codec import MAX_MESSAGE_BYTES, Codec, MessageT, Rejected
from teleop.wire.curve import lock_socket
from teleop.wire.endpoints import Channel, check_connect
from teleop.wire.errors import EndpointError
from teleop.wire.gatekeeper import Gatekeeper
from teleop.wire.keys import Keyring
from teleop.wire.messages import Header
from teleop.wire.streams import SCHEMA, Pattern

DESCRIPTORS = 65_536
"""Open files a process may have, as far as the system lets it: libzmq 4.3.5 aborts the process when an ipc
listener finds none left, so running out has to be out of reach of what connects within a handshake's time."""

HANDSHAKE_MS = 2_000
"""How long a connection may take to say what it is, so that silent ones do not use up descriptors."""

RECONNECT_MS = 20
"""How often a connecting socket tries again; a restarted driver is found within this time."""

MAX_PER_CALL = 16
"""Most messages a receive call reads to find a good one: a flood of bad ones cannot hold a loop."""

NEWEST_DEPTH = 1000
"""Messages of a sender that wait for a reader of the newest: a second of a stream. After that they wait at
the sender, and a reader that stalled for longer gets old ones first."""


class HeaderFields(TypedDict):
    """The header as keyword arguments: ``MeasuredCp(**publisher.header(stamp_ns), ...)``."""

    schema: int
    stream: str
    session: bytes
    seq: int
    stamp_ns: int


def new_session() -> bytes:
    """Sixteen random bytes: who is sending, since this start. Draw it once per process."""
    return os.urandom(16)


class Context(zmq.Context["zmq.Socket[bytes]"]):
    """The process's one ZeroMQ context, with the keys under which its tcp sockets work.

    Attributes:
        keyring: the process's keys; ``None`` where all is on one host.
        gatekeeper: answers who may connect; ``None`` without keys. Its loop calls it in every tick.
    """

    keyring: Keyring | None = None
    gatekeeper: Gatekeeper | None = None

    def admit(self) -> None:
        """Let in the clients that wait and may enter; call it in every tick of a process that binds."""
        if self.gatekeeper is not None:
            self.gatekeeper.answer()


@contextmanager
def open_context(keyring: Keyring | None = None) -> Iterator[Context]:
    """The process's one ZeroMQ context; leaving closes every socket still open, without waiting.

    Args:
        keyring: keys for tcp; without them no address that leaves this host can be opened.
    """
    _raise_descriptor_limit()
    context = Context()
    try:
        if keyring is not None:
            context.keyring = keyring
            context.gatekeeper = Gatekeeper(context, keyring)
        yield context
    finally:
        context.destroy(linger=0)


def _raise_descriptor_limit() -> None:
    """Ask for as many descriptors as may be had, up to :data:`DESCRIPTORS`."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, DESCRIPTORS)
    if soft != resource.RLIM_INFINITY and soft < most:
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


class WireSocket:
    """What all sockets share: opening on the right side, waiting, closing."""

    def __init__(
        self,
        context: Context,
        channel: Channel,
        kind: int,
        *,
        bind: bool,
        options: dict[int, int] | None = None,
    ) -> None:
        """Open the socket.

        Args:
            context: the process's context.
            channel: stream, name and address.
            kind: ZeroMQ socket type, e.g. ``zmq.PUB``.
            bind: bind instead of connect.
            options: integer socket options set before opening.

        Raises:
            EndpointError: the address cannot be bound or connected to.
        """
        self.channel = channel
        self._socket = context.socket(kind)
        self._socket.setsockopt(zmq.LINGER, 0)
        self._socket.setsockopt(zmq.MAXMSGSIZE, MAX_MESSAGE_BYTES)
        self._socket.setsockopt(zmq.RECONNECT_IVL, RECONNECT_MS)
        self._socket.setsockopt(zmq.HANDSHAKE_IVL, HANDSHAKE_MS)
        self._socket.setsockopt(zmq.IPV6, int("[" in channel.address))
        for option, value in (options or {}).items():
            self._socket.setsockopt(option, value)
        try:
            has_keys = lock_socket(self._socket, channel, context.keyring, bind=bind)
            if bind:
                bind_socket(self._socket, channel.address, has_keys=has_keys)
            else:
                check_connect(channel.address, has_keys=has_keys)
                self._socket.connect(channel.address)
        except EndpointError:
            self.close()
            raise
        except zmq.ZMQError as error:
            self.close()
            raise EndpointError(f"cannot connect to {channel.address} ({channel.name}): {error}") from error

    def wait(self, timeout_s: float) -> bool:
        """Wait until a message is there to receive; False when ``timeout_s`` passed without one."""
        return bool(self._socket.poll(round(timeout_s * 1e3), zmq.POLLIN))

    def fileno(self) -> int:
        """ZeroMQ's edge-triggered descriptor: after it turns readable, receive until nothing comes."""
        return self._socket.getsockopt(zmq.FD)  # type: ignore[return-value]

    def close(self) -> None:
        """Close at once; may be called twice."""
        self._socket.close()

    def __enter__(self) -> Self:
        """The open socket."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.close()


class Publisher(WireSocket):
    """Sends one stream; never blocks, and never keeps a message for a receiver that is not there."""

    def __init__(self, context: Context, channel: Channel, session: bytes) -> None:
        """Open the sending side.

        Args:
            context: the process's context.
            channel: a PUB or SUB stream.
            session: the sender's 16 bytes, see :func:`new_session`.
        """
        pattern = channel.stream.pattern
        _expect(channel, pattern in (Pattern.PUB, Pattern.SUB), "a publisher")
        super().__init__(context, channel, zmq.PUB, bind=pattern is Pattern.PUB)
        self._codec = Codec(channel.stream.message, channel.name)
        self._session = session
        self._seq = -1

    def header(self, stamp_ns: int) -> HeaderFields:
        """The header of the next message; each call takes the next ``seq``.

        Args:
            stamp_ns: monotonic clock when the content was sampled.
        """
        self._seq += 1
        return {
            "schema": SCHEMA,
            "stream": self.channel.name,
            "session": self._session,
            "seq": self._seq,
            "stamp_ns": stamp_ns,
        }

    def send(self, message: Header) -> bytes:
        """Send to whoever listens now; returns the bytes sent.

        Raises:
            TypeError: not a message of this stream.
            OversizedError: larger than a receiver would take.
        """
        data = self._codec.encode(message)
        self._socket.send(data, zmq.NOBLOCK)
        return data


class Receiver(WireSocket, Generic[MessageT]):
    """What the receiving sockets share: decoding, and counting what was not a message.

    Attributes:
        rejected: how many received messages were not accepted, by reason.
        last_rejected: the newest reject, for a person to read.
    """

    def __init__(
        self,
        context: Context,
        channel: Channel,
        kind: int,
        message: type[MessageT],
        *,
        bind: bool,
        options: dict[int, int] | None = None,
    ) -> None:
        """Open the receiving side; arguments as in the subclasses."""
        _expect(channel, message is channel.stream.message, f"a receiver of {message.__name__}")
        super().__init__(context, channel, kind, bind=bind, options=options)
        self._codec = Codec(message, channel.name)
        self.rejected: Counter[str] = Counter()
        self.last_rejected: Rejected | None = None

    def _receive(self) -> MessageT | None:
        """The next good message that is already here; ``None`` when there is none."""
        for _ in range(MAX_PER_CALL):
            try:
                data = self._socket.recv(zmq.NOBLOCK)
            except zmq.Again:
                return None
            decoded = self._codec.decode(data)
            if not isinstance(decoded, Rejected):
                return decoded
            self.rejected[decoded.reason.value] += 1
            self.last_rejected = decoded
        return None


class NewestSubscriber(Receiver[MessageT]):
    """Keeps only the newest message of each sender, read from a short queue to its end.

    Not by ZMQ_CONFLATE: in libzmq 4.3.5 a message and its buffer of 8 kB are lost whenever reader and writer
    meet in that slot (zeromq/libzmq pull request 4925), which cost a controller 0.4 MB a minute.
    """

    def __init__(self, context: Context, channel: Channel, message: type[MessageT]) -> None:
        """Open the receiving side.

        Args:
            context: the process's context.
            channel: a newest-only PUB or SUB stream.
            message: its struct, as in the table of streams.
        """
        _expect(channel, channel.stream.conflate, "a newest-only subscriber")
        super().__init__(
            context,
            channel,
            zmq.SUB,
            message,
            bind=channel.stream.pattern is Pattern.SUB,
            options={zmq.RCVHWM: NEWEST_DEPTH},
        )
        self._socket.subscribe(b"")
        self._slots: dict[bytes, MessageT] = {}  # by session

    def newest(self) -> MessageT | None:
        """The newest message not yet taken; ``None`` when nothing new came.

        Each sender has a slot of its own, by its session, and one call gives one of them: where the stream is
        bound here, call until ``None`` to see them all.
        """
        if not self._slots:
            for _ in range(2 * NEWEST_DEPTH):  # a flood cannot hold the loop
                message = self._receive()
                if message is None:
                    break
                assert isinstance(message, Header)
                self._slots[message.session] = message
                if not self._more():
                    break
        return self._slots.pop(next(iter(self._slots))) if self._slots else None

    def _more(self) -> bool:
        """Whether more waits; cheaper than a receive that finds nothing, which costs an exception."""
        return bool(self._socket.getsockopt(zmq.EVENTS) & int(zmq.POLLIN))  # type: ignore[operator]


class QueueSubscriber(Receiver[MessageT]):
    """Receives every message of a stream through a bounded queue, and counts what the bound cost.

    Attributes:
        dropped: messages missing between those received, by their ``seq``.
        restarts: how often the sender's session changed.
    """

    def __init__(
        self, context: Context, channel: Channel, message: type[MessageT], depth: int = 1000
    ) -> None:
        """Open the receiving side.

        Args:
            context: the process's context.
            channel: a PUB stream.
            message: its struct, as in the table of streams.
            depth: messages the queue on this side holds; beyond it and the sender's own queue, it drops.
        """
        _expect(channel, channel.stream.pattern is Pattern.PUB, "a queue subscriber")
        super().__init__(context, channel, zmq.SUB, message, bind=False, options={zmq.RCVHWM: depth})
        self._socket.subscribe(b"")
        self.dropped = 0
        self.restarts = 0
        self._session = b""
        self._next_seq = 0

    def receive(self) -> MessageT | None:
        """The oldest message waiting; ``None`` when there is none. Call until ``None`` to catch up."""
        message = self._receive()
        if isinstance(message, Header):
            if message.session == self._session:
                self.dropped += max(0, message.seq - self._next_seq)
            else:
                self.restarts += bool(self._session)
                self._session = message.session
            self._next_seq = message.seq + 1
        return message


class ReadSet:
    """Asks many sockets in one call which of them have something: cheaper than trying each in turn."""

    def __init__(self, *sockets: WireSocket) -> None:
        """Watch ``sockets``."""
        self._sockets = {id(s._socket): s for s in sockets}
        self._items = [(s._socket, zmq.POLLIN) for s in sockets]

    def ready(self) -> set[WireSocket]:
        """The sockets that have a message now."""
        return {self._sockets[id(zsocket)] for zsocket, _ in zmq.zmq_poll(self._items, 0)}


def _expect(channel: Channel, fits: bool, what: str) -> None:
    if not fits:
        entry = channel.stream
        raise TypeError(
            f"{channel.name} is a {entry.pattern.value} stream of {entry.message.__name__}"
            f"{', newest only' if entry.conflate else ''}: {what} does not fit it"
        )
