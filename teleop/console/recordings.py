"""Recordings made from the console: a recorder of its own for each, in a folder that holds so much."""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from teleop.console.messages import RecordingState
from teleop.supervisor.child import tethered

FREE_BYTES = 500_000_000
"""Room on the disk that is left to others."""
READY_S = 60.0
STOP_S = 8.0


class RecordingRefusedError(Exception):
    """It cannot be started or stopped; the text says why."""


class Recordings:
    """Starts and stops a recorder, and knows how it goes.

    Attributes:
        folder: where the files are.
    """

    def __init__(self, folder: Path, max_bytes: int, given: Path | None, tell: Callable[[str], None]) -> None:
        """Nothing is recorded yet.

        Args:
            folder: where to write.
            max_bytes: how much the folder may hold.
            given: status file of the recorder that ``trocar run --record`` started, if it did.
            tell: gets a sentence when a recording ends by itself.
        """
        self.folder = folder
        self._max = max_bytes
        self._given = given
        self._say = tell
        self._process: asyncio.subprocess.Process | None = None
        self._target = folder
        self._scratch: Path | None = None
        self._state: RecordingState | None = None
        self._looked_s = 0.0
        self._busy = asyncio.Lock()

    def state(self, now_s: float) -> RecordingState | None:
        """What is recorded now; None for nothing. Looks at the recorder's file twice a second."""
        if now_s - self._looked_s >= 0.5:
            self._looked_s = now_s
            self._state = self._look()
        return self._state

    def _look(self) -> RecordingState | None:
        if self._given is not None:
            return _read(self._given, "the whole session", ours=False)
        process = self._process
        if process is None or self._scratch is None:
            return None
        if process.returncode is not None:
            self._say(f"The recording {self._target.name} ended by itself: the disk may be full.")
            self._forget()
            return None
        state = _read(self._scratch / "status.json", self._target.name, ours=True)
        if self._room() <= 0:
            self._say(f"Recording ends: {self.folder} or its disk is full. Move some recordings elsewhere.")
            process.send_signal(signal.SIGINT)
        return state

    def _room(self) -> int:
        """Bytes that may still be written."""
        held = sum(f.stat().st_size for f in self.folder.glob("*.mcap"))
        return min(self._max - held, shutil.disk_usage(self.folder).free - FREE_BYTES)

    async def start(self, session_toml: str, settings: tuple[str, ...], name: str) -> None:
        """Begin one.

        Args:
            session_toml: the session as it is now: a recording carries the fixtures it began with.
            settings: ``--set`` under which the recorder finds the controller.
            name: of the session.

        Raises:
            RecordingRefusedError: it is recorded already, there is no room, or the recorder does not start.
        """
        async with self._busy:
            if self._given is not None:
                raise RecordingRefusedError("this session was started with --record: all of it is recorded")
            if self._process is not None:
                raise RecordingRefusedError(f"{self._target.name} is being recorded already")
            try:
                self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
                if self._room() <= 0:
                    raise RecordingRefusedError(f"{self.folder} or its disk is full; move some recordings")
                self._scratch = Path(tempfile.mkdtemp(prefix="trocar-recording-"))
                session = self._scratch / f"{name}.toml"
                session.write_text(session_toml, encoding="utf-8")
            except OSError as error:
                raise RecordingRefusedError(f"cannot record to {self.folder}: {error.strerror}") from error
            self._target = self.folder / f"{name}-{time.strftime('%Y%m%d-%H%M%S')}.mcap"
            await self._spawn(session, settings)

    async def _spawn(self, session: Path, settings: tuple[str, ...]) -> None:
        status = session.parent / "status.json"
        sets = [word for setting in settings for word in ("--set", setting)]
        # Should this process die, what the recorder wrote until then can be read.
        recorder = (sys.executable, "-m", "teleop", "recorder", str(session), str(self._target))
        command = tethered((*recorder, "--status-file", str(status), *sets))
        with (session.parent / "log.txt").open("wb") as log:
            process = await asyncio.create_subprocess_exec(*command, stdout=log, stderr=log)
        self._process = process
        end = time.monotonic() + READY_S
        while not status.exists():
            if process.returncode is not None or time.monotonic() > end:
                said = (session.parent / "log.txt").read_text(errors="replace").strip().splitlines()
                await self._end()
                raise RecordingRefusedError(said[-1] if said else "the recorder did not start")
            await asyncio.sleep(0.05)

    async def stop(self) -> str:
        """End it, and wait until the file is closed; its path.

        Raises:
            RecordingRefusedError: nothing is recorded from here.
        """
        async with self._busy:
            if self._given is not None:
                raise RecordingRefusedError("the session was started with --record, and ends with it")
            if self._process is None:
                raise RecordingRefusedError("nothing is being recorded")
            await self._end()
            return str(self._target)

    async def close(self) -> None:
        """End what is being recorded."""
        async with self._busy:
            await self._end()

    async def _end(self) -> None:
        process = self._process
        if process is not None and process.returncode is None:
            process.send_signal(signal.SIGINT)
            try:
                await asyncio.wait_for(process.wait(), STOP_S)
            except TimeoutError:
                process.kill()
                await process.wait()
        self._forget()

    def _forget(self) -> None:
        self._process = None
        self._state = None
        if self._scratch is not None:
            shutil.rmtree(self._scratch, ignore_errors=True)
            self._scratch = None


def _read(status: Path, name: str, *, ours: bool) -> RecordingState:
    facts = {}
    with contextlib.suppress(OSError, ValueError):
        facts = json.loads(status.read_text(encoding="utf-8"))
    return RecordingState(name, facts.get("bytes", 0), facts.get("ticks", 0), facts.get("dropped", 0), ours)
