"""The policy on the controller's own lateness and mistakes, through the whole core."""

from __future__ import annotations

import numpy as np
import pytest

from teleop.safety.reasons import Reason
from teleop.wire.messages import Request

from .policy import cycle_clutch, follow, shake
from .rig import MS, assert_within_limits


def test_missed_deadlines_are_told_and_hold_when_they_last() -> None:
    rig = follow()
    period = 1e-3
    for k in range(1500):
        if k % 3 == 0:
            rig.now_ns += MS
            rig.dt = 2 * period
        shake(rig, 1)
        rig.dt = period
        if rig.state[0] != "FOLLOWING":
            break
    assert rig.state == ("HOLDING", "controller_late")
    warnings = [e for e in rig.events if e.kind == "warning"]  # type: ignore[attr-defined]
    assert len(warnings) == 1
    refused = rig.request("engage")
    assert not refused.ok
    shake(rig, 1100)
    cycle_clutch(rig)
    assert rig.state == ("FOLLOWING", "none")


@pytest.mark.parametrize("where", ["ik", "hand", "link", "machine", "guard", "kinematics"])
def test_a_mistake_inside_the_core_brakes_along_the_certified_stop_and_is_told(
    where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig = follow()
    assert np.linalg.norm(rig.pair.motion.v) > 0.05
    last = rig.commands[-1]
    q, qd, stop_s = np.array(last.q), np.array(last.qd), last.stop_s

    def broken(*args: object, **keys: object) -> None:
        raise ZeroDivisionError("a mistake of ours")

    target, name = {
        "ik": (rig.pair.motion, "_solve"),
        "hand": (rig.pair.hand, "update"),
        "link": (rig.pair.link, "update"),
        "machine": (rig.pair.machine, "step"),
        "guard": (rig.pair.motion, "_certify"),
        "kinematics": (rig.pair.motion, "_place"),
    }[where]
    monkeypatch.setattr(target, name, broken)
    out = rig.tick(Request(id=5, op="get_state"))
    assert "ZeroDivisionError: a mistake of ours" in out.error
    assert out.state.value == "FAULT"
    assert out.pairs[0].reason is Reason.INTERNAL
    assert [(token, reply.ok) for token, reply in out.replies] == [(rig.token - 1, False)]
    assert any(e.reason is Reason.INTERNAL for e in out.events)  # type: ignore[attr-defined]
    for _ in range(150):
        rig.tick()
    # What was sent lies on the segment that the last good command fixed, its end included.
    end = q + qd * stop_s / 2
    after = np.array([c.q for c in rig.commands[rig.commands.index(last) + 1 :]])
    along = (after - q) @ (end - q) / np.dot(end - q, end - q)
    np.testing.assert_allclose(after, q + along[:, None] * (end - q), atol=1e-12)
    assert along.max() <= 1.0 + 1e-9
    assert np.all(np.diff(along) >= -1e-12)
    assert_within_limits(rig, rig.sent)
    setpoint = rig.sim.contract.setpoint.q
    share = float((setpoint - q) @ (end - q) / np.dot(end - q, end - q))
    np.testing.assert_allclose(setpoint, q + share * (end - q), atol=1e-12)
    assert along.max() - 1e-9 <= share <= 1.0 + 1e-9
    monkeypatch.undo()
    rig.run(700)
    assert rig.request("reset_fault").ok
    rig.bring_up()
    assert rig.state == ("FOLLOWING", "none")


def test_the_arm_is_far_from_its_command_so_following_waits() -> None:
    rig = follow()
    rig.hand.clutch = True
    rig.run(200)
    off = np.array([0.06, 0.0, 0.0, 0.0, 0.0, 0.0])
    for k in range(20):
        rig.sim.q = rig.sim.q + min(1.0, 0.2 * k) * off
        rig.hand.clutch = k < 10
        rig.tick()
    assert rig.state == ("HOLDING", "settling")
    rig.run(10)
    assert rig.state == ("FOLLOWING", "none")
