"""The recorder's process: takes ticks from the controller and writes them, out of the loop's way."""

from __future__ import annotations

import json
import math
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any

from fixtures.geometry.baked import Workshop
from teleop.config.schema import RATE_HZ
from teleop.config.session import Session
from teleop.loop.signals import StopFlag, stop_on_signals
from teleop.recorder.live_files import LiveFiles
from teleop.recorder.luggage import FIELDS_JSON, field_hashes, pack
from teleop.recorder.sink import RecordingError
from teleop.recorder.writer import FORMAT, RecordingWriter
from teleop.supervisor.status_file import write_status
from teleop.wire.endpoints import Participant
from teleop.wire.keys import RECORDER
from teleop.wire.sockets import Context, open_context
from teleop.wire.streams import Role
from teleop.wire.tape import TapeReceiver

# Ticks are taken in batches of this long: a tenth of the wake-ups, and the loop's processor stays its own.
_BATCH_S = 0.01
_IDLE_S = 0.2
_STATUS_S = 0.5
# After a stop is asked for, ticks may still be on their way this long.
_DRAIN_S = 0.3


def run_recorder(
    session: Session,
    path: Path,
    *,
    json_file: Path | None = None,
    status_file: Path | None = None,
    on_ready: Callable[[], None] | None = None,
) -> int:
    """Record a session until SIGINT or SIGTERM.

    Args:
        session: what is recorded.
        path: the MCAP file to write; must not hold anything yet.
        json_file: where to write how it went.
        status_file: gets ``{"ticks", "dropped", "bytes"}`` twice a second, for who shows it.
        on_ready: called when the controller may start.

    Returns:
        0, or 1 where the recording ended before the session.

    Raises:
        RecordingError: the file cannot be begun.
    """
    writer = RecordingWriter(path)
    with open_context(session.keyring(RECORDER)) as context, stop_on_signals() as stop:
        own = Participant(Role.RECORDER, "recorder", session.recorder_endpoint)
        tape = TapeReceiver(context, own.channel("tick"))
        if on_ready is not None:
            on_ready()  # what comes meanwhile waits in the queue
        facts = {"format": FORMAT, "version": version("trocar"), "config_hash": session.config_hash}
        writer.metadata("trocar", facts | {"session": session.spec.name, "rate_hz": f"{RATE_HZ:g}"})
        for name, media_type, data in pack(session).attachments():
            writer.attach(name, media_type, data)
        error = _record(session, context, tape, writer, stop, _Status(status_file, writer))
    outcome: dict[str, Any] = {
        "file": str(path),
        "ticks": writer.ticks,
        "dropped": writer.dropped,
        "bytes": writer.size,
        "error": error,
    }
    if json_file is not None:
        json_file.write_text(json.dumps(outcome) + "\n", encoding="utf-8")
    if error:
        print(error, file=sys.stderr, flush=True)
    return 1 if error else 0


class _Status:
    """Says now and then how it goes."""

    def __init__(self, path: Path | None, writer: RecordingWriter) -> None:
        self._path, self._writer, self._due_s = path, writer, 0.0

    def tell(self) -> None:
        now_s = time.monotonic()
        if self._path is None or now_s < self._due_s:
            return
        self._due_s = now_s + _STATUS_S
        writer = self._writer
        facts = {"ticks": writer.ticks, "dropped": writer.dropped, "bytes": writer.size}
        with suppress(OSError):  # it is for show; the recording goes on
            write_status(self._path, facts)


def _record(
    session: Session,
    context: Context,
    tape: TapeReceiver,
    writer: RecordingWriter,
    stop: StopFlag,
    status: _Status,
) -> str:
    """Write what was sent before a stop is asked for, all that still comes of it; returns what went wrong."""
    heard_s = time.monotonic()
    until_ns = math.inf
    over = False
    live_files = LiveFiles(writer)
    try:
        while not over:
            context.admit()
            status.tell()
            if stop.asked:
                until_ns = min(until_ns, time.monotonic_ns())
            if tape.wait(_DRAIN_S if stop.asked else _IDLE_S):
                while (record := tape.receive()) is not None:
                    if over := record.stamp_ns > until_ns:
                        break  # the session goes on, without being recorded
                    if not writer.ticks:
                        _attach_fields(session, writer)
                    live_files.take(record)
                    writer.add(record)
                heard_s = time.monotonic()
                if not stop.asked:
                    time.sleep(_BATCH_S)
            else:
                writer.flush()
                over = stop.asked > 0 and time.monotonic() - heard_s >= _DRAIN_S
        writer.finish({"ticks": str(writer.ticks), "dropped": str(writer.dropped)})
    except RecordingError as error:
        return str(error)
    return ""


def _attach_fields(session: Session, writer: RecordingWriter) -> None:
    """Hashes of the baked fields: with the first tick, when the controller has baked what was missing."""
    fixtures = [spec.build(Workshop(folder)) for spec, folder in session.fixtures]
    writer.attach(FIELDS_JSON, "application/json", json.dumps(field_hashes(fixtures), indent=1).encode())
