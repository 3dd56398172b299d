"""The console on the wire: it listens to telemetry and events, asks, stops, and steers masters."""

from __future__ import annotations

import asyncio
import contextlib
import time
from pathlib import Path
from typing import Any

from teleop.config import Session
from teleop.masters.console import ConsoleSpec
from teleop.wire.endpoints import Participant
from teleop.wire.errors import WireError
from teleop.wire.estop import EstopPusher
from teleop.wire.messages import Event, MeasuredCp, MeasuredJs, Signal, Steer, Telemetry
from teleop.wire.requests import RequestClient
from teleop.wire.sockets import Context, NewestSubscriber, Publisher, QueueSubscriber, new_session
from teleop.wire.streams import Role

ANSWER_S = 3.0
_POLL_S = 0.002


class RefusedError(Exception):
    """The other side said no, or nothing; the text says why."""


class Client:
    """All sockets of the console. Nothing here blocks; what must wait is a coroutine."""

    def __init__(self, context: Context, session: Session) -> None:
        """Connect; nobody has to be there yet.

        Args:
            context: the process's context.
            session: whom to talk to.
        """
        sender = new_session()
        if session.controller_endpoint.startswith("ipc://"):
            Path(session.controller_endpoint.removeprefix("ipc://")).parent.mkdir(parents=True, exist_ok=True)
        own = Participant(Role.CONTROLLER, "controller", session.controller_endpoint)
        self.telemetry = QueueSubscriber(context, own.channel("telemetry"), Telemetry)
        self.events = QueueSubscriber(context, own.channel("event"), Event)
        self._requests = RequestClient(context, own.channel("request"))
        self._estops = {"controller": EstopPusher(context, own.channel("estop"), sender)}
        self.hands: list[QueueSubscriber[MeasuredCp]] = []
        self.arms: list[NewestSubscriber[MeasuredJs]] = []
        self._steer: list[Publisher | None] = []
        for pair, source in zip(session.spec.pairs, session.sources, strict=True):
            master = Participant(
                Role.MASTER, pair.master.name, session.endpoint(pair.master.name, pair.master.endpoint)
            )
            arm = Participant(Role.ARM, pair.arm.name, session.endpoint(pair.arm.name, pair.arm.endpoint))
            self.hands.append(QueueSubscriber(context, master.channel("measured_cp"), MeasuredCp))
            self.arms.append(NewestSubscriber(context, arm.channel("measured_js"), MeasuredJs))
            self._estops[pair.arm.name] = EstopPusher(context, arm.channel("estop"), sender)
            steerable = isinstance(source, ConsoleSpec)
            self._steer.append(Publisher(context, master.channel("steer"), sender) if steerable else None)
        self._lock = asyncio.Lock()

    def steer(
        self,
        pair: int,
        *,
        drive: bool,
        epoch: int,
        p_m: list[float],
        quat_xyzw: list[float],
        gripper_rad: float,
        present: bool,
        clutch: bool,
        stamp_ns: int,
    ) -> None:
        """Move a hand; ``stamp_ns`` is when the person's device reported it, on this host's clock."""
        publisher = self._steer[pair]
        if publisher is None:
            return
        publisher.send(
            Steer(
                **publisher.header(time.monotonic_ns()),
                drive=drive,
                epoch=epoch,
                p_m=p_m,
                quat_xyzw=quat_xyzw,
                gripper_rad=gripper_rad,
                present=Signal(present, stamp_ns),
                clutch=Signal(clutch, stamp_ns),
            )
        )

    def estop(self, source: str, why: str) -> list[str]:
        """Stop the controller and every arm driver; the names of those who could not be reached."""
        return [name for name, pusher in self._estops.items() if not pusher.push(source, why, timeout_s=0.0)]

    async def ask(self, op: str, args: dict[str, Any] | None = None, timeout_s: float = ANSWER_S) -> Any:
        """The controller's answer to a request. One is asked at a time.

        Raises:
            RefusedError: it said no, or did not answer.
        """
        async with self._lock:
            end = time.monotonic() + timeout_s
            try:
                while (sent := self._requests.send(op, args)) is None:
                    if time.monotonic() > end:
                        raise RefusedError(
                            f"`{op}`: no controller is there. Start the session, or check where it runs."
                        )
                    await asyncio.sleep(_POLL_S)
            except WireError as error:
                raise RefusedError(f"`{op}`: {error}") from error
            while time.monotonic() < end:
                reply = self._requests.receive()
                if reply is None:
                    await asyncio.sleep(_POLL_S)
                elif reply.id == sent:
                    if not reply.ok:
                        raise RefusedError(reply.error)
                    return reply.result
        raise RefusedError(f"`{op}`: the controller gave no answer within {timeout_s:g} s")


async def quietly(coroutine: Any) -> None:
    """Await and forget what goes wrong; for the way out."""
    with contextlib.suppress(Exception):
        await coroutine
