"""When the arm follows the hand, and when it does not."""

import dataclasses

import pytest

from teleop.safety.age import Age
from teleop.safety.reasons import Reason
from teleop.safety.states import Operating, Teleop
from teleop.safety.teleop_machine import Facts, TeleopMachine

GOOD = Facts(
    operating=Operating.ENABLED,
    operating_reason=Reason.NONE,
    arm_blocked=Reason.NONE,
    hand_seen=True,
    hand_age=Age.FRESH,
    hand_valid=True,
    hand_good=True,
    present=True,
    deadman_stale=False,
    clutch=False,
    at_rest=True,
    aligned=True,
)


def _but(**changes: object) -> Facts:
    return dataclasses.replace(GOOD, **changes)  # type: ignore[arg-type]


def _following() -> TeleopMachine:
    machine = TeleopMachine()
    assert machine.engage(GOOD) is Reason.NONE
    assert machine.step(GOOD)
    return machine


def test_nothing_follows_before_somebody_engages() -> None:
    machine = TeleopMachine()
    assert not machine.step(GOOD)
    assert (machine.state, machine.reason) == (Teleop.IDLE, Reason.NOT_ENGAGED)


def test_following_starts_once_and_says_so_in_that_tick_only() -> None:
    machine = _following()
    assert not machine.step(GOOD)
    assert (machine.state, machine.reason) == (Teleop.FOLLOWING, Reason.NONE)


@pytest.mark.parametrize(
    ("changes", "state", "reason"),
    [
        ({"clutch": True}, Teleop.CLUTCHED, Reason.CLUTCHED),
        ({"present": False}, Teleop.HOLDING, Reason.DEADMAN_RELEASED),
        ({"present": False, "deadman_stale": True}, Teleop.HOLDING, Reason.DEADMAN_STALE),
        ({"operating": Operating.PAUSED, "operating_reason": Reason.PAUSED}, Teleop.HOLDING, Reason.PAUSED),
        ({"arm_blocked": Reason.ARM_BUSY}, Teleop.HOLDING, Reason.ARM_BUSY),
    ],
)
def test_a_pause_of_the_hand_stops_and_follows_again_by_itself_from_rest(
    changes: dict[str, object], state: Teleop, reason: Reason
) -> None:
    machine = _following()
    machine.step(_but(**changes))
    assert (machine.state, machine.reason) == (state, reason)
    assert not machine.step(_but(at_rest=False))
    assert machine.reason is Reason.SETTLING
    assert machine.step(GOOD)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"hand_age": Age.LOST}, Reason.MASTER_LOST),
        ({"hand_seen": False}, Reason.MASTER_ABSENT),
        ({"arm_blocked": Reason.ARM_STALE}, Reason.ARM_STALE),
        ({"arm_blocked": Reason.ARM_RESTARTED}, Reason.ARM_RESTARTED),
        ({"arm_blocked": Reason.ARM_HELD}, Reason.ARM_HELD),
        ({"operating": Operating.FAULT, "operating_reason": Reason.ESTOP}, Reason.ESTOP),
        ({"operating": Operating.DISABLED, "operating_reason": Reason.NOT_ENABLED}, Reason.NOT_ENABLED),
    ],
)
def test_a_loss_ends_the_engagement_and_only_engage_brings_it_back(
    changes: dict[str, object], reason: Reason
) -> None:
    machine = _following()
    machine.step(_but(**changes))
    assert (machine.state, machine.reason) == (Teleop.IDLE, reason)
    assert machine.engage(_but(**changes)) is reason
    assert not machine.step(GOOD)
    assert machine.reason is Reason.NOT_ENGAGED
    machine.engage(GOOD)
    assert machine.step(GOOD)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [({"hand_age": Age.STALE}, Reason.MASTER_STALE), ({"hand_valid": False}, Reason.MASTER_INVALID)],
)
def test_a_hold_by_the_master_ends_by_cycling_the_clutch_on_good_samples(
    changes: dict[str, object], reason: Reason
) -> None:
    machine = _following()
    machine.step(_but(**changes))
    for facts in (GOOD, _but(clutch=True), _but(hand_good=False)):
        machine.step(facts)
        assert (machine.state, machine.reason) == (Teleop.HOLDING, reason)
    assert machine.step(GOOD)


def test_late_samples_are_told_while_following() -> None:
    machine = _following()
    machine.step(_but(hand_age=Age.LATE, hand_good=False))
    assert (machine.state, machine.reason) == (Teleop.FOLLOWING, Reason.MASTER_LATE)


def test_alignment_is_awaited_before_following_but_never_ends_it() -> None:
    machine = TeleopMachine()
    machine.engage(GOOD)
    machine.step(_but(aligned=False))
    assert (machine.state, machine.reason) == (Teleop.ALIGNING, Reason.ALIGNING)
    assert machine.step(GOOD)
    machine.step(_but(aligned=False))
    assert machine.state is Teleop.FOLLOWING
