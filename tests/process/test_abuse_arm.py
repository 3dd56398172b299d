"""An arm driver alone under the floods of test_abuse.py: it counts, stays put, and an e-stop still works."""

from __future__ import annotations

import os
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

from tests.drivers.test_sim_process import PSM, SERVE

from .test_abuse import CONNECTS, MALFORMED, NEVER_READS, SECONDS

pytestmark = pytest.mark.process


class LoneArm:
    """The process of a simulated arm named PSM1, and its state."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        command = [sys.executable, "-c", SERVE.replace('name="psm"', 'name="PSM1"'), str(PSM)]
        self.process = subprocess.Popen(
            [*command, f"ipc://{folder}/PSM1"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == b"ready\n"
        self.context = zmq.Context()
        self.states = self.socket(zmq.SUB, "measured_js")
        self.states.subscribe(b"")

    def socket(self, kind: int, stream: str) -> zmq.Socket[bytes]:
        socket = self.context.socket(kind)
        socket.setsockopt(zmq.LINGER, 0)
        socket.connect(f"ipc://{self.folder}/PSM1.{stream}")
        return socket

    def drain(self, least: int = 1) -> list[dict[str, Any]]:
        assert self.states.poll(20_000), "the arm is silent"
        found = []
        while self.states.poll(0) or len(found) < least:
            found.append(msgpack.unpackb(self.states.recv()))
        return found

    def memory_mb(self) -> float:
        return int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1]) * 4096 / 1e6

    def close(self) -> None:
        self.process.kill()
        self.process.communicate()
        self.context.destroy(linger=0)


@pytest.fixture(scope="module")
def arm() -> Iterator[LoneArm]:
    with tempfile.TemporaryDirectory(prefix="trocar-abuse-") as folder:
        lone = LoneArm(folder)
        yield lone
        lone.close()


@pytest.mark.parametrize(
    "program", [MALFORMED, CONNECTS, NEVER_READS], ids=["malformed", "connects", "never_reads"]
)
def test_a_flood_is_counted_moves_nothing_costs_no_memory_and_delays_no_estop(
    arm: LoneArm, program: str
) -> None:
    before, memory = arm.drain()[-1], arm.memory_mb()
    stop = arm.socket(zmq.PUSH, "estop")
    attacker = subprocess.Popen([sys.executable, "-c", program, arm.folder, str(SECONDS)])
    time.sleep(SECONDS / 2)  # in the middle of it
    pushed_ns = time.monotonic_ns()
    head = {"schema": 1, "stream": "estop", "session": os.urandom(16), "seq": 0, "stamp_ns": pushed_ns}
    stop.send(msgpack.packb(head | {"source": "test", "why": f"press {pushed_ns}"}))
    states: list[dict[str, Any]] = []
    while attacker.poll() is None:
        states += arm.drain()
        time.sleep(0.01)
    stop.close()
    assert arm.process.poll() is None
    fault = next(s for s in states if s["state"] == "FAULT" and str(pushed_ns) in s["reason"])
    took_ms = (fault["stamp_ns"] - pushed_ns) * 1e-6
    counted = {k: n - before["rejected"].get(k, 0) for k, n in states[-1]["rejected"].items()}
    grown = arm.memory_mb() - memory
    print(f"e-stop effective after {took_ms:.1f} ms; memory +{grown:.1f} MB; refused {counted}")
    assert took_ms < 200.0  # 10 ms is the rule; a loaded machine adds its own
    assert grown < 100.0
    q = np.array([s["q"] for s in states])
    assert np.all(np.ptp(q, axis=0) < 1e-4)
    if program is MALFORMED:
        for key in ("malformed", "request_malformed", "estop_malformed"):
            assert counted[key] > 100
