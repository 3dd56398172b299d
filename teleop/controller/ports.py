"""The controller's sockets: what came in as the inputs of a tick, what it decided out on the wire."""

from __future__ import annotations

from pathlib import Path

from teleop.config.schema import PairSpec
from teleop.config.session import Session
from teleop.controller.types import (
    ControllerInputs,
    ControllerOutputs,
    EventRecord,
    PairInputs,
    PairOutputs,
)
from teleop.safety.states import Teleop
from teleop.wire.endpoints import Participant
from teleop.wire.estop import EstopReceiver
from teleop.wire.messages import Event, MeasuredCp, MeasuredJs, Reply, Request, ServoCf, ServoJp, Telemetry
from teleop.wire.requests import Incoming, RequestClient, RequestServer
from teleop.wire.runtime_dir import private_dir
from teleop.wire.sockets import Context, NewestSubscriber, Publisher, ReadSet, WireSocket
from teleop.wire.streams import Role
from teleop.wire.tape import TapeSender

COMMAND_TTL_MS = 5.0
FORCE_TTL_MS = 20.0


class PairPorts:
    """Sockets to one master and one arm driver."""

    def __init__(self, context: Context, session: Session, pair: PairSpec, sender: bytes) -> None:
        """Connect; neither side has to be there yet."""
        master = Participant(
            Role.MASTER, pair.master.name, session.seen_endpoint(pair.master.name, pair.master.endpoint)
        )
        arm = Participant(Role.ARM, pair.arm.name, session.seen_endpoint(pair.arm.name, pair.arm.endpoint))
        self.measured_cp = NewestSubscriber(context, master.channel("measured_cp"), MeasuredCp)
        self.servo_cf = Publisher(context, master.channel("servo_cf"), sender)
        self.servo_jp = Publisher(context, arm.channel("servo_jp"), sender)
        self.measured_js = NewestSubscriber(context, arm.channel("measured_js"), MeasuredJs)
        self.arm_requests = RequestClient(context, arm.channel("request"))
        self._ids: dict[int, int] = {}

    def receive(self, ready: set[WireSocket]) -> PairInputs:
        """What came since the last tick, of the sockets that are ``ready``."""
        return PairInputs(
            self.measured_cp.newest() if self.measured_cp in ready else None,
            self.measured_js.newest() if self.measured_js in ready else None,
            self._replies() if self.arm_requests in ready else (),
        )

    def _replies(self) -> tuple[Reply, ...]:
        replies: list[Reply] = []
        while (reply := self.arm_requests.receive()) is not None:
            ours = self._ids.pop(reply.id, None)
            if ours is not None:
                reply.id = ours
                replies.append(reply)
        return tuple(replies)

    def send(self, outputs: PairOutputs, now_ns: int, due_ns: int) -> None:
        """Command, force, and requests to the arm driver.

        A command is stamped with the deadline of its tick: it says where to be at that time. Stamped when it
        is sent, it would carry the loop's lateness into the motion.
        """
        command = outputs.command
        if command is not None:
            self.servo_jp.send(
                ServoJp(
                    **self.servo_jp.header(due_ns),
                    mode=command.mode.value,
                    q=command.q.tolist(),
                    qd=command.qd.tolist(),
                    stop_s=command.stop_s,
                    jaw_rad=command.jaw_rad,
                    ttl_ms=COMMAND_TTL_MS,
                    lease=command.lease,
                )
            )
        if outputs.teleop is not Teleop.IDLE or outputs.force_n.any() or outputs.torque_nm.any():
            # No engagement, no force, once the last one has faded.
            self.servo_cf.send(
                ServoCf(
                    **self.servo_cf.header(now_ns),
                    force_n=outputs.force_n.tolist(),
                    torque_nm=outputs.torque_nm.tolist(),
                    planes=outputs.planes,
                    beside_n=outputs.beside_n.tolist(),
                    remote_n=outputs.remote_n.tolist(),
                    energy_j=outputs.energy_j,
                    ttl_ms=FORCE_TTL_MS,
                )
            )
        for request in outputs.arm_requests:
            sent = self.arm_requests.send(request.op, request.args)
            if sent is not None:
                self._ids[sent] = request.id

    def rejected(self) -> dict[str, int]:
        """Refused bytes by stream and reason."""
        return {
            f"{stream}: {reason}": count
            for stream, receiver in (("measured_cp", self.measured_cp), ("measured_js", self.measured_js))
            for reason, count in receiver.rejected.items()
        }


class Ports:
    """All sockets of the controller. Opening them is the last thing that may allocate or block."""

    def __init__(
        self, context: Context, session: Session, sender: bytes, ops: frozenset[str], *, record: bool = False
    ) -> None:
        """Bind the controller's own streams and connect to every master and arm.

        Args:
            context: the process's context.
            session: who takes part.
            sender: this process's session id.
            ops: requests the controller answers.
            record: a recorder was asked for: keep ticks for it; else stand by for one that may come.

        Raises:
            EndpointError: an endpoint cannot be used.
        """
        if session.controller_endpoint.startswith("ipc://"):
            private_dir(Path(session.controller_endpoint.removeprefix("ipc://")).parent)
        self._context = context
        own = Participant(Role.CONTROLLER, "controller", session.controller_endpoint)
        self.telemetry = Publisher(context, own.channel("telemetry"), sender)
        self._events = Publisher(context, own.channel("event"), sender)
        self._requests = RequestServer(context, own.channel("request"), ops)
        self._estop = EstopReceiver(context, own.channel("estop"))
        self.pairs = tuple(PairPorts(context, session, pair, sender) for pair in session.spec.pairs)
        recorder = Participant(Role.RECORDER, "recorder", session.recorder_endpoint)
        self.tape = TapeSender(context, recorder.channel("tick"), sender, expects=record)
        self._inbound = ReadSet(
            self._requests,
            self._estop,
            *(socket for p in self.pairs for socket in (p.measured_cp, p.measured_js, p.arm_requests)),
        )
        self._waiting: dict[int, Incoming] = {}
        self._last_token = 0

    def receive(self, now_ns: int, *, shut_down: bool = False) -> ControllerInputs:
        """Everything that came since the last tick."""
        self._context.admit()
        ready = self._inbound.ready()
        requests: list[tuple[int, Request]] = []
        while (
            self._requests in ready
            and len(requests) < 16
            and (incoming := self._requests.receive()) is not None
        ):
            self._last_token += 1
            self._waiting[self._last_token] = incoming
            requests.append((self._last_token, incoming.request))
        estops: list[tuple[str, str]] = []
        while self._estop in ready and len(estops) < 16 and (estop := self._estop.receive()) is not None:
            estops.append((estop.source, estop.why))
        pairs = tuple(ports.receive(ready) for ports in self.pairs)
        return ControllerInputs(now_ns, pairs, tuple(requests), tuple(estops), shut_down)

    def send_commands(self, outputs: ControllerOutputs, now_ns: int, due_ns: int) -> None:
        """Commands first: nothing else may delay them. The tick was due at ``due_ns``."""
        for ports, pair in zip(self.pairs, outputs.pairs, strict=True):
            ports.send(pair, now_ns, due_ns)

    def send_rest(
        self, outputs: ControllerOutputs, telemetry: Telemetry, now_ns: int
    ) -> tuple[list[Event], bytes]:
        """Replies, events and telemetry; returns the events and the telemetry's bytes as they were sent."""
        for token, reply in outputs.replies:
            incoming = self._waiting.pop(token)
            if reply.ok:
                self._requests.succeed(incoming, reply.result)
            else:
                self._requests.refuse(incoming, reply.error)
        events = [self._event(event, now_ns) for event in outputs.events]
        for event in events:
            self._events.send(event)
        return events, self.telemetry.send(telemetry)

    def _event(self, event: EventRecord, now_ns: int) -> Event:
        reason = event.reason
        return Event(
            **self._events.header(now_ns),
            kind=event.kind,
            state=event.state.value,
            teleop_state=event.teleop.value,
            reason=reason.code,
            action=reason.action,
            data={"pair": event.pair, "sentence": reason.sentence, "detail": event.detail},
        )

    def rejected(self) -> dict[str, int]:
        """Refused bytes by reason, over all sockets."""
        total: dict[str, int] = {}
        counters = [ports.rejected() for ports in self.pairs]
        counters.append({f"request: {reason}": n for reason, n in self._requests.rejected.items()})
        counters.append({f"estop: {reason}": n for reason, n in self._estop.rejected.items()})
        for counter in counters:
            for reason, count in counter.items():
                total[reason] = total.get(reason, 0) + count
        return total
