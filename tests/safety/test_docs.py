"""docs/safety.md names a test for each fault; the tests exist, and every latched reason is in the table."""

import re
from pathlib import Path

import pytest

from teleop.safety.reasons import Reason

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "safety.md").read_text(encoding="utf-8")
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in TEXT.splitlines()
    if line.startswith("|") and not line.startswith(("|---", "| fault"))
]
TESTS = {
    name
    for path in (ROOT / "tests").rglob("test_*.py")
    for name in re.findall(r"^def (test_\w+)", path.read_text(encoding="utf-8"), re.MULTILINE)
}
# What is no fault: states a person asked for or passes through.
ORDINARY = {
    *("none", "not_enabled", "paused", "not_engaged", "clutched", "aligning", "master_absent"),
    *("master_recovering", "arm_absent", "arm_busy", "arm_not_homed", "arm_restarted"),
}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0][:60])
def test_every_row_is_whole_and_names_a_test_that_exists(row: list[str]) -> None:
    assert len(row) == 6
    fault, detected_by, within, reaction, _, test = row
    assert all((fault, detected_by, within, reaction))
    assert test.strip("`") in TESTS


def test_every_reason_that_a_fault_can_have_is_in_the_table() -> None:
    named = set(re.findall(r"`([a-z_]+)`", "\n".join(" ".join(row) for row in ROWS)))
    assert {r.code for r in Reason} - ORDINARY <= named


def test_there_is_a_row_for_each_of_the_faults_we_promised_to_cover() -> None:
    assert len(ROWS) >= 35
