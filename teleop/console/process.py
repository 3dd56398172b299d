"""The console's process: opens the wire and the door, and says where."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import os
import secrets
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import uvicorn

from teleop.config import Session
from teleop.console.guards import MAX_MESSAGE_BYTES, ConsoleError, Door
from teleop.console.hub import Hub
from teleop.console.recordings import Recordings
from teleop.console.server import STATIC, make_app
from teleop.loop.signals import stop_on_signals
from teleop.supervisor.status_file import write_status
from teleop.wire.keys import OPERATOR
from teleop.wire.sockets import open_context

PORT = 8642
"""Tried first; when it is taken, any free one."""
_NICE = 5


def data_dir() -> Path:
    """Where uploads and recordings stay: a saved session still finds its meshes there."""
    base = os.environ.get("XDG_DATA_HOME")
    return (Path(base) if base else Path.home() / ".local" / "share") / "trocar"


def last_port(status_file: Path | None) -> int | None:
    """The port of the console that wrote a status file before: the pages that it showed try that again."""
    if status_file is None:
        return None
    try:
        url = json.loads(status_file.read_text(encoding="utf-8"))["url"]
        return urlsplit(str(url)).port
    except (OSError, ValueError, KeyError, TypeError):
        return None


def bind(host: str, port: int | None, first: int = PORT) -> socket.socket:
    """A listening socket.

    Args:
        host: address.
        port: port; 0 for any free one; None for ``first``, :data:`PORT` or else any free one.
        first: what is tried first then.

    Raises:
        ConsoleError: the address cannot be bound.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for wanted in (first, PORT, 0) if port is None else (port,):
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, wanted))
        except OSError as error:
            listener.close()
            if port is None and wanted:
                continue
            raise ConsoleError(
                f"the console cannot listen at {host}, port {wanted}: {error.strerror}"
            ) from error
        return listener
    raise ConsoleError(f"the console found no free port at {host}")


def read_token(path: Path | None) -> str:
    """The token in a file, made when the file does not exist; empty without one.

    Raises:
        ConsoleError: it cannot be read, or is too short to be a secret.
    """
    if path is None:
        return ""
    try:
        if not path.exists():
            path.touch(mode=0o600)
            path.write_text(secrets.token_urlsafe(24) + "\n", encoding="utf-8")
        token = path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise ConsoleError(f"--token-file {path}: {error.strerror}") from error
    if len(token) < 16:
        raise ConsoleError(
            f"--token-file {path}: a token has at least 16 characters; delete it for a new one"
        )
    return token


class _Server(uvicorn.Server):
    """Leaves signals to :func:`teleop.loop.signals.stop_on_signals`."""

    @contextlib.contextmanager
    def capture_signals(self):  # type: ignore[no-untyped-def]
        yield


def run_console(
    session: Session,
    *,
    overrides: tuple[str, ...] = (),
    host: str = "127.0.0.1",
    port: int | None = None,
    token: str = "",
    certfile: Path | None = None,
    keyfile: Path | None = None,
    origins: tuple[str, ...] = (),
    status_file: Path | None = None,
    recorder_status: Path | None = None,
    recordings: Path | None = None,
    recordings_max_bytes: int = 20_000_000_000,
    on_ready: Callable[[], None] | None = None,
    seconds: float = 0.0,
) -> int:
    """Serve the console of a session until SIGINT or SIGTERM.

    Args:
        session: what to show and drive.
        overrides: the ``--set`` it was loaded with.
        host: address to bind.
        port: see :func:`bind`.
        token: secret of the address, or empty.
        certfile: TLS certificate.
        keyfile: its key.
        origins: origins of proxies in front.
        status_file: gets ``{"url", "viewers"}`` whenever one changes, for who started this. What it holds
            at the start says which port to try first.
        recorder_status: status file of the recorder that records the whole session, where one does.
        recordings: folder of the recordings; None for the user's own.
        recordings_max_bytes: how much it may hold.
        on_ready: called once when the page can be opened.
        seconds: how long, s; 0 until a signal.

    Returns:
        exit status, 0.

    Raises:
        ConsoleError: it cannot be opened as asked.
    """
    if not (STATIC / "index.html").is_file():
        raise ConsoleError(
            f"{STATIC} lacks the page; build it: cd teleop/console/web && npm ci && npm run build"
        )
    listener = bind(host, port, last_port(status_file) or PORT)
    try:
        tls = certfile is not None
        door = Door(host, listener.getsockname()[1], token, tls, origins)
        with contextlib.suppress(OSError):
            os.nice(_NICE)  # the loop comes first
        asyncio.run(
            _serve(
                session,
                overrides,
                door,
                listener,
                certfile,
                keyfile,
                status_file,
                (recordings or data_dir() / "recordings", recordings_max_bytes, recorder_status),
                on_ready,
                seconds,
            )
        )
    finally:
        listener.close()
    return 0


async def _serve(
    session: Session,
    overrides: tuple[str, ...],
    door: Door,
    listener: socket.socket,
    certfile: Path | None,
    keyfile: Path | None,
    status_file: Path | None,
    recording: tuple[Path, int, Path | None],
    on_ready: Callable[[], None] | None,
    seconds: float,
) -> None:
    def tell(viewers: int) -> None:
        if status_file is not None:
            write_status(status_file, {"url": door.url, "viewers": viewers})

    with open_context(session.keyring(OPERATOR)) as context, stop_on_signals() as stop:
        recordings = Recordings(*recording, tell=lambda text: hub.tell("warning", text))
        hub = Hub(context, session, overrides, data_dir() / "meshes", tell, recordings)
        config = uvicorn.Config(
            make_app(hub, door),
            log_level="warning",
            access_log=False,
            lifespan="off",
            ws="websockets-sansio",
            ws_max_size=MAX_MESSAGE_BYTES,
            ws_per_message_deflate=False,
            ws_ping_interval=2.0,
            ws_ping_timeout=5.0,
            timeout_graceful_shutdown=1,
            server_header=False,
            ssl_certfile=certfile,
            ssl_keyfile=keyfile,
        )
        server = _Server(config)
        pump = asyncio.create_task(hub.run())
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        gc.freeze()
        while not server.started and not serving.done():
            await asyncio.sleep(0.01)
        tell(0)
        print(f"console: {door.url}", file=sys.stderr, flush=True)
        if on_ready is not None:
            on_ready()
        end = asyncio.get_running_loop().time() + seconds if seconds else float("inf")
        while not stop.asked and not serving.done() and not pump.done():
            if asyncio.get_running_loop().time() >= end:
                break
            await asyncio.sleep(0.05)
        server.should_exit = True
        await serving
        await recordings.close()
        pump.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await pump
