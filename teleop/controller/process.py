"""The process of the controller: owns the clock and the sockets, and runs the core at 1 kHz."""

from __future__ import annotations

import sys
import time
import traceback
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

from teleop.config.schema import RATE_HZ
from teleop.config.session import Session
from teleop.controller.build import build_controller
from teleop.controller.controller import Controller
from teleop.controller.ports import Ports
from teleop.controller.record import tick_record
from teleop.controller.rehearsal import rehearse
from teleop.controller.statistics import RunStatistics
from teleop.controller.telemetry import telemetry
from teleop.loop.realtime import FIFO_PRIORITY, format_grants, make_realtime
from teleop.loop.schedule import CONTROLLER_PHASE_S, Schedule
from teleop.loop.signals import StopFlag, stop_on_signals
from teleop.loop.timing import LoopSummary, Timing
from teleop.safety.reasons import Reason
from teleop.wire.keys import CONTROLLER
from teleop.wire.sockets import new_session, open_context

SAMPLE, STEP, COMMAND, TELL = range(4)
STAGES = ("sample", "step", "command", "tell")

# After a stop is asked for, the arms are braked, disabled and let go; the loop runs on this long for it.
_LETTING_GO_TICKS = 500
_ERRORS_TOLD = 5


class ControllerLoop:
    """The loop itself, on one screen."""

    def __init__(self, controller: Controller, ports: Ports, session: Session) -> None:
        """Everything is built and open; only the clock is missing."""
        self.controller = controller
        self.ports = ports
        spin_s = session.spec.loop.spin_us * 1e-6
        self.schedule = Schedule(RATE_HZ, spin_s=spin_s, phase_s=CONTROLLER_PHASE_S)
        self.timing = Timing(STAGES)
        self.statistics = RunStatistics(controller.pairs)
        self._compute_us = 0.0
        self._names = [pair.name for pair in controller.pairs]
        self._leaving = False
        self._mistake = ""

    def tick(self) -> None:
        """One tick that does not end the process, whatever goes wrong in it.

        The core sees to its own mistakes. One around it, in sockets or telemetry, is told to the core, which
        latches FAULT in the next tick; until then the arm driver bridges or stops by itself.
        """
        try:
            self._tick()
        except Exception as error:
            self._mistake = f"{type(error).__name__}: {error}"[:300]
            self._tell_error("".join(traceback.format_exception(error)))

    def _tell_error(self, text: str) -> None:
        """A traceback for the log; the first few only, for a loop repeats its mistakes."""
        self.statistics.internal_errors += 1
        if self.statistics.internal_errors <= _ERRORS_TOLD:
            print(f"controller: {Reason.INTERNAL.sentence}\n{text}", file=sys.stderr, flush=True)

    def _tick(self) -> None:
        """Sample, step, command, tell."""
        schedule, timing, ports = self.schedule, self.timing, self.ports
        skipped_before = schedule.skipped
        now_ns = schedule.wait()
        dt = (1 + schedule.skipped - skipped_before) / RATE_HZ
        timing.begin(now_ns, schedule.lateness_ns)
        inputs = ports.receive(now_ns, shut_down=self._leaving)
        inputs.mistake, self._mistake = self._mistake, ""
        timing.mark(SAMPLE)
        outputs = self.controller.step(inputs, dt)
        timing.mark(STEP)
        sent_ns = time.monotonic_ns()
        ports.send_commands(outputs, sent_ns, schedule.deadline_ns)
        for pair in outputs.pairs:
            if pair.command is not None and pair.master_stamp_ns:
                timing.latency(time.monotonic_ns() - pair.master_stamp_ns)
        timing.mark(COMMAND)
        message = telemetry(
            ports.telemetry.header(sent_ns),
            self.controller.pairs,
            outputs,
            tick=schedule.ticks,
            skipped=schedule.skipped,
            overruns=schedule.overruns,
            compute_us=self._compute_us,
            lateness_us=schedule.lateness_ns * 1e-3,
        )
        events, told = ports.send_rest(outputs, message, sent_ns)
        if not ports.tape.wanted:
            ports.tape.skip()
        else:
            ports.tape.send(
                tick_record(
                    ports.tape.header(sent_ns),
                    self._names,
                    inputs,
                    dt,
                    outputs,
                    tick=schedule.ticks,
                    events=events,
                    telemetry=told,
                    before=timing.last(),
                )
            )
        self.statistics.add(outputs, dt)
        if outputs.error:
            self._tell_error(outputs.error)
        timing.mark(TELL)
        self._compute_us = timing.end() * 1e-3

    def run(self, seconds: float, stop: StopFlag) -> None:
        """Run until ``seconds`` have passed (0: for ever) or a stop is asked for; then let the arms go."""
        self.schedule.start()
        last = round(seconds * RATE_HZ) if seconds > 0.0 else sys.maxsize
        while not stop.asked and self.schedule.ticks + self.schedule.skipped < last:
            self.tick()
        self._leaving = True
        for _ in range(_LETTING_GO_TICKS):
            if self.controller.let_go:
                break
            self.tick()
        self.ports.tape.finish()


def run_controller_process(
    session: Session,
    *,
    seconds: float = 0.0,
    record: bool = False,
    on_ready: Callable[[], None] | None = None,
) -> dict[str, Any]:
    """Run the controller of a session in this process.

    Args:
        session: what to control.
        seconds: how long, s; 0 until SIGINT or SIGTERM.
        record: keep each tick for the session's recorder, which may still be starting.
        on_ready: called once everything is compiled, open and waiting.

    Returns:
        The summary, with the keys of ``--json``.
    """
    sender = new_session()
    rehearse(session)
    controller = build_controller(session, sender)
    with open_context(session.keyring(CONTROLLER)) as context, stop_on_signals() as stop:
        ports = Ports(context, session, sender, controller.ops, record=record)
        loop = ControllerLoop(controller, ports, session)
        spec = session.spec.loop
        if spec.realtime:
            grants = make_realtime(priority=FIFO_PRIORITY, cpu=spec.controller_cpu)
            print(f"controller: {format_grants(grants)}", file=sys.stderr, flush=True)
        if on_ready is not None:
            on_ready()
        loop.run(seconds, stop)
        return summary(loop, session)


def summary(loop: ControllerLoop, session: Session) -> dict[str, Any]:
    """The closing summary, with the keys that DESIGN.md fixes."""
    timed: LoopSummary = loop.timing.summary(loop.schedule)

    def plain(p: Any) -> dict[str, float] | None:
        return None if p is None else {"p50": p.p50, "p99": p.p99, "p99_9": p.p99_9, "max": p.max}

    tape = loop.ports.tape
    recording = {"sent": tape.sent, "dropped": tape.dropped} if tape.expects else None
    return {
        "ticks": timed.ticks,
        "skipped": timed.skipped,
        "overruns": timed.overruns,
        "on_time": timed.on_time,
        "compute_us": plain(timed.compute_us),
        "lateness_us": plain(timed.lateness_us),
        "latency_us": plain(timed.latency_us),
        "stages_us": {name: plain(p) for name, p in timed.stages_us.items()},
        **loop.statistics.summary(loop.ports.rejected(), RATE_HZ),
        "recording": recording,
        "config_hash": session.config_hash,
        "version": version("trocar"),
    }
