"""How an outcome of the fault matrix is judged: made-up notes, each with one thing wrong."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from hil_tests.fault_matrix import HEAD, markdown, row
from hil_tests.faults import Outcome, judge
from hil_tests.stack import Notes, Seen, Tick


class FakeStack:
    """Height of the arm is its first joint, and every joint may go 1 a second."""

    qd_max = np.ones(2)

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


def test_an_arm_in_the_region_is_named_and_one_within_its_servo_error_is_not() -> None:
    notes = _notes()
    for k in (120, 121, 122, 123, 124):
        notes.seen[k].m["q"] = [-10e-6, notes.seen[k].m["q"][1]]
    inside = Outcome("f", "servo_jp", "contact", recovered_s=0.0, notes=notes, begin_s=0.1)
    assert "the arm in the forbidden region" not in judge(FakeStack(), inside).wrong  # type: ignore[arg-type]
    notes = _notes()
    for k in (120, 121, 122, 123, 124):
        notes.seen[k].m["q"] = [-50e-6, notes.seen[k].m["q"][1]]
    inside = Outcome("f", "servo_jp", "contact", recovered_s=0.0, notes=notes, begin_s=0.1)
    assert "the arm in the forbidden region" in judge(FakeStack(), inside).wrong  # type: ignore[arg-type]
