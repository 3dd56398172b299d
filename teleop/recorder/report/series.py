"""A recording as columns of numbers, one row a tick."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from kinematics.ik_result import LIMITERS
from teleop.recorder.read import Recording
from teleop.recorder.replay.exact import complete_ticks
from teleop.wire.messages import Event, PairTelemetry
from teleop.wire.record import TickRecord

Array = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


@dataclass(slots=True)
class Limiter:
    """What one limiter or fixture did over a run.

    Attributes:
        what: what it did, e.g. ``"clamped"``, with the ticks of each.
        bodies: the bodies or joints it acted for.
        ticks: ticks in which it acted.
        most_m: the most tip motion that it took away, or moved, in one tick, m.
    """

    what: Counter[str] = field(default_factory=Counter)
    bodies: set[str] = field(default_factory=set)
    ticks: int = 0
    most_m: float = 0.0


@dataclass(slots=True)
class PairSeries:
    """One pair; n rows.

    Attributes:
        name: of the pair.
        tip_m: commanded tip, (n, 3).
        desired_m: desired tip, (n, 3).
        tracking_m: distance of the measured from the commanded tip, (n,).
        state: teleop state, n words.
        reason: why it was not following, n codes.
        clutch: pressed, (n,).
        violation: inside a hard region or its margin, (n,).
        clearance_m: by fixture, (n,); NaN where none was told.
        force_n: what the hand was told to feel, (n, 3).
        asked_m: tip motion asked for in a tick, (n,).
        sent_m: tip motion sent, (n,).
        limited: a limit of the arm itself acted (joint, speed, singularity, ...), (n,).
        acted: by fixture that took motion away or moved the tip, the ticks in which it did, (n,).
        limiters: by name.
        hand_s: time of each new sample of the hand, (m,).
        hand_raw_m: the samples' positions, (m, 3).
        hand_filtered_m: the same after the tremor filter, (m, 3).
        rejected: refused samples by reason.
    """

    name: str
    tip_m: Array
    desired_m: Array
    tracking_m: Array
    state: list[str]
    reason: list[str]
    clutch: Flags
    violation: Flags
    clearance_m: dict[str, Array]
    force_n: Array
    asked_m: Array
    sent_m: Array
    limited: Flags
    acted: dict[str, Flags]
    limiters: dict[str, Limiter]
    hand_s: Array
    hand_raw_m: Array
    hand_filtered_m: Array
    rejected: dict[str, int]

    @property
    def following(self) -> Flags:
        """Ticks in which the arm followed, (n,)."""
        return np.array([state == "FOLLOWING" for state in self.state])


@dataclass(slots=True)
class Run:
    """A recording in columns.

    Attributes:
        path: the file.
        t_s: time of each tick since the first, (n,).
        dt_s: time each stands for, (n,).
        now_ns: the controller's clock, (n,).
        state: CRTK state, n words.
        lateness_us: (n,); of the tick itself.
        compute_us: (n,); NaN where not known.
        latency_us: master stamp to command, (n,); NaN where there was none.
        stages_us: by stage, (n,).
        skipped: deadlines passed over.
        overruns: ticks that lasted beyond the next deadline.
        missing: ticks that are not in the recording.
        pairs: the pairs.
        events: what was told.
        notes: damage of the file.
        recording: the recording itself.
    """

    path: Path
    t_s: Array
    dt_s: Array
    now_ns: npt.NDArray[np.int64]
    state: list[str]
    lateness_us: Array
    compute_us: Array
    latency_us: Array
    stages_us: dict[str, Array]
    skipped: int
    overruns: int
    missing: int
    pairs: list[PairSeries]
    events: list[Event]
    notes: list[str]
    recording: Recording
    ticks: list[TickRecord]


_STAGES = ("sample", "step", "command", "tell")
# That an error left over is made up for at a bounded speed is the way of tracking, no limit of the arm.
_LIMITS = frozenset(LIMITERS) - {"catch_up"}


def load_run(recording: Recording) -> Run:
    """The columns of a recording.

    Raises:
        RecordingReadError: there are no ticks in it.
    """
    every = complete_ticks(recording)
    ticks = [tick for tick in every if tick.telemetry is not None]
    missing = every[-1].tick - len(every)
    now_ns = np.array([tick.now_ns for tick in ticks], dtype=np.int64)
    told = [tick.telemetry for tick in ticks if tick.telemetry is not None]
    compute, latency, stages = _timing(every, {tick.tick: k for k, tick in enumerate(ticks)})
    events = list(recording.events())
    return Run(
        path=recording.path,
        t_s=(now_ns - now_ns[0]) * 1e-9 if len(now_ns) else np.zeros(0),
        dt_s=np.array([tick.dt_s for tick in ticks]),
        now_ns=now_ns,
        state=[t.state for t in told],
        lateness_us=np.array([t.lateness_us for t in told]),
        compute_us=compute,
        latency_us=latency,
        stages_us={name: stages[:, k] for k, name in enumerate(_STAGES)},
        skipped=told[-1].skipped if told else 0,
        overruns=told[-1].overruns if told else 0,
        missing=missing,
        pairs=[_pair(k, ticks) for k in range(len(every[0].pairs))],
        events=events,
        notes=recording.damage.sentences(),
        recording=recording,
        ticks=ticks,
    )


def _timing(every: list[TickRecord], row: dict[int, int]) -> tuple[Array, Array, Array]:
    """Compute, latency and stages by tick, from the record of the tick after each."""
    n = len(row)
    compute, latency, stages = np.full(n, np.nan), np.full(n, np.nan), np.full((n, len(_STAGES)), np.nan)
    for record in every:
        before, k = record.before, row.get(record.tick - 1)
        if before is None or k is None:
            continue
        compute[k] = before.compute_ns * 1e-3
        if before.latency_ns >= 0:
            latency[k] = before.latency_ns * 1e-3
        if len(before.stages_ns) == len(_STAGES):
            stages[k] = np.array(before.stages_ns) * 1e-3
    return compute, latency, stages


def _pair(index: int, ticks: list[TickRecord]) -> PairSeries:
    told: list[PairTelemetry] = [t.telemetry.pairs[index] for t in ticks if t.telemetry is not None]
    names = dict.fromkeys(name for pair in told for name in pair.clearance_m)
    limiters: dict[str, Limiter] = {}
    for pair in told:
        for who in {line.who for line in pair.ledger}:
            limiters.setdefault(who, Limiter()).ticks += 1
        for line in pair.ledger:
            entry = limiters[line.who]
            entry.what[line.what] += 1
            entry.most_m = max(entry.most_m, line.by_m)
            if line.body:
                entry.bodies.add(line.body)
    hand = [
        (master.stamp_ns, master.p_m, pair.p_filtered_m)
        for t, pair in zip(ticks, told, strict=True)
        if (master := t.pairs[index].master) is not None and len(pair.p_filtered_m) == 3
    ]
    stamps = np.array([h[0] for h in hand], dtype=np.int64)
    return PairSeries(
        name=told[0].pair if told else f"pair {index}",
        tip_m=_rows([p.p_command_m for p in told], 3),
        desired_m=_rows([p.p_desired_m for p in told], 3),
        tracking_m=np.array([p.tracking_error_m for p in told]),
        state=[p.teleop_state for p in told],
        reason=[p.reason for p in told],
        clutch=np.array([p.clutch for p in told], dtype=bool),
        violation=np.array([p.violation for p in told], dtype=bool),
        clearance_m={name: np.array([p.clearance_m.get(name, np.nan) for p in told]) for name in names},
        force_n=_rows([p.force_n for p in told], 3),
        asked_m=np.array([p.asked_m for p in told]),
        sent_m=np.array([p.sent_m for p in told]),
        limited=np.array([any(line.who in _LIMITS for line in p.ledger) for p in told], dtype=bool),
        acted={
            who: np.array([any(line.who == who for line in p.ledger) for p in told], dtype=bool)
            for who in limiters
            if who not in LIMITERS
        },
        limiters=limiters,
        hand_s=(stamps - stamps[0]) * 1e-9 if len(stamps) else np.zeros(0),
        hand_raw_m=_rows([h[1] for h in hand], 3),
        hand_filtered_m=_rows([h[2] for h in hand], 3),
        rejected=dict(told[-1].rejected) if told else {},
    )


def _rows(rows: list[Any], width: int) -> Array:
    return np.array(rows, dtype=np.float64).reshape(len(rows), width)
