"""Every rule of ``trocar conform`` on the rig's driver."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from hil_tests.conftest import Rig, Story
from hil_tests.under_test import open_bench
from teleop.conform import RULES, Bench, Rule, Verdict, run_rule


@pytest.fixture(scope="module")
def bench(rig: Rig) -> Iterator[Bench]:
    restart = None if rig.driver is None else rig.driver.restart
    with open_bench(rig.endpoint, rig.bounds, restart) as bench:
        yield bench
        bench.release()


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_rule(rule: Rule, bench: Bench, story: Story) -> None:
    result = run_rule(bench, rule)
    story.rules.append(result)
    print(f"{rule.id}: {result.finding.measured}")
    if result.finding.verdict is Verdict.SKIP:
        pytest.skip(result.finding.measured)
    assert result.finding.verdict is Verdict.PASS, (
        f"{result.finding.measured}; demanded: {rule.demanded}. {rule.why}"
    )
