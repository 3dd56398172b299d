"""Runs the measurements and reports."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import msgspec

from teleop.doctor.machine import StealMeter, look
from teleop.doctor.probe import LoopProbe, WireProbe
from teleop.doctor.report import Measurement, Report, judge
from teleop.errors import TrocarError

ProbeT = TypeVar("ProbeT")


def run_doctor(*, seconds: float = 10.0, load: bool = False, json_file: Path | None = None) -> int:
    """Measure, print the report, and write it as JSON where asked.

    Args:
        seconds: how long to measure, s; twice as long with ``load``.
        load: measure again while every processor is kept busy by others.
        json_file: where to write the report.

    Returns:
        Exit status: 0 this machine can hold 1 kHz, 1 it cannot.

    Raises:
        TrocarError: a measurement could not be made.
    """
    report = examine(seconds, load=load)
    print(report.format())
    if json_file is not None:
        json_file.write_bytes(msgspec.json.format(msgspec.json.encode(report)))
    return 0 if report.fit else 1


def examine(seconds: float, *, load: bool) -> Report:
    """Measure, and judge; see :func:`run_doctor`."""
    measurements = [_measure(seconds, load=False)]
    if load:
        with _every_processor_busy():
            measurements.append(_measure(seconds, load=True))
    return judge(look(), tuple(measurements))


def _measure(seconds: float, *, load: bool) -> Measurement:
    steal = StealMeter()
    return Measurement(
        load=load,
        ordinary=_probe("loop", 0.4 * seconds, LoopProbe),
        realtime=_probe("realtime", 0.4 * seconds, LoopProbe),
        wire=_probe("wire", 0.2 * seconds, WireProbe),
        steal=steal.share(),
    )


def _probe(what: str, seconds: float, kind: type[ProbeT]) -> ProbeT:
    command = [sys.executable, "-m", "teleop.doctor.probe", what, str(seconds)]
    try:
        run = subprocess.run(command, capture_output=True, timeout=10 * seconds + 60, check=True)
    except subprocess.TimeoutExpired as error:
        raise TrocarError(
            f"the {what} measurement of {seconds:g} s did not end in {error.timeout:g} s"
        ) from error
    except subprocess.CalledProcessError as error:
        last = error.stderr.decode(errors="replace").strip().rpartition("\n")[2]
        raise TrocarError(f"the {what} measurement failed: {last}") from error
    return msgspec.json.decode(run.stdout, type=kind)


@contextmanager
def _every_processor_busy() -> Iterator[None]:
    hogs = [
        subprocess.Popen([sys.executable, "-I", "-S", "-c", "while True: pass"])
        for _ in os.sched_getaffinity(0)
    ]
    try:
        yield
    finally:
        for hog in hogs:
            hog.kill()
            hog.wait()
