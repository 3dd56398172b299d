"""The tables of a report."""

from __future__ import annotations

from html import escape
from typing import Any

from teleop.recorder.report.html import table
from teleop.recorder.report.series import Run
from teleop.safety.reasons import Reason

_REASONS = {reason.code: reason for reason in Reason}
_LIMITERS = {
    "catch_up": "an error left over is made up for at a bounded speed",
    "singularity": "near a pose in which the arm cannot move every way",
    "joint_speed": "a joint was at its greatest speed",
    "joint_acceleration": "a joint was at its greatest acceleration or jerk",
    "joint_position": "a joint was at the end of its range",
    "rows": "constraints together left no other way",
    "hold": "the arm braked along the stop proven before",
}


def differences(summaries: list[dict[str, Any]]) -> list[list[str]]:
    """Figures of two runs beside each other that no check asked for."""

    def of(key: str, which: str, factor: float, unit: str, digits: int = 0) -> list[str]:
        cells = []
        for s in summaries:
            figures_ = s[key]
            cells.append("-" if figures_ is None else f"{factor * figures_[which]:.{digits}f}{unit}")
        return cells

    rows = [
        ["seconds", "", *(f"{s['seconds']:.2f} s" for s in summaries)],
        ["following", "", *(f"{s['states'].get('FOLLOWING', 0.0):.2f} s" for s in summaries)],
        ["time of a tick, median", "", *of("compute_us", "p50", 1.0, " us")],
        ["hand to command, median", "", *of("latency_us", "p50", 1.0, " us")],
        ["arm behind its command, 99 %", "", *of("tracking_error_m", "p99", 1e3, " mm", 3)],
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


def reasons(runs: list[Run], summaries: list[dict[str, Any]]) -> str:
    """For how long the arm did not follow, by reason."""
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


def events(run: Run) -> str:
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


def ledger(run: Run, summary: dict[str, Any], runs: list[Run]) -> str:
    """Who took motion away in a run."""
    rows = []
    for pair, pair_figures in summary["pairs"].items():
        entries = sorted(pair_figures["ledger"].items(), key=lambda item: -item[1]["ticks"])
        for who, entry in entries:
            what = ", ".join(f"{escape(w)} ({n})" for w, n in entry["what"].items())
            bodies = escape(", ".join(entry["bodies"]) or "-")
            label = escape(who.replace("_", " ")) + (f", {escape(pair)}" if len(summary["pairs"]) > 1 else "")
            label += f'<div class="sub">{_LIMITERS[who]}</div>' if who in _LIMITERS else ""
            rows.append(
                [label, f"{entry['ticks'] * 1e-3:.2f} s", what, bodies, f"{1e6 * entry['most_m']:.1f} um"]
            )
    title = f"<h3>{escape(run.path.name)}</h3>" if len(runs) > 1 else ""
    if not rows:
        return f'{title}<p class="note">Nothing did: every motion asked for was sent.</p>'
    return title + table(["who", "acted for", "did (ticks)", "for", "most in a tick"], rows)


def tremor(runs: list[Run], summaries: list[dict[str, Any]]) -> str:
    """What the filter did, axis by axis."""
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


def skill(runs: list[Run], summaries: list[dict[str, Any]]) -> str:
    """Measures of skill, a column a pair."""
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


def percentiles(runs: list[Run], summaries: list[dict[str, Any]]) -> str:
    """Loop timing, stage by stage."""
    rows = []
    for run, s in zip(runs, summaries, strict=True):
        suffix = f" ({escape(run.path.name)})" if len(runs) > 1 else ""
        named = {"tick": s["compute_us"], "lateness": s["lateness_us"], "hand to command": s["latency_us"]}
        named |= {f"  {name}": values for name, values in s["stages_us"].items()}
        for name, values in named.items():
            if values is not None:
                rows.append([name + suffix, *(f"{values[k]:.0f}" for k in ("p50", "p99", "p99_9", "max"))])
    return table(["us", "50 %", "99 %", "99.9 %", "most"], rows)
