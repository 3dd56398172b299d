"""The console's web server: the page, its socket, triangles, uploads, the saved session."""

from __future__ import annotations

import asyncio
import hashlib
import os
import sys
import time
from pathlib import Path
from typing import Any

import msgspec
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.requests import HTTPConnection, Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect

from teleop.config import ConfigError
from teleop.console import messages as m
from teleop.console.guards import COOKIE, MAX_MESSAGE_BYTES, MAX_VIEWERS, Door
from teleop.console.hub import MAX_UPLOAD_BYTES, Hub

STATIC = Path(__file__).parent / "static"
MESH_ENDINGS = (".stl", ".obj", ".ply", ".vtp")
MAX_MESHES_BYTES = 2 * 2**30
_HEADERS = {
    b"content-security-policy": b"default-src 'self'; img-src 'self' data: blob:; "
    b"style-src 'self' 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'",
    b"x-content-type-options": b"nosniff",
    b"referrer-policy": b"no-referrer",
    b"cross-origin-opener-policy": b"same-origin",
    b"cross-origin-resource-policy": b"same-origin",
}
_decoder = msgspec.json.Decoder(m.FromBrowser)


class Gatekeeper:
    """Checks host, origin and token of everything that comes in, before anything else looks at it."""

    def __init__(self, app: ASGIApp, door: Door) -> None:
        """Guard ``app``."""
        self._app, self._door = app, door

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on what may pass."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        asked = HTTPConnection(scope)
        refusal = self._door.refuse_host(asked.headers.get("host"))
        changes = scope["type"] == "websocket" or scope["method"] not in ("GET", "HEAD")
        if not refusal and changes:
            refusal = self._door.refuse_origin(asked.headers.get("origin"))
        enters = scope["type"] == "http" and scope["path"] == "/" and "token" in asked.query_params
        if not refusal and not enters:
            refusal = self._door.refuse_token(asked.cookies.get(COOKIE))
        if refusal and scope["type"] == "websocket":
            await WebSocket(scope, receive, send).close(1008, refusal[:120])
            return
        if refusal:
            await PlainTextResponse(f"{refusal}\n", 403)(scope, receive, send)
            return

        async def send_with_headers(message: Any) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *_HEADERS.items()]
            await send(message)

        await self._app(scope, receive, send_with_headers)


def make_app(hub: Hub, door: Door) -> Starlette:
    """The application of ``hub`` behind ``door``."""

    async def index(request: Request) -> Response:
        token = request.query_params.get("token")
        if token is not None:
            refusal = door.refuse_token(token)
            if refusal:
                return PlainTextResponse(f"{refusal}\n", 403)
            answer = RedirectResponse("/", 303)
            if door.token:
                answer.set_cookie(COOKIE, token, httponly=True, samesite="strict", secure=door.tls)
            return answer
        page = (STATIC / "index.html").read_bytes()
        return Response(page, media_type="text/html", headers={"cache-control": "no-cache"})

    async def geometry(request: Request) -> Response:
        found = await hub.editor.gallery.drawing(request.path_params["address"])
        if found is None:
            return PlainTextResponse("no such geometry\n", 404)
        # The address is a digest of the content, so it never changes.
        headers = {"cache-control": "private, max-age=31536000, immutable"}
        return Response(found, media_type="application/octet-stream", headers=headers)

    async def save(request: Request) -> Response:
        try:
            text = hub.toml()
        except ConfigError as error:
            return PlainTextResponse(f"{error}\n", 409)
        name = f"{hub.session.spec.name}.toml"
        headers = {"content-disposition": f'attachment; filename="{name}"', "cache-control": "no-store"}
        return Response(text, media_type="application/toml", headers=headers)

    async def upload(request: Request) -> Response:
        key = request.headers.get("x-viewer-key", "")
        driver = hub.viewers.get(hub.helm.driver)
        if driver is None or driver.key != key:
            return _no(403, "take the arm first: only who drives may upload")
        name = request.query_params.get("name", "")
        ending = Path(name).suffix.lower()
        if ending not in MESH_ENDINGS:
            return _no(415, f"a mesh is one of {', '.join(MESH_ENDINGS)}, not {name[:80]!r}")
        return await _keep(request, hub.editor.mesh_dir, ending)

    routes = [
        Route("/", index),
        Route("/session.toml", save),
        Route("/geometry/{address}", geometry),
        Route("/upload", upload, methods=["POST"]),
        WebSocketRoute("/socket", lambda socket: _serve(hub, socket)),
        Mount("/static", StaticFiles(directory=STATIC)),
    ]
    return Starlette(routes=routes, middleware=[Middleware(Gatekeeper, door=door)])


def _no(status: int, error: str) -> Response:
    return JSONResponse({"ok": False, "error": error}, status)


async def _keep(request: Request, folder: Path, ending: str) -> Response:
    """Stream an upload into a file named by its digest, so that equal uploads are one."""
    folder.mkdir(parents=True, exist_ok=True)
    held = sum(f.stat().st_size for f in folder.iterdir() if f.is_file())
    if held > MAX_MESHES_BYTES:
        return _no(507, f"{folder} holds {held >> 20} MB of uploads; delete some")
    digest, size = hashlib.sha256(), 0
    scratch = folder / f".upload-{os.urandom(8).hex()}"
    try:
        with scratch.open("wb") as file:
            async for chunk in request.stream():
                size += len(chunk)
                if size > MAX_UPLOAD_BYTES:
                    return _no(413, f"at most {MAX_UPLOAD_BYTES >> 20} MB; reduce the mesh first")
                digest.update(chunk)
                await run_in_threadpool(file.write, chunk)
        path = folder / f"{digest.hexdigest()[:32]}{ending}"
        scratch.replace(path)
    finally:
        scratch.unlink(missing_ok=True)
    return JSONResponse({"ok": True, "path": str(path), "bytes": size})


async def _serve(hub: Hub, socket: WebSocket) -> None:
    """One browser from hello to goodbye."""
    if len(hub.viewers) >= MAX_VIEWERS:
        await socket.close(1013, f"{MAX_VIEWERS} pages are open already; close one")
        return
    await socket.accept()
    viewer = hub.join(socket.send_text)
    sender = asyncio.create_task(viewer.run())
    try:
        while not sender.done():
            text = await socket.receive_text()
            if not viewer.bucket.take(time.monotonic()):
                await socket.close(1008, "too many messages")
                break
            if len(text) > MAX_MESSAGE_BYTES:
                await socket.close(1009, "message too large")
                break
            try:
                message = _decoder.decode(text)
            except (msgspec.DecodeError, RecursionError) as error:
                viewer.post(m.Notice("warning", f"not understood: {error}"))
                continue
            await hub.handle(viewer, message)
    except (WebSocketDisconnect, KeyError, RuntimeError):
        pass  # gone, or it sent binary
    finally:
        hub.part(viewer)
        sender.cancel()
        try:
            await sender
        except (asyncio.CancelledError, WebSocketDisconnect):
            pass
        except Exception as error:
            # A socket that closed under the sender is a RuntimeError; anything else is a mistake of ours.
            if not isinstance(error, RuntimeError | OSError):
                print(f"console: viewer {viewer.number}: {error!r}", file=sys.stderr, flush=True)
