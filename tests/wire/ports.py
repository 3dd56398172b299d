"""Free tcp ports for tests."""

from __future__ import annotations

import socket
from contextlib import ExitStack


def free_base(count: int = 5) -> str:
    """A base endpoint on loopback: ``count`` ports in a row that nobody has now."""
    for _ in range(50):
        with ExitStack() as stack:
            first = stack.enter_context(socket.socket())
            first.bind(("127.0.0.1", 0))
            port: int = first.getsockname()[1]
            if port > 65_000:
                continue
            try:
                for offset in range(1, count):
                    stack.enter_context(socket.socket()).bind(("127.0.0.1", port + offset))
            except OSError:
                continue
            return f"tcp://127.0.0.1:{port}"
    raise AssertionError("no free ports")
