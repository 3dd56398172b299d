"""``trocar replay RUN.mcap --config NEW.toml``: the recorded hands through a core configured otherwise.

Hands, requests, emergency stops, answers and states of the arm drivers are the recorded ones. What cannot be
is where the arms are, because they are told other things. They are modelled as ideal: an arm is, one tick
later, where it was last commanded to be; while it moves by itself (homing) or before its first command, it is
where it was recorded. So lag, vibration and tracking faults of the real arm under the new commands are not
predicted.
"""

from __future__ import annotations

import json
import math
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from teleop.config.load import load_session
from teleop.config.schema import RATE_HZ
from teleop.config.session import Session
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


@dataclass(frozen=True, slots=True)
class Moment:
    """Both runs in one tick.

    Attributes:
        at_s: time since the first tick.
        tick: its number in the recording.
        pair: whose tips are compared.
        away_m: distance between the two commanded tips.
        then: the pair as recorded.
        now: the pair under the new configuration.
    """

    at_s: float
    tick: int
    pair: str
    away_m: float
    then: PairTelemetry
    now: PairTelemetry

    def as_json(self) -> dict[str, Any]:
        """For ``--json``."""
        return {
            "at_s": self.at_s,
            "tick": self.tick,
            "pair": self.pair,
            "away_m": self.away_m,
            "then": _side(self.then),
            "now": _side(self.now),
        }


def _side(pair: PairTelemetry) -> dict[str, Any]:
    return {
        "teleop_state": pair.teleop_state,
        "p_desired_m": pair.p_desired_m,
        "p_command_m": pair.p_command_m,
        "clearance_m": pair.clearance_m,
        "acted": acted(pair),
    }


def acted(pair: PairTelemetry) -> dict[str, float]:
    """Who acted in a tick, and how much tip motion each changed at most, m."""
    found: dict[str, float] = {}
    for line in pair.ledger:
        found[line.who] = max(line.by_m, found.get(line.who, 0.0))
    return found


@dataclass(slots=True)
class WhatIf:
    """The two runs side by side.

    Attributes:
        then: as recorded.
        now: under the new configuration.
        ticks: ticks compared.
        parted: first moment at which the commanded tips were so far apart, by distance in m; else ``None``.
        largest: the moment at which they were the farthest apart; ``None`` where nothing could be compared.
        changed: settings that differ: key, value then, value now; ``None`` where a side has no such key.
        notes: damage, gaps, the model of the arm.
    """

    then: Acts = field(default_factory=Acts)
    now: Acts = field(default_factory=Acts)
    ticks: int = 0
    parted: dict[float, Moment | None] = field(default_factory=lambda: dict.fromkeys(PARTED_M))
    largest: Moment | None = None
    changed: list[tuple[str, Any, Any]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """For ``--json``."""
        return {
            "then": self.then.as_json(),
            "now": self.now.as_json(),
            "ticks": self.ticks,
            "parted": {f"{distance:g}": at and at.as_json() for distance, at in self.parted.items()},
            "largest": self.largest and self.largest.as_json(),
            "changed": [{"key": key, "then": then, "now": now} for key, then, now in self.changed],
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
        result.changed = _changed(_core(recording.session.get("effective", {})), _core(session.effective()))
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
                _part(result, elapsed_s, record.tick, then, now)


def _part(result: WhatIf, elapsed_s: float, tick: int, then: PairTelemetry, now: PairTelemetry) -> None:
    away = float(np.linalg.norm(np.subtract(then.p_command_m, now.p_command_m)))
    new = [distance for distance, first in result.parted.items() if first is None and away > distance]
    farther = result.largest is None or away > result.largest.away_m
    if new or farther:
        at = Moment(round(elapsed_s - 1.0 / RATE_HZ, 6), tick, then.pair, away, then, now)
        result.parted |= dict.fromkeys(new, at)
        if farther:
            result.largest = at


def _changed(then: Any, now: Any, key: str = "") -> list[tuple[str, Any, Any]]:
    """The leaves in which two trees of settings differ. Of recordings, what came from JSON."""
    if isinstance(then, dict) and isinstance(now, dict):
        return [
            change
            for name in dict.fromkeys([*then, *now])
            for change in _changed(then.get(name), now.get(name), f"{key}.{name}" if key else str(name))
        ]
    if isinstance(then, list | tuple) and isinstance(now, list | tuple) and _are_tables(then, now):
        a, b = _by_name(then), _by_name(now)
        return [
            change for k in dict.fromkeys([*a, *b]) for change in _changed(a.get(k), b.get(k), f"{key}[{k}]")
        ]
    return [] if _plain(then) == _plain(now) else [(key, _plain(then), _plain(now))]


def _core(effective: dict[str, Any]) -> dict[str, Any]:
    """Without what names hands, which are the recorded ones, and files, whose content is compared."""
    table = {key: value for key, value in effective.items() if key != "fixtures"}
    table["pairs"] = [{k: v for k, v in pair.items() if k != "master"} for pair in effective.get("pairs", ())]
    return table


def _by_name(items: Sequence[Any]) -> dict[Any, Any]:
    """Tables by their name; by their place where they have none."""
    names = [item.get("name", k) if isinstance(item, dict) else k for k, item in enumerate(items)]
    unique = len(set(names)) == len(names)
    return dict(zip(names if unique else range(len(items)), items, strict=True))


def _are_tables(*lists: Any) -> bool:
    return any(isinstance(item, dict) for items in lists for item in items)


def _plain(value: Any) -> Any:
    """As JSON gives it back."""
    return json.loads(json.dumps(value, default=str))
