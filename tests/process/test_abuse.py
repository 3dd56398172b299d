"""Three real processes under abuse: the arm stays safe, nothing hangs, what was refused is counted.

The attackers are processes of their own, plain ZeroMQ and sockets, bounded in number and time.
"""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgpack
import numpy as np
import pytest
import zmq

from .test_controller_restart import Bench
from .test_session import QD_MAX

pytestmark = [pytest.mark.process, pytest.mark.soak]

SECONDS = 3.0

MALFORMED = """
import os, sys, time, zmq
context, folder, seconds = zmq.Context(), sys.argv[1], float(sys.argv[2])
kinds = {"PSM1.servo_jp": zmq.PUB, "PSM1.request": zmq.DEALER, "PSM1.estop": zmq.PUSH,
         "surgeon.servo_cf": zmq.PUB, "controller.request": zmq.DEALER, "controller.estop": zmq.PUSH}
sockets = []
for name, kind in kinds.items():
    socket = context.socket(kind)
    socket.setsockopt(zmq.LINGER, 0)
    socket.connect(f"ipc://{folder}/{name}")
    sockets.append(socket)
end, due = time.monotonic() + seconds, time.monotonic()
while time.monotonic() < end:
    for _ in range(10):
        for socket in sockets:
            try:
                socket.send(os.urandom(40), zmq.NOBLOCK)
            except zmq.Again:
                pass
    due += 0.01
    time.sleep(max(0.0, due - time.monotonic()))
"""

CONNECTS = """
import socket, sys, time
folder, seconds, held = sys.argv[1], float(sys.argv[2]), []
end, due = time.monotonic() + seconds, time.monotonic()
while time.monotonic() < end:
    for name in ("PSM1.request", "PSM1.estop", "controller.request", "controller.estop"):
        s = socket.socket(socket.AF_UNIX)
        s.settimeout(0.5)
        try:
            s.connect(f"{folder}/{name}")
        except OSError:
            pass
        held.append(s)
    while len(held) > 300:
        held.pop(0).close()
    due += 0.02
    time.sleep(max(0.0, due - time.monotonic()))
"""

NEVER_READS = """
import sys, time, msgpack, zmq
context, folder, seconds = zmq.Context(), sys.argv[1], float(sys.argv[2])
asks = []
for name in ("controller.request", "PSM1.request"):
    socket = context.socket(zmq.DEALER)
    socket.setsockopt(zmq.LINGER, 0)
    socket.connect(f"ipc://{folder}/{name}")
    asks.append(socket)
sub = context.socket(zmq.SUB)
sub.subscribe(b"")
sub.connect(f"ipc://{folder}/controller.telemetry")
end = time.monotonic() + seconds
while time.monotonic() < end:
    for socket, op in zip(asks, ("get_config", "get_info")):
        try:
            socket.send(msgpack.packb({"id": 1, "op": op, "args": {}}), zmq.NOBLOCK)
        except zmq.Again:
            pass
    time.sleep(0.002)
"""

BUSY = "import time\nend = time.monotonic() + {0}\nwhile time.monotonic() < end: pass"


class Theatre(Bench):
    """The three processes, with what a test of abuse looks at."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        for kind in ("arm", "master", "controller"):
            self.start(kind)

    def bring_up(self) -> None:
        """Wait for the controller, however long a busy machine takes to start it, and follow."""
        assert self.servo.poll(240_000), "the controller did not start"
        self.follow(240.0)

    def attack(self, program: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen([sys.executable, "-c", program, str(self.folder), str(SECONDS)])

    def memory_mb(self) -> dict[str, float]:
        page = resource.getpagesize()
        return {
            kind: int(Path(f"/proc/{p.pid}/statm").read_text().split()[1]) * page / 1e6
            for kind, p in self.processes.items()
        }

    def all_alive(self) -> None:
        assert {kind: p.poll() for kind, p in self.processes.items()} == dict.fromkeys(self.processes)

    def estop(self, name: str) -> None:
        socket = self._socket(zmq.PUSH, name)
        head = {"schema": 1, "stream": "estop", "session": b"t" * 16, "seq": 0}
        body = {"stamp_ns": time.monotonic_ns(), "source": "test", "why": "abuse"}
        socket.send(msgpack.packb(head | body))
        time.sleep(0.1)
        socket.close()

    def recover(self) -> None:
        """Whatever state it is in, follow again as a person would make it."""
        self.ask("disable")
        self.insist("reset_fault")
        self.follow()


@pytest.fixture(scope="module")
def theatre() -> Iterator[Theatre]:
    # Not in pytest's own folder: another pytest of the same user may clear that away meanwhile.
    with tempfile.TemporaryDirectory(prefix="trocar-abuse-") as folder:
        running = Theatre(Path(folder))
        try:
            running.bring_up()
            yield running
        finally:
            running.close()


def _no_jump(states: list[dict[str, Any]]) -> None:
    """No joint ever moved faster between two states than its limit, the servo's headroom allowed for."""
    q = np.array([s["q"] for s in states])
    dt = np.diff([s["stamp_ns"] * 1e-9 for s in states])
    assert np.all(np.abs(np.diff(q, axis=0)) <= 1.25 * QD_MAX * np.maximum(dt, 1e-3)[:, None] + 1e-3)


def _latest(theatre: Theatre) -> dict[str, Any]:
    end = time.monotonic() + 10.0
    while time.monotonic() < end:
        states = theatre.states()
        if states:
            return states[-1]
        time.sleep(0.01)
    raise AssertionError("the arm is silent")


@pytest.mark.parametrize(
    "program", [MALFORMED, CONNECTS, NEVER_READS], ids=["malformed", "connects", "never_reads"]
)
def test_a_flood_is_counted_costs_no_memory_and_an_estop_still_works(theatre: Theatre, program: str) -> None:
    theatre.states()
    before, memory = _latest(theatre), theatre.memory_mb()
    attacker = theatre.attack(program)
    states: list[dict[str, Any]] = []
    while attacker.poll() is None:
        states += theatre.states()
        time.sleep(0.01)
    states += theatre.states()
    theatre.all_alive()
    _no_jump(states)
    assert theatre.ask("get_state")["ok"]
    grown = {kind: mb - memory[kind] for kind, mb in theatre.memory_mb().items()}
    after = _latest(theatre)["rejected"]
    counted = {k: n - before["rejected"].get(k, 0) for k, n in after.items()}
    print(f"memory grew by {grown} MB; the arm refused {counted}; states {len(states)}")
    assert max(grown.values()) < 100.0
    if program is MALFORMED:
        for key in ("malformed", "request_malformed", "estop_malformed"):
            assert counted[key] > 100
    theatre.estop("PSM1.estop")
    assert _latest(theatre)["state"] == "FAULT"
    theatre.recover()


@pytest.mark.parametrize("kind", ["controller", "arm", "master"])
def test_a_process_that_is_stopped_for_five_seconds_and_goes_on_makes_no_jump(
    theatre: Theatre, kind: str
) -> None:
    theatre.states()
    process = theatre.processes[kind]
    process.send_signal(signal.SIGSTOP)
    try:
        states: list[dict[str, Any]] = []
        end = time.monotonic() + 5.0
        while time.monotonic() < end:
            states += theatre.states()
            time.sleep(0.02)
        if kind == "controller":
            assert states[-1]["state"] == "DISABLED"
            pushed_ns = time.monotonic_ns()
            theatre.estop("PSM1.estop")
            states += theatre.states()
            fault = next(s for s in states if s["state"] == "FAULT")
            took_ms = (fault["stamp_ns"] - pushed_ns) * 1e-6
            print(
                f"e-stop with the controller stopped: effective after {took_ms:.1f} ms, connecting included"
            )
            assert took_ms < 100.0  # 10 ms from arrival is the rule; a loaded machine adds its own
    finally:
        process.send_signal(signal.SIGCONT)
    end = time.monotonic() + 1.0
    while time.monotonic() < end:
        states += theatre.states()
        time.sleep(0.02)
    theatre.all_alive()
    _no_jump(states)
    q = np.array([s["q"] for s in states if s["state"] != "ENABLED"][-200:])
    if len(q) > 100:
        assert np.all(np.ptp(q, axis=0) < 2e-3)
    theatre.recover()


def test_both_processors_full_stop_or_slow_the_arm_and_nothing_else(theatre: Theatre) -> None:
    theatre.states()
    hogs = [
        subprocess.Popen([sys.executable, "-c", BUSY.format(SECONDS)]) for _ in range(os.cpu_count() or 2)
    ]
    states: list[dict[str, Any]] = []
    while any(hog.poll() is None for hog in hogs):
        states += theatre.states()
        time.sleep(0.01)
    theatre.all_alive()
    _no_jump(states)
    assert theatre.ask("get_state")["ok"]


def test_many_connections_held_open_leave_descriptors_for_the_next_one(theatre: Theatre) -> None:
    import socket

    held = []
    for _ in range(300):  # libzmq's listener would abort the process if these were its last descriptors
        s = socket.socket(socket.AF_UNIX)
        s.settimeout(0.5)
        try:
            s.connect(f"{theatre.folder}/PSM1.request")
        except OSError:
            s.close()
            continue
        held.append(s)
    arm = theatre.processes["arm"].pid
    soft, hard = resource.prlimit(arm, resource.RLIMIT_NOFILE)
    assert soft == min(hard, 65_536) or hard == resource.RLIM_INFINITY
    time.sleep(3.0)  # silent ones are closed after two
    assert len(list(Path(f"/proc/{arm}/fd").iterdir())) < 200
    for s in held:
        s.close()
    theatre.all_alive()
    assert theatre.ask("get_state")["ok"]
