"""How an outcome of the fault matrix is judged: made-up notes, each with one thing wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hil_tests.fault_tables import HEAD, html, markdown, merge_parts, row, write_part
from hil_tests.faults import Outcome
from hil_tests.judge import DataSheet, judge
from hil_tests.notes import Notes, Seen, Tick


class FakeStack:
    """Height of the arm is its first joint, and every joint may go 1 a second."""

    qd_max = np.ones(2)
    q_min, q_max = -np.ones(2), np.ones(2)

    def clearance(self, q: np.ndarray) -> float:
        return float(q[0])


def _notes(**wrong: Any) -> Notes:
    """200 ms of following, a fault at 100 ms that the controller names after 5 ms."""
    notes = Notes()
    for k in range(200):
        q = [0.01, 0.0005 * k]
        pair = {
            "teleop_state": "FOLLOWING", "reason": "master_late" if k >= 105 else "none",
            "arm_state": "ENABLED", "q_command": q, "p_command_m": [0.0, 0.0, 0.0],
            "violation": False, "rejected": {},
        }  # fmt: skip
        state = {"session": b"s", "q": q, "state": "ENABLED", "reason": "", "rejected": {}}
        if k == 150:
            pair |= wrong.get("pair", {})
            state |= wrong.get("state", {})
        if not (wrong.get("silent") and 110 <= k < 160):
            notes.ticks.append(Tick(k * 1e-3 * wrong.get("slow", 1.0), k, 0, "ENABLED", pair))
        notes.seen.append(Seen(k * 1e-3 * wrong.get("slow", 1.0), state))
    return notes


def _judged(recovered: float | None = 0.3, **wrong: Any) -> Outcome:
    outcome = Outcome("outage", "servo_jp", "free", recovered_s=recovered, notes=_notes(**wrong), begin_s=0.1)
    return judge(FakeStack(), outcome)  # type: ignore[arg-type]


def test_a_good_outcome_has_its_figures_and_nothing_wrong() -> None:
    outcome = _judged()
    assert outcome.wrong == []
    assert outcome.detected_ms == pytest.approx(5.0)
    assert outcome.detected_by == "controller: master_late"
    assert outcome.step == pytest.approx(0.5)
    assert outcome.commanded_um == outcome.clearance_um == pytest.approx(10_000.0)
    assert outcome.plot is not None
    assert "outage | servo_jp | free | 5 ms" in markdown([outcome], 60.0)
    left = [Outcome("kill -9", "master", "rest"), Outcome("e-stop", "controller", "rest")]
    assert "Not tried this time: 2 on a process (rest)." in markdown([outcome], 60.0, left)
    assert len(row(outcome)) == len(HEAD)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"pair": {"q_command": [0.01, 0.2]}}, "a command jumped"),
        ({"pair": {"q_command": [-0.001, 0.075]}}, "a command in the forbidden region"),
        ({"pair": {"violation": True}}, "the controller counts a violation"),
        ({"state": {"q": [0.01, 0.2]}}, "the arm jumped"),
        ({"recovered": None}, "it did not recover"),
        ({"silent": True, "slow": 20.0}, "the controller was silent"),
    ],
)
def test_what_is_wrong_is_named(wrong: dict[str, Any], said: str) -> None:
    assert any(said in text for text in _judged(**wrong).wrong)


def _inside(um: float) -> Outcome:
    """An arm that reads so far inside for a moment."""
    notes = _notes()
    for k in range(120, 126):
        notes.seen[k].m["q"] = [-1e-6 * um, notes.seen[k].m["q"][1]]
    inside = Outcome("f", "servo_jp", "contact", recovered_s=0.0, notes=notes, begin_s=0.1)
    return judge(FakeStack(), inside)  # type: ignore[arg-type]


def test_an_arm_further_inside_than_its_own_error_is_named() -> None:
    # Three counts of 2 rad / 2^20, one metre to the radian, and a floor that does not bend.
    sheet = DataSheet.simulated(FakeStack.q_min, FakeStack.q_max)
    error_um = sheet.error_um(FakeStack(), np.zeros(2), np.ones(2))  # type: ignore[arg-type]
    assert error_um == pytest.approx(3.0 * 2.0 / 2**20 * 1e6)
    assert not any("the arm in" in w for w in _inside(0.99 * error_um).wrong)
    assert any("the arm in" in w for w in _inside(1.01 * error_um).wrong)


class Wrist(FakeStack):
    """A tool of 10 mm that turns with its first joint; its height is ``L cos q``."""

    def clearance(self, q: np.ndarray) -> float:
        return float(0.01 * np.cos(q[0]))


def test_the_chord_that_a_servo_cuts_is_that_of_its_average_of_past_commands() -> None:
    sheet = DataSheet.simulated(FakeStack.q_min, FakeStack.q_max)
    still = sheet.error_um(Wrist(), np.zeros(2), np.zeros(2))  # type: ignore[arg-type]
    turning = sheet.error_um(Wrist(), np.zeros(2), np.array([9.0, 0.0]))  # type: ignore[arg-type]
    # The response of w^2/(s+w)^2 to L (1 - cos) of a steady turn: delays t with density w^2 t exp(-w t).
    t = np.linspace(0.0, 20.0 / sheet.w, 20_001)
    density = sheet.w**2 * t * np.exp(-sheet.w * t) * (t[1] - t[0])
    mean = float(density @ t)
    bend_um = 1e6 * 0.01 * float(density @ (1.0 - np.cos(9.0 * (t - mean))))
    assert turning - still == pytest.approx(bend_um, rel=0.01)


@pytest.mark.parametrize(("measured_um", "excused"), [(-2.0, True), (-0.5, False), (1.0, False)])
def test_a_command_inside_is_excused_only_as_deep_as_the_arm_that_was_enabled_was_measured(
    measured_um: float, excused: bool
) -> None:
    notes = _notes()
    for k in range(60):
        notes.ticks[k].pair |= {"arm_state": "DISABLED", "teleop_state": "IDLE"}
    for k in range(60, 80):
        notes.ticks[k].pair["q_command"] = [-1e-6, notes.ticks[k].pair["q_command"][1]]
    for k in range(80):
        notes.seen[k].m["q"] = [1e-6 * measured_um, notes.seen[k].m["q"][1]]
    outcome = Outcome("f", "servo_jp", "contact", recovered_s=0.0, notes=notes, begin_s=0.1)
    wrong = judge(FakeStack(), outcome).wrong  # type: ignore[arg-type]
    assert any("a command in the forbidden region" in w for w in wrong) is not excused


def test_parts_of_a_matrix_are_merged_with_their_pictures(tmp_path: Path) -> None:
    first, second = _judged(), _judged()
    second.fault = "delay"
    for name, outcome in (("a", first), ("b", second)):
        write_part(tmp_path / name, [outcome], 30.0)
    outcomes, seconds = merge_parts([tmp_path / "a", tmp_path / "b"])
    assert seconds == 60.0
    assert [row(o) for o in outcomes] == [row(first), row(second)]
    text = html(outcomes)
    assert text.count("<svg") == 2
