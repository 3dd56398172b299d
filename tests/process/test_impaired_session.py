"""`trocar run` of a session with `[[impair]]`: the controller reaches the arm through the proxy alone."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from teleop.supervisor.child import tethered

DEMO = Path(__file__).parents[2] / "configs" / "sessions" / "demo.toml"
# One command in ten is lost, and the state comes late.
IMPAIR = (
    '\n[[impair]]\nparticipant = "PSM1"\nstreams.servo_jp.loss = 0.1\nstreams.measured_js.delay_ms = 3.0\n'
)


@pytest.mark.process
def test_a_session_with_a_bad_network_in_it_runs_follows_and_keeps_out(tmp_path: Path) -> None:
    file, summary = tmp_path / "bad.toml", tmp_path / "summary.json"
    file.write_text(DEMO.read_text() + IMPAIR)
    words = ["run", str(file), "--seconds", "8", "--json", str(summary), "--set", f'runtime_dir="{tmp_path}"']
    done = subprocess.run(
        tethered([sys.executable, "-m", "teleop", *words]),
        capture_output=True, text=True, timeout=180.0, check=False, cwd=DEMO.parent,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    told = json.loads(summary.read_text())
    assert told["states"]["FOLLOWING"] > 1.0, told["reasons"]
    assert told["violations"] == 0
