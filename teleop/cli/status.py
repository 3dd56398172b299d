"""What the person at the terminal sees while a session runs, and after it."""

from __future__ import annotations

from typing import Any

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from teleop.safety.reasons import Reason
from teleop.wire.messages import PairTelemetry, Telemetry

_REASONS = {reason.code: reason for reason in Reason}


def live_view(telemetry: Telemetry | None, rate_hz: float, notice: str) -> RenderableType:
    """The state of a running session, a few lines."""
    if telemetry is None:
        return Text("waiting for the controller ...")
    table = Table.grid(padding=(0, 2))
    table.add_row("controller", f"{telemetry.state}  {rate_hz:.0f} Hz  compute {telemetry.compute_us:.0f} us")
    for pair in telemetry.pairs:
        table.add_row(pair.pair, pair_line(pair))
    return Group(table, Text(notice, style="yellow")) if notice else table


def pair_line(pair: PairTelemetry) -> str:
    """One pair in one line: what it does, or why it does not move and what to do."""
    reason = _REASONS.get(pair.reason)
    if reason is not None and reason is not Reason.NONE:
        return f"{pair.teleop_state}: {reason.sentence} {reason.action}"
    x, y, z = (1e3 * c for c in pair.p_command_m)
    acted = _acted(pair)
    return (
        f"{pair.teleop_state}  tip {x:7.2f} {y:7.2f} {z:7.2f} mm  "
        f"arm behind {1e3 * pair.tracking_error_m:.2f} mm  {acted}"
    )


def _acted(pair: PairTelemetry) -> str:
    """Who acts in this tick, the greatest part first: "artery clamped jaw by 12 um"."""
    most: dict[tuple[str, str], tuple[float, str]] = {}
    for line in pair.ledger:
        key = (line.who, line.what)
        if key not in most or line.by_m > most[key][0]:
            most[key] = (line.by_m, line.body)
    acted = sorted(most.items(), key=lambda item: -item[1][0])[:2]
    return ", ".join(
        f"{who} {what} {body}" + (f" by {1e6 * by_m:.0f} um" if by_m > 0.0 else "")
        for (who, what), (by_m, body) in acted
    )


def _spread(title: str, values: dict[str, float] | None, factor: float, unit: str) -> tuple[str, ...]:
    if values is None:
        return (title, "-", "-", "-", "-", unit)
    return (title, *(f"{factor * values[k]:.2f}" for k in ("p50", "p99", "p99_9", "max")), unit)


def print_summary(console: Console, summary: dict[str, Any]) -> None:
    """The closing summary."""
    total = summary["ticks"] + summary["skipped"]
    console.print(
        f"{summary['ticks']} ticks, {summary['skipped']} skipped, {summary['overruns']} overruns, "
        f"{summary['on_time']:.3%} of {total} on time; {summary['violations']} violations",
        highlight=False,
    )
    table = Table("", "p50", "p99", "p99.9", "max", "", box=None, pad_edge=False)
    for column in table.columns[1:5]:
        column.justify = "right"
    table.add_row(*_spread("compute", summary["compute_us"], 1.0, "us"))
    table.add_row(*_spread("lateness", summary["lateness_us"], 1.0, "us"))
    table.add_row(*_spread("master stamp to command", summary["latency_us"], 1.0, "us"))
    table.add_row(*_spread("command to its echo", summary["round_trip_us"], 1.0, "us"))
    table.add_row(*_spread("arm behind command", summary["tracking_error_m"], 1e3, "mm"))
    console.print(table)
    states = ", ".join(f"{name} {seconds:.2f} s" for name, seconds in summary["states"].items())
    console.print(f"states: {states}", highlight=False)
    for code, seconds in summary["reasons"].items():
        if code != Reason.NONE.code and code in _REASONS:
            console.print(f"  {seconds:8.2f} s  {_REASONS[code].sentence}", highlight=False)
    for name, axes in summary["tremor"].items():
        for axis in axes or ():
            if axis["band_6_14_hz_db"] is not None:
                console.print(
                    f"tremor of {name}, {axis['axis']}: {axis['tremor_rms_in_um']:.1f} um in, "
                    f"{axis['tremor_rms_out_um']:.1f} um out ({axis['band_6_14_hz_db']:.1f} dB)",
                    highlight=False,
                )
    for acted in sorted(summary.get("acted", ()), key=lambda line: -line["by_m"]):
        by = f"{1e3 * acted['by_m']:.2f} mm of the way in all"
        if acted["what"] == "guided":  # a displacement, which does not add up
            by = f"by up to {1e3 * acted['most_m']:.2f} mm"
        text = f"{acted['who']} {acted['what']} for {acted['seconds']:.2f} s, {by}"
        console.print(text, highlight=False, markup=False)
    for fixture, clearance in summary["min_clearance_m"].items():
        console.print(f"smallest clearance to {fixture}: {1e3 * clearance:.3f} mm", highlight=False)
    rejected = ", ".join(f"{reason} {count}" for reason, count in summary["rejected"].items())
    console.print(f"rejected: {rejected or 'nothing'}", highlight=False)
    console.print(f"config {summary['config_hash'][:12]}, trocar {summary['version']}", highlight=False)


def recording_line(recording: dict[str, Any]) -> str:
    """What became of the recording, in a line."""
    if recording["ticks"] is None:
        return f"recording {recording['file']}: {recording['error']}"
    line = f"recorded {recording['ticks']} ticks, {recording['dropped']} dropped, "
    line += f"{1e-6 * recording['bytes']:.1f} MB: {recording['file']}"
    return f"{line}\n{recording['error']}" if recording["error"] else line
