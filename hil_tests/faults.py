"""The faults, the conditions in which they come, and how an outcome is judged. No process is started here."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np

from hil_tests.stack import Notes, Stack
from teleop.conform.plot import Plot

CONDITIONS = ("rest", "free", "contact")
STEP_SLACK = 1.25
"""Measured speeds may exceed the limit of the commands by the servo's headroom and the encoders' noise."""
NOISE = 1e-4
START_UM = 1.0
"""An arm that is enabled anew begins where its encoders say it is."""
SERVO_UM = 20.0
"""The arm's servo and encoders put the measured joints this far beside the setpoint; the arm's own error."""
DEPTH_M = 0.030
"""The hand presses this far down: some 15 mm further than the floor lets the tool go."""


@dataclass(frozen=True, slots=True)
class NetworkFault:
    """A fault of the network on one stream.

    Attributes:
        name: for the table.
        impair: keys of :class:`teleop.impair.spec.Impairment`.
        seconds: how long it lasts.
    """

    name: str
    impair: dict[str, Any]
    seconds: float = 0.6


NETWORK_FAULTS = (
    NetworkFault("delay 30 ms", {"delay_ms": 30.0}),
    NetworkFault("delay 150 ms", {"delay_ms": 150.0}),
    NetworkFault("delay 350 ms", {"delay_ms": 350.0}, 1.2),
    NetworkFault("jitter 0-15 ms", {"jitter_ms": 15.0, "ordered": False}),
    NetworkFault("loss 10 %, each by itself", {"loss": 0.1}),
    NetworkFault("loss 30 %, bursts of 5", {"loss": 0.3, "burst": 5.0, "burst_shape": 1.5}),
    NetworkFault("loss 50 %, bursts of 20", {"loss": 0.5, "burst": 20.0}),
    NetworkFault("outage 12 ms", {"outage": True}, 0.012),
    NetworkFault("outage 50 ms", {"outage": True}, 0.05),
    NetworkFault("outage 500 ms", {"outage": True}, 0.5),
    NetworkFault("duplicate 50 %", {"duplicate": 0.5}),
    NetworkFault("reorder 30 %, 5 ms", {"reorder": 0.3, "reorder_ms": 5.0}),
    NetworkFault("corrupt 30 %", {"corrupt": 0.3}),
    NetworkFault("bandwidth 500 kbit/s", {"bandwidth_kbit_s": 500.0, "queue_kb": 16.0}),
    NetworkFault("clock ahead 1 s", {"clock_skew_ms": 1000.0}),
    NetworkFault("clock back 1 s", {"clock_skew_ms": -1000.0}),
    NetworkFault("clock drifts 5 %", {"clock_drift_ppm": 50_000.0}),
)
STREAMS = (("measured_cp", "master"), ("servo_jp", "arm"), ("measured_js", "arm"))


def hand_motion(condition: str, begin: np.ndarray) -> Callable[[float], np.ndarray]:
    """How the hand moves, from where it is: not at all, in a circle, or pressing down and sliding."""
    if condition == "rest":
        return lambda _t: begin
    w = 2.0 * math.pi * 0.8

    def free(t: float) -> np.ndarray:
        grow = min(1.0, t / 0.3)
        return begin + 0.008 * grow * np.array([math.sin(w * t), 1.0 - math.cos(w * t), 0.0])

    if condition == "free":
        return free
    return lambda t: free(t) - np.array([0.0, 0.0, DEPTH_M * min(1.0, t / 0.4)])


@dataclass(slots=True)
class Outcome:
    """What a fault did.

    Attributes:
        fault: its name.
        stream: the stream or process it befell.
        condition: rest, free or contact.
        detected_ms: until somebody said so; ``None`` if nobody had to.
        detected_by: who, and as what.
        step: greatest step of a command, in units of the velocity limit times the time.
        measured_step: the same of the arm as measured, less noise.
        speed_mm_s: greatest speed of the commanded tip.
        clearance_um: smallest clearance of the arm as measured, by plain formulas.
        commanded_um: smallest clearance of the commands sent, by the same formulas.
        ended: state and reason when the fault had passed.
        recovered: what it took to follow again, and how long.
        recovered_s: seconds, ``None`` if it did not.
        wrong: what must not happen and did.
        plot: for the page.
        notes: what was seen, until it has been judged.
        begin_s: when the fault began.
    """

    fault: str
    stream: str
    condition: str
    detected_ms: float | None = None
    detected_by: str = ""
    step: float = 0.0
    measured_step: float = 0.0
    speed_mm_s: float = 0.0
    clearance_um: float = math.inf
    commanded_um: float = math.inf
    ended: str = ""
    recovered: str = ""
    recovered_s: float | None = None
    wrong: list[str] = field(default_factory=list)
    plot: Plot | None = None
    notes: Notes | None = None
    begin_s: float = 0.0


def judge(stack: Stack, outcome: Outcome) -> Outcome:
    """Fill in what the notes of one fault say."""
    notes, begin_s = outcome.notes, outcome.begin_s
    if notes is None:
        return outcome
    _detection(notes, outcome, begin_s)
    _commands(stack, notes, outcome)
    _arm(stack, notes, outcome)
    if outcome.commanded_um < -START_UM:
        outcome.wrong.append("a command in the forbidden region")
    if outcome.clearance_um < -SERVO_UM:
        outcome.wrong.append("the arm in the forbidden region")
    if any(t.pair["violation"] for t in notes.ticks):
        outcome.wrong.append("the controller counts a violation")
    if outcome.step > 1.001:
        outcome.wrong.append("a command jumped")
    if outcome.measured_step > STEP_SLACK:
        outcome.wrong.append("the arm jumped")
    pause_s = max((b.at_s - a.at_s for a, b in pairwise(notes.ticks)), default=math.inf)
    if pause_s > 0.5 and outcome.stream != "controller":
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


def _commands(stack: Stack, notes: Notes, outcome: Outcome) -> None:
    """Steps between commands that were sent one after the other to an enabled arm."""
    for a, b in pairwise(notes.ticks):
        sent = all(t.pair["arm_state"] == "ENABLED" and t.pair["teleop_state"] != "IDLE" for t in (a, b))
        if not sent:
            continue
        if b.tick % 2 == 0:
            clearance = stack.clearance(np.array(b.pair["q_command"]))
            outcome.commanded_um = min(outcome.commanded_um, 1e6 * clearance)
        # Ticks that telemetry dropped, and deadlines that were skipped, are time too.
        periods = max(1, (b.tick + b.skipped) - (a.tick + a.skipped))
        way = np.abs(np.array(b.pair["q_command"]) - np.array(a.pair["q_command"]))
        outcome.step = max(outcome.step, float(np.max(way / (stack.qd_max * 1e-3 * periods))))
        moved = np.linalg.norm(np.array(b.pair["p_command_m"]) - np.array(a.pair["p_command_m"]))
        outcome.speed_mm_s = max(outcome.speed_mm_s, float(moved) / periods * 1e6)


def _arm(stack: Stack, notes: Notes, outcome: Outcome) -> None:
    """Steps and clearance of the arm by its own encoders, from the driver itself, not through the fault."""
    for k, (a, b) in enumerate(pairwise(notes.seen)):
        if a.m["session"] != b.m["session"]:
            continue
        dt = max(b.at_s - a.at_s, 0.9e-3)
        way = np.abs(np.array(b.m["q"]) - np.array(a.m["q"])) - NOISE
        outcome.measured_step = max(outcome.measured_step, float(np.max(way / (stack.qd_max * dt))))
        if k % 4 == 0:
            outcome.clearance_um = min(outcome.clearance_um, 1e6 * stack.clearance(np.array(b.m["q"])))


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
