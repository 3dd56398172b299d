"""Which browser watches which recording; recordings come from one folder, by name."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from teleop.console import messages as m
from teleop.console.client import RefusedError
from teleop.console.player import Player
from teleop.console.shapes import Gallery
from teleop.console.viewer import Viewer, state_text
from teleop.errors import TrocarError

LISTED = 200
MAX_BYTES = 512 * 2**20
MAX_OPEN_BYTES = 2 * MAX_BYTES
"""All recordings that are watched at one time: they are held in memory."""


class Replays:
    """The players, one a browser at most."""

    def __init__(self, folder: Path | None, gallery: Gallery) -> None:
        """Recordings are those in ``folder``; without one there are none."""
        self._folder, self._gallery = folder, gallery
        self._players: dict[int, Player] = {}
        self._opening = asyncio.Lock()

    def listed(self) -> list[m.RecordingInfo]:
        """The newest recordings of the folder, newest first."""
        found = [] if self._folder is None else self._files()
        found.sort(key=lambda entry: -entry.unix_s)
        return found[:LISTED]

    def _files(self) -> list[m.RecordingInfo]:
        infos: list[m.RecordingInfo] = []
        for path in (self._folder or Path()).glob("*.mcap"):
            try:
                facts = path.stat()
            except OSError:
                continue  # it went in this moment
            if path.is_file() and not path.is_symlink():
                infos.append(m.RecordingInfo(path.name, facts.st_size, facts.st_mtime))
        return infos

    async def open(self, viewer: Viewer, name: str) -> None:
        """Let a browser watch the recording ``name``, instead of another if it has one.

        Raises:
            RefusedError: there is none of this name, it is too large or cannot be read.
        """
        async with self._opening:
            info = next((entry for entry in self.listed() if entry.name == name), None)
            if info is None or self._folder is None:
                raise RefusedError(f"there is no recording {name!r} in the console's folder")
            self.close(viewer)
            held = sum(player.size for player in self._players.values())
            if info.bytes > MAX_BYTES or held + info.bytes > MAX_OPEN_BYTES:
                raise RefusedError(
                    f"{name} has {info.bytes >> 20} MB: the page shows up to {MAX_BYTES >> 20} MB, "
                    f"and {MAX_OPEN_BYTES >> 20} MB in all pages together; use `trocar report`"
                )
            try:
                self._players[viewer.number] = await asyncio.to_thread(
                    Player, self._folder / name, self._gallery
                )
            except TrocarError as error:
                raise RefusedError(str(error)) from None

    def close(self, viewer: Viewer) -> bool:
        """End what a browser watches; False if it watched nothing."""
        player = self._players.pop(viewer.number, None)
        if player is not None:
            player.close()
        return player is not None

    def of(self, viewer: Viewer) -> Player | None:
        """What a browser watches."""
        return self._players.get(viewer.number)

    def show(self, viewer: Viewer, seq: int, now_s: float) -> bool:
        """Show a browser its recording; False if it watches none, or if that just ended by damage."""
        player = self.of(viewer)
        if player is None:
            return False
        try:
            state = player.state(seq, now_s)
            scene = player.scene()
        except TrocarError as error:
            print(f"console: {player.name}: {error}", file=sys.stderr, flush=True)
            viewer.post(m.Notice("warning", f"{player.name} cannot be shown any further: {error}"))
            player.play(playing=False, speed=player.speed, t_s=-1.0)
            return True
        if scene is not None:
            viewer.set_scene(scene)
        state.viewers = 1
        viewer.show(seq, state_text(state))
        return True
