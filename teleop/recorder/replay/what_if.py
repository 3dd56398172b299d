"""``trocar replay RUN.mcap --config NEW.toml``: the recorded hands through a core configured otherwise.

Hands, requests, emergency stops, answers and states of the arm drivers are the recorded ones. What cannot be
is where the arms are, because they are told other things. They are modelled as ideal: an arm is, one tick
later, where it was last commanded to be; while it moves by itself (homing) or before its first command, it is
where it was recorded. So lag, vibration and tracking faults of the real arm under the new commands are not
predicted.
"""

from __future__ import annotations

import math
import tempfile
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from teleop.config.session import RATE_HZ, Session, load_session
from teleop.controller.build import build_controller
from teleop.controller.controller import Controller
from teleop.controller.record import tick_inputs
from teleop.controller.telemetry import pair_telemetry
from teleop.recorder.live_files import Relocation
from teleop.recorder.luggage import unpack_files
from teleop.recorder.read import Recording, RecordingReadError
from teleop.recorder.replay.exact import complete_ticks, restored, warm_up
from teleop.wire.messages import MeasuredJs, PairTelemetry
from teleop.wire.record import TickRecord

PARTED_M = (1e-6, 1e-4, 1e-3)
"""Distances between the tip as commanded then and now whose first time is told."""

MODEL = (
    "The arm is modelled as ideal (where it was last told to be, one tick later); hands, requests and driver "
    "states are the recorded ones."
)


@dataclass(slots=True)
class Acts:
    """What limited the motion over a run, by who acted.

    Attributes:
        clearance_m: smallest clearance by fixture.
        ticks: ticks in which each limiter or fixture acted.
        most_m: the most tip motion that each took away in one tick.
        states_s: seconds by teleop state.
        violations: ticks inside a hard region or its margin.
    """

    clearance_m: dict[str, float] = field(default_factory=dict)
    ticks: Counter[str] = field(default_factory=Counter)
    most_m: dict[str, float] = field(default_factory=dict)
    states_s: Counter[str] = field(default_factory=Counter)
    violations: int = 0

    def add(self, pair: PairTelemetry, dt_s: float) -> None:
        """Take note of one pair in one tick."""
        for name, value in pair.clearance_m.items():
            self.clearance_m[name] = min(value, self.clearance_m.get(name, math.inf))
        for who in {line.who for line in pair.ledger}:
            self.ticks[who] += 1
        for line in pair.ledger:
            self.most_m[line.who] = max(line.by_m, self.most_m.get(line.who, 0.0))
        self.states_s[pair.teleop_state] += dt_s  # type: ignore[assignment]
        self.violations += pair.violation

    def as_json(self) -> dict[str, Any]:
        """For ``--json``."""
        return {
            "min_clearance_m": self.clearance_m,
            "ledger": {
                who: {"ticks": ticks, "most_m": self.most_m[who]} for who, ticks in self.ticks.items()
            },
            "states": {state: round(seconds, 3) for state, seconds in self.states_s.items()},
            "violations": self.violations,
        }


@dataclass(slots=True)
class WhatIf:
    """The two runs side by side.

    Attributes:
        then: as recorded.
        now: under the new configuration.
        ticks: ticks compared.
        parted_s: first time at which the commanded tips were so far apart, by distance in m; else ``None``.
        largest_m: the largest distance between the two tips, and when.
        notes: damage, gaps, the model of the arm.
    """

    then: Acts = field(default_factory=Acts)
    now: Acts = field(default_factory=Acts)
    ticks: int = 0
    parted_s: dict[float, float | None] = field(default_factory=lambda: dict.fromkeys(PARTED_M))
    largest_m: tuple[float, float] = (0.0, 0.0)
    notes: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """For ``--json``."""
        return {
            "then": self.then.as_json(),
            "now": self.now.as_json(),
            "ticks": self.ticks,
            "parted_s": {f"{distance:g}": at for distance, at in self.parted_s.items()},
            "largest_difference_m": self.largest_m[0],
            "largest_difference_at_s": self.largest_m[1],
            "notes": self.notes,
        }


def what_if(recording: Recording, config: Path | None, overrides: tuple[str, ...]) -> WhatIf:
    """Run a recording's hands under another configuration.

    Args:
        recording: what was recorded.
        config: the other session; the recorded one when left out.
        overrides: ``key=value`` settings on top.

    Raises:
        RecordingReadError: the recording or the pairs of the session do not fit.
        ConfigError: mistakes in the configuration.
    """
    ticks = complete_ticks(recording)
    result = WhatIf(notes=[MODEL, *recording.damage.sentences()])
    with tempfile.TemporaryDirectory(prefix="trocar-replay-") as folder:
        if config is not None:
            session = load_session(config, overrides)
        else:
            session = restored(recording.session, recording, Path(folder), overrides)
        order = _order(recording.path, [pair.pair for pair in ticks[0].pairs], session)
        warm_up(session)
        controller = build_controller(session, ticks[0].session)
        moved = Relocation(recording, Path(folder))
        result.notes += moved.notes
        if config is not None:
            unpack_files(recording.attachments, Path(folder))
        _run(controller, [moved.asked(tick) for tick in ticks], order, result)
    return result


def _order(path: Path, recorded: list[str], session: Session) -> list[int]:
    """Index of the recorded pair for each pair of the session: by name, or the only one."""
    names = [pair.name for pair in session.spec.pairs]
    if len(names) == len(recorded) == 1:
        return [0]
    missing = [name for name in names if name not in recorded]
    if missing:
        raise RecordingReadError(
            f"{path} has the pairs {', '.join(recorded)}; the new session also names {', '.join(missing)}"
        )
    return [recorded.index(name) for name in names]


class _IdealArm:
    """Where an arm is that does what it is told."""

    def __init__(self) -> None:
        self._q: list[float] | None = None
        self._qd: list[float] = []

    def told(self, q: list[float], qd: list[float]) -> None:
        self._q, self._qd = q, qd

    def measured(self, recorded: MeasuredJs) -> MeasuredJs:
        if recorded.is_busy or recorded.state != "ENABLED":
            # Moving by itself, or standing where something else put it.
            self._q = None if recorded.is_busy else self._q
            self._qd = [0.0] * len(self._qd)
        if self._q is None:
            return recorded
        return msgspec.structs.replace(recorded, q=self._q, qd=self._qd)


def _run(controller: Controller, ticks: list[TickRecord], order: list[int], result: WhatIf) -> None:
    arms = [_IdealArm() for _ in order]
    expected = ticks[0].tick
    elapsed_s = 0.0
    for record in ticks:
        if record.tick != expected:
            result.notes.append(
                f"ticks {expected} to {record.tick - 1} are missing; the run goes on after them"
            )
        expected = record.tick + 1
        elapsed_s += record.dt_s
        recorded = tick_inputs(record)
        pairs = []
        for index, arm in zip(order, arms, strict=True):
            came = recorded.pairs[index]
            if came.arm is not None:
                came.arm = arm.measured(came.arm)
            pairs.append(came)
        inputs = replace(recorded, pairs=tuple(pairs))
        outputs = controller.step(inputs, record.dt_s)
        result.ticks += 1
        for k, (pair, out) in enumerate(zip(controller.pairs, outputs.pairs, strict=True)):
            if out.command is not None:
                arms[k].told(out.command.q.tolist(), out.command.qd.tolist())
            now = pair_telemetry(pair, out)
            result.now.add(now, record.dt_s)
            if record.telemetry is not None:
                then = record.telemetry.pairs[order[k]]
                result.then.add(then, record.dt_s)
                _part(result, elapsed_s, then, now)


def _part(result: WhatIf, at_s: float, then: PairTelemetry, now: PairTelemetry) -> None:
    away = float(np.linalg.norm(np.subtract(then.p_command_m, now.p_command_m)))
    for distance, first in result.parted_s.items():
        if first is None and away > distance:
            result.parted_s[distance] = round(at_s - 1.0 / RATE_HZ, 6)
    if away > result.largest_m[0]:
        result.largest_m = (away, round(at_s - 1.0 / RATE_HZ, 6))
