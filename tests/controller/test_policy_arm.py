"""The policy on an arm that lags, jumps or faults, through the whole core."""

from __future__ import annotations

import numpy as np
import pytest

from teleop.drivers.sim.spec import SimArmSpec
from teleop.safety.reasons import Reason
from teleop.wire.messages import Reply, Request

from .policy import follow, linked, shake
from .rig import MS, Rig, assert_within_limits


def test_an_arm_that_does_not_follow_is_a_fault_that_names_the_joint() -> None:
    rig = follow()
    stuck = rig.sim._servo.p.copy()
    for _ in range(2500):
        rig.sim._servo.p[:] = stuck
        rig.sim._servo.v[:] = 0.0
        shake(rig, 1)
        if rig.controller.operating.state.value == "FAULT":
            break
    assert rig.controller.operating.reason is Reason.TRACKING_ERROR
    assert "joint" in rig.controller.operating.detail
    rig.run(200)
    assert rig.pair.motion.at_rest
    assert_within_limits(rig, rig.segments[0])


def test_an_arm_behind_a_long_link_is_not_called_off_its_command() -> None:
    rig = linked(90.0, scale=1.0)
    shake(rig, 3000)
    assert rig.controller.operating.state.value == "ENABLED"


def test_an_encoder_glitch_is_refused_and_one_that_stays_is_a_fault_that_names_the_joint() -> None:
    rig = follow()
    q = rig.sim.q
    for offset in (0.5, 0.0):
        rig.sim.q = q + np.array([0.0, offset, 0.0, 0.0, 0.0, 0.0])
        rig.tick()
    assert rig.pair.link.rejected == {"jump": 1}
    assert rig.controller.operating.state.value == "ENABLED"
    for _ in range(5):
        rig.sim.q = rig.sim.q + np.array([0.0, 0.5, 0.0, 0.0, 0.0, 0.0])
        rig.tick()
    assert rig.controller.operating.reason is Reason.ENCODER_JUMP
    assert "pitch" in rig.controller.operating.detail
    rig.run(300)
    assert rig.request("reset_fault").ok
    rig.bring_up()
    assert rig.state == ("FOLLOWING", "none")


@pytest.mark.parametrize("how", ["estop", "drive"])
def test_a_fault_of_the_driver_latches_here_too_and_reset_fault_clears_both(how: str) -> None:
    rig = follow()
    if how == "estop":
        rig.sim.contract.estop("foot switch", "smoke", rig.now_ns)
    else:
        rig.sim.contract.fault("drive 3 is too hot", rig.now_ns)
    rig.run(3)
    assert rig.controller.operating.reason is Reason.ARM_FAULT
    assert ("smoke" if how == "estop" else "too hot") in rig.controller.operating.detail
    assert rig.state == ("IDLE", "arm_fault")
    rig.run(300)
    assert not rig.request("enable").ok
    assert rig.request("reset_fault").ok
    rig.run(10)
    assert rig.sim.contract.state.value == "DISABLED"
    rig.bring_up()
    assert rig.state == ("FOLLOWING", "none")


def test_enable_is_refused_while_a_driver_reports_a_fault_and_says_what_to_do() -> None:
    rig = Rig()
    rig.sim.contract.fault("drive 3 is too hot", rig.now_ns)
    rig.run(5)
    refused = rig.request("enable")
    assert not refused.ok
    assert "too hot" in refused.error
    assert "`reset_fault`" in refused.error
    assert rig.request("reset_fault").ok
    rig.bring_up()
    assert rig.state == ("FOLLOWING", "none")


def test_a_driver_that_knows_no_reset_fault_is_asked_to_disable_with_it() -> None:
    rig = Rig()
    rig.sim.contract.fault("drive 3 is too hot", rig.now_ns)
    asked: list[str] = []
    request = rig.sim.contract.request

    def older(client: bytes, r: Request, now_ns: int) -> Reply:
        asked.append(r.op)
        if r.op == "reset_fault":
            return Reply(id=r.id, ok=False, error="no such operation")
        return request(client, r, now_ns)

    rig.sim.contract.request = older  # type: ignore[method-assign]
    rig.run(5)
    assert rig.request("reset_fault").ok
    rig.run(400)
    assert "reset_fault" in asked
    assert "disable" in asked
    assert rig.sim.contract.state.value == "DISABLED"


def test_words_and_leases_of_a_driver_cannot_outgrow_our_messages() -> None:
    rig = Rig()
    rig.run(3)
    link = rig.pair.link
    state = rig.measured()
    state.reason = "x" * 60_000
    link.update(state, (), rig.now_ns + MS)
    assert len(link.driver_reason) == 300
    link._pending = (1, "acquire", rig.now_ns)
    link.update(None, (Reply(id=1, ok=True, result={"lease": b"x" * 60_000}),), rig.now_ns + MS)
    assert link.lease == b""
    link._pending = (2, "enable", rig.now_ns)
    link.update(None, (Reply(id=2, ok=False, error="x" * 60_000),), rig.now_ns + MS)
    assert len(link.refusal) == 300


def test_an_arm_that_is_to_be_homed_anew_is_not_followed_because_its_driver_restarted() -> None:
    rig = Rig(sim=SimArmSpec(homed_at_start=True))
    rig.bring_up()
    assert rig.request("unhome").ok
    for _ in range(200):
        rig.tick(arm=False)
    rig.arm_session, rig.arm_seq = b"arm-came-back---", 0
    rig.start_arm()
    rig.run(50)
    assert rig.request("enable").ok
    rig.run(200)
    assert rig.sim.contract.is_homed
    assert not rig.request("engage").ok
    assert rig.state == ("IDLE", "arm_not_homed")
    assert rig.request("home").ok
    rig.run(20)
    reply = rig.request("engage")
    assert reply.ok, reply.error
