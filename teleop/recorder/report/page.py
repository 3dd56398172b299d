"""The report: what it shows, in the order in which it is read."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from html import escape
from typing import Any

from fixtures.fixture import Fixture
from kinematics.ik_result import LIMITERS
from teleop.config.schema import RATE_HZ
from teleop.recorder.report import figures, tables
from teleop.recorder.report.checks import Check
from teleop.recorder.report.html import Page, table
from teleop.recorder.report.series import Run

_CHECKS = {
    "max_violations": ("ticks inside a forbidden region or its margin", "at most", 1.0, ""),
    "min_clearance_m": ("smallest clearance beyond a margin", "at least", 1e3, " mm"),
    "max_skipped": ("deadlines passed over", "at most", 1.0, ""),
    "max_overruns": ("ticks that overran", "at most", 1.0, ""),
    "max_missing": ("ticks missing in the recording", "at most", 1.0, ""),
    "max_compute_us": ("time of a tick, 99.9 %", "at most", 1.0, " us"),
    "max_latency_us": ("hand to command, 99 %", "at most", 1.0, " us"),
    "max_tracking_error_m": ("arm behind its command, 99.9 %", "at most", 1e3, " mm"),
    "max_fault_s": ("time in FAULT", "at most", 1.0, " s"),
    "min_following_s": ("time of following", "at least", 1.0, " s"),
}


def render(
    runs: list[Run],
    summaries: list[dict[str, Any]],
    checks: list[list[Check]],
    fixtures: list[Fixture],
    notes: list[str],
) -> str:
    """The report of one run, or of two side by side."""
    page = Page()
    _head(page, runs, summaries, checks)
    _verdicts(page, runs, summaries, checks)
    page.section(
        "What happened",
        "State of each pair over time, and below it when limits of the arm and fixtures acted; hold the "
        "pointer over a bar to read why.",
        page.plot("timeline", figures.timeline(runs)),
        tables.reasons(runs, summaries),
        *(tables.events(run) for run in runs[:1]),
    )
    page.section(
        "Clearance",
        "Smallest distance between any guarded body of the arm and each fixture, beyond "
        "its margin: below zero "
        "would be inside. What is far away is bounded from below, so it may jump where it does not matter.",
        page.plot("clearance", figures.clearance(runs), "No fixture was near in this run."),
    )
    drawn, undrawn = figures.path(runs, fixtures)
    page.section(
        "Path",
        "Where the tip was asked to go and where it was sent, with the fixtures as far as they reach here. "
        "Drag to turn, scroll to zoom.",
        page.plot("path", drawn),
        *(f'<p class="note">{escape(note)}</p>' for note in [*notes, *undrawn]),
    )
    page.section(
        "Who took motion away",
        "Each limiter and fixture that acted: for how long, what it did, and the most "
        "tip motion it changed in "
        "one tick of a millisecond.",
        *(tables.ledger(run, summary, runs) for run, summary in zip(runs, summaries, strict=True)),
    )
    page.section(
        "Force on the hand",
        "Magnitude of the force that the master was told to render.",
        page.plot("force", figures.forces(runs), "The hand was told no force in this run."),
    )
    page.section(
        "Tremor",
        "Spectrum of the hand before (dotted) and after the filter, all axes together; "
        "the band of physiological "
        "tremor is shaded.",
        page.plot("tremor", figures.tremor_spectra(runs), "Too few samples of the hand to tell."),
        tables.tremor(runs, summaries),
    )
    page.section("Skill", _SKILL_NOTE, tables.skill(runs, summaries))
    page.section(
        "Loop timing",
        "Time of each tick from its beginning to its end, and how late it began; the period is 1000 us.",
        page.plot("timing", figures.loop_timing(runs)),
        tables.percentiles(runs, summaries),
    )
    page.section(
        "Latency",
        "From the stamp of the hand's sample to the command on its way, for each sample that took effect.",
        page.plot("latency", figures.latency(runs)),
    )
    page.section(
        "Arm behind its command",
        "Distance between the measured and the commanded tip, to first order.",
        page.plot("tracking", figures.tracking(runs)),
    )
    _appendix(page, runs)
    title = f"{_name(runs[0])}: report" if len(runs) == 1 else f"{_name(runs[0])} and {_name(runs[1])}"
    return page.render(title)


_SKILL_NOTE = (
    "Of the commanded tip while it followed. SPARC and log dimensionless jerk measure smoothness "
    "(Balasubramanian et al. 2012, 2015): nearer to zero is smoother; medians over "
    "movements of at least 0.2 s "
    "faster than 1 mm/s. A single perfect reach has a log dimensionless jerk of -5.3."
)


def _name(run: Run) -> str:
    return run.recording.metadata.get("trocar", {}).get("session", run.path.stem)


def _head(page: Page, runs: list[Run], summaries: list[dict[str, Any]], checks: list[list[Check]]) -> None:
    run, summary = runs[0], summaries[0]
    clock = int(run.recording.metadata.get("trocar.clock", {}).get("unix_minus_monotonic_ns", "0"))
    when = datetime.fromtimestamp((clock + int(run.now_ns[0])) * 1e-9, UTC).strftime("%d %B %Y, %H:%M UTC")
    arms = ", ".join(
        f"{escape(p['master']['name'])} drives {escape(p['arm']['name'])} ({escape(p['arm']['profile'])})"
        for p in run.recording.session["spec"]["pairs"]
    )
    page.html(f"<h1>Session “{escape(_name(run))}”</h1>")
    page.html(f'<div class="sub">{when} · {summary["seconds"]:.1f} s · {arms}</div>')
    if len(runs) == 2:
        page.html(
            f'<div class="sub">compared: {escape(run.path.name)} (first, solid) with '
            f"{escape(runs[1].path.name)} (second, dotted)</div>"
        )
    failed = [c for c in checks[0] if not c.passed]
    inside = summary["violations"]
    if inside:
        text = f"In {inside} ticks a body was inside a forbidden region or its margin."
    elif summary["min_clearance_m"]:
        text = "Every command kept out of every forbidden region."
    else:
        text = "No fixture came near in this run."
    page.html(f'<p class="verdict {"bad" if inside else "good"}">{text}</p>')
    if failed:
        page.html(f'<p class="verdict bad">{len(failed)} of {len(checks[0])} checks failed.</p>')
    page.html(f"<p>{escape(_in_words(summary))}</p>")
    for note in run.notes:
        page.html(f'<p class="note">About the file: {escape(note)}.</p>')


def _in_words(summary: dict[str, Any]) -> str:
    """The run in a few sentences, for somebody who was not there."""
    following = summary["states"].get("FOLLOWING", 0.0)
    whole = sum(summary["states"].values())
    said = [f"The arm followed the hand for {following:.1f} of {whole:.1f} s."]
    for name, pair in summary["pairs"].items():
        acted = [
            f"{who} for {entry['ticks'] / RATE_HZ:.1f} s"
            for who, entry in sorted(pair["ledger"].items(), key=lambda item: -item[1]["ticks"])
            if who not in LIMITERS
        ]
        of = f" of {name}" if len(summary["pairs"]) > 1 else ""
        said.append(
            f"Fixtures that shaped the motion{of}: {', '.join(acted)}."
            if acted
            else f"No fixture had to act on the motion{of}."
        )
    if summary["skipped"]:
        said.append(
            f"The machine missed {summary['skipped']} deadlines of a millisecond; over those the arm "
            "stays on a stop that was proven before."
        )
    return " ".join(said)


def _card(label: str, value: str, kind: str = "") -> str:
    return f'<div class="card {kind}"><b>{value}</b><span>{escape(label)}</span></div>'


def _verdicts(
    page: Page, runs: list[Run], summaries: list[dict[str, Any]], checks: list[list[Check]]
) -> None:
    s = summaries[0]
    least = min(s["min_clearance_m"].items(), key=lambda item: item[1], default=None)
    limits = sum(pair["limited_s"] for pair in s["pairs"].values())
    compute = s["compute_us"]
    cards = [
        _card("ticks inside a region", str(s["violations"]), "bad" if s["violations"] else "good"),
        _card(
            "smallest clearance" + (f", to {least[0]}" if least else ""),
            f"{1e3 * least[1]:.3f} mm" if least else "none near",
            "bad" if least and least[1] < 0 else "",
        ),
        _card("of following", f"{s['states'].get('FOLLOWING', 0.0):.1f} s"),
        _card("at limits of the arm", f"{limits:.1f} s"),
        _card(f"of {s['ticks']} ticks overran", str(s["overruns"])),
        _card("deadlines skipped", str(s["skipped"]), "bad" if s["skipped"] else ""),
        _card("ticks missing in the file", str(s["missing"]), "bad" if s["missing"] else ""),
        _card("time of a tick, 99.9 %", f"{compute['p99_9']:.0f} us" if compute else "not known"),
        _card("in FAULT", f"{s['fault_s']:.1f} s", "bad" if s["fault_s"] else ""),
    ]
    page.html(f'<div class="cards">{"".join(cards)}</div>')
    if len(runs) == 2 or len(checks[0]) > 1 or any(not c.passed for c in checks[0]):
        head = ["", "asked", *(escape(run.path.name) for run in runs)]
        rows = []
        for k, first in enumerate(checks[0]):
            what, word, factor, unit = _CHECKS[first.name]
            cells = []
            for of_run in checks:
                c = of_run[k]
                got = "none" if c.got is None else f"{factor * c.got:.4g}{unit}"
                kind, word_kept = ("pass", "kept") if c.passed else ("fail", "broken")
                cells.append(f'{got} <span class="{kind}">{word_kept}</span>')
            rows.append([what, f"{word} {factor * first.asked:.4g}{unit}", *cells])
        if len(runs) == 2:
            rows += tables.differences(summaries)
        page.section("Checks", "What was asked of the run, and what it did.", table(head, rows))


def _appendix(page: Page, runs: list[Run]) -> None:
    parts = []
    for run in runs:
        effective = json.dumps(run.recording.session.get("effective", {}), indent=2)
        made = json.dumps(run.recording.machine, indent=2)
        facts = run.recording.metadata.get("trocar", {})
        parts.append(
            f"<h3>{escape(run.path.name)}</h3><p class=note>trocar {escape(facts.get('version', '?'))}, "
            "configuration "
            f"{escape(facts.get('config_hash', '?')[:16])}</p>"
            f"<details><summary>configuration in force</summary><pre>{escape(effective)}</pre></details>"
            f"<details><summary>machine and programs</summary><pre>{escape(made)}</pre></details>"
        )
        for name, data in run.recording.attachments.items():
            if name.startswith("toml/"):
                text = escape(data.decode(errors="replace"))
                parts.append(f"<details><summary>{escape(name)}</summary><pre>{text}</pre></details>")
    page.section("Configuration and machine", "As they were when this was recorded.", *parts)
