"""The child's side of the readiness handshake."""

from __future__ import annotations

import os
from contextlib import suppress

READY_FD = "TROCAR_READY_FD"
"""Environment variable with the number of the pipe to say READY on; standard output stays the child's own."""

READY = b"READY\n"


def announce_ready() -> None:
    """Tell the supervisor, if there is one, that this process is ready. Only the first call says it.

    Call it with the signal handlers in place: a SIGINT may follow at once.

    The pipe stays open for as long as the process lives: its end tells the supervisor of a death at once.
    """
    fd = os.environ.pop(READY_FD, None)
    if fd is not None:
        with suppress(OSError):  # a supervisor that is gone takes this process with it anyway
            os.write(int(fd), READY)
