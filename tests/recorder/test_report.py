"""The report: figures for a machine, a page for a person."""

from __future__ import annotations

import base64
import gzip
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from teleop.config.errors import ConfigError
from teleop.recorder.read import read_recording
from teleop.recorder.report import figures
from teleop.recorder.report.checks import Thresholds, check, read_thresholds
from teleop.recorder.report.command import run as report
from teleop.recorder.report.series import load_run
from teleop.recorder.report.summary import fixtures_of, summarise

from .theatre import FLOOR, floor_toml, theatre

GUIDE = """
[[fixture]]
kind = "guide_plane"
name = "sheet"
compliance = 0.5
pose = { position_m = [0.0, 0.0, -0.11] }
"""


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    made = theatre(folder, pairs=1, extra=floor_toml())
    made.bring_up()
    made.ask(400, "set_fixture", fixture={**FLOOR, "name": "late<floor>"})
    made.ask(2500, "pause")
    made.estops[4000] = ("console", "tests <stop>")
    made.run(4600)
    return made.save(folder / "a.mcap")


def summary_of(path: Path) -> dict[str, Any]:
    run = load_run(read_recording(path))
    return summarise(run, fixtures_of(run)[0])


def test_the_figures_are_those_of_the_run(recorded: Path) -> None:
    summary = summary_of(recorded)
    assert summary["ticks"] == 4600
    assert summary["seconds"] == pytest.approx(4.6)
    assert summary["violations"] == 0
    assert set(summary["min_clearance_m"]) == {"floor", "late<floor>"}
    assert 0.0 <= min(summary["min_clearance_m"].values()) < 1e-3
    assert summary["states"]["FOLLOWING"] > 1.0
    assert summary["fault_s"] == pytest.approx(0.6, abs=0.01)
    assert summary["compute_us"] == {"p50": 100.0, "p99": 100.0, "p99_9": 100.0, "max": 100.0}
    assert summary["latency_us"]["max"] == 300.0
    skill = summary["pairs"]["pair0"]["skill"]
    assert skill["path_length_m"] > 0.01
    assert skill["clutches"] >= 1
    assert sum(summary["states"].values()) == pytest.approx(4.6)


def test_a_page_needs_nothing_from_outside_and_says_what_happened(recorded: Path, tmp_path: Path) -> None:
    out = tmp_path / "r.html"
    assert report(recorded, out=out, json_file=None, compare=None, thresholds=Thresholds()) == 0
    page = out.read_text(encoding="utf-8")
    assert len(page) < 2_500_000
    scripts = dict(re.findall(r'<script type="application/octet-stream" id="(\w+)">([^<]*)</script>', page))
    library = gzip.decompress(base64.b64decode(scripts["library"])).decode()
    assert "plotly.js (gl3d - minified)" in library
    plots = json.loads(gzip.decompress(base64.b64decode(scripts["figures"])))
    assert {"timeline", "clearance", "path", "timing", "latency", "tracking", "tremor"} <= set(plots)
    assert {t["type"] for t in plots["path"]["data"]} == {"scatter3d", "mesh3d"}
    for name in plots:
        assert f'id="{name}"' in page

    found: list[str] = []

    class Links(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            found.extend(value or "" for key, value in attrs if key in ("src", "href", "action"))

    Links().feed(page)
    assert found == []
    assert "Every command kept out of every forbidden region." in page
    assert "The arm followed the hand for 2.3 of 4.6 s. No fixture had to act on the motion." in page
    assert "tests &lt;stop&gt;" in page
    assert "late<floor>" not in page
    assert "late&lt;floor&gt;" in page


def test_the_timeline_says_when_a_fixture_acted_and_closes_only_short_breaks(recorded: Path) -> None:
    run = load_run(read_recording(recorded))
    acted = np.zeros(4600, dtype=bool)
    acted[1000:1500] = acted[1502:2000] = acted[4000:] = True
    run.pairs[0].acted["floor"] = acted
    (bar,) = (trace for trace in figures.timeline([run])["data"] if trace["y"][0] == "floor")
    assert bar["x"] == pytest.approx([1.0, 2.0, None, 4.0, 4.599, None], abs=1e-6)


def test_thresholds_set_the_exit_status(recorded: Path, tmp_path: Path) -> None:
    file = tmp_path / "r.json"
    bad = Thresholds(max_compute_us=50.0, max_violations=0, min_following_s=0.5)
    assert report(recorded, out=None, json_file=file, compare=None, thresholds=bad) == 1
    told = json.loads(file.read_text())
    assert told["passed"] is False
    assert {c["name"]: c["passed"] for c in told["checks"]} == {
        "max_violations": True,
        "max_compute_us": False,
        "min_following_s": True,
    }
    good = Thresholds(max_compute_us=150.0, max_fault_s=1.0, min_clearance_m=0.0, max_missing=0)
    assert report(recorded, out=None, json_file=file, compare=None, thresholds=good) == 0


def test_a_violation_is_told_and_fails(recorded: Path) -> None:
    run = load_run(read_recording(recorded))
    run.pairs[0].violation[100] = True
    summary = summarise(run, [])
    assert summary["violations"] == 1
    assert [c.passed for c in check(summary, Thresholds())] == [False]


def test_two_runs_side_by_side(recorded: Path, tmp_path: Path) -> None:
    other = theatre(tmp_path, pairs=1, name="other", extra=floor_toml() + GUIDE)
    other.bring_up()
    other.run(1500)
    second = other.save(tmp_path / "b.mcap")
    out, file = tmp_path / "c.html", tmp_path / "c.json"
    assert report(recorded, out=out, json_file=file, compare=second, thresholds=Thresholds()) == 0
    told = json.loads(file.read_text())
    assert told["compared_with"]["ticks"] == 1500
    guidance = told["compared_with"]["pairs"]["pair0"]["guidance"]["sheet"]
    assert 0.0 < guidance["rms_m"] < guidance["max_m"] < 0.05
    assert "b.mcap" in out.read_text()


def test_thresholds_come_from_a_file_and_flags_go_first(tmp_path: Path) -> None:
    path = tmp_path / "t.toml"
    path.write_text("max_overruns = 3\nmax_skipped = 1\n")
    read = read_thresholds(path, {"max_skipped": 7, "max_violations": None})
    assert (read.max_overruns, read.max_skipped, read.max_violations) == (3, 7, 0)
    path.write_text("max_overuns = 3\n")
    with pytest.raises(ConfigError, match="Did you mean `max_overruns`"):
        read_thresholds(path, {})


def test_thinning_keeps_every_peak() -> None:
    t = np.arange(200_000) * 1e-3
    y = np.sin(t)
    y[123_457], y[50_001], y[70_000:90_000] = 9.0, -9.0, np.nan
    x, values = figures.thin(t, y)
    assert len(x) <= figures.POINTS
    known = [v for v in values if v is not None]
    assert (max(known), min(known)) == (9.0, -9.0)
    assert None in values
