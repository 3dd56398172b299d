"""One running child process: its pipes, its signals, its end."""

from __future__ import annotations

import os
import select
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from signal import Signals

from teleop.supervisor.plan import ChildSpec, Death
from teleop.supervisor.ready import READY, READY_FD

LINES_KEPT = 20
LINE_MAX = 500
_TETHER = Path(__file__).with_name("tether.py")


def tethered(command: Sequence[str]) -> list[str]:
    """The command line that runs ``command`` so that it ends with this process, however this one ends."""
    # Isolated and without site packages, the tether is gone within about 15 ms.
    return [sys.executable, "-I", "-S", str(_TETHER), str(os.getpid()), *command]


class Child:
    """A child in a process group of its own, that the kernel kills when this process ends, however it ends.

    Its own group keeps the terminal's Ctrl-C from it: the supervisor says when to stop. Standard output and
    the environment are inherited; standard input is empty.

    Attributes:
        spec: what was started.
        ready: it has said so.
        given_up: it was too late, and has been killed.
        stderr_fd: readable when it wrote to standard error.
        ready_fd: readable when it became ready, and when it ended.
    """

    def __init__(self, spec: ChildSpec, now_s: float, on_line: Callable[[str, str], None] | None) -> None:
        """Start it, from the main thread: the kernel watches the thread that starts a child.

        Args:
            spec: what to start.
            now_s: monotonic time.
            on_line: gets the name and each line the child writes to standard error.
        """
        self.spec = spec
        self.ready = self.given_up = False
        self._began_s = now_s
        self._on_line = on_line
        self._lines: deque[str] = deque(maxlen=LINES_KEPT)
        self._partial = b""
        self.ready_fd, child_end = os.pipe()
        try:
            self._process = subprocess.Popen(
                tethered(spec.command),
                stdin=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                process_group=0,
                pass_fds=(child_end,),
                env={**os.environ, READY_FD: str(child_end), "PYTHONFAULTHANDLER": "1"},
            )
        except BaseException:
            os.close(self.ready_fd)
            raise
        finally:
            os.close(child_end)
        assert self._process.stderr is not None
        self.stderr_fd = self._process.stderr.fileno()
        os.set_blocking(self.stderr_fd, False)
        os.set_blocking(self.ready_fd, False)

    def read_ready(self) -> bool:
        """Take what is on the ready pipe; False at its end."""
        data = _read(self.ready_fd)
        if data and READY in data:
            self.ready = True
        return data != b""

    def read_stderr(self) -> bool:
        """Take the lines written to standard error; False at its end."""
        data = _read(self.stderr_fd)
        if data is None:
            return True
        *lines, self._partial = (self._partial + data).split(b"\n")
        if not data or len(self._partial) > LINE_MAX:
            lines.append(self._partial)
            self._partial = b""
        for line in lines:
            if text := line.decode(errors="replace").rstrip()[:LINE_MAX]:
                self._lines.append(text)
                if self._on_line is not None:
                    self._on_line(self.spec.name, text)
        return data != b""

    def overdue(self, now_s: float) -> bool:
        """It should have become ready by now."""
        return not (self.ready or self.given_up) and now_s - self._began_s > self.spec.ready_timeout_s

    def death(self, now_s: float) -> Death | None:
        """Its death if it has ended; ``None`` while it lives."""
        if os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
            return None
        # Until it is reaped its number still means its group: end what it may have left behind.
        self.signal(Signals.SIGKILL)
        code = self._process.wait()
        while select.select([self.stderr_fd], [], [], 0)[0] and self.read_stderr():
            pass  # its last words may still be in the pipe
        return Death(self.spec.name, code, now_s - self._began_s, self.ready, tuple(self._lines))

    def signal(self, number: Signals) -> None:
        """Signal it and whatever it started; nothing if it has ended."""
        if self._process.returncode is None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)

    def kill(self) -> None:
        """End it now and wait until it is gone."""
        self.signal(Signals.SIGKILL)
        self._process.wait()
        self.close()

    def close(self) -> None:
        """Close this side of the pipes."""
        os.close(self.ready_fd)
        assert self._process.stderr is not None
        self._process.stderr.close()


def _read(fd: int) -> bytes | None:
    """What can be read now: ``None`` for nothing yet, empty at the end."""
    try:
        return os.read(fd, 65_536)
    except BlockingIOError:
        return None
