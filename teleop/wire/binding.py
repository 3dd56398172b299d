"""Binding an address: only where it is allowed, and only where nobody else is."""

from __future__ import annotations

import os
import socket

import zmq

from teleop.wire.endpoints import check_bind
from teleop.wire.errors import EndpointError


def bind_socket(zsocket: zmq.Socket[bytes], address: str, *, has_keys: bool = False) -> None:
    """Bind, if the address is allowed and free.

    Args:
        zsocket: the socket, its options set.
        address: where.
        has_keys: it asks for CURVE.

    Raises:
        EndpointError: other hosts can reach it, another process has it, or the system refuses it.
    """
    check_bind(address, has_keys=has_keys)
    if address.startswith("ipc://"):
        _check_ipc_path_is_free(address.removeprefix("ipc://"))
    try:
        zsocket.bind(address)
    except zmq.ZMQError as error:
        if error.errno == zmq.EADDRINUSE:
            raise EndpointError(
                f"cannot bind {address}: another process has it; stop that one or choose another endpoint"
            ) from error
        raise EndpointError(f"cannot bind {address}: {error}") from error


def _check_ipc_path_is_free(path: str) -> None:
    """ZeroMQ takes a path over from a living process without a word: two drivers for one arm."""
    directory = os.path.dirname(path)
    if not os.path.isdir(directory):
        raise EndpointError(f"cannot bind ipc://{path}: no directory {directory}; create it first")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(path)
        except (FileNotFoundError, ConnectionRefusedError):
            return  # never there, or left behind by a process that died
        except OSError as error:
            raise EndpointError(f"cannot bind ipc://{path}: {error.strerror}") from error
    raise EndpointError(
        f"cannot bind ipc://{path}: a running process has it; stop that one or choose another endpoint"
    )
