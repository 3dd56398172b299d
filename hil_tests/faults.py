"""The faults of the network, the conditions in which they come, and what is told of one."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from hil_tests.notes import Notes
from teleop.conform.plot import Plot

CONDITIONS = ("rest", "free", "contact")
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
        error_um: what encoders and servo may have put into it, see :mod:`hil_tests.judge`.
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
    error_um: float = 0.0
    commanded_um: float = math.inf
    ended: str = ""
    recovered: str = ""
    recovered_s: float | None = None
    wrong: list[str] = field(default_factory=list)
    plot: Plot | None = None
    notes: Notes | None = None
    begin_s: float = 0.0
