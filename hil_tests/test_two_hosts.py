"""Controller and hand on one host, arm on another, tcp with keys between them, and a cable that is pulled."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from hil_tests.conftest import Rig, Story
from hil_tests.two_hosts import AHEAD_S, FIRST, SECOND, Cable, refusal, two_hosts
from hil_tests.under_test import ROOT
from teleop.cli.keys import make_session_keys
from teleop.supervisor.child import tethered
from teleop.wire.keys import SECRET

SESSION = f"""
name = "two-hosts"
controller_endpoint = "tcp://{FIRST}:5600"
[security]
keys_dir = "keys"
[loop]
spin_us = 0
[[pairs]]
name = "right"
[pairs.master]
name = "surgeon"
profile = "synthetic"
[pairs.arm]
name = "PSM1"
profile = "psm_lnd_400006"
endpoint = "tcp://{SECOND}:5800"
external = true
"""
# Runs on the first host, with the operator's key: what the controller says, one line of JSON a message.
WATCH = """
import json, sys, time
from pathlib import Path
from teleop.config import load_session
from teleop.wire.endpoints import Participant
from teleop.wire.messages import Telemetry
from teleop.wire.sockets import QueueSubscriber, open_context
from teleop.wire.streams import Role
session = load_session(Path(sys.argv[1]))
with open_context(session.keyring("operator")) as context:
    own = Participant(Role.CONTROLLER, "controller", session.controller_endpoint)
    telemetry = QueueSubscriber(context, own.channel("telemetry"), Telemetry)
    while True:
        time.sleep(0.02)
        while (m := telemetry.receive()) is not None:
            p = m.pairs[0]
            print(json.dumps([m.stamp_ns, p.teleop_state, p.reason, p.q_command, p.q_measured]), flush=True)
"""


class Hosts:
    """The processes on both of them."""

    def __init__(self, cable: Cable, folder: Path) -> None:
        self.cable, self.session = cable, folder / "s.toml"
        self.session.write_text(SESSION)
        assert make_session_keys(self.session, (), overrides=()) == 0
        self.keys = folder / "keys"
        self.log, self.json = folder / "log.txt", folder / "summary.json"
        self.processes: list[subprocess.Popen[bytes]] = []
        run_dirs = [f'runtime_dir="{folder / name}"' for name in ("a", "b")]
        trocar = [sys.executable, "-m", "teleop"]
        self._start(cable.on_second([*trocar, "arm", str(self.session), "--set", run_dirs[1]]))
        run = [*trocar, "run", str(self.session), "--json", str(self.json), "--set", run_dirs[0]]
        self.run = self._start(cable.on_first(run))
        self.seen = folder / "seen.txt"
        with self.seen.open("wb") as out:
            self._start(cable.on_first([sys.executable, "-c", WATCH, str(self.session)]), out)

    def _start(self, words: list[str], out: Any = None) -> subprocess.Popen[bytes]:
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                tethered(words), stdout=out or log, stderr=log, cwd=ROOT, stdin=subprocess.DEVNULL
            )
        self.processes.append(process)
        return process

    def ticks(self) -> list[list[Any]]:
        """What the controller said until now: stamp, state, reason, commanded and measured joints."""
        text = self.seen.read_text()
        return [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines()]

    def wait(self, state: str, timeout_s: float = 180.0) -> list[Any]:
        end = time.monotonic() + timeout_s
        while time.monotonic() < end and self.run.poll() is None:
            ticks = self.ticks()
            if ticks and ticks[-1][1] == state:
                return ticks[-1]
            time.sleep(0.2)
        raise AssertionError(f"not {state}: {self.ticks()[-1:]}\n{self.log.read_text()[-3000:]}")

    def close(self) -> None:
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@pytest.fixture
def hosts(rig: Rig, tmp_path: Path) -> Iterator[Hosts]:
    if rig.driver is None:
        pytest.skip("starts a simulated arm of its own: rig sim only")
    if why := refusal():
        pytest.skip(f"two hosts are not permitted here: {why}")
    with two_hosts() as cable:
        running = Hosts(cable, tmp_path)
        try:
            yield running
        finally:
            running.close()


def test_a_session_across_two_hosts_follows_stops_when_the_cable_is_pulled_and_follows_again(
    hosts: Hosts, story: Story
) -> None:
    hosts.wait("FOLLOWING")
    time.sleep(3.0)
    before = len(hosts.ticks())
    hosts.cable.pull()
    time.sleep(3.0)
    pulled = hosts.ticks()[before:]
    first = next(t for t in pulled if t[1] != "FOLLOWING")
    hosts.cable.plug_in()
    hosts.wait("FOLLOWING", 60.0)
    time.sleep(2.0)
    ticks = hosts.ticks()
    gap_ms = max((b[0] - a[0]) * 1e-6 for a, b in pairwise(ticks))
    following = sum(t[1] == "FOLLOWING" for t in ticks) / len(ticks)
    hosts.run.send_signal(2)
    assert hosts.run.wait(30) == 0, hosts.log.read_text()[-3000:]
    summary = json.loads(hosts.json.read_text())
    text = (
        f"clocks {AHEAD_S} s apart; when the cable was pulled: {first[2]}; followed again when it was back; "
        f"{summary['violations']} violations, longest time between ticks {gap_ms:.0f} ms, "
        f"followed {100 * following:.0f} %"
    )
    written = hosts.log.read_text()
    secrets = [f.read_text().split('secret-key = "')[1].split('"')[0] for f in hosts.keys.glob(f"*{SECRET}")]
    good = summary["violations"] == 0 and all(t[1] != "FOLLOWING" for t in pulled[-100:])
    good = good and not any(secret in written for secret in secrets)
    story.tell("Two hosts, tcp with keys", text, "stops, follows again, no secret in a log", good)
