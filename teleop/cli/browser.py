"""What ``trocar demo`` does about the browser: says where, opens it on a desktop, waits for its viewers."""

from __future__ import annotations

import json
import os
import sys
import time
import webbrowser
from pathlib import Path

from rich.console import Console

from teleop.config.schema import RATE_HZ
from teleop.wire.messages import Telemetry

_LOOK_S = 0.5
_GRACE_S = 5.0
"""A page that is loaded again is away for a moment."""


def on_a_desktop() -> bool:
    """Whether a browser could be opened in front of somebody."""
    shown = sys.platform == "darwin" or any(os.environ.get(k) for k in ("DISPLAY", "WAYLAND_DISPLAY"))
    return shown and sys.stdout.isatty() and not os.environ.get("SSH_CONNECTION")


class BrowserWindow:
    """Follows the console by its status file, and says when the session is over.

    Attributes:
        status_file: the console writes ``{"url", "viewers"}`` there.
    """

    def __init__(self, status_file: Path, screen: Console, seconds: float) -> None:
        """A session of ``seconds``; 0 for ever."""
        self.status_file = status_file
        self._screen = screen
        self._seconds = seconds
        self._said = ""
        self._waits = False
        self._viewers = 0
        self._seen_s = -_GRACE_S
        self._looked_s = 0.0

    def look(self, newest: Telemetry | None) -> str:
        """Look after the console; why the session is over, or an empty string."""
        now_s = time.monotonic()
        if now_s - self._looked_s >= _LOOK_S:
            self._looked_s = now_s
            self._read(now_s)
        ran_s = 0.0 if newest is None else (newest.tick + newest.skipped) / RATE_HZ
        if not self._seconds or ran_s < self._seconds:
            return ""
        if self._viewers or now_s - self._seen_s < _GRACE_S:
            if not self._waits:
                self._waits = True
                self._say(f"{self._seconds:g} s are over; it goes on until the browser is closed, or Ctrl-C")
            return ""
        return "the last browser was closed" if self._waits else f"{self._seconds:g} s are over"

    def _read(self, now_s: float) -> None:
        try:
            status = json.loads(self.status_file.read_text(encoding="utf-8"))
            url, self._viewers = str(status["url"]), int(status["viewers"])
        except (OSError, ValueError, KeyError):
            return
        if self._viewers:
            self._seen_s = now_s
        if url != self._said:
            self._said = url
            self._say(f"drive it yourself in the browser: {url}")
            if on_a_desktop():
                webbrowser.open(url)

    def _say(self, text: str) -> None:
        self._screen.print(text, highlight=False, soft_wrap=True)
