"""The teleop state of one pair: from facts about hand, arm and controller to state and reason."""

from __future__ import annotations

from dataclasses import dataclass

from teleop.safety.age import Age
from teleop.safety.reasons import Reason
from teleop.safety.states import Operating, Teleop


@dataclass(slots=True)
class Facts:
    """What the machine looks at in a tick.

    Attributes:
        operating: CRTK state of the controller.
        operating_reason: why, where it is not ENABLED.
        arm_blocked: why the arm cannot be commanded, or ``Reason.NONE``.
        hand_seen: the master has been heard since its last start.
        hand_age: band of lateness of its newest sample.
        hand_valid: the master believes its own sample.
        hand_good: enough good samples came in a row to follow it again.
        present: the deadman is held and freshly reported.
        deadman_stale: it is held, but its report is old.
        clutch: the clutch is pressed.
        at_rest: the commanded arm does not move.
        aligned: hand and tool point alike within the tolerance, or need not.
        hand_unsteady: its samples were late for too much of the last second.
        clutch_stale: the clutch is not pressed, but its report is old, so it counts as pressed.
        round_trip: what the length of the round trip asks for, or ``Reason.NONE``.
        controller_late: the controller missed too many of its own deadlines lately.
    """

    operating: Operating
    operating_reason: Reason
    arm_blocked: Reason
    hand_seen: bool
    hand_age: Age
    hand_valid: bool
    hand_good: bool
    present: bool
    deadman_stale: bool
    clutch: bool
    at_rest: bool
    aligned: bool
    hand_unsteady: bool = False
    clutch_stale: bool = False
    round_trip: Reason = Reason.NONE
    controller_late: bool = False


class TeleopMachine:
    """Decides in each tick whether the arm follows the hand, and if not, why.

    Following starts only from rest, with references taken anew, so it starts without a step. A hold that
    was caused by the master, by the link or by a controller that cannot keep up latches: it ends when the
    clutch is pressed and released, or by ``engage``, and not before its cause has gone.

    Attributes:
        state: teleop state.
        reason: why it is not FOLLOWING; in FOLLOWING why it follows only in part, or ``NONE``.
        engaged: the user engaged the pair and nothing has ended that since.
    """

    def __init__(self) -> None:
        """Idle and not engaged."""
        self.state = Teleop.IDLE
        self.reason = Reason.NOT_ENABLED
        self.engaged = False
        self._held = Reason.NONE
        self._clutch_pressed_since_hold = False

    def engage(self, facts: Facts) -> Reason:
        """The user asks to follow the hand. Returns why not, or ``Reason.NONE``."""
        blocked = self._disengaging(facts)
        if blocked is Reason.NONE:
            blocked = self._unfit(facts)
        if blocked is Reason.NONE:
            self.engaged = True
            self._held = Reason.NONE
        return blocked

    def release(self) -> None:
        """The user ends the engagement."""
        self.engaged = False

    def step(self, facts: Facts) -> bool:
        """Advance one tick.

        Returns:
            Whether following starts in this tick: references must be taken now.
        """
        was_following = self.state is Teleop.FOLLOWING
        self.state, self.reason = self._decide(facts, was_following)
        return self.state is Teleop.FOLLOWING and not was_following

    @staticmethod
    def _disengaging(facts: Facts) -> Reason:
        """What ends an engagement, so that the person must ask for it again."""
        if facts.operating in (Operating.FAULT, Operating.DISABLED):
            return facts.operating_reason
        if facts.arm_blocked not in (Reason.NONE, Reason.ARM_BUSY):
            return facts.arm_blocked
        if not facts.hand_seen:
            return Reason.MASTER_ABSENT
        return Reason.MASTER_LOST if facts.hand_age is Age.LOST else Reason.NONE

    def _decide(self, facts: Facts, was_following: bool) -> tuple[Teleop, Reason]:
        disengaging = self._disengaging(facts)
        if disengaging is not Reason.NONE:
            self.engaged = False
            self._held = Reason.NONE
            return Teleop.IDLE, disengaging
        if not self.engaged:
            return Teleop.IDLE, Reason.NOT_ENGAGED
        if facts.operating is Operating.PAUSED:
            return Teleop.HOLDING, Reason.PAUSED
        self._latch(facts)
        if self._held is not Reason.NONE:
            return Teleop.HOLDING, self._held
        if facts.arm_blocked is not Reason.NONE:
            return Teleop.HOLDING, facts.arm_blocked
        if not facts.present:
            return Teleop.HOLDING, Reason.DEADMAN_STALE if facts.deadman_stale else Reason.DEADMAN_RELEASED
        if facts.clutch:
            return Teleop.CLUTCHED, Reason.CLUTCH_STALE if facts.clutch_stale else Reason.CLUTCHED
        if was_following:
            return Teleop.FOLLOWING, Reason.MASTER_LATE if facts.hand_age is Age.LATE else facts.round_trip
        if not facts.hand_good:
            return Teleop.HOLDING, Reason.MASTER_RECOVERING
        if not facts.at_rest:
            return Teleop.HOLDING, Reason.SETTLING
        if not facts.aligned:
            return Teleop.ALIGNING, Reason.ALIGNING
        return Teleop.FOLLOWING, facts.round_trip

    @staticmethod
    def _unfit(facts: Facts) -> Reason:
        """What forbids to begin following, and holds what follows already, until it has gone."""
        if facts.hand_unsteady:
            return Reason.MASTER_UNSTEADY
        if facts.round_trip is Reason.ROUND_TRIP_TOO_LONG:
            return Reason.ROUND_TRIP_TOO_LONG
        return Reason.CONTROLLER_LATE if facts.controller_late else Reason.NONE

    def _latch(self, facts: Facts) -> None:
        """Set a hold that latches, or end it once the clutch has been cycled on good samples."""
        unfit = self._unfit(facts)
        if facts.hand_age is Age.STALE:
            self._hold(Reason.MASTER_STALE)
        elif not facts.hand_valid:
            self._hold(Reason.MASTER_INVALID)
        elif unfit is not Reason.NONE:
            self._hold(unfit)
        elif self._held is not Reason.NONE:
            if facts.clutch:
                self._clutch_pressed_since_hold = True
            elif self._clutch_pressed_since_hold and facts.hand_good:
                self._held = Reason.NONE

    def _hold(self, reason: Reason) -> None:
        if self._held is Reason.NONE:
            self._clutch_pressed_since_hold = False
        self._held = reason
