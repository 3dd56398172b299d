"""Three processes without a supervisor: the controller is killed at speed, started again, engaged again."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgpack
import numpy as np
import pytest
import zmq

from tests.drivers.silence import keeps_silence

from .session import START_S
from .test_session import QD_MAX

pytestmark = pytest.mark.process

DEMO = Path(__file__).parents[2] / "configs" / "sessions" / "demo.toml"


class Bench:
    """Arm, master and controller, each started by hand; requests and states over plain sockets."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.context = zmq.Context()
        self.requests = self._socket(zmq.DEALER, "controller.request")
        self.measured_js = self._socket(zmq.SUB, "PSM1.measured_js")
        self.servo = self._socket(zmq.SUB, "controller.telemetry")

    def _socket(self, kind: int, name: str) -> zmq.Socket[bytes]:
        socket = self.context.socket(kind)
        socket.setsockopt(zmq.LINGER, 0)
        if kind == zmq.SUB:
            socket.subscribe(b"")
        socket.connect(f"ipc://{self.folder}/{name}")
        return socket

    def start(self, kind: str) -> None:
        self.processes[kind] = subprocess.Popen(
            [sys.executable, "-m", "teleop", kind, str(DEMO), "--set", f'runtime_dir="{self.folder}"'],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def ask(self, op: str, timeout_s: float = START_S) -> dict[str, Any]:
        self.requests.send(msgpack.packb({"id": 1, "op": op, "args": {}}))
        assert self.requests.poll(int(timeout_s * 1e3)), f"no answer to {op}"
        reply: dict[str, Any] = msgpack.unpackb(self.requests.recv())
        return reply

    def engage(self) -> bool:
        """Enable, home and engage once; whether all of it was granted."""
        return all(self.ask(op)["ok"] for op in ("enable", "home", "engage"))

    def states(self) -> list[dict[str, Any]]:
        return self._drain(self.measured_js)

    def _drain(self, socket: zmq.Socket[bytes]) -> list[dict[str, Any]]:
        messages = []
        while socket.poll(0):
            messages.append(msgpack.unpackb(socket.recv()))
        return messages

    def follow(self, timeout_s: float = START_S) -> None:
        """Until it follows at speed; engaged anew, as a person would, where a late machine lets it hold."""
        end, pair = time.monotonic() + timeout_s, {}
        while time.monotonic() < end:
            patience = time.monotonic() + (2.0 if self.engage() else 0.1)
            while time.monotonic() < patience:
                for message in self._drain(self.servo):
                    pair = message["pairs"][0]
                    if pair["teleop_state"] == "FOLLOWING":
                        patience = time.monotonic() + 2.0
                        if max(map(abs, pair["qd_command"][:2])) > 0.1:
                            return
                time.sleep(0.01)
        raise AssertionError(f"it never followed; last: {pair}")

    def close(self) -> None:
        for process in self.processes.values():
            process.kill()
            process.wait()
        self.context.destroy(linger=0)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path)
    yield bench
    bench.close()


def test_a_killed_controller_leaves_an_arm_that_stops_holds_and_disables_and_can_be_engaged_again(
    bench: Bench,
) -> None:
    for kind in ("arm", "master", "controller"):
        bench.start(kind)
    bench.follow()
    driven = bench.states()
    bench.processes["controller"].send_signal(signal.SIGKILL)
    bench.processes["controller"].wait()
    time.sleep(0.5)
    states = bench.states()
    _, longest = keeps_silence([*driven, *states], states)
    assert any(longest < 20.0)
    at_rest = np.ptp(np.array([s["q"] for s in states if s["state"] == "DISABLED"]), axis=0)
    assert np.all(at_rest[:3] < 1e-4)

    bench.start("controller")
    bench.follow()
    states += bench.states()
    q = np.array([s["q"] for s in states])
    dt = np.diff([s["stamp_ns"] * 1e-9 for s in states])
    # Encoder noise and the servo's headroom allow a little more than the limit of the commands.
    assert np.all(np.abs(np.diff(q, axis=0)) <= 1.25 * QD_MAX * np.maximum(dt, 1e-3)[:, None])
