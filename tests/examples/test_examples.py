"""The example driver and master, which import nothing of this project, driven by the real controller."""

from __future__ import annotations

import ast
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgpack
import numpy as np
import pytest
import zmq

from tests.process.session import START_S

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.mark.parametrize("name", ["arm_driver.py", "master.py"])
def test_an_example_imports_nothing_but_zeromq_and_messagepack(name: str) -> None:
    tree = ast.parse((EXAMPLES / name).read_text())
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    imported |= {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    roots = {module.split(".")[0] for module in imported}
    assert roots - sys.stdlib_module_names == {"zmq", "msgpack"}


class Example:
    """Driver, master and `trocar run`, and what the driver and the controller publish."""

    def __init__(self, folder: Path) -> None:
        self.json = folder / "summary.json"
        self.log = (folder / "log.txt").open("w+")
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self._start(
            "arm",
            [sys.executable, str(EXAMPLES / "arm_driver.py"), "--endpoint", f"ipc://{folder}/arm"],
        )
        self._start(
            "master",
            [
                *(sys.executable, str(EXAMPLES / "master.py"), "--period-s", "2"),
                *("--endpoint", f"ipc://{folder}/hand"),
            ],
        )
        sets = [
            f'runtime_dir="{folder}"',
            f'pairs[0].master.endpoint="ipc://{folder}/hand"',
            f'pairs[0].arm.endpoint="ipc://{folder}/arm"',
        ]
        run = [
            sys.executable,
            "-m",
            "teleop",
            "run",
            str(EXAMPLES / "session.toml"),
            "--json",
            str(self.json),
        ]
        self._start("run", [*run, *(word for s in sets for word in ("--set", s))])
        self.context = zmq.Context()
        self.telemetry = self._subscribe(f"ipc://{folder}/controller.telemetry")
        self.measured_js = self._subscribe(f"ipc://{folder}/arm.measured_js")

    def _start(self, name: str, command: list[str]) -> None:
        self.processes[name] = subprocess.Popen(command, stdout=self.log, stderr=subprocess.STDOUT)

    def _subscribe(self, address: str) -> zmq.Socket[bytes]:
        socket = self.context.socket(zmq.SUB)
        socket.setsockopt(zmq.LINGER, 0)
        socket.subscribe(b"")
        socket.connect(address)
        return socket

    def drain(self, socket: zmq.Socket[bytes]) -> list[dict[str, Any]]:
        messages = []
        while socket.poll(0):
            messages.append(msgpack.unpackb(socket.recv()))
        return messages

    def wait(self, what: Callable[[dict[str, Any]], bool], timeout_s: float = START_S) -> None:
        end = time.monotonic() + timeout_s
        while time.monotonic() < end and self.processes["run"].poll() is None:
            if any(what(m["pairs"][0]) for m in self.drain(self.telemetry)):
                return
            time.sleep(0.02)
        self.log.flush()
        raise AssertionError(Path(self.log.name).read_text()[-3000:])

    def close(self) -> None:
        for process in self.processes.values():
            process.kill()
            process.wait()
        self.context.destroy(linger=0)
        self.log.close()


@pytest.fixture
def example(tmp_path: Path) -> Iterator[Example]:
    running = Example(tmp_path)
    yield running
    running.close()


@pytest.mark.process
def test_the_real_controller_drives_the_example_arm_with_the_example_hand(example: Example) -> None:
    example.wait(lambda p: p["teleop_state"] == "FOLLOWING")
    example.drain(example.measured_js)
    time.sleep(2.5)
    states = example.drain(example.measured_js)
    moved = np.ptp([s["q"] for s in states], axis=0)
    assert moved[0] > 0.02, moved  # 2 * 30 mm of hand at half scale, at 104 mm from the trocar
    assert np.ptp([s["jaw_rad"] for s in states]) > 0.3
    assert states[-1]["echo_seq"] > states[0]["echo_seq"] > 0
    example.processes["run"].send_signal(signal.SIGINT)
    assert example.processes["run"].wait(30.0) == 0
    summary = json.loads(example.json.read_text())
    assert summary["states"]["FOLLOWING"] > 1.0
    assert summary["violations"] == 0
    # Let go: the controller disabled the arm before it left.
    time.sleep(0.3)
    assert example.drain(example.measured_js)[-1]["state"] == "DISABLED"
    for name in ("arm", "master"):
        example.processes[name].send_signal(signal.SIGTERM)
        assert example.processes[name].wait(10.0) == 0
