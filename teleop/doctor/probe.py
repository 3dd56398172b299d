"""The measurements, each in a process of its own: ``python -m teleop.doctor.probe``.

A process that became real time stays so, and a measurement needs one that does nothing else.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time

import msgspec
import numpy as np

from teleop.loop.realtime import Grant, make_realtime
from teleop.loop.schedule import Schedule
from teleop.loop.timing import LoopSummary, Percentiles, Timing, percentiles_us
from teleop.wire.endpoints import Participant
from teleop.wire.errors import WireError
from teleop.wire.messages import MeasuredCp, ServoCf, Signal
from teleop.wire.sockets import NewestSubscriber, Publisher, new_session, open_context
from teleop.wire.streams import Role

WORK_US = 200.0
"""Work in each tick, about what the controller does."""

_NAME = "teleop.doctor.probe"
_CONNECT_S = 10.0
_ECHO_TIMEOUT_S = 0.1


class LoopProbe(msgspec.Struct, frozen=True):
    """How a loop kept its schedule, and what the system granted it."""

    summary: LoopSummary
    grants: tuple[Grant, ...]


class WireProbe(msgspec.Struct, frozen=True):
    """Round trip of a hand pose to another process and a force back, both over ipc."""

    round_trip_us: Percentiles
    lost: int


def measure_loop(seconds: float, *, realtime: bool) -> LoopProbe:
    """Run the schedule at 1 kHz with some work in each tick."""
    # The collector is off in both, as in every Trocar process; only the permissions differ.
    grants = make_realtime() if realtime else make_realtime(priority=None)
    timing = Timing(["work"], capacity=round(seconds * 1000) + 1)
    schedule = Schedule(1000.0)
    end_ns = schedule.deadline_ns + round(seconds * 1e9)
    while (now_ns := schedule.wait()) < end_ns:
        timing.begin(now_ns, schedule.lateness_ns)
        while time.monotonic_ns() - now_ns < WORK_US * 1e3:
            pass
        timing.mark(0)
        timing.end()
    return LoopProbe(timing.summary(schedule), grants)


def measure_wire(seconds: float) -> WireProbe:
    """Send hand poses at 1 kHz to an echoing process and time the answers.

    Raises:
        WireError: the echo did not answer.
    """
    with tempfile.TemporaryDirectory(prefix="trocar-") as folder:
        master = Participant(Role.MASTER, "doctor", f"ipc://{folder}/doctor")
        echo = subprocess.Popen([sys.executable, "-m", _NAME, "echo", folder])
        try:
            with (
                open_context() as context,
                Publisher(context, master.channel("measured_cp"), new_session()) as poses,
                NewestSubscriber(context, master.channel("servo_cf"), ServoCf) as forces,
            ):
                return _time_answers(poses, forces, seconds)
        finally:
            echo.kill()
            echo.wait()


def _time_answers(poses: Publisher, forces: NewestSubscriber[ServoCf], seconds: float) -> WireProbe:
    deadline = time.monotonic() + _CONNECT_S
    while _round_trip_ns(poses, forces) is None:
        if time.monotonic() > deadline:
            raise WireError(f"the echo process did not answer within {_CONNECT_S:g} s")
    make_realtime()
    schedule = Schedule(1000.0)
    answers = []
    for _ in range(max(1, round(seconds * 1000))):
        schedule.wait()
        answers.append(_round_trip_ns(poses, forces))
    arrived = np.array([ns for ns in answers if ns is not None], dtype=np.int64)
    round_trip_us = percentiles_us(arrived)
    if round_trip_us is None:
        raise WireError("the echo process answered once and then no more")
    return WireProbe(round_trip_us, len(answers) - len(arrived))


def _round_trip_ns(poses: Publisher, forces: NewestSubscriber[ServoCf]) -> int | None:
    sent_ns = time.monotonic_ns()
    poses.send(
        MeasuredCp(
            **poses.header(sent_ns),
            p_m=[0.1, 0.2, 0.3],
            quat_xyzw=[0.0, 0.0, 0.0, 1.0],
            twist=[0.0] * 6,
            valid=True,
            present=Signal(True, sent_ns),
            clutch=Signal(False, sent_ns),
        )
    )
    while forces.wait(_ECHO_TIMEOUT_S):
        force = forces.newest()
        if force is not None and force.stamp_ns == sent_ns:
            return time.monotonic_ns() - sent_ns
    return None


def echo(folder: str) -> None:
    """Answer each hand pose with a force that bears its stamp, until killed."""
    master = Participant(Role.MASTER, "doctor", f"ipc://{folder}/doctor")
    with (
        open_context() as context,
        NewestSubscriber(context, master.channel("measured_cp"), MeasuredCp) as poses,
        Publisher(context, master.channel("servo_cf"), new_session()) as forces,
    ):
        make_realtime()
        while True:
            poses.wait(1.0)
            pose = poses.newest()
            if pose is not None:
                header = forces.header(pose.stamp_ns)
                forces.send(ServoCf(**header, force_n=[0.0] * 3, torque_nm=[0.0] * 3, ttl_ms=5.0))


def main() -> None:
    """``loop SECONDS``, ``realtime SECONDS`` or ``wire SECONDS`` print JSON; ``echo FOLDER`` answers."""
    what, argument = sys.argv[1:]
    match what:
        case "echo":
            echo(argument)
        case "wire":
            sys.stdout.buffer.write(msgspec.json.encode(measure_wire(float(argument))))
        case _:
            probe = measure_loop(float(argument), realtime=what == "realtime")
            sys.stdout.buffer.write(msgspec.json.encode(probe))


if __name__ == "__main__":
    main()
