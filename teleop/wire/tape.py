"""The way of each tick to the recorder: PUSH to PULL through a bounded queue; what does not fit is counted.

The recorder binds. One that was asked for with the session gets the controller's first tick, which waits for
it; otherwise the controller stands by, and a recorder that comes later gets the ticks from then on. One that
stands still, or died, costs the loop nothing: its queue fills, then ticks are dropped and counted.
"""

from __future__ import annotations

import msgspec
import zmq

from teleop.wire.endpoints import Channel
from teleop.wire.record import TickRecord
from teleop.wire.sockets import Context, HeaderFields, WireSocket
from teleop.wire.streams import SCHEMA

QUEUE_TICKS = 5_000
"""Ticks that wait in the controller while the recorder stands still: 5 s, about 20 MB."""
RECEIVED_TICKS = 60_000
"""Ticks that wait in the recorder while its disk stands still: a minute."""
TICK_MAX_BYTES = 16_000_000
"""A tick may hold 16 requests of 64 kB and their answers."""
LINGER_MS = 3_000

_encoder = msgspec.msgpack.Encoder()


class TapeSender(WireSocket):
    """The controller's side; never blocks.

    Attributes:
        expects: a recorder was asked for, so ticks wait for it.
        sent: ticks handed over.
        dropped: ticks for which the queue had no room.
    """

    def __init__(self, context: Context, channel: Channel, session: bytes, *, expects: bool = True) -> None:
        """Connect to the recorder's ``channel``; it need not be there yet.

        Args:
            context: the process's context.
            channel: the recorder's.
            session: the sender's 16 bytes.
            expects: keep ticks for a recorder that is not there yet; else only for one that is.
        """
        self.expects = expects
        super().__init__(
            context,
            channel,
            zmq.PUSH,
            bind=False,
            options={
                zmq.SNDHWM: QUEUE_TICKS,
                zmq.MAXMSGSIZE: TICK_MAX_BYTES,
                zmq.IMMEDIATE: int(not expects),
            },
        )
        self._session = session
        self._seq = -1
        self.sent = 0
        self.dropped = 0

    @property
    def wanted(self) -> bool:
        """Whether a tick has somewhere to go; where not, :meth:`skip` it instead of making it."""
        return self.expects or bool(int(self._socket.getsockopt(zmq.EVENTS)) & zmq.POLLOUT)

    def skip(self) -> None:
        """Leave a tick out; a recorder that was there before and after it sees a gap."""
        self._seq += 1

    def header(self, stamp_ns: int) -> HeaderFields:
        """The header of the next tick; each call takes the next ``seq``, so a dropped tick leaves a gap."""
        self._seq += 1
        return {
            "schema": SCHEMA,
            "stream": self.channel.name,
            "session": self._session,
            "seq": self._seq,
            "stamp_ns": stamp_ns,
        }

    def send(self, record: TickRecord) -> None:
        """Hand over one tick, or drop and count it."""
        try:
            self._socket.send(_encoder.encode(record), zmq.NOBLOCK)
            self.sent += 1
        except zmq.Again:
            self.dropped += 1

    def finish(self) -> None:
        """Close, and let what still waits reach the recorder for some seconds."""
        self._socket.close(linger=LINGER_MS)


class TapeReceiver(WireSocket):
    """The recorder's side.

    Attributes:
        rejected: messages that were no ticks.
    """

    def __init__(self, context: Context, channel: Channel) -> None:
        """Bind ``channel``."""
        super().__init__(
            context,
            channel,
            zmq.PULL,
            bind=True,
            options={zmq.RCVHWM: RECEIVED_TICKS, zmq.MAXMSGSIZE: TICK_MAX_BYTES},
        )
        self._decoder = msgspec.msgpack.Decoder(TickRecord)
        self.rejected = 0

    def receive(self) -> TickRecord | None:
        """The oldest tick waiting; ``None`` when there is none."""
        while True:
            try:
                data = self._socket.recv(zmq.NOBLOCK)
            except zmq.Again:
                return None
            try:
                record = self._decoder.decode(data)
            except Exception:  # whatever the bytes hold, as in Codec
                self.rejected += 1
                continue
            if record.schema == SCHEMA:
                return record
            self.rejected += 1
