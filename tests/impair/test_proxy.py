"""The proxy between real sockets: every pattern passes, is impaired, and clients stay apart."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgpack
import pytest
import zmq

from hil_tests.under_test import bad_driver, open_bench
from teleop.config import ConfigError, load_session
from teleop.conform import RULES, Verdict, run_rule

DEMO = Path(__file__).parents[2] / "configs" / "sessions" / "demo.toml"
RULE = {rule.id: rule for rule in RULES}


class Impaired:
    """A good driver behind a proxy."""

    def __init__(self, folder: Path, real: str) -> None:
        self.folder, self.shown = folder, f"ipc://{folder}/shown"
        self.json = folder / "statistics.json"
        self.process = subprocess.Popen(
            [
                *(
                    sys.executable,
                    "-m",
                    "teleop",
                    "impair",
                    "--role",
                    "arm",
                    "--real",
                    real,
                    "--shown",
                    self.shown,
                ),
                *("--control", f"ipc://{folder}/control", "--json", str(self.json)),
            ],
            stderr=subprocess.PIPE,
            text=True,
        )
        self.context = zmq.Context()
        self.control = self.context.socket(zmq.REQ)
        self.control.setsockopt(zmq.LINGER, 0)
        self.control.connect(f"ipc://{folder}/control")

    def ask(self, op: str, **args: Any) -> Any:
        self.control.send(msgpack.packb({"op": op, "args": args}))
        assert self.control.poll(60_000)
        reply = msgpack.unpackb(self.control.recv())
        assert reply["ok"], reply
        return reply["result"]

    def close(self) -> str:
        self.process.terminate()
        _, errors = self.process.communicate(timeout=20)
        self.context.destroy(linger=0)
        return errors


@pytest.fixture
def impaired(tmp_path: Path) -> Iterator[Impaired]:
    with bad_driver("good", tmp_path) as (endpoint, _):
        proxy = Impaired(tmp_path, endpoint)
        try:
            yield proxy
        finally:
            if proxy.process.poll() is None:
                proxy.close()


@pytest.mark.process
def test_a_driver_behind_a_perfect_proxy_conforms_and_each_client_keeps_its_own_lease(
    impaired: Impaired,
) -> None:
    impaired.ask("stats")
    names = ("identity.info", "lease.single", "lease.stranger", "motion.echo", "admission.old", "estop.latch")
    with open_bench(impaired.shown) as bench:
        findings = {name: run_rule(bench, RULE[name]).finding for name in names}
    assert {n: f.measured for n, f in findings.items() if f.verdict is not Verdict.PASS} == {}


@pytest.mark.process
def test_what_is_set_happens_and_is_counted(impaired: Impaired) -> None:
    impaired.ask("stats")
    with open_bench(impaired.shown) as bench:
        bench.ready()
        # 30 ms later, so the echo is that much older; over the wire alone, as a controller would see it.
        impaired.ask("set", streams=["servo_jp"], impair={"delay_ms": 30.0})
        bench.probe.pump(0.3, bench.hold)
        bench.ready()  # on a late machine the gap before the first delayed command has disabled it
        bench.probe.cut()
        bench.probe.pump(0.3, bench.hold)
        age_ms = [(s.at_ns - s.m["echo_stamp_ns"]) * 1e-6 for s in bench.probe.log.states]
        assert 30.0 <= min(age_ms) < 60.0
        impaired.ask("set", streams=["servo_jp"], impair={"outage": True})
        bench.probe.pump(0.3, bench.hold)
        assert bench.state.m["state"] == "DISABLED"
        impaired.ask("set", streams=[])
        bench.ready()
        bench.release()
    statistics = impaired.ask("stats")
    assert statistics["servo_jp"]["outage"] > 20
    assert statistics["measured_js"]["delivered"] == statistics["measured_js"]["offered"] > 500
    errors = impaired.close()
    assert "impair servo_jp: offered" in errors
    assert json.loads(impaired.json.read_text())["request"]["offered"] > 3


@pytest.mark.process
def test_a_wrong_question_to_the_control_socket_is_answered_and_changes_nothing(impaired: Impaired) -> None:
    impaired.ask("stats")
    for question in (
        b"\xc1",
        msgpack.packb({"op": "fly"}),
        msgpack.packb({"op": "set", "args": {"impair": {"x": 1}}}),
    ):
        impaired.control.send(question)
        assert impaired.control.poll(5000)
        assert not msgpack.unpackb(impaired.control.recv())["ok"]
    assert impaired.ask("stats") is not None


def test_a_session_may_put_a_proxy_before_an_arm_and_the_controller_then_connects_to_it(
    tmp_path: Path,
) -> None:
    file = tmp_path / "s.toml"
    text = (
        DEMO.read_text()
        + '\n[[impair]]\nparticipant = "PSM1"\npreset = "loss_10"\nstreams.servo_jp.loss = 0.2\n'
    )
    file.write_text(
        text + '[[impair.timeline]]\nat_s = 2.0\nstreams = ["measured_js"]\nimpair = { outage = true }\n'
    )
    session = load_session(file)
    assert session.seen_endpoint("PSM1", None).endswith("/PSM1-impaired")
    assert session.endpoint("PSM1", None).endswith("/PSM1")
    assert session.seen_endpoint("surgeon", None).endswith("/surgeon")
    assert session.spec.impair[0].impairment("servo_jp").loss == 0.2
    assert session.spec.impair[0].impairment("measured_js").loss == 0.1
    assert session.config_hash != load_session(DEMO).config_hash


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ('participant = "PSM2"', "no master or arm 'PSM2'. Did you mean `PSM1`"),
        ('participant = "PSM1"\nstreams.measured_cp.loss = 0.1', "the arm has no stream 'measured_cp'"),
        ('participant = "PSM1"\npreset = "loss_11"', "loss_10"),
    ],
)
def test_a_mistake_in_the_section_is_named(text: str, match: str, tmp_path: Path) -> None:
    file = tmp_path / "s.toml"
    file.write_text(DEMO.read_text() + "\n[[impair]]\n" + text)
    with pytest.raises(ConfigError, match=match):
        load_session(file)
