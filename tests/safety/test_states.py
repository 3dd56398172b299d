"""CRTK's rules for operating states, and ours on top of them."""

import pytest

from teleop.safety.reasons import Reason
from teleop.safety.states import Operating, OperatingMachine


def _in(state: Operating) -> OperatingMachine:
    machine = OperatingMachine()
    if state is Operating.FAULT:
        machine.fault(Reason.ESTOP, "test")
    elif state is not Operating.DISABLED:
        machine.request("enable")
        if state is Operating.PAUSED:
            machine.request("pause")
    assert machine.state is state
    return machine


ALLOWED = {
    (Operating.DISABLED, "enable"): Operating.ENABLED,
    (Operating.DISABLED, "disable"): Operating.DISABLED,
    (Operating.DISABLED, "reset_fault"): Operating.DISABLED,
    (Operating.ENABLED, "enable"): Operating.ENABLED,
    (Operating.ENABLED, "disable"): Operating.DISABLED,
    (Operating.ENABLED, "pause"): Operating.PAUSED,
    (Operating.ENABLED, "resume"): Operating.ENABLED,
    (Operating.PAUSED, "pause"): Operating.PAUSED,
    (Operating.PAUSED, "resume"): Operating.ENABLED,
    (Operating.PAUSED, "disable"): Operating.DISABLED,
    (Operating.FAULT, "reset_fault"): Operating.DISABLED,
}


@pytest.mark.parametrize("state", Operating)
@pytest.mark.parametrize("op", ["enable", "disable", "pause", "resume", "reset_fault"])
def test_each_request_in_each_state_does_what_the_table_says_or_says_why_not(
    state: Operating, op: str
) -> None:
    machine = _in(state)
    refusal = machine.request(op)
    if (state, op) in ALLOWED:
        assert refusal == ""
        assert machine.state is ALLOWED[state, op]
    else:
        assert f"`{op}` is not possible in {state.value}" in refusal
        assert machine.state is state


def test_a_fault_latches_and_keeps_its_first_reason() -> None:
    machine = _in(Operating.ENABLED)
    machine.fault(Reason.TRACKING_ERROR, "elbow")
    machine.fault(Reason.ESTOP, "somebody")
    assert (machine.reason, machine.detail) == (Reason.TRACKING_ERROR, "elbow")


def test_every_reason_has_a_code_of_its_own_a_sentence_and_an_action() -> None:
    codes = [reason.code for reason in Reason]
    assert len(set(codes)) == len(codes)
    for reason in Reason:
        assert reason.sentence.endswith(".")
        assert reason is Reason.NONE or reason.action.endswith(".")
