"""A driver that speaks CURVE, tested directly and through a proxy that has keys too."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from hil_tests.under_test import ROOT
from teleop.cli.keys import make_session_keys
from teleop.conform.command import run
from teleop.errors import TrocarError
from teleop.wire.errors import KeyFileError
from teleop.wire.keys import SECRET
from tests.wire.ports import free_base

SESSION = """
name = "locked"
[security]
keys_dir = "keys"
[[pairs]]
name = "right"
[pairs.master]
name = "hand"
external = true
[pairs.arm]
name = "PSM1"
profile = "psm_lnd_400006"
endpoint = "{real}"
"""
RULES = ("identity", "lease.single", "garbage.disabled", "motion.echo", "estop.latch")
WHOLE = {"excursion": ",".join(["10"] * 6), "speed": ",".join(["50"] * 6)}


class Locked:
    """A simulated arm over tcp with keys; ``keys`` is the folder of all of them."""

    def __init__(self, folder: Path) -> None:
        self.real, self.shown = free_base(), free_base()
        self.session, self.keys = folder / "s.toml", folder / "keys"
        self.session.write_text(SESSION.format(real=self.real))
        assert make_session_keys(self.session, (), overrides=()) == 0
        self.log = folder / "log.txt"
        self.processes: list[subprocess.Popen[bytes]] = []
        self.start("arm", str(self.session), "--set", f'runtime_dir="{folder / "run"}"')

    def start(self, *words: str) -> None:
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "teleop", *words], stdout=log, stderr=log, cwd=ROOT
            )
        self.processes.append(process)

    def conform(self, endpoint: str) -> int:
        return run(
            endpoint, rules=RULES, keys_dir=self.keys, arm="PSM1", allow_motion=True, allow_homing=True,
            timeout_s=90.0, **WHOLE,
        )  # fmt: skip

    def close(self) -> str:
        for process in self.processes:
            process.terminate()
            process.wait(20)
        return self.log.read_text()


@pytest.fixture
def locked(tmp_path: Path) -> Iterator[Locked]:
    running = Locked(tmp_path)
    yield running
    running.close()


@pytest.mark.process
def test_a_driver_with_keys_is_tested_with_the_controllers_directly_and_through_a_proxy(
    locked: Locked, capsys: pytest.CaptureFixture[str]
) -> None:
    assert locked.conform(locked.real) == 0
    locked.start(
        "impair", "--role", "arm", "--real", locked.real, "--shown", locked.shown,
        "--keys", str(locked.keys), "--participant", "PSM1", "--preset", "lan",
    )  # fmt: skip
    assert locked.conform(locked.shown) == 0
    with pytest.raises(TrocarError, match="speaks CURVE answers nobody without keys"):
        run(locked.shown, rules=("identity",))
    written = locked.close() + "".join(capsys.readouterr())
    assert "impair measured_js: offered" in written
    for file in locked.keys.glob(f"*{SECRET}"):
        assert file.read_text().split('secret-key = "')[1].split('"')[0] not in written


def test_keys_without_the_arms_name_and_missing_keys_are_refused(tmp_path: Path) -> None:
    with pytest.raises(TrocarError, match="--keys and --arm belong together"):
        run("tcp://127.0.0.1:5610", keys_dir=tmp_path)
    with pytest.raises(KeyFileError, match=r"controller\.key_secret: there is no such key"):
        run("tcp://127.0.0.1:5610", keys_dir=tmp_path, arm="PSM1")
    with pytest.raises(
        TrocarError, match=r"refused to connect to tcp://10\.0\.0\.1:5613: without CURVE keys"
    ):
        run("tcp://10.0.0.1:5610")
