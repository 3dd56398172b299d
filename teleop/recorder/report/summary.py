"""The figures of a run: what ``--json`` writes and what verdicts are passed on."""

from __future__ import annotations

import tempfile
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from fixtures.fixture import Fixture
from fixtures.geometry.baked import Workshop
from fixtures.kinds.guidance import Guidance
from kinematics.ik_result import LIMITERS
from teleop.config.schema import RATE_HZ
from teleop.errors import TrocarError
from teleop.recorder.live_files import Relocation
from teleop.recorder.replay.exact import restored
from teleop.recorder.report.metrics import rms_and_max, skill
from teleop.recorder.report.series import Array, PairSeries, Run
from teleop.tremor.analysis import TremorReport, analyse

NEAR_M = 1e-3
"""Nearer to a fixture's margin than this counts as near."""


def percentiles(values: Array) -> dict[str, float] | None:
    """``{p50, p99, p99_9, max}`` of the numbers among ``values``, each one that was seen."""
    known = values[np.isfinite(values)]
    if known.size == 0:
        return None
    p50, p99, p99_9, top = np.percentile(known, [50, 99, 99.9, 100], method="higher")
    return {"p50": float(p50), "p99": float(p99), "p99_9": float(p99_9), "max": float(top)}


def summarise(run: Run, fixtures: list[Fixture]) -> dict[str, Any]:
    """The figures of a run, with the keys of the closing summary where they mean the same."""
    states: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    rejected: Counter[str] = Counter()
    clearance: dict[str, float] = {}
    for pair in run.pairs:
        for state, reason, dt in zip(pair.state, pair.reason, run.dt_s.tolist(), strict=True):
            states[state] += dt
            reasons[reason] += dt
        rejected.update(pair.rejected)
        for name, values in pair.clearance_m.items():
            least = float(np.nanmin(values))
            clearance[name] = min(least, clearance.get(name, least))
    facts = run.recording.metadata.get("trocar", {})
    following = [pair.tracking_m[pair.following] for pair in run.pairs]
    return {
        "file": str(run.path),
        "ticks": len(run.t_s),
        "seconds": float(run.dt_s.sum()),
        "skipped": run.skipped,
        "overruns": run.overruns,
        "missing": run.missing,
        "compute_us": percentiles(run.compute_us),
        "lateness_us": percentiles(run.lateness_us),
        "latency_us": percentiles(run.latency_us),
        "stages_us": {name: percentiles(values) for name, values in run.stages_us.items()},
        "min_clearance_m": clearance,
        "violations": int(sum(pair.violation.sum() for pair in run.pairs)),
        "rejected": dict(rejected),
        "fault_s": round(
            sum(dt for state, dt in zip(run.state, run.dt_s.tolist(), strict=True) if state == "FAULT"), 3
        ),
        "states": {state: round(seconds, 3) for state, seconds in states.items()},
        "reasons": {reason: round(seconds, 3) for reason, seconds in reasons.items()},
        "tracking_error_m": percentiles(np.concatenate(following) if following else np.zeros(0)),
        "pairs": {pair.name: pair_figures(pair, run, fixtures) for pair in run.pairs},
        "damage": run.notes,
        "config_hash": facts.get("config_hash", ""),
        "version": facts.get("version", ""),
    }


def pair_figures(pair: PairSeries, run: Run, fixtures: list[Fixture]) -> dict[str, Any]:
    """The figures of one pair."""
    dt = run.dt_s
    at_limits = {
        who: round(entry.ticks / RATE_HZ, 3) for who, entry in pair.limiters.items() if who in LIMITERS
    }
    return {
        "skill": asdict(skill(pair.tip_m, pair.following, pair.clutch, RATE_HZ)),
        "inside_margin_s": {
            name: round(float(dt[values < 0.0].sum()), 3) for name, values in pair.clearance_m.items()
        },
        "near_s": {
            name: round(float(dt[values < NEAR_M].sum()), 3) for name, values in pair.clearance_m.items()
        },
        "at_limits_s": at_limits,
        "limited_s": round(float(dt[pair.limited].sum()), 3),
        "ledger": {
            who: {
                "ticks": entry.ticks,
                "what": dict(entry.what),
                "bodies": sorted(entry.bodies),
                "most_m": entry.most_m,
            }
            for who, entry in pair.limiters.items()
        },
        "guidance": _guidance(pair, run, fixtures),
        "force_n": percentiles(np.linalg.norm(pair.force_n[pair.following], axis=1)),
        "tremor": _tremor_figures(tremor(pair)),
    }


def _guidance(pair: PairSeries, run: Run, fixtures: list[Fixture]) -> dict[str, dict[str, float]]:
    """Distance of the commanded tip from each guide while the arm followed: rms and maximum, m."""
    told: dict[str, dict[str, float]] = {}
    rows = np.flatnonzero(pair.following)
    T = np.eye(4)
    for fixture in fixtures:
        if not isinstance(fixture, Guidance) or rows.size == 0:
            continue
        away = np.empty(rows.size)
        for k, row in enumerate(rows):
            if fixture.motion.moves or k == 0:
                fixture.motion.pose(float(run.now_ns[row] * 1e-9), T[:3, :3], T[:3, 3])
            p = (pair.tip_m[row] - T[:3, 3]) @ T[:3, :3]
            away[k] = np.linalg.norm(p - fixture.nearest(p))
        figures = rms_and_max(away)
        if figures is not None:
            told[fixture.name] = {"rms_m": figures[0], "max_m": figures[1]}
    return told


def tremor(pair: PairSeries) -> TremorReport | None:
    """What the tremor filter did to the hand, its samples put on an even grid; ``None`` if too short."""
    admitted = np.isfinite(pair.hand_raw_m).all(axis=1)
    t, raw, filtered = pair.hand_s[admitted], pair.hand_raw_m[admitted], pair.hand_filtered_m[admitted]
    ahead = np.flatnonzero(np.diff(t, prepend=-1.0) > 0.0)
    if ahead.size < 2:
        return None
    t, raw, filtered = t[ahead], raw[ahead], filtered[ahead]
    grid = np.arange(int(t[-1] * RATE_HZ) + 1) / RATE_HZ

    def even(values: Array) -> Array:
        return np.stack([np.interp(grid, t, values[:, axis]) for axis in range(3)], axis=1)

    try:
        return analyse(grid, even(raw), even(filtered))
    except TrocarError:
        return None


def _tremor_figures(report: TremorReport | None) -> list[dict[str, Any]] | None:
    if report is None:
        return None
    return [
        {"axis": name, **asdict(axis), "cut": axis.cut} for name, axis in zip("xyz", report.axes, strict=True)
    ]


def fixtures_of(run: Run) -> tuple[list[Fixture], list[str]]:
    """The fixtures of a run, those set while it ran included; and what could not be built."""
    from fixtures.spec import FixturesFile

    built: dict[str, Fixture] = {}
    notes: list[str] = []
    with tempfile.TemporaryDirectory(prefix="trocar-report-") as folder:
        try:
            session = restored(run.recording.session, run.recording, Path(folder))
        except TrocarError as error:  # an older recording is still worth its figures
            return [], [f"the fixtures are not drawn, and distances from guides not known: {error}"]
        specs = [(spec, Workshop(where)) for spec, where in session.fixtures]
        moved = Relocation(run.recording, Path(folder))
        answered = {r.token: r.reply.ok for t in run.ticks for r in t.replies}
        for tick in run.ticks:
            for entry in tick.requests:
                if entry.request.op != "set_fixture" or not answered.get(entry.token):
                    continue
                table = moved.args(entry.request.args).get("fixture")
                if table is None:
                    continue  # it was switched on or off
                specs.append((FixturesFile.model_validate({"fixture": [table]}).fixture[0], Workshop()))
        for spec, workshop in specs:
            try:
                built[spec.name] = spec.build(workshop)
            except Exception as error:  # a picture that cannot be drawn must not cost the report
                notes.append(f"fixture {spec.name} cannot be drawn: {error}")
    return list(built.values()), notes
