from __future__ import annotations

import json
from pathlib import Path

import pytest

from teleop.doctor import run_doctor

pytestmark = pytest.mark.process


@pytest.mark.slow
def test_the_doctor_measures_this_machine_idle_and_loaded_and_gives_a_verdict(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "doctor.json"
    status = run_doctor(seconds=1.0, load=True, json_file=file)
    text = capsys.readouterr().out
    print(text)
    report = json.loads(file.read_text())
    assert status == (0 if report["fit"] else 1)
    assert ("Yes: " in text) == report["fit"]
    assert [m["load"] for m in report["measurements"]] == [False, True]
    for m in report["measurements"]:
        for kind in ("ordinary", "realtime"):
            summary = m[kind]["summary"]
            # The last wait passes the end, by at most what the machine made it late.
            assert 400 <= summary["ticks"] + summary["skipped"] < 2_000
            assert summary["compute_us"]["p50"] >= 200.0
        assert 0.0 < m["wire"]["round_trip_us"]["p50"] < 100_000.0
