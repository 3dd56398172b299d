"""The command line as a user types it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from teleop.config.toml import profiles_dir

DEMO = profiles_dir() / "sessions" / "demo.toml"
GUARD = profiles_dir() / "fixtures" / "vessel_guard.toml"


def _trocar(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "teleop", *words], capture_output=True, text=True, timeout=120, check=False
    )


@pytest.mark.parametrize("command", ["demo", "run", "controller", "arm", "master", "send", "check", "doctor"])
def test_every_command_explains_itself(command: str) -> None:
    done = _trocar(command, "--help")
    assert done.returncode == 0
    assert len(done.stdout.splitlines()) > 4


def test_check_says_that_a_good_session_is_good_and_prints_it_whole() -> None:
    done = _trocar("check", str(DEMO))
    assert done.returncode == 0, done.stderr
    assert "good. surgeon -> PSM1 (psm_lnd_400006)" in done.stdout
    effective = json.loads(_trocar("check", str(DEMO), "--effective").stdout)
    assert effective["pairs"][0]["arm"]["model"]["joints"][2]["name"] == "insertion"


def test_check_looks_at_a_file_of_fixtures_on_a_session_or_at_one_of_the_gallery() -> None:
    for named in (str(GUARD), GUARD.stem):
        done = _trocar("check", "demo", "--fixtures", named, "--effective")
        assert done.returncode == 0, done.stderr
        assert [f["name"] for f in json.loads(done.stdout)["fixture"]] == ["artery", "slow near the artery"]


def test_check_prints_every_mistake_of_every_file_and_exits_with_2(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}.toml").write_text('name = "x"\nparis = []\n')
    done = _trocar("check", str(tmp_path / "a.toml"), str(tmp_path / "b.toml"))
    assert done.returncode == 2
    assert done.stderr.count("paris: there is no such key. Did you mean `pairs`?") == 2
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("run", "missing.toml"), "missing.toml: there is no such file"),
        (("arm", str(DEMO), "--name", "PSM2"), "there is no arm 'PSM2'. Did you mean `PSM1`?"),
        (("run", str(DEMO), "--set", "pairs[0].arm.profile=nothing"), "there is no profile 'nothing'"),
        (("send", str(DEMO), "set_scale", "0.2"), "'0.2' is not key=value"),
        (("check", str(GUARD)), f"a file of fixtures is no session. `trocar check demo --fixtures {GUARD}`"),
    ],
)
def test_bad_input_is_told_in_a_sentence_with_exit_status_2(words: tuple[str, ...], said: str) -> None:
    done = _trocar(*words)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr + done.stdout


def test_a_request_to_nobody_says_so(tmp_path: Path) -> None:
    done = _trocar("send", str(DEMO), "enable", "--set", f'runtime_dir="{tmp_path}"')
    assert done.returncode == 1
    assert "is that process running?" in done.stderr
