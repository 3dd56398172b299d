"""One-way latency of ``measured_cp`` over ipc, from the sender's stamp to the decoded message.

Run:  python benchmarks/wire_roundtrip.py [--seconds N] [--hogs N] [--no-realtime]

A publisher in a process of its own sends at 1 kHz; the receiver waits on the socket, so this is the cost of
the wire alone, without the wait of a loop for its next tick. One host has one monotonic clock.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time

import numpy as np

from teleop.loop.realtime import format_grants, make_realtime
from teleop.loop.schedule import Schedule
from teleop.wire.endpoints import Participant
from teleop.wire.liveness import InputMonitor, Verdict
from teleop.wire.messages import MeasuredCp, Signal
from teleop.wire.sockets import NewestSubscriber, Publisher, new_session, open_context
from teleop.wire.streams import Role


def publish(folder: str, realtime: bool) -> None:
    master = Participant(Role.MASTER, "bench", f"ipc://{folder}/bench")
    with (
        open_context() as context,
        Publisher(context, master.channel("measured_cp"), new_session()) as publisher,
    ):
        make_realtime() if realtime else make_realtime(priority=None)
        schedule = Schedule(1000.0)
        while True:
            schedule.wait()
            now_ns = time.monotonic_ns()
            publisher.send(
                MeasuredCp(
                    **publisher.header(now_ns),
                    p_m=[0.1, 0.2, 0.3],
                    quat_xyzw=[0.0, 0.0, 0.0, 1.0],
                    twist=[0.01] * 6,
                    gripper_rad=0.5,
                    valid=True,
                    present=Signal(True, now_ns),
                    clutch=Signal(False, now_ns),
                )
            )


def receive(folder: str, seconds: float, realtime: bool) -> None:
    master = Participant(Role.MASTER, "bench", f"ipc://{folder}/bench")
    with (
        open_context() as context,
        NewestSubscriber(context, master.channel("measured_cp"), MeasuredCp) as subscriber,
    ):
        print(format_grants(make_realtime() if realtime else make_realtime(priority=None)))
        subscriber.wait(10.0)
        monitor = InputMonitor(1000.0, 0.02)
        ages = []
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if not subscriber.wait(0.1) or (message := subscriber.newest()) is None:
                continue
            now_ns = time.monotonic_ns()
            ages.append(now_ns - message.stamp_ns)
            monitor.observe(message, now_ns)
    p = np.percentile(np.array(ages) / 1e3, [50, 99, 99.9, 100])
    print(f"{'one way, us':<14}{'p50':>9}{'p99':>9}{'p99.9':>9}{'max':>9}{'received':>10}{'replaced':>10}")
    print(f"{'ipc':<14}{p[0]:>9.1f}{p[1]:>9.1f}{p[2]:>9.1f}{p[3]:>9.1f}{len(ages):>10}{monitor.missing:>10}")
    rejected = monitor.counts.total() - monitor.counts[Verdict.ACCEPTED] - monitor.counts[Verdict.NEW_SESSION]
    print(f"rejected {rejected}; 'replaced' were overtaken by a newer one before they were read")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=5.0, help="how long to measure")
    parser.add_argument(
        "--hogs", type=int, default=0, help="processes that keep the processors busy meanwhile"
    )
    parser.add_argument("--no-realtime", action="store_true", help="stay ordinary processes")
    parser.add_argument("--publish", metavar="FOLDER", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    realtime = not arguments.no_realtime
    if arguments.publish:
        publish(arguments.publish, realtime)
    with tempfile.TemporaryDirectory(prefix="trocar-") as folder:
        command = [sys.executable, __file__, "--publish", folder]
        others = [subprocess.Popen(command if realtime else [*command, "--no-realtime"])]
        others += [
            subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(arguments.hogs)
        ]
        try:
            receive(folder, arguments.seconds, realtime)
        finally:
            for other in others:
                other.kill()
                other.wait()


if __name__ == "__main__":
    main()
