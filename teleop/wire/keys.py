"""CURVE keys: making them, reading them, and who may connect to what.

Every program that takes part has one pair of keys, named as it is named in the session: ``controller``,
``recorder``, ``operator``, each master and each arm. In the folder of keys

    NAME.key           its public half, mode 0644: goes to every host
    NAME.key_secret    both halves, mode 0600: stays on the host where NAME runs

in the format of ZeroMQ's own certificates (ZPL), which ``czmq`` and ``zmq.auth`` read too.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import zmq
from zmq.auth import load_certificate

from teleop.wire.errors import EndpointError, KeyFileError
from teleop.wire.streams import Role

PUBLIC, SECRET = ".key", ".key_secret"

CONTROLLER, RECORDER, OPERATOR = "controller", "recorder", "operator"
"""Names of the programs that are neither master nor arm. An operator is a console, or `trocar send`."""

_LARGEST_FILE = 4096
_OPERATORS, _VIEWERS = "operators", "viewers"
# Who may connect besides the controller; what is not here is the controller's alone.
_ACCESS: dict[tuple[Role, str], tuple[str, ...]] = {
    (Role.MASTER, "measured_cp"): (_OPERATORS, _VIEWERS),
    (Role.MASTER, "steer"): (_OPERATORS,),
    (Role.ARM, "measured_js"): (_OPERATORS, _VIEWERS),
    (Role.ARM, "estop"): (_OPERATORS,),
    (Role.CONTROLLER, "telemetry"): (_OPERATORS, _VIEWERS),
    (Role.CONTROLLER, "event"): (_OPERATORS, _VIEWERS),
    (Role.CONTROLLER, "request"): (_OPERATORS,),
    (Role.CONTROLLER, "estop"): (_OPERATORS,),
}


@dataclass(frozen=True, slots=True)
class Keyring:
    """The keys one program needs, and whom it lets in.

    Attributes:
        name: the program's own name.
        public: its public key, Z85, 40 bytes.
        secret: its secret key; never shown.
        peers: public keys by name.
        operators: names that may give orders to the controller, and stop everything.
        viewers: names that may only look on.
    """

    name: str
    public: bytes
    secret: bytes = field(repr=False)
    peers: Mapping[str, bytes] = field(repr=False)
    operators: frozenset[str]
    viewers: frozenset[str]

    def peer(self, name: str) -> bytes:
        """The public key of ``name``.

        Raises:
            EndpointError: there is none, so nobody could prove to be ``name``.
        """
        if name not in self.peers:
            raise EndpointError(
                f"cannot connect to {name}: there is no public key {name}{PUBLIC} among the session's keys; "
                "make it with `trocar keys` where it runs, and copy it here"
            )
        return self.peers[name]

    def who(self, public: bytes) -> str | None:
        """The name that goes with a public key, ``None`` for a stranger."""
        for name, key in self.peers.items():
            if key == public:
                return name
        return None

    def lets_in(self, name: str, role: Role, stream: str) -> bool:
        """Whether ``name`` may connect to a stream that a program of ``role`` binds."""
        if name == CONTROLLER:
            return True
        groups = _ACCESS.get((role, stream), ())
        members: set[str] = set()
        if _OPERATORS in groups:
            members |= self.operators
        if _VIEWERS in groups:
            members |= self.viewers
        return name in members


def make_keys(folder: Path, names: Iterable[str]) -> list[str]:
    """Make a pair of keys for each of ``names`` that has none yet; existing files are never touched.

    Returns:
        The names for which keys were made.

    Raises:
        KeyFileError: the folder or a file cannot be written.
    """
    made = []
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for name in names:
            public_file, secret_file = folder / (name + PUBLIC), folder / (name + SECRET)
            if public_file.exists() or secret_file.exists():
                continue
            public, secret = zmq.curve_keypair()
            _write(secret_file, 0o600, "Secret", public, secret)
            _write(public_file, 0o644, "Public", public, None)
            made.append(name)
    except OSError as error:
        raise KeyFileError([f"{error.filename}: cannot be written: {error.strerror}"]) from None
    return made


def _write(path: Path, mode: int, kind: str, public: bytes, secret: bytes | None) -> None:
    lines = [
        f"#   ZeroMQ CURVE {kind} Certificate, made by `trocar keys`",
        "#   Keep it to yourself." if secret else "#   May be given to anybody.",
        "",
        "metadata",
        "curve",
        f'    public-key = "{public.decode()}"',
        *([f'    secret-key = "{secret.decode()}"'] if secret else []),
        "",
    ]
    # The mode is given when the file comes into being: there is no moment in which others may read it.
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(handle, "w", encoding="ascii") as file:
        file.write("\n".join(lines))


def _read(path: Path, *, secret: bool, mistakes: list[str]) -> bytes:
    """A key from a file; where it cannot be used, an empty one and a line in ``mistakes``."""
    try:
        info = path.stat()
        if secret and info.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            mode = stat.S_IMODE(info.st_mode)
            mistakes.append(f"{path}: others may read this secret key (mode {mode:04o}); chmod 600 {path}")
            return b""
        if not stat.S_ISREG(info.st_mode) or info.st_size > _LARGEST_FILE:
            mistakes.append(f"{path}: this is no key file")
            return b""
        public_key, secret_key = load_certificate(path)
    except FileNotFoundError:
        hint = "where that program runs, and copy it here" if not secret else "on this host"
        mistakes.append(f"{path}: there is no such key; make it with `trocar keys SESSION.toml` {hint}")
        return b""
    except OSError as error:
        mistakes.append(f"{path}: cannot be read: {error.strerror}")
        return b""
    except ValueError:
        key = None
    else:
        key = secret_key if secret else public_key
    if key is None or len(key) != 40:
        mistakes.append(f"{path}: this is no ZeroMQ CURVE {'secret' if secret else 'public'} key")
        return b""
    return key


def read_public_keys(folder: Path, names: Iterable[str]) -> tuple[dict[str, bytes], list[str]]:
    """The public keys of ``names``, and a line for each that cannot be used."""
    mistakes: list[str] = []
    keys = {name: _read(folder / (name + PUBLIC), secret=False, mistakes=mistakes) for name in names}
    return {name: key for name, key in keys.items() if key}, mistakes


def names_with_keys(folder: Path) -> list[str]:
    """Everybody whose public key is in the folder, for a program that knows no session."""
    return sorted(path.name.removesuffix(PUBLIC) for path in folder.glob(f"*{PUBLIC}"))


def load_keyring(
    folder: Path,
    name: str,
    peers: Iterable[str],
    *,
    operators: Iterable[str] = (OPERATOR,),
    viewers: Iterable[str] = (),
) -> Keyring:
    """The keys of the program ``name``.

    Args:
        folder: where the key files are.
        name: the program.
        peers: everybody else in the session.
        operators: see :class:`Keyring`.
        viewers: see :class:`Keyring`.

    Raises:
        KeyFileError: with every mistake at once: keys that are missing, unreadable, or open to others.
    """
    if not zmq.has("curve"):
        raise KeyFileError(["this build of libzmq has no CURVE; install pyzmq from PyPI"])
    mistakes: list[str] = []
    secret = _read(folder / (name + SECRET), secret=True, mistakes=mistakes)
    known, missing = read_public_keys(folder, [peer for peer in peers if peer != name])
    if mistakes or missing:
        raise KeyFileError(mistakes + missing)
    public = zmq.curve_public(secret)
    known[name] = public
    return Keyring(name, public, secret, known, frozenset(operators), frozenset(viewers))
