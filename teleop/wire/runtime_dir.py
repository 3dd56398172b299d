"""The folder of the ipc sockets: whoever may write in it may take a socket's place."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from teleop.wire.errors import EndpointError


def private_dir(path: Path) -> Path:
    """Make ``path`` for this user alone, or see that it is safe as it is.

    Raises:
        EndpointError: it cannot be made, belongs to somebody else, or others may write in it.
    """
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        info = path.stat()
    except OSError as error:
        raise EndpointError(f"{path}: the folder of the sockets cannot be made: {error.strerror}") from None
    if info.st_uid not in (os.geteuid(), 0):
        raise EndpointError(
            f"{path}: the folder of the sockets belongs to another user (uid {info.st_uid}), who could put "
            "sockets of his own in place of ours; set `runtime_dir` or XDG_RUNTIME_DIR to a folder of yours"
        )
    if info.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise EndpointError(
            f"{path}: others may write in the folder of the sockets (mode {stat.S_IMODE(info.st_mode):04o}); "
            f"chmod go-w {path}, or set `runtime_dir` to a folder of yours"
        )
    return path
