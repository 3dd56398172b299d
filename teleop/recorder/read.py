"""Reads recordings: whole ones, cut ones and damaged ones, as much of them as there is.

The whole recording in memory; :mod:`teleop.recorder.seek` reads what a time asks for.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from teleop.errors import TrocarError
from teleop.recorder import schemas, text
from teleop.recorder.luggage import FIELDS_JSON, MACHINE_JSON, SESSION_JSON
from teleop.recorder.walk import MAGIC, Damage, Topics, expand, walk
from teleop.wire.messages import Event, Telemetry
from teleop.wire.record import TickRecord


class RecordingReadError(TrocarError):
    """A file that holds no recording."""


@dataclass(slots=True)
class Recording:
    """A recording in memory, its messages still as bytes.

    Attributes:
        path: the file.
        attachments: by name.
        metadata: by name.
        messages: by topic: log time (ns since 1970) and JSON, in the order of the file.
        damage: what is wrong with the file.
    """

    path: Path
    attachments: dict[str, bytes] = field(default_factory=dict)
    metadata: dict[str, dict[str, str]] = field(default_factory=dict)
    messages: dict[str, list[tuple[int, bytes]]] = field(default_factory=dict)
    damage: Damage = field(default_factory=Damage)

    def ticks(self) -> Iterator[TickRecord]:
        """The ticks, damaged ones left out and counted."""
        for _, data in self.messages.get(schemas.TICK, ()):
            try:
                yield text.decode_tick(data)
            except text.DamagedError:
                self.damage.bad_messages += 1

    def telemetry(self) -> Iterator[Telemetry]:
        """The telemetry, damaged messages left out and counted."""
        for _, data in self.messages.get(schemas.TELEMETRY, ()):
            try:
                yield text.decode_telemetry(data)
            except text.DamagedError:
                self.damage.bad_messages += 1

    def events(self) -> Iterator[Event]:
        """The events, damaged ones left out and counted."""
        for _, data in self.messages.get(schemas.EVENT, ()):
            try:
                yield text.decode_event(data)
            except text.DamagedError:
                self.damage.bad_messages += 1

    @property
    def session(self) -> dict[str, Any]:
        """The configuration, see :func:`teleop.recorder.luggage.pack`."""
        return self._json(SESSION_JSON)

    @property
    def machine(self) -> dict[str, Any]:
        """What recorded it, see :func:`teleop.recorder.luggage.machine`."""
        return self._json(MACHINE_JSON)

    @property
    def fields(self) -> dict[str, Any]:
        """Hashes of the baked fields by fixture; empty if the file has none."""
        return self._json(FIELDS_JSON) if FIELDS_JSON in self.attachments else {}

    def _json(self, name: str) -> dict[str, Any]:
        if name not in self.attachments:
            raise RecordingReadError(
                f"{self.path}: the attachment {name} is missing: this is no recording of Trocar, or its "
                "beginning is lost"
            )
        try:
            value: dict[str, Any] = json.loads(self.attachments[name])
        except ValueError as error:
            raise RecordingReadError(f"{self.path}: the attachment {name} is damaged: {error}") from error
        return value


def read_recording(path: Path) -> Recording:
    """Read a file, whatever its state.

    Raises:
        RecordingReadError: the file cannot be opened, or is no MCAP file at all.
    """
    data = read_bytes(path)
    recording = Recording(path)
    walk(data, _Whole(recording), recording.damage)
    return recording


def read_bytes(path: Path) -> bytes:
    """The bytes of an MCAP file.

    Raises:
        RecordingReadError: the file cannot be opened, or is no MCAP file at all.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise RecordingReadError(f"{path}: cannot be read: {error.strerror}") from error
    if not data.startswith(MAGIC):
        what = "is empty" if not data else "does not begin as an MCAP file does"
        raise RecordingReadError(f"{path}: {what}; expected a recording made with --record")
    return data


class Filing:
    """Puts what a walk over a file finds into a recording; what becomes of chunks is for a subclass to say.

    Attributes:
        recording: what is found.
    """

    def __init__(self, recording: Recording) -> None:
        """Begin with ``recording``."""
        self.recording = recording
        self._topics = Topics()

    def take_attachment(self, name: str, data: bytes) -> None:
        """File an attachment."""
        self.recording.attachments[name] = data

    def take_metadata(self, name: str, facts: dict[str, str]) -> None:
        """File named facts."""
        self.recording.metadata[name] = facts

    def messages_of(self, body: bytes, at: int) -> list[tuple[str, int, bytes]]:
        """The messages of a chunk, see `Topics.messages`; none where it is damaged, which is noted."""
        records = expand(body)
        if records is None:
            self.recording.damage.bad_chunks += 1
            self.recording.damage.note(at)
            return []
        return list(self._topics.messages(records))


class _Whole(Filing):
    """Files the messages of every chunk."""

    def take_chunk(self, body: bytes, at: int) -> None:
        for topic, log_ns, data in self.messages_of(body, at):
            self.recording.messages.setdefault(topic, []).append((log_ns, data))
