"""The figures of a report as plotly's own JSON; thinned so that nothing that matters is lost."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from typing import Any

import numpy as np

from fixtures.display import draw
from fixtures.display.plain import pose
from fixtures.fixture import Fixture
from teleop.recorder.report.series import Array, Flags, PairSeries, Run
from teleop.recorder.report.summary import tremor
from teleop.safety.reasons import Reason
from teleop.tremor.analysis import TREMOR_BAND_HZ

POINTS = 2500
"""Points of a curve on the page; of each stretch between them the lowest and the highest value stay."""
PATH_POINTS = 4000
SEEN_M = 0.012
"""Half the edge of the smallest cube that the path is shown in, m: fixtures are often far larger than it."""
_STRETCHES = 400
MOST_TRIANGLES = 60_000

# Okabe and Ito's colours, told apart by nearly everybody.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#7F7F7F")
PATHS = ("#1C2430", "#B42318", "#6941C6", "#8A6100")
"""Colours of tips, which meet those of the fixtures in one figure."""
STATES = {
    "FOLLOWING": "#009E73",
    "CLUTCHED": "#56B4E9",
    "ALIGNING": "#E69F00",
    "HOLDING": "#D55E00",
    "IDLE": "#B0B0B0",
}
_REASONS = {reason.code: reason for reason in Reason}

Figure = dict[str, Any]


def thin(t: Array, y: Array) -> tuple[list[float], list[float | None]]:
    """A curve with at most about ``POINTS`` points that keeps every peak; NaN becomes a gap."""
    if t.size <= POINTS:
        return _round(t), _values(y)
    edges = np.linspace(0, t.size, POINTS // 2 + 1).astype(int)
    rows: list[int] = []
    for start, end in pairwise(edges.tolist()):
        part = y[start:end]
        if np.isnan(part).all():
            rows.append(start)
            continue
        rows += sorted({start + int(np.nanargmin(part)), start + int(np.nanargmax(part))})
    return _round(t[rows]), _values(y[rows])


def _round(values: Array) -> list[float]:
    return [float(f"{value:.6g}") for value in values]


def _values(values: Array) -> list[float | None]:
    return [float(f"{value:.5g}") if np.isfinite(value) else None for value in values]


def _line(t: Array, y: Array, name: str, colour: str, **keys: Any) -> Figure:
    x, values = thin(t, y)
    line = {"color": colour, "width": 1.3, **keys.pop("line", {})}
    return {"type": "scatter", "mode": "lines", "x": x, "y": values, "name": name, "line": line, **keys}


def _figure(traces: list[Figure], y: str, x: str = "time (s)", **layout: Any) -> Figure:
    return {
        "data": traces,
        "layout": {"xaxis": {"title": {"text": x}}, "yaxis": {"title": {"text": y}}, **layout},
    }


def _label(run: Run, name: str, runs: list[Run]) -> str:
    return name if len(runs) == 1 else f"{name} ({run.path.stem})"


def _colour_of(runs: list[Run], fixtures: Iterable[str] = ()) -> dict[str, str]:
    """A colour for each fixture, the same in every figure."""
    pairs = [pair for run in runs for pair in run.pairs]
    names = dict.fromkeys([*(n for p in pairs for n in [*p.clearance_m, *p.acted]), *fixtures])
    return {name: COLOURS[k % len(COLOURS)] for k, name in enumerate(names)}


def _style(index: int) -> Figure:
    return {"line": {"dash": ("solid", "dot")[index]}} if index else {}


def timeline(runs: list[Run]) -> Figure:
    """States of each pair over time; below, when its arm's limits and each fixture acted."""
    traces: list[Figure] = []
    shown: set[str] = set()
    rows: list[str] = []
    colours = _colour_of(runs)
    for run in runs:
        for pair in run.pairs:
            row = _label(run, pair.name, runs)
            rows.append(row)
            for start, end, state, reason in _stretches(pair):
                sentence = _REASONS[reason].sentence if reason in _REASONS else reason
                until = run.t_s[end] if end < run.t_s.size else run.t_s[-1]
                traces.append(
                    {
                        "type": "scatter",
                        "mode": "lines",
                        "x": _round(np.array([run.t_s[start], until])),
                        "y": [row, row],
                        "line": {"color": STATES.get(state, "#000"), "width": 22},
                        "name": state.lower(),
                        "legendgroup": state,
                        "showlegend": state not in shown,
                        "hovertemplate": f"{state.lower()}: {sentence or 'all is well'}<extra></extra>",
                    }
                )
                shown.add(state)
            acted = {"limits of the arm": pair.limited, **pair.acted}
            for who, ticks in acted.items():
                if ticks.any():
                    colour = colours.get(who, "#444")
                    rows.append(_label(run, f"{who}, {pair.name}" if len(run.pairs) > 1 else who, runs))
                    traces.append(_when(run.t_s, ticks, rows[-1], colour))
    height = 130 + 38 * len(rows)
    figure = _figure(traces, "", height=height)
    figure["layout"]["yaxis"] = {
        "type": "category", "automargin": True, "categoryarray": rows[::-1], "categoryorder": "array",
        "range": [-0.7, len(rows) - 0.3],
    }  # fmt: skip
    return figure


def _when(t: Array, acted: Flags, row: str, colour: str) -> Figure:
    """A bar for each time that something acted; breaks too short to be seen are closed."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], acted, [False])).astype(int)))
    starts, ends = t[edges[::2]], t[np.minimum(edges[1::2], t.size - 1)]
    apart = np.concatenate(([True], starts[1:] - ends[:-1] > (t[-1] - t[0]) / _STRETCHES))
    starts, ends = starts[apart], ends[np.roll(apart, -1)]
    x = np.stack([starts, ends, np.full(starts.size, np.nan)], axis=1).ravel()
    return {
        "type": "scatter", "mode": "lines", "x": _values(x), "y": [row] * x.size, "showlegend": False,
        "line": {"color": colour, "width": 12}, "hovertemplate": f"{row} acted<extra></extra>",
    }  # fmt: skip


def _stretches(pair: PairSeries) -> list[tuple[int, int, str, str]]:
    """Rows in which state and reason stay the same: start, end, state, reason."""
    found: list[tuple[int, int, str, str]] = []
    start = 0
    for k in range(1, len(pair.state) + 1):
        if k == len(pair.state) or (pair.state[k], pair.reason[k]) != (pair.state[start], pair.reason[start]):
            found.append((start, k, pair.state[start], pair.reason[start]))
            start = k
    return found


def loop_timing(runs: list[Run]) -> Figure:
    """How long each tick took and how late it began."""
    traces = []
    for k, run in enumerate(runs):
        traces.append(_line(run.t_s, run.compute_us, _label(run, "compute", runs), COLOURS[0], **_style(k)))
        traces.append(_line(run.t_s, run.lateness_us, _label(run, "lateness", runs), COLOURS[1], **_style(k)))
    figure = _logarithmic(_figure(traces, "us", shapes=[_level(1000.0, "period")]))
    most = max(float(np.nanmax([*run.compute_us, *run.lateness_us, 1000.0])) for run in runs)
    # The sleep ends at the deadline to a fraction of a microsecond: nobody needs to see that spread.
    figure["layout"]["yaxis"]["range"] = [0.0, float(np.log10(2.0 * most))]
    return figure


def _logarithmic(figure: Figure, every: int | str = 1) -> Figure:
    """With a logarithmic axis, labelled at each decade, or at 1, 2, 5 where ``every`` is ``"D2"``."""
    figure["layout"]["yaxis"] |= {"type": "log", "dtick": every}
    return figure


def _level(y: float, text: str) -> Figure:
    return {
        "type": "line", "xref": "paper", "x0": 0, "x1": 1, "y0": y, "y1": y,
        "line": {"color": "#888", "width": 1, "dash": "dash"},
        "label": {"text": text, "textposition": "end", "font": {"size": 10, "color": "#888"}},
    }  # fmt: skip


def latency(runs: list[Run]) -> Figure:
    """Master stamp to command sent."""
    traces = [
        _line(run.t_s, run.latency_us, _label(run, "hand to command", runs), COLOURS[k])
        for k, run in enumerate(runs)
    ]
    return _logarithmic(_figure(traces, "us"), "D2")


def tremor_spectra(runs: list[Run]) -> Figure | None:
    """Power spectral density of the hand before and after the filter, the three axes together."""
    traces = []
    colour = 0
    for run in runs:
        for pair in run.pairs:
            report = tremor(pair)
            if report is None:
                continue
            inside = (report.frequency_hz >= 0.3) & (report.frequency_hz <= 25.0)
            f = report.frequency_hz[inside]
            for density, what, dash in (
                (report.density_in, "raw", "dot"),
                (report.density_out, "filtered", "solid"),
            ):
                y = np.sqrt(density[inside].sum(axis=1)) * 1e6
                name = _label(run, f"{pair.name}, {what}", runs)
                traces.append(_line(f, y, name, COLOURS[colour % len(COLOURS)], line={"dash": dash}))
            colour += 1
    if not traces:
        return None
    band = {
        "type": "rect", "yref": "paper", "y0": 0, "y1": 1, "x0": TREMOR_BAND_HZ[0], "x1": TREMOR_BAND_HZ[1],
        "fillcolor": "#E69F00", "opacity": 0.12, "line": {"width": 0},
        "label": {"text": "tremor", "textposition": "top center", "font": {"size": 10}},
    }  # fmt: skip
    figure = _figure(traces, "um / sqrt(Hz)", "frequency (Hz)", shapes=[band])
    return _logarithmic(figure)


def clearance(runs: list[Run]) -> Figure | None:
    """Smallest clearance to each fixture, beyond its margin."""
    traces = []
    colours = _colour_of(runs)
    for k, run in enumerate(runs):
        for pair in run.pairs:
            for name, values in pair.clearance_m.items():
                text = name if len(run.pairs) == 1 else f"{name}, {pair.name}"
                traces.append(
                    _line(run.t_s, 1e3 * values, _label(run, text, runs), colours[name], **_style(k))
                )
    if not traces:
        return None
    return _figure(traces, "mm", shapes=[_level(0.0, "margin")])


def forces(runs: list[Run]) -> Figure | None:
    """Force told to the hand."""
    traces = [
        _line(run.t_s, np.linalg.norm(pair.force_n, axis=1), _label(run, pair.name, runs), COLOURS[k % 7])
        for run in runs
        for k, pair in enumerate(run.pairs)
        if pair.force_n.any()
    ]
    return _figure(traces, "N") if traces else None


def tracking(runs: list[Run]) -> Figure:
    """How far the measured tip is from the commanded one."""
    traces = [
        _line(run.t_s, 1e3 * pair.tracking_m, _label(run, pair.name, runs), COLOURS[(k + 2 * n) % 7])
        for n, run in enumerate(runs)
        for k, pair in enumerate(run.pairs)
    ]
    return _figure(traces, "mm")


def path(runs: list[Run], fixtures: list[Fixture]) -> tuple[Figure, list[str]]:
    """Desired and commanded tip in space, with the fixtures; and what could not be drawn."""
    traces: list[Figure] = []
    tips = []
    for n, run in enumerate(runs):
        for k, pair in enumerate(run.pairs):
            rows = np.flatnonzero(pair.following)
            rows = rows[np.linspace(0, rows.size - 1, min(rows.size, PATH_POINTS)).astype(int)]
            if rows.size == 0:
                continue
            colour = PATHS[(k + 2 * n) % len(PATHS)]
            # A break where following was interrupted, so that no line is drawn that nobody went.
            gaps = np.flatnonzero(np.diff(rows) > max(50, 3 * pair.tip_m.shape[0] // PATH_POINTS)) + 1
            for what, p, style in (
                ("commanded", pair.tip_m, {"width": 5, "color": colour}),
                ("desired", pair.desired_m, {"width": 2, "color": "#999"}),
            ):
                q = np.insert(1e3 * p[rows], gaps, np.nan, axis=0)
                x, y, z = (_values(q[:, axis]) for axis in range(3))
                name = _label(run, f"{pair.name}, {what}", runs)
                traces.append(
                    {
                        "type": "scatter3d",
                        "mode": "lines",
                        "x": x,
                        "y": y,
                        "z": z,
                        "name": name,
                        "line": style,
                    }
                )
            tips.append(pair.tip_m[rows])
    notes: list[str] = []
    if tips:
        every = np.concatenate(tips)
        low, high = every.min(axis=0), every.max(axis=0)
        radius = max(0.02, 0.75 * float((high - low).max()))
        now_s = float(runs[0].now_ns[0]) * 1e-9
        colours = _colour_of(runs, (fixture.name for fixture in fixtures))
        for fixture in fixtures:
            try:
                traces += _drawn(fixture, 0.5 * (low + high), radius, now_s, colours[fixture.name])
            except Exception as error:  # a picture that cannot be drawn must not cost the report
                notes.append(f"{fixture.name} cannot be drawn: {error}")
    axes: Figure = {f"{axis}axis": {"title": {"text": f"{axis} (mm)"}} for axis in "xyz"}
    if tips:
        half = max(SEEN_M, 0.6 * float((high - low).max()))
        for axis, middle in zip(axes.values(), 0.5 * (low + high), strict=True):
            axis["range"] = [1e3 * float(middle - half), 1e3 * float(middle + half)]
    camera = {"eye": {"x": 1.2, "y": 1.2, "z": 0.9}, "center": {"x": 0, "y": 0, "z": -0.15}}
    layout = {"scene": {"aspectmode": "cube", "camera": camera, **axes}, "height": 620}
    return {"data": traces, "layout": layout}, notes


def _drawn(fixture: Fixture, around: Array, radius: float, now_s: float, colour: str) -> list[Figure]:
    drawing = draw(fixture, around, radius, now_s).transformed(pose(fixture, now_s))
    if len(drawing.triangles) > MOST_TRIANGLES:
        raise ValueError(f"it has {len(drawing.triangles)} triangles, more than {MOST_TRIANGLES}")
    v = 1e3 * drawing.vertices
    x, y, z = (_values(v[:, axis]) for axis in range(3))
    name = fixture.name + (" (moves; drawn as at the start)" if fixture.motion.moves else "")
    traces: list[Figure] = []
    if len(drawing.triangles):
        i, j, k = (drawing.triangles[:, c].tolist() for c in range(3))
        traces.append(
            {
                "type": "mesh3d", "x": x, "y": y, "z": z, "i": i, "j": j, "k": k, "color": colour,
                "opacity": 0.35, "name": name, "showlegend": True, "hoverinfo": "name", "flatshading": True,
            }
        )  # fmt: skip
    if len(drawing.lines):
        ends = np.full((3 * len(drawing.lines), 3), np.nan)
        ends[0::3], ends[1::3] = v[drawing.lines[:, 0]], v[drawing.lines[:, 1]]
        x, y, z = (_values(ends[:, axis]) for axis in range(3))
        line = {"color": colour, "width": 4}
        traces.append(
            {"type": "scatter3d", "mode": "lines", "x": x, "y": y, "z": z, "name": name, "line": line}
        )
    if len(drawing.points):
        x, y, z = (_values(v[drawing.points][:, axis]) for axis in range(3))
        marker = {"color": colour, "size": 5}
        traces.append(
            {"type": "scatter3d", "mode": "markers", "x": x, "y": y, "z": z, "name": name, "marker": marker}
        )
    return traces
