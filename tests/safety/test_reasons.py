"""Every stop says what it is, in a sentence, and what to do next."""

import re

import pytest

from teleop.safety.reasons import Reason


@pytest.mark.parametrize("reason", list(Reason), ids=lambda r: r.code)
def test_every_reason_has_a_code_a_sentence_and_a_next_action(reason: Reason) -> None:
    assert re.fullmatch(r"[a-z]+(_[a-z]+)*", reason.code)
    assert reason.code == reason.name.lower()
    assert reason.sentence[0].isupper()
    assert reason.sentence.endswith(".")
    if reason is Reason.NONE:
        assert reason.action == ""
    else:
        assert reason.action[0].isupper()
        assert reason.action.endswith(".")
        assert reason.action != reason.sentence


def test_no_two_reasons_share_a_code_or_a_sentence() -> None:
    assert len({r.code for r in Reason}) == len({r.sentence for r in Reason}) == len(Reason)


def test_an_action_names_only_requests_that_exist() -> None:
    known = {"enable", "resume", "engage", "reset_fault", "home", "trocar doctor"}
    for reason in Reason:
        assert set(re.findall(r"`([^`]+)`", reason.action)) <= known
