"""The conformance test itself: it passes a good driver, catches bad ones, and moves nothing unasked.

Every bad driver there is runs in ``make hil-catches``; here is one of each kind.
"""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from hil_tests.under_test import bad_driver, open_bench
from teleop.conform import RULES, Bounds, Finding, Needs, Result, Verdict, run_rule, run_rules
from teleop.conform.command import choose, run
from teleop.conform.page import page, rules_section
from teleop.conform.plot import Plot
from teleop.conform.report import as_json, as_junit, closing, line
from teleop.errors import TrocarError

RULE = {rule.id: rule for rule in RULES}
QUICK = (
    *("identity.info", "state.message", "lease.single", "lease.stranger", "garbage.disabled"),
    *("motion.echo", "admission.old", "admission.expired", "admission.step", "admission.not_finite"),
    *("silence.hold", "silence.stop", "estop.latch", "estop.reset_fault", "estop.motion"),
)
CAUGHT = (
    ("ignores_lease", "admission.lease"),
    ("executes_stale", "admission.expired"),
    ("accepts_nan", "admission.not_finite"),
    ("no_watchdog", "silence.hold"),
    ("stops_dead", "silence.stop"),
    ("no_echo", "motion.echo"),
    ("slow_estop", "estop.motion"),
    ("estop_cleared_by_disable", "estop.latch"),
    ("anybody_resets_faults", "estop.reset_fault"),
)


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with bad_driver("good", tmp_path_factory.mktemp("good")) as (endpoint, _):
        yield endpoint


@pytest.mark.process
def test_the_example_driver_passes(good: str) -> None:
    with open_bench(good) as bench:
        results = run_rules(bench, [RULE[name] for name in QUICK])
        state = bench.state.m["state"]
    print("\n".join(map(line, results)))
    assert [r.rule.id for r in results if r.finding.verdict is not Verdict.PASS] == []
    assert state == "DISABLED"


@pytest.mark.process
@pytest.mark.parametrize(("name", "rule"), CAUGHT)
def test_a_bad_driver_is_caught(name: str, rule: str, tmp_path: Path) -> None:
    with bad_driver(name, tmp_path) as (endpoint, _), open_bench(endpoint) as bench:
        result = run_rule(bench, RULE[rule])
    assert result.finding.verdict is Verdict.FAIL, result.finding.measured


@pytest.mark.process
def test_without_permission_nothing_is_enabled_and_nothing_moves(good: str) -> None:
    with open_bench(good, bounds=None) as bench:
        before = bench.q
        results = run_rules(bench, [r for r in RULES if r.needs is not Needs.WIRE])
        assert {r.finding.verdict for r in results} == {Verdict.SKIP}
        assert np.array_equal(bench.q, before)
        assert bench.state.m["state"] == "DISABLED"


@pytest.mark.process
def test_within_bounds_the_arm_is_not_led_outside_and_what_could_lead_it_there_is_skipped(good: str) -> None:
    bounds = Bounds((0.02, 0.02, 0.0, 0.0, 0.0, 0.0), (0.2, 0.2, 0.0, 0.0, 0.0, 0.0))
    names = ("motion.follow", "silence.stop", "admission.step", "admission.velocity", "admission.not_finite")
    with open_bench(good, bounds=bounds) as bench:
        bench.ready()
        start, far = bench.q_start, np.zeros(bench.n)
        for name in names[:2]:
            result = run_rule(bench, RULE[name])
            assert result.finding.verdict is Verdict.PASS, result.finding.measured
            seen = np.array([s.m["q"] for s in bench.probe.log.states])
            far = np.maximum(far, np.abs(seen - start).max(axis=0))
        assert {run_rule(bench, RULE[n]).finding.verdict for n in names[2:]} == {Verdict.SKIP}
        bench.release()
    assert far[0] > 0.005
    assert (far <= np.array(bounds.excursion) + 1e-6).all()


@pytest.mark.process
def test_the_command_writes_json_junit_and_a_page(good: str, tmp_path: Path) -> None:
    files = {name: tmp_path / name for name in ("c.json", "c.xml", "c.html")}
    status = run(
        good,
        rules=("identity", "motion.hold"),
        json_file=files["c.json"],
        junit_file=files["c.xml"],
        html_file=files["c.html"],
    )
    assert status == 0
    found = json.loads(files["c.json"].read_text())
    assert (found["passed"], found["failed"], found["skipped"]) == (1, 0, 1)
    assert found["rules"][0]["id"] == "identity.info"
    assert ET.parse(files["c.xml"]).getroot().attrib["tests"] == "2"
    text = files["c.html"].read_text()
    assert "identity.info" in text
    assert "<script" not in text
    assert "http" not in text.replace("http://www.w3.org/2000/svg", "")


def test_nobody_there_is_said_with_the_address(tmp_path: Path) -> None:
    with pytest.raises(TrocarError, match=r"nobody answers at ipc:///"):
        run(f"ipc://{tmp_path}/nobody")


def test_motion_without_bounds_and_bounds_without_motion_are_refused() -> None:
    with pytest.raises(TrocarError, match="needs explicit bounds"):
        run("ipc:///nowhere", allow_motion=True)
    with pytest.raises(TrocarError, match="without --allow-motion"):
        run("ipc:///nowhere", excursion="1,2")


@pytest.mark.parametrize(
    ("bounds", "match"),
    [
        (Bounds((0.1,), (0.1, 0.1)), "excursion has 1 numbers, the arm 2 joints: a, b"),
        (Bounds((0.1, -1.0), (0.1, float("nan"))), "(?s)excursion must be.*speed must be"),
        (Bounds((0.1, 0.0), (0.0, 0.1)), "no joint may move"),
    ],
)
def test_wrong_bounds_are_all_named(bounds: Bounds, match: str) -> None:
    with pytest.raises(TrocarError, match=match):
        bounds.check(("a", "b"))


def test_bounds_count_the_end_of_the_stop() -> None:
    bounds = Bounds((0.1,), (1.0,))
    start, q, qd = np.zeros(1), np.array([0.09]), np.array([0.5])
    assert bounds.allow(start, q, qd, 0.03)
    assert not bounds.allow(start, q, qd, 0.05)
    assert not bounds.allow(start, q, 3.0 * qd, 0.0)


def test_an_unknown_rule_lists_those_there_are() -> None:
    with pytest.raises(TrocarError, match=r"no rule nonsense; there are: identity\.info"):
        choose(("nonsense",))
    assert [r.id for r in choose(("estop",))] == ["estop.latch", "estop.reset_fault", "estop.motion"]


def test_a_failure_says_what_was_demanded_and_why_in_every_report() -> None:
    plot = Plot("speed <&>", "s", "m/s", (("one", [0.0, 1.0], [1.0, float("nan")]),), (("here", 0.5),))
    bad = Result(RULE["estop.latch"], Finding(Verdict.FAIL, "not \x00 latched <&>", (plot,)), 0.1)
    assert "why" in line(bad)
    assert "NOT safe to use" in closing("arm", [bad])
    assert as_json("ipc:///x", {}, [bad])["failed"] == 1
    failure = ET.fromstring(as_junit("arm", [bad]).partition("\n")[2]).find("testcase/failure")
    assert failure is not None
    assert "not ? latched <&>" in failure.attrib["message"]
    text = page("title", "sub", [rules_section("rules", [bad])])
    assert "speed &lt;&amp;&gt;" in text
    assert '<td class="fail">fail</td>' in text


def test_the_docs_name_every_rule() -> None:
    text = (Path(__file__).parents[2] / "docs" / "conform.md").read_text()
    assert [rule.id for rule in RULES if f"`{rule.id}`" not in text] == []
