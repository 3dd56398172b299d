"""Every fault between hand, controller and device, in contact: the force on the hand never jumps.

The closed loop has no sockets: messages are taken, changed, doubled, held up or lost on their way.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from teleop.devices.sim.loop import ClosedLoop, Felt
from teleop.wire.messages import ServoCf

from .test_closed_loop import dive, loop, tool_clearance

SLEW_N_S = 12.0 / 0.010
"""The omega.3: full force in 10 ms."""
FADE_S, TTL_S = 0.020, 0.020


def _drop(made: ClosedLoop, chance: float) -> None:
    rng = np.random.default_rng(4)
    made.on_servo_cf = lambda message: [] if rng.random() < chance else [message]


def _delay(made: ClosedLoop, ticks: int) -> None:
    held: list[ServoCf] = []

    def late(message: ServoCf) -> list[ServoCf]:
        held.append(message)
        return [held.pop(0)] if len(held) > ticks else []

    made.on_servo_cf = late


def _jitter(made: ClosedLoop) -> None:
    """Up to 15 ms late, in bunches."""
    rng, held = np.random.default_rng(9), []

    def bunch(message: ServoCf) -> list[ServoCf]:
        held.append(message)
        if rng.random() > 0.15 and len(held) < 15:
            return []
        out = list(held)
        held.clear()
        return out

    made.on_servo_cf = bunch


def _garbage(made: ClosedLoop) -> None:
    def bad(message: ServoCf) -> list[ServoCf]:
        broken = copy.deepcopy(message)
        broken.force_n = [math.nan, 0.0, math.inf]
        for plane in broken.planes:
            plane.offset_m = math.nan
        return [broken]

    made.on_servo_cf = bad


def _set(name: str, value: bool) -> Callable[[ClosedLoop], None]:
    return lambda made: setattr(made, name, value)


FAULTS: dict[str, tuple[Callable[[ClosedLoop], None], bool]] = {
    # name: what is done at contact, and whether no force may be left
    "controller killed": (_set("deaf", True), True),
    "servo_cf half lost": (lambda made: _drop(made, 0.5), False),
    "servo_cf nine tenths lost": (lambda made: _drop(made, 0.9), False),
    "servo_cf 10 ms late": (lambda made: _delay(made, 10), False),
    "servo_cf in bunches": (_jitter, False),
    "servo_cf doubled": (lambda made: setattr(made, "on_servo_cf", lambda m: [m, m]), False),
    "servo_cf not finite": (_garbage, True),
    "hand's samples lost": (_set("mute", True), True),
    "device does not know where it is": (_set("blind", True), True),
    "clutch": (_set("clutch", True), True),
    "deadman released": (_set("present", False), True),
    "pause": (lambda made: made.tick("pause"), True),
    "disable": (lambda made: made.tick("disable"), True),
    "e-stop": (lambda made: made.estop("test", "now"), True),
}


def jumps(felt: list[Felt]) -> float:
    return max(float(np.linalg.norm(b.force - a.force)) for a, b in pairwise(felt))


@pytest.mark.parametrize("fault", FAULTS)
def test_force_never_jumps_and_is_gone_where_it_must_be(fault: str, tmp_path: Path) -> None:
    made = loop(tmp_path)
    before = dive(made, ticks=450)
    assert np.linalg.norm(before[-1].force) > 3.0, "no contact"
    do, silent = FAULTS[fault]
    do(made)
    after = made.run(200, lambda k: None)
    worst = jumps([before[-1], *after])
    gone = next((k for k, f in enumerate(after) if not f.force.any()), None)
    print(
        f"| {fault} | {np.linalg.norm(before[-1].force):.1f} | {worst:.2f} | {worst / 1e-3:.0f} | "
        f"{'stays' if gone is None else gone} |"
    )
    assert worst <= SLEW_N_S * 1e-3 * (1 + 1e-9)
    assert tool_clearance(made, after) >= 0.0
    assert not any(f.out.violation for f in after)
    if silent:
        assert gone is not None
        # ttl, fade, and what the loop bridges before it knows; then it stays gone.
        assert gone <= 1e3 * (TTL_S + FADE_S) + 10
        assert not any(f.force.any() for f in after[gone:])
