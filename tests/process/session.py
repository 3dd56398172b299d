"""A real session in real processes, watched through plain pyzmq and msgpack as any other program would."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgpack
import zmq

START_S = 300.0
"""The first start on a machine compiles: about a minute where it has a processor, and CI may share one."""


class RunningSession:
    """``trocar run`` of a session of ours, the demo unless named, in a folder of its own."""

    def __init__(
        self,
        folder: Path,
        *overrides: str,
        name: str = "demo",
        seconds: float = 0.0,
        words: tuple[str, ...] = (),
    ) -> None:
        self.folder = folder
        self.json = folder / "summary.json"
        self.log = folder / "log.txt"
        self._log_file = self.log.open("w")
        sets = [word for o in (f'runtime_dir="{folder}"', *overrides) for word in ("--set", o)]
        file = Path(__file__).parents[2] / "configs" / "sessions" / f"{name}.toml"
        command = [sys.executable, "-m", "teleop", "run", str(file), "--json", str(self.json)]
        self.process = subprocess.Popen(
            [*command, "--seconds", str(seconds), *words, *sets],
            stdout=self._log_file,
            stderr=subprocess.STDOUT,
        )
        self.context = zmq.Context()
        self.telemetry = self.subscribe("controller.telemetry")
        self.measured_js = self.subscribe("PSM1.measured_js")

    def subscribe(self, name: str) -> zmq.Socket[bytes]:
        """A socket that hears one stream of the session from now on."""
        socket = self.context.socket(zmq.SUB)
        socket.setsockopt(zmq.LINGER, 0)
        socket.subscribe(b"")
        socket.connect(f"ipc://{self.folder}/{name}")
        return socket

    def drain(self, socket: zmq.Socket[bytes]) -> list[dict[str, Any]]:
        """Every message that has come, oldest first."""
        messages = []
        while socket.poll(0):
            messages.append(msgpack.unpackb(socket.recv()))
        return messages

    def wait(self, what: Callable[[dict[str, Any]], bool], timeout_s: float = START_S) -> dict[str, Any]:
        """The first telemetry message that fulfils ``what``."""
        end = time.monotonic() + timeout_s
        last: dict[str, Any] = {}
        while time.monotonic() < end and self.process.poll() is None:
            if self.telemetry.poll(50):
                for last in self.drain(self.telemetry):
                    if what(last):
                        return last
        state = last.get("pairs", last)
        raise AssertionError(f"it did not happen in {timeout_s} s; last: {state}\n{self.log.read_text()}")

    def wait_following(self, timeout_s: float = START_S) -> dict[str, Any]:
        return self.wait(lambda m: m["pairs"][0]["teleop_state"] == "FOLLOWING", timeout_s)

    def wait_moving(self) -> dict[str, Any]:
        """Following at speed."""
        return self.wait(
            lambda m: (
                m["pairs"][0]["teleop_state"] == "FOLLOWING"
                and max(abs(v) for v in m["pairs"][0]["qd_command"][:2]) > 0.1
            )
        )

    def pids(self) -> dict[str, int]:
        """Process ids of the children by kind: arm, master, controller."""
        found = {}
        for pid in self.children():
            words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
            for kind in ("arm", "master", "controller"):
                if kind.encode() in words:
                    found[kind] = pid
        return found

    def children(self) -> list[int]:
        task = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return [int(pid) for pid in task.read_text().split()] if task.exists() else []

    def stop(self, number: int = signal.SIGINT, timeout_s: float = 30.0) -> int:
        """End it as Ctrl-C does; its exit status."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(timeout_s)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.context.destroy(linger=0)
        self._log_file.close()


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
