"""Real-time scheduling for as long as something is measured, where the system permits it."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PRIORITY = 45
"""Above the loops that are measured: who measures late finds others late."""


@contextmanager
def punctual() -> Iterator[None]:
    """Run this thread, and ZeroMQ's threads that exist by now, before all others; as before afterwards.

    The garbage collector rests meanwhile: a log of some ten thousand messages costs it 100 ms at a time, in
    which this program sends nothing, and the driver's watchdog is right to act.
    """
    collects = gc.isenabled()
    gc.disable()
    with suppress(OSError):
        for thread in Path("/proc/self/task").iterdir():
            if (thread / "comm").read_text().startswith("ZMQbg/IO"):
                _schedule(int(thread.name), os.SCHED_FIFO | os.SCHED_RESET_ON_FORK, PRIORITY + 1)
        _schedule(0, os.SCHED_FIFO | os.SCHED_RESET_ON_FORK, PRIORITY)
    try:
        yield
    finally:
        if collects:
            gc.enable()
        with suppress(OSError):
            _schedule(0, os.SCHED_OTHER, 0)


def _schedule(thread_id: int, policy: int, priority: int) -> None:
    os.sched_setscheduler(thread_id, policy, os.sched_param(priority))
