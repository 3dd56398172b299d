"""Arm, master and controller as three programs over tcp, with the keys that `trocar keys` made."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from teleop.supervisor.child import tethered
from teleop.wire.keys import SECRET
from tests.wire.ports import free_base

from .session import START_S

SESSION = """
name = "keyed"
controller_endpoint = "{controller}"
[security]
keys_dir = "keys"
[loop]
spin_us = 0
[[pairs]]
name = "right"
[pairs.master]
name = "surgeon"
profile = "synthetic"
endpoint = "{master}"
[pairs.arm]
name = "PSM1"
profile = "psm_lnd_400006"
endpoint = "{arm}"
"""


class Keyed:
    """The three programs, and the requests of an operator."""

    def __init__(self, folder: Path) -> None:
        self.file, self.log, self.json = folder / "s.toml", folder / "log.txt", folder / "summary.json"
        self.file.write_text(SESSION.format(controller=free_base(8), master=free_base(), arm=free_base()))
        self.keys = folder / "keys"
        made = subprocess.run(
            [*self.words("keys"), str(self.file)], capture_output=True, text=True, check=False
        )
        assert made.returncode == 0, made.stderr
        self.said = made.stdout + made.stderr
        self.processes = [
            self.start("arm"),
            self.start("master"),
            self.start("controller", "--json", str(self.json)),
        ]

    @staticmethod
    def words(*words: str) -> list[str]:
        return [sys.executable, "-m", "teleop", *words]

    def start(self, kind: str, *words: str) -> subprocess.Popen[bytes]:
        with self.log.open("ab") as log:
            return subprocess.Popen(
                tethered(self.words(kind, str(self.file), *words)), stdout=log, stderr=log
            )

    def engage(self, timeout_s: float = START_S) -> None:
        """Enable, home and engage, all of it anew after a refusal: on a late machine the lease may lapse.

        Without any claim to the processors: what a program takes to start may make the controller late.
        """
        end = time.monotonic() + timeout_s
        while time.monotonic() < end:
            for op in ("enable", "home", "engage"):
                words = ["nice", "-n", "19", *self.words("send", str(self.file), op)]
                done = subprocess.run(words, capture_output=True, text=True, check=False)
                self.said += done.stdout + done.stderr
                if done.returncode != 0:
                    break
            else:
                return
            time.sleep(0.2)
        raise AssertionError(f"{op}: {done.stdout}{done.stderr}\n{self.log.read_text()[-3000:]}")

    def close(self) -> None:
        for process in self.processes:
            if process.poll() is None:
                process.kill()
            process.wait()


@pytest.fixture
def keyed(tmp_path: Path) -> Iterator[Keyed]:
    running = Keyed(tmp_path)
    yield running
    running.close()


@pytest.mark.process
def test_three_programs_with_keys_follow_over_tcp_and_write_no_secret(keyed: Keyed) -> None:
    keyed.engage()
    time.sleep(3.0)
    controller = keyed.processes[-1]
    controller.send_signal(signal.SIGINT)
    assert controller.wait(30.0) == 0, keyed.log.read_text()[-3000:]
    summary = json.loads(keyed.json.read_text())
    assert summary["states"]["FOLLOWING"] > 0.5, summary["reasons"]
    assert summary["violations"] == 0
    written = keyed.log.read_text() + keyed.said + keyed.json.read_text()
    secrets = [f.read_text().split('secret-key = "')[1].split('"')[0] for f in keyed.keys.glob(f"*{SECRET}")]
    assert len(secrets) >= 4
    assert not any(secret in written for secret in secrets)
