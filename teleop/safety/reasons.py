"""Why the arm does not follow the hand, and what the person should do about it.

Every state other than FOLLOWING carries one of these. The code goes over the wire and into ``--json``;
the sentence and the action are what a person reads.
"""

from __future__ import annotations

import enum


class Reason(enum.Enum):
    """One cause: ``code`` for programs, ``sentence`` and ``action`` for people."""

    NONE = ("none", "The arm follows the hand.", "")
    NOT_ENABLED = ("not_enabled", "The controller is disabled.", "Send `enable`.")
    ESTOP = ("estop", "The emergency stop is latched.", "Clear the cause, then `reset_fault` and `enable`.")
    PAUSED = ("paused", "Motion is paused.", "Send `resume`.")
    NOT_ENGAGED = ("not_engaged", "Nobody has engaged this pair.", "Send `engage`.")
    CLUTCHED = (
        "clutched",
        "The clutch is pressed: the hand moves freely.",
        "Release the clutch to move the arm.",
    )
    CLUTCH_STALE = (
        "clutch_stale",
        "The clutch is no longer being reported, so it counts as pressed.",
        "Check the master driver.",
    )
    ALIGNING = (
        "aligning",
        "Hand and tool differ in orientation by more than the tolerance.",
        "Turn the hand until it points as the tool does.",
    )
    SETTLING = ("settling", "The arm comes to rest before it follows again.", "Wait.")
    MASTER_ABSENT = ("master_absent", "No sample has come from the master.", "Start the master driver.")
    MASTER_LATE = ("master_late", "Samples of the master are late; the arm slows down.", "Check the link.")
    MASTER_STALE = (
        "master_stale",
        "The master was silent for longer than the hold limit.",
        "Press and release the clutch, or send `engage`.",
    )
    MASTER_LOST = (
        "master_lost",
        "The master was silent for longer than the deadman limit.",
        "Restart the master or its link, then send `engage`.",
    )
    MASTER_UNSTEADY = (
        "master_unsteady",
        "Samples of the master were late for more than 5 % of the last second.",
        "Mend the link; then press and release the clutch, or send `engage`.",
    )
    MASTER_INVALID = (
        "master_invalid",
        "The master marks its own samples as invalid.",
        "Check the device; then press and release the clutch, or send `engage`.",
    )
    MASTER_RECOVERING = (
        "master_recovering",
        "Waiting for a run of good samples from the master.",
        "Wait; if it lasts, check the link.",
    )
    DEADMAN_RELEASED = ("deadman_released", "The deadman is released.", "Hold the deadman to move the arm.")
    DEADMAN_STALE = (
        "deadman_stale",
        "The deadman is no longer being reported, so it counts as released.",
        "Check the master driver.",
    )
    ROUND_TRIP_LONG = (
        "round_trip_long",
        "The round trip takes long, so motion is scaled down by half.",
        "Move slowly; mend the link to get the full scale back.",
    )
    ROUND_TRIP_VERY_LONG = (
        "round_trip_very_long",
        "The round trip takes very long, so motion is scaled down to a quarter and its speed is capped.",
        "Move slowly and wait for the arm; mend the link to get the full scale back.",
    )
    ROUND_TRIP_TOO_LONG = (
        "round_trip_too_long",
        "The round trip takes too long to follow the hand.",
        "Mend the link; then press and release the clutch, or send `engage`.",
    )
    CONTROLLER_LATE = (
        "controller_late",
        "The controller misses too many of its own deadlines.",
        "End other programs on its machine, see `trocar doctor`; then press and release the clutch, "
        "or send `engage`.",
    )
    ARM_ABSENT = ("arm_absent", "No state has come from the arm driver.", "Start the arm driver.")
    ARM_STALE = ("arm_stale", "The arm driver fell silent.", "Restart the arm driver, then send `engage`.")
    ARM_RESTARTED = (
        "arm_restarted",
        "The arm driver restarted.",
        "Wait for it to be ready, then send `engage`.",
    )
    ARM_NO_LEASE = (
        "arm_no_lease",
        "The arm driver has not granted the lease.",
        "End the other controller, or wait until its lease lapses.",
    )
    ARM_NOT_ENABLED = ("arm_not_enabled", "The arm driver is not enabled.", "Send `enable`.")
    ARM_NOT_HOMED = ("arm_not_homed", "The arm is not homed.", "Send `home`.")
    ARM_BUSY = ("arm_busy", "The arm is being enabled or homed.", "Wait until it has finished.")
    ARM_HELD = (
        "arm_held",
        "The arm driver went to hold because commands failed to come.",
        "Send `engage`.",
    )
    ARM_FAULT = (
        "arm_fault",
        "The arm driver reports a fault.",
        "Read its reason, then `reset_fault` and `enable`.",
    )
    TRACKING_ERROR = (
        "tracking_error",
        "The arm is too far from where it was commanded.",
        "Free the arm, then `reset_fault` and `enable`.",
    )
    ENCODER_JUMP = (
        "encoder_jump",
        "A measured joint position jumped further than the arm can move.",
        "Check encoders and cables, home the arm anew; `reset_fault` and `enable` come first.",
    )
    INTERNAL = (
        "internal",
        "The controller met an error of its own and stopped the arm.",
        "Report it with the log; then `reset_fault` and `enable`.",
    )

    def __init__(self, code: str, sentence: str, action: str) -> None:
        """Unpack the tuple of the member."""
        self.code = code
        self.sentence = sentence
        self.action = action
