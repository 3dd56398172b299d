"""How a process is asked to stop: SIGINT and SIGTERM set a flag that its loop reads."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class StopFlag:
    """How often a stop was asked for; a second time means: hurry.

    Attributes:
        asked: signals so far.
    """

    def __init__(self) -> None:
        """Nobody has asked."""
        self.asked = 0

    def __call__(self, number: int, frame: FrameType | None) -> None:
        """The signal handler."""
        self.asked += 1


@contextmanager
def stop_on_signals() -> Iterator[StopFlag]:
    """A flag that SIGINT and SIGTERM set; outside the main thread nothing does."""
    flag = StopFlag()
    if threading.current_thread() is not threading.main_thread():
        yield flag
        return
    before = {number: signal.signal(number, flag) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield flag
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
