"""The suite is worth what it catches: each bad driver breaks one rule, and that rule must say so."""

from __future__ import annotations

from pathlib import Path

import pytest

from hil_tests.bad import BAD
from hil_tests.under_test import bad_driver, open_bench
from teleop.conform import RULES, Verdict, run_rule

RULE = {rule.id: rule for rule in RULES}


@pytest.mark.parametrize(("name", "rule"), [(n, r) for n, (_, rules) in BAD.items() for r in rules])
def test_the_rule_catches_the_driver_that_breaks_it(name: str, rule: str, tmp_path: Path) -> None:
    with (
        bad_driver(name, tmp_path) as (endpoint, driver),
        open_bench(endpoint, restart=driver.restart) as bench,
    ):
        result = run_rule(bench, RULE[rule])
    print(f"{name}: {rule}: {result.finding.measured}")
    assert result.finding.verdict is Verdict.FAIL, result.finding.measured


def test_every_rule_has_a_driver_that_breaks_it() -> None:
    broken = {rule for _, rules in BAD.values() for rule in rules}
    assert {rule.id for rule in RULES} == broken
