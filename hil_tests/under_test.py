"""Starts a driver as its own process, and opens a conformance bench on it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from teleop.conform import Bench, Bounds
from teleop.conform.probe import Probe
from teleop.supervisor.child import tethered
from teleop.wire.sockets import open_context

ROOT = Path(__file__).parents[1]
WHOLE_RANGE = Bounds((10.0,) * 6, (50.0,) * 6, jaw_rad=0.3, homing=True)
"""For simulated arms with six joints: nothing can be hit."""


class DriverProcess:
    """A driver that can be started, killed and started again."""

    def __init__(self, command: list[str], log: Path) -> None:
        self._command, self._log = command, log
        self.process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                tethered(self._command),
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
            )

    def stop(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def restart(self) -> None:
        self.stop()
        self.start()


@contextmanager
def driver_process(command: list[str], log: Path) -> Iterator[DriverProcess]:
    driver = DriverProcess(command, log)
    try:
        yield driver
    finally:
        driver.stop()


@contextmanager
def bad_driver(name: str, folder: Path) -> Iterator[tuple[str, DriverProcess]]:
    """One of :mod:`hil_tests.bad`, or the good one; its endpoint and process."""
    endpoint = f"ipc://{folder}/{name[:30]}"
    command = [sys.executable, "-m", "hil_tests.bad", name, "--endpoint", endpoint]
    with driver_process(command, folder / f"{name}.log") as driver:
        yield endpoint, driver


@contextmanager
def open_bench(
    endpoint: str, bounds: Bounds | None = WHOLE_RANGE, restart: Callable[[], None] | None = None
) -> Iterator[Bench]:
    with open_context() as context:
        yield Bench(Probe(context, endpoint, timeout_s=60.0), bounds, restart)
