"""``trocar replay RUN.mcap``: the recorded inputs through the core again, outputs compared to the bit."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from teleop.config.errors import ConfigError
from teleop.config.session import Session
from teleop.controller.build import build_controller
from teleop.controller.controller import Controller
from teleop.controller.record import tick_inputs
from teleop.controller.rehearsal import play
from teleop.recorder import schemas
from teleop.recorder.live_files import Relocation
from teleop.recorder.luggage import field_hashes, machine, unpack
from teleop.recorder.read import Recording, RecordingReadError
from teleop.recorder.replay.compare import Difference, Fields
from teleop.wire.messages import Telemetry
from teleop.wire.record import TickRecord

# As long as the rehearsal before a session: the tremor filter meets its last kernels after a second.
_REHEARSED_TICKS = 2500
_OWN = bytes(16)


@dataclass(slots=True)
class ReplayResult:
    """What a replay found.

    Attributes:
        ticks: ticks in the recording.
        compared: those that were replayed and compared.
        different: those of them that differ somewhere.
        first: where the first difference is.
        largest_command_difference: over all commanded joint positions and velocities, rad, m, rad/s or m/s.
        missing: ticks missing between those recorded; after the first gap nothing can be compared.
        notes: what to know: damage of the file, another machine, another version.
        recorded_s: the time that the compared ticks stand for.
        replay_s: how long they took.
    """

    ticks: int = 0
    compared: int = 0
    different: int = 0
    first: Difference | None = None
    largest_command_difference: float = 0.0
    missing: int = 0
    notes: list[str] = field(default_factory=list)
    recorded_s: float = 0.0
    replay_s: float = 0.0

    @property
    def identical(self) -> bool:
        """Every recorded tick was compared, and none differs in a bit."""
        return self.first is None and 0 < self.compared == self.ticks

    def as_json(self) -> dict[str, Any]:
        """For ``--json``."""
        first = self.first
        return {
            "identical": self.identical,
            "ticks": self.ticks,
            "compared": self.compared,
            "different": self.different,
            "first_difference": None
            if first is None
            else {
                "tick": first.tick,
                "stage": first.stage,
                "field": first.field,
                "recorded": first.recorded,
                "replayed": first.replayed,
            },
            "largest_command_difference": self.largest_command_difference,
            "missing": self.missing,
            "notes": self.notes,
            "recorded_s": self.recorded_s,
            "replay_s": self.replay_s,
            "times_real_time": self.recorded_s / self.replay_s if self.replay_s else None,
        }


def complete_ticks(recording: Recording) -> list[TickRecord]:
    """The ticks of a recording, each with its telemetry where that can be read.

    Raises:
        RecordingReadError: there are none.
    """
    told: dict[int, Telemetry] = {message.tick: message for message in recording.telemetry()}
    ticks = []
    for record in recording.ticks():
        record.telemetry = told.get(record.tick)
        ticks.append(record)
    if not ticks:
        raise RecordingReadError(f"{recording.path}: there is no tick in it")
    return ticks


def replay(recording: Recording) -> ReplayResult:
    """Replay a recording through the core that it was made with.

    Raises:
        RecordingReadError: the recording has no session, or does not begin with its first tick.
        TrocarError: the session in it cannot be built by this version.
    """
    table = recording.session
    ticks = complete_ticks(recording)
    result = ReplayResult(ticks=len(ticks), notes=recording.damage.sentences())
    with tempfile.TemporaryDirectory(prefix="trocar-replay-") as folder:
        session = restored(table, recording, Path(folder))
        config: Mapping[str, Any] = table.get("effective", {})
        warm_up(session)
        controller = build_controller(session, ticks[0].session, config)
        result.notes += other_circumstances(recording, controller)
        fields = Fields(_recorded_fields(recording))
        if fields.new:
            result.notes.append(f"not in this recording, so not compared: {', '.join(fields.new)}")
        moved = Relocation(recording, Path(folder))
        result.notes += moved.notes
        _run(controller, ticks, fields, moved, result)
    return result


def restored(
    table: dict[str, Any], recording: Recording, folder: Path, overrides: tuple[str, ...] = ()
) -> Session:
    """The session of a recording, its files unpacked into ``folder``.

    Raises:
        RecordingReadError: this version cannot read it.
    """
    try:
        return unpack(table, recording.attachments, folder, overrides)
    except ConfigError as error:
        if overrides:
            raise  # the mistake may be in them
        raise RecordingReadError(_not_known(recording, "\n  ".join(["", *error.mistakes]))) from error
    except (KeyError, TypeError, ValueError) as error:
        raise RecordingReadError(_not_known(recording, f" {error}")) from error


def _not_known(recording: Recording, what: str) -> str:
    by = recording.metadata.get("trocar", {}).get("version", "an unknown version")
    return (
        f"{recording.path}: its configuration, written by trocar {by}, is not one that trocar "
        f"{version('trocar')} knows:{what}\n"
        f"Replay it with the version that recorded it, or run its hands under a configuration of today: "
        f"trocar replay {recording.path} --config SESSION.toml. Report and export work without."
    )


def warm_up(session: Session) -> None:
    """Load or compile all kernels with a controller that is thrown away, so that the replay can be timed."""
    play(build_controller(session, _OWN), _REHEARSED_TICKS)


def _recorded_fields(recording: Recording) -> list[str]:
    """Names of the telemetry's fields that the recording has."""
    for _, data in recording.messages.get(schemas.TELEMETRY, ()):
        try:
            return list(json.loads(data)["pairs"][0])
        except (ValueError, KeyError, IndexError, TypeError):
            continue
    return []


def _run(
    controller: Controller, ticks: list[TickRecord], fields: Fields, moved: Relocation, result: ReplayResult
) -> None:
    began_s = time.perf_counter()
    if ticks[0].tick != 1:
        result.missing = ticks[0].tick - 1
        result.notes.append(
            f"the recording begins with tick {ticks[0].tick}: what the controller knew by then is not in it, "
            "so nothing can be compared"
        )
        return
    expected = 1
    for record in ticks:
        if record.tick != expected:
            result.missing += record.tick - expected
            if result.compared + 1 == expected:
                result.notes.append(
                    f"ticks {expected} to {record.tick - 1} are missing; what the controller knew after them "
                    "is not known, so nothing after them can be compared"
                )
        expected = record.tick + 1
        if result.missing:
            continue
        outputs = controller.step(tick_inputs(moved.asked(record)), record.dt_s)
        if outputs.replies:
            replies = tuple((token, moved.answered(reply)) for token, reply in outputs.replies)
            outputs = replace(outputs, replies=replies)
        then = fields.recorded(record)
        now = fields.replayed(
            controller.pairs,
            outputs,
            told=record.telemetry is not None,
            felt=record.pairs[0].beside_n is not None,
        )
        difference = fields.first_difference(record.tick, then, now)
        result.compared += 1
        result.recorded_s += record.dt_s
        if difference is not None:
            result.different += 1
            result.first = result.first or difference
            largest = _command_difference(then[2], now[2])
            result.largest_command_difference = max(result.largest_command_difference, largest)
    result.replay_s = time.perf_counter() - began_s


def _command_difference(then: list[Any], now: list[Any]) -> float:
    largest = 0.0
    for a, b in zip(then, now, strict=True):
        if a is None and b is None:
            continue
        if a is None or b is None or len(a.q) != len(b.q):
            return float("inf")
        gap = np.abs(np.subtract([*a.q, *a.qd], [*b.q, *b.qd])).max()
        largest = max(largest, float(gap))
    return largest


def other_circumstances(recording: Recording, controller: Controller) -> list[str]:
    """What is not as it was when the recording was made and can change the last bit of a number."""
    notes = []
    then, now = recording.machine, machine()
    old, new = then.get("packages", {}), now["packages"]
    changed = [f"{name} {old[name]} then, {new.get(name)} now" for name in old if old[name] != new.get(name)]
    if then.get("python") != now["python"]:
        changed.insert(0, f"python {then.get('python')} then, {now['python']} now")
    if changed:
        notes.append("other versions: " + "; ".join(changed))
    if then.get("code") != now["code"]:
        notes.append("the controller's source is not the one that recorded this")
    if (then.get("processor"), then.get("simd")) != (now["processor"], now["simd"]):
        notes.append(
            f"another processor: {then.get('processor')} then, {now['processor']} now; the same program may "
            "round differently"
        )
    if recording.fields != field_hashes(controller.fixtures):
        notes.append("the baked fields of the fixtures are not those of the recording")
    return notes
