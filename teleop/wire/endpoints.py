"""From a participant's one base endpoint to the address of each of its streams.

Every participant (a master driver, an arm driver, the controller) has one base endpoint. The socket of a
stream is ``<base>.<stream>`` for ``ipc://`` and ``port + port_offset`` for ``tcp://``::

    ipc:///run/trocar/left   ->  ipc:///run/trocar/left.measured_cp
    tcp://127.0.0.1:5600     ->  tcp://127.0.0.1:5601   (port_offset 1)
"""

from __future__ import annotations

import ipaddress
import os
import re
from dataclasses import dataclass

from teleop.wire.errors import EndpointError
from teleop.wire.streams import STREAMS, Role, Stream, stream

IPC_PATH_MAX_BYTES = 107
"""``sun_path`` of a unix socket holds 108 bytes, the last one a NUL (unix(7))."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,31}")
_TCP = re.compile(r"tcp://(?P<host>\[[0-9A-Fa-f:.]+\]|[^\s:/\[\]]+):(?P<port>\d{1,5})")
_ANY_HOST = frozenset({"*", "0.0.0.0", "[::]"})


@dataclass(frozen=True, slots=True)
class Channel:
    """One stream of one participant, ready to open a socket on.

    Attributes:
        stream: its row in the table of streams.
        name: full name in the header, e.g. ``"left/measured_cp"``.
        address: ZeroMQ address of its socket.
        owner: name of the participant that binds it, and whose key it bears.
    """

    stream: Stream
    name: str
    address: str
    owner: str = ""


@dataclass(frozen=True, slots=True)
class Participant:
    """A master, an arm or the controller, and where it binds.

    Attributes:
        role: which streams it owns.
        name: its name in a session, e.g. ``"left"``; letters, digits, ``-`` and ``_``, at most 32.
        endpoint: base endpoint, ``ipc:///absolute/path`` or ``tcp://host:port``.

    Raises:
        EndpointError: at construction, if the name or the endpoint does not serve every stream of the role.
    """

    role: Role
    name: str
    endpoint: str

    def __post_init__(self) -> None:
        """Refuse now what would only fail when a socket opens."""
        if not _NAME.fullmatch(self.name):
            raise EndpointError(
                f"{self.role.value} name {self.name!r} cannot be used: expected 1 to 32 letters, digits, "
                "'-' or '_', the first a letter or digit"
            )
        for entry in STREAMS:
            if entry.owner is self.role:
                _address(self.endpoint, entry)

    def channel(self, name: str) -> Channel:
        """The channel of the participant's stream ``name``.

        Raises:
            KeyError: the role has no such stream.
        """
        entry = stream(self.role, name)
        # The protocol names an e-stop alike wherever it goes, and the controller's streams without a prefix.
        prefixed = self.role in (Role.MASTER, Role.ARM) and name != "estop"
        return Channel(
            entry, f"{self.name}/{name}" if prefixed else name, _address(self.endpoint, entry), self.name
        )


def _address(endpoint: str, entry: Stream) -> str:
    if endpoint.startswith("ipc://"):
        path = endpoint.removeprefix("ipc://")
        if not path.startswith("/") or path.endswith("/") or "\0" in path:
            raise EndpointError(
                f"endpoint {endpoint!r}: an ipc endpoint is 'ipc://' and the absolute path of a file to be, "
                "such as ipc:///run/trocar/left"
            )
        path = f"{path}.{entry.name}"
        size = len(os.fsencode(path))
        if size > IPC_PATH_MAX_BYTES:
            raise EndpointError(
                f"endpoint {endpoint!r}: the socket path {path!r} has {size} bytes and the system allows "
                f"{IPC_PATH_MAX_BYTES}; choose a path at least {size - IPC_PATH_MAX_BYTES} bytes shorter"
            )
        return f"ipc://{path}"
    match = _TCP.fullmatch(endpoint)
    if match is None:
        raise EndpointError(
            f"endpoint {endpoint!r} is neither ipc:///absolute/path nor tcp://host:port (IPv6 as tcp://[::1]:port)"
        )
    port = int(match["port"])
    last = 65535 - max(s.port_offset for s in STREAMS if s.owner is entry.owner)
    if not 1 <= port <= last:
        raise EndpointError(
            f"endpoint {endpoint!r}: port {port} is outside 1 to {last}; the {entry.owner.value} also takes "
            f"the {65535 - last} ports after it"
        )
    return f"tcp://{match['host']}:{port + entry.port_offset}"


def leaves_the_host(address: str) -> bool:
    """Whether another host can reach, or is, this address."""
    return address.startswith("tcp://") and not _is_loopback(_tcp_host(address))


def check_bind(address: str, *, has_keys: bool = False) -> None:
    """Refuse what must not be bound: without keys, any tcp address that another host can reach.

    Without CURVE keys whoever reaches the port could drive the arm.

    Raises:
        EndpointError: the address is tcp and not loopback, and there are no keys.
    """
    if leaves_the_host(address) and not has_keys:
        raise EndpointError(
            f"refused to bind {address}: other hosts can reach it, and without CURVE keys anyone there could "
            "drive the arm. Make keys with `trocar keys SESSION.toml` and name their folder in the session "
            "([security] keys_dir), or bind tcp://127.0.0.1 or ipc:// for one host"
        )


def check_connect(address: str, *, has_keys: bool = False) -> None:
    """Refuse to connect to a wildcard, which names no host, and without keys to another host.

    Without CURVE keys nothing proves who answers there.

    Raises:
        EndpointError: the address is for binding only, or leads to another host and there are no keys.
    """
    if address.startswith("tcp://") and _tcp_host(address) in _ANY_HOST:
        raise EndpointError(f"cannot connect to {address}: it means 'every interface'; name the host instead")
    if leaves_the_host(address) and not has_keys:
        raise EndpointError(
            f"refused to connect to {address}: without CURVE keys nothing proves who answers there. Make "
            "keys with `trocar keys SESSION.toml` and name their folder in the session ([security] keys_dir)"
        )


def _tcp_host(address: str) -> str:
    return address.removeprefix("tcp://").rpartition(":")[0]


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
