"""The simulated arm as a process: sockets, clock and signals around :class:`SimArm`."""

from __future__ import annotations

import gc
import os
import sys
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack

from kinematics.arm import ArmModel
from teleop.drivers.requests import OPS
from teleop.drivers.sim.arm import SimArm
from teleop.drivers.sim.spec import SimArmSpec
from teleop.loop.realtime import FIFO_PRIORITY, make_realtime
from teleop.loop.schedule import ARM_PHASE_S, Schedule
from teleop.loop.signals import StopFlag, stop_on_signals
from teleop.loop.timing import Timing
from teleop.wire.endpoints import Participant
from teleop.wire.estop import EstopReceiver
from teleop.wire.keys import Keyring
from teleop.wire.messages import MeasuredJs, ServoJp
from teleop.wire.requests import RequestServer
from teleop.wire.sockets import Context, NewestSubscriber, Publisher, new_session, open_context
from teleop.wire.streams import Role

REALTIME_PRIORITY = FIFO_PRIORITY - 2
"""On a full processor the controller comes first, then the arm, then the master."""

_STAGES = ("receive", "step", "publish")
_RECEIVE, _STEP, _PUBLISH = range(3)
# In one tick no more than this is taken from a socket, so that a flood cannot hold the loop.
_MAX_COMMANDS = 8
_MAX_REQUESTS = 4
_MAX_ESTOPS = 16
# Measured in ticks: a minute at 1 kHz is enough for percentiles and keeps the ring small.
_TIMING_CAPACITY = 60_000


class SimArmServer:
    """One simulated arm and the sockets of its streams, all bound here.

    Attributes:
        sim: the arm.
    """

    def __init__(
        self, context: Context, stack: ExitStack, name: str, arm: ArmModel, spec: SimArmSpec, endpoint: str
    ) -> None:
        """Bind the sockets; ``stack`` closes them.

        Raises:
            EndpointError: the endpoint cannot be bound.
            TrocarError: settings that do not fit the arm.
        """
        # One host has one monotonic clock; over tcp the other end may be another host.
        shared_clock = endpoint.startswith("ipc://")
        self._context = context
        self.sim = SimArm(name, arm, spec, new_token=lambda: os.urandom(16), shared_clock=shared_clock)
        at = Participant(Role.ARM, name, endpoint).channel
        self._commands = stack.enter_context(NewestSubscriber(context, at("servo_jp"), ServoJp))
        self._state = stack.enter_context(Publisher(context, at("measured_js"), new_session()))
        self._requests = stack.enter_context(RequestServer(context, at("request"), OPS))
        self._estops = stack.enter_context(EstopReceiver(context, at("estop")))

    def tick(self, now_ns: int, at_ns: int, periods: int, timing: Timing) -> None:
        """One tick, due at ``at_ns``: answer, stop if told to, execute, measure, publish."""
        contract = self.sim.contract
        self._context.admit()
        for _ in range(_MAX_REQUESTS):
            incoming = self._requests.receive()
            if incoming is None:
                break
            reply = contract.request(incoming.route[0], incoming.request, now_ns)
            if reply.ok:
                self._requests.succeed(incoming, reply.result)
            else:
                self._requests.refuse(incoming, reply.error)
        for _ in range(_MAX_ESTOPS):  # after the requests, so that it has the last word
            estop = self._estops.receive()
            if estop is None:
                break
            contract.estop(estop.source, estop.why, at_ns)
        commands: list[ServoJp] = []
        while len(commands) < _MAX_COMMANDS:
            command = self._commands.newest()
            if command is None:
                break
            commands.append(command)
        timing.mark(_RECEIVE)
        self.sim.step(now_ns, commands, periods, at_ns)
        timing.mark(_STEP)
        self._publish(now_ns)
        timing.mark(_PUBLISH)

    def _publish(self, now_ns: int) -> None:
        sim, contract = self.sim, self.sim.contract
        self._state.send(
            MeasuredJs(
                **self._state.header(now_ns),
                q=sim.q.tolist(),
                qd=sim.qd.tolist(),
                effort=None if sim.effort is None else sim.effort.tolist(),
                jaw_rad=sim.jaw_rad,
                state=contract.state.value,
                is_homed=contract.is_homed,
                is_busy=contract.is_busy,
                reason=contract.reason,
                echo_seq=contract.echo_seq,
                echo_stamp_ns=contract.echo_stamp_ns,
                rejected=dict(self.rejected()),
            )
        )

    def rejected(self) -> Counter[str]:
        """All that was refused, by reason: commands, and what was no message on any socket."""
        total = Counter(self.sim.contract.rejected)
        for prefix, counts in (
            ("", self._commands.rejected),
            ("request ", self._requests.rejected),
            ("estop ", self._estops.rejected),
        ):
            for reason, count in counts.items():
                total[(prefix + reason).replace(" ", "_")] += count
        return total


def run_sim_arm(
    *,
    name: str,
    arm: ArmModel,
    spec: SimArmSpec,
    endpoint: str,
    on_ready: Callable[[], None] | None = None,
    seconds: float | None = None,
    realtime: bool = False,
    say: Callable[[str], None] | None = None,
    keyring: Keyring | None = None,
) -> int:
    """Serve a simulated arm until SIGINT, SIGTERM or ``seconds``; then run out the stop and say a summary.

    Args:
        name: name of the arm on the wire.
        arm: its model; limits, names, home and jaw are used.
        spec: how the simulated arm behaves.
        endpoint: base endpoint, ``ipc:///path`` or ``tcp://host:port``; four sockets are bound.
        on_ready: called once when the sockets are bound and the loop is about to start.
        seconds: how long to run, s; ``None`` until a signal comes.
        realtime: ask the system for real-time scheduling, below the controller's priority. What it refuses is
            not repeated here: the controller says it.
        say: gets the summary at the end; standard error when left out.
        keyring: keys for tcp.

    Returns:
        Exit status 0.

    Raises:
        EndpointError: the endpoint cannot be bound.
        TrocarError: settings that do not fit the arm.
    """
    with open_context(keyring) as context, ExitStack() as stack, stop_on_signals() as stop:
        server = SimArmServer(context, stack, name, arm, spec, endpoint)
        timing = Timing(_STAGES, capacity=_TIMING_CAPACITY)
        schedule = Schedule(spec.rate_hz, spin_s=0.0, phase_s=ARM_PHASE_S)
        if on_ready is not None:
            on_ready()
        if realtime:
            make_realtime(priority=REALTIME_PRIORITY)
        else:
            gc.freeze()
        try:
            _loop(server, schedule, timing, stop, None if seconds is None else round(seconds * spec.rate_hz))
        finally:
            (say or _to_stderr)(_summary(name, server, schedule, timing))
    return 0


def _to_stderr(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _loop(
    server: SimArmServer, schedule: Schedule, timing: Timing, stop: StopFlag, ticks: int | None
) -> None:
    contract = server.sim.contract
    stopping = False
    schedule.start()
    while True:
        skipped = schedule.skipped
        now_ns = schedule.wait()
        timing.begin(now_ns, schedule.lateness_ns)
        if stop.asked or (ticks is not None and schedule.ticks + schedule.skipped > ticks):
            if not stopping:
                stopping = True
                contract.disable("the driver is shutting down", now_ns)
            if not contract.powered or stop.asked > 1:
                return
        server.tick(now_ns, schedule.deadline_ns, 1 + schedule.skipped - skipped, timing)
        timing.end()


def _summary(name: str, server: SimArmServer, schedule: Schedule, timing: Timing) -> str:
    contract = server.sim.contract
    rejected = server.rejected()
    reasons = ", ".join(f"{reason} {count}" for reason, count in rejected.most_common()) or "none"
    why = f" ({contract.reason})" if contract.reason else ""
    return "\n".join(
        [
            f"arm {name}: {contract.state}{why}; {contract.executed} commands executed; rejected: {reasons}",
            timing.summary(schedule).format(),
        ]
    )
