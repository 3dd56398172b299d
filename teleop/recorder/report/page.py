"""The report as one page of HTML that needs nothing else: no network, no files beside it."""

from __future__ import annotations

import base64
import gzip
import json
from datetime import UTC, datetime
from html import escape
from pathlib import Path
from string import Template
from typing import Any

from fixtures.fixture import Fixture
from teleop.recorder.report import figures
from teleop.recorder.report.checks import Check
from teleop.recorder.report.series import Run
from teleop.safety.reasons import Reason

_ASSETS = Path(__file__).parent / "assets"
_LIBRARY = "plotly-gl3d-4.1.1.min.js.gz"
_REASONS = {reason.code: reason for reason in Reason}

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


class Page:
    """Sections are added in the order in which they are read."""

    def __init__(self) -> None:
        """Empty."""
        self._body: list[str] = []
        self._figures: dict[str, figures.Figure] = {}

    def html(self, text: str) -> None:
        """Add markup."""
        self._body.append(text)

    def section(self, title: str, note: str, *parts: str) -> None:
        """A titled box."""
        self.html(
            f'<section><h2>{escape(title)}</h2><p class="note">{escape(note)}</p>{"".join(parts)}</section>'
        )

    def plot(self, name: str, figure: figures.Figure | None, otherwise: str = "") -> str:
        """The place of a figure; or a sentence where there is none."""
        if figure is None:
            return f'<p class="note">{escape(otherwise)}</p>'
        self._figures[name] = figure
        height = figure["layout"].get("height", 330)
        return f'<div class="plot" id="{name}" style="height:{height}px"></div>'

    def render(self, title: str) -> str:
        """The whole page."""
        template = Template((_ASSETS / "page.html").read_text(encoding="utf-8"))
        library = base64.b64encode((_ASSETS / _LIBRARY).read_bytes()).decode()
        data = gzip.compress(
            json.dumps(self._figures, separators=(",", ":"), allow_nan=False).encode(), 9, mtime=0
        )
        return template.substitute(
            title=escape(title),
            body="\n".join(self._body),
            library=library,
            figures=base64.b64encode(data).decode(),
        )


def table(head: list[str], rows: list[list[str]]) -> str:
    """A table; every column but the first is of numbers. Cells may hold markup."""
    top = "".join(f"<th{' class=n' if k else ''}>{cell}</th>" for k, cell in enumerate(head))
    body = "".join(
        "<tr>" + "".join(f"<td{' class=n' if k else ''}>{c}</td>" for k, c in enumerate(row)) + "</tr>"
        for row in rows
    )
    return f'<div class="scroll"><table><tr>{top}</tr>{body}</table></div>'


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
        "State of each pair over time; hold the pointer over a bar to read why the arm was in it.",
        page.plot("timeline", figures.timeline(runs)),
        _reasons(runs, summaries),
        *(_events(run) for run in runs[:1]),
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
        "Where the tip was asked to go and where it was sent, with the fixtures. Drag to "
        "turn, scroll to zoom.",
        page.plot("path", drawn),
        *(f'<p class="note">{escape(note)}</p>' for note in [*notes, *undrawn]),
    )
    page.section(
        "Who took motion away",
        "Each limiter and fixture that acted: for how long, what it did, and the most "
        "tip motion it changed in "
        "one tick of a millisecond.",
        *(_ledger(run, summary, runs) for run, summary in zip(runs, summaries, strict=True)),
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
        _tremor(runs, summaries),
    )
    page.section("Skill", _SKILL_NOTE, _skill(runs, summaries))
    page.section(
        "Loop timing",
        "Time of each tick from its beginning to its end, and how late it began; the period is 1000 us.",
        page.plot("timing", figures.loop_timing(runs)),
        _percentiles(runs, summaries),
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
    for note in run.notes:
        page.html(f'<p class="note">About the file: {escape(note)}.</p>')


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
        _card("at limits (joint, speed, ...)", f"{limits:.1f} s"),
        _card("ticks that overran", str(s["overruns"])),
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
            rows += _differences(summaries)
        page.section("Checks", "What was asked of the run, and what it did.", table(head, rows))


def _differences(summaries: list[dict[str, Any]]) -> list[list[str]]:
    """Figures of two runs beside each other that no check asked for."""

    def of(key: str, which: str, factor: float, unit: str) -> list[str]:
        cells = []
        for s in summaries:
            figures_ = s[key]
            cells.append("-" if figures_ is None else f"{factor * figures_[which]:.3g}{unit}")
        return cells

    rows = [
        ["seconds", "", *(f"{s['seconds']:.2f} s" for s in summaries)],
        ["following", "", *(f"{s['states'].get('FOLLOWING', 0.0):.2f} s" for s in summaries)],
        ["time of a tick, median", "", *of("compute_us", "p50", 1.0, " us")],
        ["hand to command, median", "", *of("latency_us", "p50", 1.0, " us")],
        ["arm behind its command, 99 %", "", *of("tracking_error_m", "p99", 1e3, " mm")],
    ]
    names = dict.fromkeys(name for s in summaries for name in s["min_clearance_m"])
    for name in names:
        cells = [s["min_clearance_m"].get(name) for s in summaries]
        rows.append(
            [
                f"smallest clearance to {escape(name)}",
                "",
                *("-" if c is None else f"{1e3 * c:.3f} mm" for c in cells),
            ]
        )
    return rows


def _reasons(runs: list[Run], summaries: list[dict[str, Any]]) -> str:
    codes = [c for c in dict.fromkeys(c for s in summaries for c in s["reasons"]) if c != Reason.NONE.code]
    rows = [
        [
            escape(_REASONS[code].sentence if code in _REASONS else code),
            *(f"{s['reasons'].get(code, 0.0):.2f} s" for s in summaries),
        ]
        for code in codes
    ]
    if not rows:
        return '<p class="note">The arm followed all the time.</p>'
    head = [
        "why the arm did not follow",
        *(escape(run.path.name) if len(runs) > 1 else "for" for run in runs),
    ]
    return table(head, rows)


def _events(run: Run) -> str:
    """What was told, in order."""
    rows = []
    for event in run.events[:400]:
        at = (event.stamp_ns - int(run.now_ns[0])) * 1e-9
        data = event.data
        sentence = " ".join(str(data.get(key, "")) for key in ("sentence", "detail")).strip()
        state = f"{event.state.lower()}, {event.teleop_state.lower()}"
        rows.append(
            [f"{at:.3f} s", escape(str(data.get("pair", ""))), state, escape(sentence or "following")]
        )
    more = f'<p class="note">and {len(run.events) - 400} more</p>' if len(run.events) > 400 else ""
    left = table(["time", "pair", "state", "what was told"], rows).replace(" class=n", "")
    return f"<details><summary>{len(run.events)} events</summary>{left}{more}</details>"


def _ledger(run: Run, summary: dict[str, Any], runs: list[Run]) -> str:
    rows = []
    for pair, pair_figures in summary["pairs"].items():
        entries = sorted(pair_figures["ledger"].items(), key=lambda item: -item[1]["ticks"])
        for who, entry in entries:
            what = ", ".join(f"{escape(w)} ({n})" for w, n in entry["what"].items())
            bodies = escape(", ".join(entry["bodies"]) or "-")
            label = escape(who.replace("_", " ")) + (f", {escape(pair)}" if len(summary["pairs"]) > 1 else "")
            rows.append(
                [label, f"{entry['ticks'] * 1e-3:.2f} s", what, bodies, f"{1e6 * entry['most_m']:.1f} um"]
            )
    title = f"<h3>{escape(run.path.name)}</h3>" if len(runs) > 1 else ""
    if not rows:
        return f'{title}<p class="note">Nothing did: every motion asked for was sent.</p>'
    return title + table(["who", "acted for", "did (ticks)", "for", "most in a tick"], rows)


def _tremor(runs: list[Run], summaries: list[dict[str, Any]]) -> str:
    rows = []
    for run, summary in zip(runs, summaries, strict=True):
        for pair, pair_figures in summary["pairs"].items():
            for axis in pair_figures["tremor"] or ():
                delay = next((d for d in axis["delay_s"] if d is not None), None)
                name = f"{escape(pair)}, {axis['axis']}" + (
                    f" ({escape(run.path.name)})" if len(runs) > 1 else ""
                )
                cut = "-" if axis["cut"] is None else f"{100 * axis['cut']:.0f} %"
                decibel = "-" if axis["band_db"] is None else f"{axis['band_db']:.1f} dB"
                late = "-" if delay is None else f"{1e3 * delay:.1f} ms"
                before, after = 1e6 * axis["tremor_rms_in"], 1e6 * axis["tremor_rms_out"]
                rows.append([name, f"{before:.1f} um", f"{after:.1f} um", cut, decibel, late])
    return (
        table(["6 to 14 Hz", "rms in", "rms out", "removed", "power", "delay below 2 Hz"], rows)
        if rows
        else ""
    )


def _skill(runs: list[Run], summaries: list[dict[str, Any]]) -> str:
    columns: list[tuple[str, dict[str, Any]]] = []
    for run, summary in zip(runs, summaries, strict=True):
        for pair, pair_figures in summary["pairs"].items():
            columns.append((pair if len(runs) == 1 else f"{pair} ({run.path.name})", pair_figures))

    def row(label: str, tell: Any) -> list[str]:
        return [label, *(tell(pair_figures) for _, pair_figures in columns)]

    def number(value: float | None) -> str:
        return "-" if value is None else f"{value:.2f}"

    rows = [
        row("completion time", lambda f: f"{f['skill']['completion_s']:.2f} s"),
        row("path length", lambda f: f"{1e3 * f['skill']['path_length_m']:.1f} mm"),
        row("movements", lambda f: str(f["skill"]["movements"])),
        row("smoothness (SPARC)", lambda f: number(f["skill"]["sparc"])),
        row("log dimensionless jerk", lambda f: number(f["skill"]["log_dimensionless_jerk"])),
        row("idle time", lambda f: f"{f['skill']['idle_s']:.2f} s"),
        row("clutch presses", lambda f: str(f["skill"]["clutches"])),
    ]
    for name in dict.fromkeys(name for _, f in columns for name in f["near_s"]):
        rows.append(
            row(f"nearer than 1 mm to {escape(name)}", lambda f, n=name: f"{f['near_s'].get(n, 0.0):.2f} s")
        )
        rows.append(row("inside its margin", lambda f, n=name: f"{f['inside_margin_s'].get(n, 0.0):.2f} s"))
    for name in dict.fromkeys(name for _, f in columns for name in f["guidance"]):
        rows.append(
            row(
                f"distance from {escape(name)}, rms and most",
                lambda f, n=name: (
                    f"{1e3 * f['guidance'][n]['rms_m']:.3f}, {1e3 * f['guidance'][n]['max_m']:.3f} mm"
                    if n in f["guidance"]
                    else "-"
                ),
            )
        )
    return table(["", *(escape(name) for name, _ in columns)], rows)


def _percentiles(runs: list[Run], summaries: list[dict[str, Any]]) -> str:
    rows = []
    for run, s in zip(runs, summaries, strict=True):
        suffix = f" ({escape(run.path.name)})" if len(runs) > 1 else ""
        named = {"tick": s["compute_us"], "lateness": s["lateness_us"], "hand to command": s["latency_us"]}
        named |= {f"  {name}": values for name, values in s["stages_us"].items()}
        for name, values in named.items():
            if values is not None:
                rows.append([name + suffix, *(f"{values[k]:.0f}" for k in ("p50", "p99", "p99_9", "max"))])
    return table(["us", "50 %", "99 %", "99.9 %", "most"], rows)


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
