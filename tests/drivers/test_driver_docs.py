"""The page for authors of drivers says what the code does."""

from __future__ import annotations

from pathlib import Path

import pytest

from teleop.drivers.admission import Reject
from teleop.drivers.contract import State
from teleop.drivers.requests import OPS
from teleop.drivers.sim.spec import OwnLimits, SimArmSpec

PAGE = (Path(__file__).parents[2] / "docs" / "arm-driver.md").read_text()
ROWS = [line for line in PAGE.splitlines() if line.startswith("|")]


@pytest.mark.parametrize("reason", list(Reject))
def test_every_reason_for_a_reject_is_in_the_table(reason: Reject) -> None:
    assert any(f"`{reason}`" in row for row in ROWS)


@pytest.mark.parametrize("op", OPS)
def test_every_request_is_in_the_table(op: str) -> None:
    assert any(row.startswith(f"| `{op}") for row in ROWS)


@pytest.mark.parametrize("state", list(State))
def test_every_state_is_explained(state: State) -> None:
    assert f" {state}" in PAGE


@pytest.mark.parametrize("key", [*SimArmSpec.model_fields, *OwnLimits.model_fields])
def test_every_setting_of_the_simulated_arm_is_in_the_table(key: str) -> None:
    names = [name for row in ROWS for cell in row.split("|")[1:2] for name in cell.replace(".", " ").split()]
    assert key in {name.strip("`,") for name in names}


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("rate_hz", "1000"),
        ("bandwidth_hz", "40, 1.0"),
        ("delay_ms", "1.0"),
        ("rate_headroom", "1.2, 2.0"),
        ("encoder_counts", "1048576"),
        ("noise_counts", "0.5"),
        ("seed", "0"),
        ("homing_s", "1.0, 0.2"),
        ("lease_ttl_s", "1.0"),
        ("stop_max_s", "2.0"),
    ],
)
def test_the_defaults_in_the_table_are_those_of_the_code(key: str, text: str) -> None:
    row = next(row for row in ROWS if row.startswith(f"| `{key}`"))
    names = [name.strip(" `") for name in row.split("|")[1].split(",")]
    assert row.rstrip(" |").endswith(f"| {text}")
    assert [getattr(SimArmSpec(), name) for name in names] == [float(number) for number in text.split(",")]
