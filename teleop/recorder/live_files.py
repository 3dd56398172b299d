"""Files that fixtures set while a session ran were mapped from: they travel in the recording.

``set_fixture`` names a baked field by its path on the machine that ran the session. The recorder attaches
the file under the hash of its content, and files where it was under the metadata ``trocar.live/<n>``. A
replay puts it into a folder of its own, asks for it there, and reads the old path back out of the replies.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import zstandard

from teleop.recorder.luggage import COMPRESSED, name_of
from teleop.recorder.read import Recording
from teleop.recorder.writer import RecordingWriter
from teleop.wire.messages import Reply
from teleop.wire.record import TickRecord

LIVE = "trocar.live/"
_NAMED = "path"
# Ticks wait while a file is packed: quick before small.
_LEVEL = 1


class LiveFiles:
    """Attaches each file once.

    Attributes:
        missing: paths that could not be read, and why.
    """

    def __init__(self, writer: RecordingWriter) -> None:
        """Attach to what ``writer`` writes."""
        self._writer = writer
        self._seen: set[str] = set()
        self.missing: dict[str, str] = {}

    def take(self, record: TickRecord) -> None:
        """Attach the files of the fixtures that were set in this tick.

        Raises:
            RecordingError: the recording has no more room.
        """
        if not record.requests:
            return
        answered = {entry.token for entry in record.replies if entry.reply.ok}
        for entry in record.requests:
            if entry.request.op == "set_fixture" and entry.token in answered:
                for path in _paths(entry.request.args):
                    self._attach(path)

    def _attach(self, path: str) -> None:
        if path in self._seen:
            return
        facts = {"path": path}
        try:
            data = Path(path).read_bytes()
        except OSError as error:
            facts["missing"] = self.missing[path] = error.strerror or str(error)
        else:
            facts["attachment"] = name_of(Path(path), data)
            packed = zstandard.ZstdCompressor(level=_LEVEL).compress(data)
            self._writer.attach(facts["attachment"] + COMPRESSED, "application/zstd", packed)
        self._writer.metadata(f"{LIVE}{len(self._seen)}", facts)
        self._seen.add(path)


class Relocation:
    """Where the files of fixtures set live were, and where they are for a replay."""

    def __init__(self, recording: Recording, folder: Path) -> None:
        """Use the files that were unpacked into ``folder``."""
        facts = [values for name, values in recording.metadata.items() if name.startswith(LIVE)]
        self._now = {f["path"]: str(folder / f["attachment"]) for f in facts if "attachment" in f}
        self._then = {now: then for then, now in self._now.items()}
        self.notes = [
            f"the file {f['path']} of a fixture that was set live is not in the recording ({f['missing']})"
            for f in facts
            if "missing" in f
        ]

    def asked(self, record: TickRecord) -> TickRecord:
        """The tick with the files where they are now."""
        if self._now:
            for entry in record.requests:
                if entry.request.op == "set_fixture":
                    entry.request.args = self.args(entry.request.args)
        return record

    def args(self, args: Any) -> Any:
        """Arguments of ``set_fixture`` with the files where they are now."""
        return _mapped(args, lambda path: self._now.get(path, path))

    def answered(self, reply: Reply) -> Reply:
        """A replayed reply with the files where they were."""
        if not self._then or not reply.ok:
            return reply
        return msgspec.structs.replace(
            reply, result=_mapped(reply.result, lambda path: self._then.get(path, path))
        )


def _paths(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            if key == _NAMED and isinstance(inner, str):
                yield inner
            else:
                yield from _paths(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _paths(inner)


def _mapped(value: Any, change: Callable[[str], str]) -> Any:
    if isinstance(value, dict):
        return {
            key: change(inner) if key == _NAMED and isinstance(inner, str) else _mapped(inner, change)
            for key, inner in value.items()
        }
    if isinstance(value, list | tuple):
        return [_mapped(inner, change) for inner in value]
    return value
