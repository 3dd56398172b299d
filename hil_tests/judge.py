"""How the outcome of a fault is judged: by plain formulas, from what was commanded and what the arm said.

No command may be in the forbidden region or in the margin that its fixture declares, by more than rounding.
One exception is not ours to choose: an arm that is enabled anew begins where its encoders say that it is,
and those may say a micrometre inside. Then no command may be deeper than it was measured in the 50 ms before.

The arm is not its command. Two errors of its own are between them, and both are formulas of its data sheet,
which for the simulated arm is :class:`teleop.drivers.sim.spec.SimArmSpec`:

- A reading is off by at most ``c`` counts of each joint: half a count of rounding and five times the rms
  noise. At the floor that is ``sum_j |dh/dq_j| c count_j``.
- The servo is critically damped: its impulse response is positive, so the arm is at an average of past
  commands and overshoots none. Averaged in joint space, a way along a surface is a chord, below it by
  ``h'' s^2 / 2`` to second order: ``h''`` how the floor's height bends along the joints' velocity,
  ``s^2 = 2/w^2`` the variance of the delays that are averaged. A wrist at 9 rad/s, 10 mm before the tip,
  makes 5 um of that.

A third has no formula: the jump from the stop to the first command after some were lost saturates the
motors of one joint and not of another. So the fixture declares a margin for the servo, ``SERVO_M``: commands
keep it, and the arm itself stays outside the region.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from hil_tests.faults import Outcome
from hil_tests.notes import Notes, Seen
from hil_tests.stack import SERVO_M, Stack
from teleop.conform.plot import Plot
from teleop.drivers.sim.servo import natural_frequency
from teleop.drivers.sim.spec import SimArmSpec

ROUNDING_UM = 1e-3
"""Two kinematic chains of doubles, a metre long: 1e-15 m; a thousandth of a micrometre is far above that."""
ROUNDING = 1e-6
"""The same of a step, as a share of the limit."""
_BEFORE_S = 0.05
_MEMORY = 10
"""States, of one millisecond each: four times 1/w."""
_NEAR_UM = 50.0 + 1e6 * SERVO_M
"""Only nearer than this the arm's own error is worth its sums."""
_SILENT_S = 0.5


@dataclass(frozen=True, slots=True)
class DataSheet:
    """What an arm itself puts between a command and a reading.

    Attributes:
        counts: farthest a reading is from the truth, counts.
        count: a count of each joint, rad or m, shape (n,).
        w: natural frequency of the servo, rad/s.
        headroom: greatest speed of the motors over the limit of the commands.
    """

    counts: float
    count: np.ndarray
    w: float
    headroom: float

    @classmethod
    def simulated(cls, q_min: np.ndarray, q_max: np.ndarray) -> DataSheet:
        """Of the simulated arm as the session has it."""
        spec = SimArmSpec()
        w = natural_frequency(spec.bandwidth_hz, spec.damping_ratio)
        count = (q_max - q_min) / spec.encoder_counts
        return cls(0.5 + 5.0 * spec.noise_counts, count, w, spec.rate_headroom)

    @property
    def reading(self) -> np.ndarray:
        """Farthest a reading is from the truth, rad or m, shape (n,)."""
        return self.counts * self.count

    def error_um(self, stack: Stack, q: np.ndarray, qd: np.ndarray) -> float:
        """How far a measured clearance may be from that of the commands, see the module's text.

        Args:
            stack: knows the arm's bodies and the floor.
            q: joints, rad or m, shape (n,).
            qd: their velocity, shape (n,).
        """
        here = stack.clearance(q)
        reading = sum(abs(stack.clearance(q + step) - here) for step in np.diag(self.reading))
        s = math.sqrt(2.0) / self.w
        chord = 0.5 * abs(stack.clearance(q + qd * s) + stack.clearance(q - qd * s) - 2.0 * here)
        return 1e6 * (reading + chord)


def judge(stack: Stack, outcome: Outcome) -> Outcome:
    """Fill in what the notes of one fault say."""
    notes, begin_s = outcome.notes, outcome.begin_s
    if notes is None:
        return outcome
    sheet = DataSheet.simulated(stack.q_min, stack.q_max)
    _detection(notes, outcome, begin_s)
    _commands(stack, notes, outcome)
    _arm(stack, sheet, notes, outcome)
    if any(t.pair["violation"] for t in notes.ticks):
        outcome.wrong.append("the controller counts a violation")
    if outcome.step > 1.0 + ROUNDING:
        outcome.wrong.append("a command jumped")
    if outcome.measured_step > sheet.headroom:
        outcome.wrong.append("the arm jumped")
    pause_s = max((b.at_s - a.at_s for a, b in pairwise(notes.ticks)), default=math.inf)
    if pause_s > _SILENT_S and outcome.stream != "controller":
        outcome.wrong.append(f"the controller was silent for {pause_s:.1f} s")
    if outcome.recovered_s is None:
        outcome.wrong.append("it did not recover")
    outcome.plot = _picture(notes, outcome, begin_s)
    outcome.notes = None
    return outcome


def _counts(pair: dict[str, Any]) -> int:
    return sum(pair["rejected"].values())


def _detection(notes: Notes, outcome: Outcome, begin_s: float) -> None:
    """The first sign after the beginning: a reason, a state of the arm, or a count of refused messages."""
    signs: list[tuple[float, str]] = []
    before = [t for t in notes.ticks if t.at_s <= begin_s]
    count = _counts(before[-1].pair) if before else 0
    for t in notes.ticks:
        if t.at_s <= begin_s:
            continue
        reason, state = t.pair["reason"], t.pair["teleop_state"]
        if state != "FOLLOWING" or reason != "none":
            signs.append((t.at_s, f"controller: {reason}"))
            break
        if _counts(t.pair) > count:
            signs.append((t.at_s, "controller: refuses and counts"))
            break
    seen_before = [s for s in notes.seen if s.at_s <= begin_s]
    refused = sum(seen_before[-1].m["rejected"].values()) if seen_before else 0
    for s in notes.seen:
        if s.at_s <= begin_s:
            continue
        if s.m["state"] != "ENABLED":
            signs.append((s.at_s, f"arm: {s.m['state']}"))
            break
        if s.m["reason"]:
            signs.append((s.at_s, f"arm: {s.m['reason'].split(':')[0]}"))
            break
        if sum(s.m["rejected"].values()) > refused:
            signs.append((s.at_s, "arm: refuses and counts"))
            break
    if signs:
        at, who = min(signs)
        outcome.detected_ms, outcome.detected_by = 1e3 * (at - begin_s), who


def _measured_before(stack: Stack, seen: list[Seen], at_s: float) -> float:
    """Least clearance as measured in the 50 ms before ``at_s``, um: how deep a start may be."""
    near = (s for s in seen if at_s - _BEFORE_S <= s.at_s <= at_s)
    return min((1e6 * stack.clearance(np.array(s.m["q"])) for s in near), default=0.0)


def _commands(stack: Stack, notes: Notes, outcome: Outcome) -> None:
    """Places of, and steps between, commands that were sent one after the other to an enabled arm."""
    least_um: float | None = None
    for a, b in pairwise(notes.ticks):
        sent = all(t.pair["arm_state"] == "ENABLED" and t.pair["teleop_state"] != "IDLE" for t in (a, b))
        if not sent:
            least_um = None
            continue
        clearance_um = 1e6 * stack.clearance(np.array(b.pair["q_command"]))
        outcome.commanded_um = min(outcome.commanded_um, clearance_um)
        if clearance_um < 1e6 * SERVO_M - ROUNDING_UM:
            if least_um is None:
                least_um = min(1e6 * SERVO_M, _measured_before(stack, notes.seen, a.at_s))
            if clearance_um < least_um - ROUNDING_UM and not any("a command in" in w for w in outcome.wrong):
                where = f"{clearance_um:.3f} um, the arm began at {least_um:.3f} um"
                outcome.wrong.append(f"a command in the forbidden region: {where}")
        elif least_um is None:
            least_um = 1e6 * SERVO_M  # it began outside: nothing excuses a command inside
        # Ticks that telemetry dropped, and deadlines that were skipped, are time too.
        periods = max(1, (b.tick + b.skipped) - (a.tick + a.skipped))
        way = np.abs(np.array(b.pair["q_command"]) - np.array(a.pair["q_command"]))
        outcome.step = max(outcome.step, float(np.max(way / (stack.qd_max * 1e-3 * periods))))
        moved = np.linalg.norm(np.array(b.pair["p_command_m"]) - np.array(a.pair["p_command_m"]))
        outcome.speed_mm_s = max(outcome.speed_mm_s, float(moved) / periods * 1e6)


def _arm(stack: Stack, sheet: DataSheet, notes: Notes, outcome: Outcome) -> None:
    """Steps and clearance of the arm by its own encoders, from the driver itself, not through the fault."""
    worst_um = math.inf
    for k, (a, b) in enumerate(pairwise(notes.seen)):
        if a.m["session"] != b.m["session"]:
            continue
        q = np.array(b.m["q"])
        # The servo moves by whole periods, however its loop's wake-ups jitter.
        dt = max(b.at_s - a.at_s, 1e-3)
        way = np.maximum(np.abs(q - np.array(a.m["q"])) - 2.0 * sheet.reading, 0.0)
        outcome.measured_step = max(outcome.measured_step, float(np.max(way / (stack.qd_max * dt))))
        clearance_um = 1e6 * stack.clearance(q)
        outcome.clearance_um = min(outcome.clearance_um, clearance_um)
        if clearance_um < _NEAR_UM:
            error_um = sheet.error_um(stack, q, _velocity(notes.seen, k))
            if clearance_um + error_um < worst_um:
                worst_um, outcome.error_um = clearance_um + error_um, error_um
    if worst_um < 0.0:
        outcome.wrong.append(f"the arm in the forbidden region, {-worst_um:.1f} um beyond its own error")


def _velocity(seen: list[Seen], k: int) -> np.ndarray:
    """Mean velocity of the joints over the servo's memory before the ``k``-th state, shape (n,)."""
    a, b = seen[max(0, k - _MEMORY)], seen[k]
    dt = max(b.at_s - a.at_s, 1e-3)
    return np.asarray((np.array(b.m["q"]) - np.array(a.m["q"])) / dt)


def _picture(notes: Notes, outcome: Outcome, begin_s: float) -> Plot:
    z = 2 if outcome.condition == "contact" else 0
    t = [1e3 * (x.at_s - begin_s) for x in notes.ticks]
    hand = [(1e3 * (at - begin_s), 1e3 * p[z]) for at, p in notes.hand]
    tip = [1e3 * x.pair["p_command_m"][z] for x in notes.ticks]
    first = tip[0] if tip else 0.0
    first_hand = hand[0][1] if hand else 0.0
    return Plot(
        f"{outcome.fault} on {outcome.stream}, {outcome.condition}",
        "ms after the fault began",
        f"{'xyz'[z]}, mm",
        (
            ("hand", [a for a, _ in hand], [p - first_hand for _, p in hand]),
            ("command", t, [p - first for p in tip]),
        ),
        (("fault", 0.0),),
    )
