"""One browser: the newest state wins, nothing queues behind a slow reader."""

from __future__ import annotations

import asyncio
import secrets
from collections import deque
from collections.abc import Awaitable, Callable

import msgspec

from teleop.console.guards import Bucket
from teleop.console.messages import Answer, Hello, Notice, Plots, Scene, Spectrum, State

IN_FLIGHT = 3
"""States a browser may owe an answer for. The network's own buffers thus never hold more than that."""
LETTERS = 64
_encoder = msgspec.json.Encoder()


def encode(message: msgspec.Struct) -> str:
    """A message as JSON text."""
    return _encoder.encode(message).decode()


class Viewer:
    """What one browser was sent and has to be sent.

    Attributes:
        number: its id.
        key: proves to the upload that it comes from this browser.
        bucket: how much it may say.
        next_bucket: first bucket of the plots that it has not got.
        skipped: states it was too slow for.
    """

    def __init__(self, number: int, send: Callable[[str], Awaitable[None]]) -> None:
        """Send through ``send``, which waits while the browser does not read."""
        self.number = number
        self.key = secrets.token_urlsafe(16)
        self.bucket = Bucket()
        self.next_bucket = 0
        self.skipped = 0
        self._send = send
        self._wake = asyncio.Event()
        self._letters: deque[str] = deque(maxlen=LETTERS)
        self._state: tuple[int, str] | None = None
        self._scene: Scene | None = None
        self._plots: Callable[[int], Plots | None] | None = None
        self._owed: deque[int] = deque()

    def post(self, message: Answer | Notice | Hello | Spectrum) -> None:
        """Send once; the oldest are lost when a browser leaves very many unread."""
        self._letters.append(encode(message))
        self._wake.set()

    def show(self, seq: int, state: str) -> None:
        """Replace the state it will get next."""
        if self._state is not None:
            self.skipped += 1
        self._state = (seq, state)
        self._wake.set()

    def forget(self) -> None:
        """Drop what it has not got yet: it is about to see another session."""
        self._state = self._scene = self._plots = None
        self.next_bucket = 0

    def set_scene(self, scene: Scene) -> None:
        """Replace the scene it will get next."""
        self._scene = scene
        self._wake.set()

    def offer_plots(self, since: Callable[[int], Plots | None]) -> None:
        """Let it take the buckets it has not got, when it is ready for them."""
        self._plots = since
        self._wake.set()

    def acknowledge(self, seq: int) -> None:
        """The browser has taken in state ``seq`` and all before."""
        while self._owed and self._owed[0] <= seq:
            self._owed.popleft()
        self._wake.set()

    async def run(self) -> None:
        """Send what there is, newest first, until cancelled."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._letters:
                await self._send(self._letters.popleft())
            if len(self._owed) >= IN_FLIGHT:
                continue
            if self._scene is not None:
                scene, self._scene = self._scene, None
                await self._send(encode(scene))
            if self._state is not None:
                (seq, text), self._state = self._state, None
                self._owed.append(seq)
                await self._send(text)
            if self._plots is not None:
                plots, self._plots = self._plots(self.next_bucket), None
                if plots is not None and plots.rows:
                    self.next_bucket = plots.first + len(plots.rows)
                    await self._send(encode(plots))


def state_text(state: State) -> str:
    """A state, encoded once for all viewers."""
    return encode(state)
