"""A session, its console, and a witness of the telemetry that asks neither of them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgpack
import zmq

from tests.process.session import RunningSession

DEMO = Path(__file__).parents[2] / "configs" / "sessions" / "demo.toml"
KEPT_TICKS = 60_000


class Witness:
    """Keeps a minute of telemetry, read by plain pyzmq and msgpack in a thread of its own."""

    def __init__(self, address: str) -> None:
        self._ticks: deque[dict[str, Any]] = deque(maxlen=KEPT_TICKS)
        self._over = threading.Event()
        self._address = address
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def _listen(self) -> None:
        with zmq.Context() as context, context.socket(zmq.SUB) as socket:
            socket.setsockopt(zmq.LINGER, 0)
            socket.setsockopt(zmq.RCVHWM, 10_000)
            socket.subscribe(b"")
            socket.connect(self._address)
            while not self._over.is_set():
                if socket.poll(50):
                    self._ticks.append(msgpack.unpackb(socket.recv()))

    def since(self, stamp_ns: int) -> list[dict[str, Any]]:
        """Ticks from ``stamp_ns`` of the monotonic clock on."""
        return [tick for tick in list(self._ticks) if tick["stamp_ns"] >= stamp_ns]

    @staticmethod
    def stamp_ns(date_ms: float) -> int:
        """What the monotonic clock showed at a ``Date.now()`` of this machine."""
        return time.monotonic_ns() - (time.time_ns() - round(date_ms * 1e6))

    @property
    def newest(self) -> dict[str, Any]:
        return self._ticks[-1]

    @property
    def pair(self) -> dict[str, Any]:
        pair: dict[str, Any] = self.newest["pairs"][0]
        return pair

    def until(self, what: Callable[[dict[str, Any]], bool], timeout_s: float = 20.0) -> dict[str, Any]:
        """The first pair from now on that fulfils ``what``."""
        end, start = time.monotonic() + timeout_s, time.monotonic_ns()
        while time.monotonic() < end:
            for tick in self.since(start):
                if what(tick["pairs"][0]):
                    return dict(tick["pairs"][0], stamp_ns=tick["stamp_ns"])
            time.sleep(0.02)
        seen = {k: self.pair[k] for k in ("teleop_state", "reason", "p_command_m", "clearance_m")}
        raise AssertionError(f"it did not happen in {timeout_s} s; now {self.newest['state']}, {seen}")

    def close(self) -> None:
        self._over.set()
        self._thread.join(5.0)


def speed(pair: dict[str, Any]) -> float:
    """The largest commanded joint speed, rad/s or m/s."""
    return max(abs(v) for v in pair["qd_command"])


class House:
    """``trocar run`` of the demo, with ``trocar console`` beside it as a process of its own."""

    def __init__(self, folder: Path, *overrides: str) -> None:
        self.folder = folder
        self.overrides = (f'runtime_dir="{folder}"', *overrides)
        self.session = RunningSession(folder, *overrides)
        self.status_file = folder / "console.json"
        self.log = folder / "console.txt"
        self.witness = Witness(f"ipc://{folder}/controller.telemetry")
        self.environment = {**os.environ, "XDG_DATA_HOME": str(folder / "data")}
        try:
            self.console = self.start_console()
            self.session.wait_following()
        except BaseException:
            self.close()
            raise

    def start_console(self, port: int = 0) -> subprocess.Popen[bytes]:
        """The console alone; waits until it says where it is."""
        self.status_file.unlink(missing_ok=True)
        sets = [word for override in self.overrides for word in ("--set", override)]
        command = [sys.executable, "-m", "teleop", "console", str(DEMO), *sets]
        command += ["--port", str(port), "--status-file", str(self.status_file)]
        with self.log.open("a") as log:
            self.console = subprocess.Popen(command, stdout=log, stderr=log, env=self.environment)
        end = time.monotonic() + 120.0
        while not self.status_file.exists():
            assert self.console.poll() is None, self.log.read_text()
            assert time.monotonic() < end, "the console did not start"
            time.sleep(0.05)
        return self.console

    @property
    def url(self) -> str:
        return str(json.loads(self.status_file.read_text())["url"])

    def ask(self, op: str, **args: Any) -> Any:
        """The controller's answer to a request, around the console."""
        with zmq.Context() as context, context.socket(zmq.DEALER) as socket:
            socket.setsockopt(zmq.LINGER, 0)
            socket.connect(f"ipc://{self.folder}/controller.request")
            socket.send(msgpack.packb({"id": 1, "op": op, "args": args}))
            assert socket.poll(10_000), f"no answer to {op}"
            return msgpack.unpackb(socket.recv()).get("result")

    def tidy(self) -> None:
        """No fixtures, no fault: as a test finds it."""
        for fixture in self.ask("get_config")["fixture"]:
            self.ask("remove_fixture", name=fixture["name"])
        if self.witness.newest["state"] == "FAULT":
            self.ask("reset_fault")
            self.witness.until(lambda pair: pair["reason"] == "deadman_released")

    def close(self) -> None:
        self.witness.close()
        console: subprocess.Popen[bytes] | None = getattr(self, "console", None)
        try:
            if console is not None:
                console.send_signal(signal.SIGINT)
                console.wait(10.0)
            self.session.stop()
        finally:
            if console is not None:
                console.kill()
                console.wait()
            self.session.close()
