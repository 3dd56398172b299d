"""The closed-loop table: what a late machine measured is not held against the arm."""

from __future__ import annotations

import pytest

from hil_tests.conftest import Story
from teleop.conform.page import Section, page


def test_what_a_late_machine_measured_badly_is_not_judged_and_says_why() -> None:
    story = Story()
    with pytest.raises(pytest.skip.Exception, match="this machine was late: 90 ms; disturbed in 3 tries"):
        story.tell("Step", "90 ms", "60 ms", False, disturbed="disturbed in 3 tries")
    assert story.rows == [("not judged", "Step", "90 ms; disturbed in 3 tries", "60 ms")]
    html = page("a", "b", [Section("Closed loop", ("", "what"), tuple(story.rows))])
    assert '<td class="skip">not judged</td>' in html


def test_a_good_figure_of_a_late_machine_passes_and_a_bad_one_of_a_punctual_machine_fails() -> None:
    story = Story()
    story.tell("Step", "50 ms", "60 ms", True, disturbed="disturbed in 3 tries")
    with pytest.raises(AssertionError, match="Step: 90 ms, demanded: 60 ms"):
        story.tell("Step", "90 ms", "60 ms", False)
    assert [row[0] for row in story.rows] == ["pass", "fail"]
