"""Guidances in the whole tick: what the hand asks for is shaped before the arm follows it, without a jump."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from .rig import Rig, assert_within_limits

FADED = 700
"""Ticks after which a guidance has taken hold."""


def guided_rig(**fixture: object) -> Rig:
    """A following arm under one fixture whose frame is at its tip."""
    rig = Rig(scale=1.0, ramp_s=0.0)
    rig.bring_up()
    pose = {"position_m": rig.pair.motion.p_world_tip.tolist(), **fixture.pop("pose", {})}  # type: ignore[dict-item]
    reply = rig.request("set_fixture", fixture={"name": "guide", "pose": pose, **fixture})
    assert reply.ok, reply.error
    return rig


def sway(rig: Rig, ticks: int, *amplitude: float) -> np.ndarray:
    """Let the hand sway; the tip's way relative to where it began, (ticks, 3) m."""
    begin, way = rig.pair.motion.p_world_tip.copy(), []
    hand = np.array(rig.hand.p_m)
    for k in range(ticks):
        s = 0.5 * (1.0 - np.cos(2 * np.pi * k / 1000.0))
        rig.hand.p_m = (hand + s * np.array(amplitude)).tolist()
        rig.tick()
        way.append(rig.pair.motion.p_world_tip - begin)
    return np.array(way)


def ledger(rig: Rig) -> dict[tuple[str, str], object]:
    assert rig.outputs is not None
    return {(line.who, line.what): line for line in rig.outputs.pairs[0].ledger}


def test_a_held_point_is_not_left_and_the_ledger_says_by_how_much() -> None:
    rig = guided_rig(kind="hold_point")
    start = len(rig.sent)
    rig.run(FADED)
    way = sway(rig, 500, 0.01, 0.0, 0.0)
    assert np.abs(way).max() < 5e-5
    line = ledger(rig)["guide", "guided"]
    assert line.by_m == pytest.approx(0.01, rel=0.05)  # type: ignore[attr-defined]
    assert_within_limits(rig, rig.sent[start:])


def test_a_compliant_point_gives_way_by_its_compliance_and_draws_back() -> None:
    rig = guided_rig(kind="hold_point", compliance=0.25)
    rig.run(FADED)
    way = sway(rig, 1000, 0.0, 0.008, 0.0)
    assert way[:, 1].max() == pytest.approx(0.002, rel=0.05)
    assert np.abs(way[-1]).max() < 5e-5


def test_a_guidance_that_comes_changes_or_goes_never_makes_a_step() -> None:
    rig = guided_rig(kind="hold_point")
    rig.run(FADED)
    sway(rig, 500, 0.0, 0.006, 0.0)  # the hand is 6 mm away from the tip now
    start = len(rig.sent)
    at = rig.pair.motion.p_world_tip.copy()
    fixture = {"name": "guide", "kind": "axis_lock", "locked": "x", "pose": {"position_m": at.tolist()}}
    assert rig.request("set_fixture", fixture=fixture).ok
    assert np.linalg.norm(rig.pair.motion.p_world_tip - at) < 2e-6
    rig.run(FADED)
    assert (rig.pair.motion.p_world_tip - at)[1] == pytest.approx(0.006, abs=1e-4)
    at = rig.pair.motion.p_world_tip.copy()
    assert rig.request("remove_fixture", name="guide").ok
    assert np.linalg.norm(rig.pair.motion.p_world_tip - at) < 2e-6
    rig.run(FADED)
    v = np.diff(np.array(rig.sent[start:]), axis=0)
    # 6 mm in half a second, at most 18 mm/s, 0.1 m from the trocar; a step would run at the arm's own limits
    assert np.abs(v).max() < 2e-4
    assert_within_limits(rig, rig.sent[start:])


def test_a_plane_flattens_the_motion_and_leaves_what_is_in_it() -> None:
    rig = guided_rig(kind="guide_plane")
    rig.run(FADED)
    way = sway(rig, 500, 0.008, 0.0, 0.008)
    assert np.abs(way[:, 2]).max() < 5e-5
    assert way[-1, 0] == pytest.approx(0.008, abs=2e-4)


def test_a_locked_axis_leaves_a_line() -> None:
    rig = guided_rig(kind="axis_lock", locked="xy")
    rig.run(FADED)
    way = sway(rig, 500, 0.005, 0.005, 0.008)
    assert np.abs(way[:, :2]).max() < 5e-5
    assert way[-1, 2] == pytest.approx(0.008, abs=2e-4)


def test_a_curve_is_followed() -> None:
    angle = np.linspace(0.0, 0.5 * np.pi, 9)
    arc = [(0.01 * np.sin(a), 0.01 * (1.0 - np.cos(a)), 0.0) for a in angle]
    rig = guided_rig(kind="guide_curve", points_m=arc)
    rig.run(FADED)
    way = sway(rig, 500, 0.009, 0.009, 0.003)
    off = np.hypot(way[:, 0], way[:, 1] - 0.01) - 0.01
    assert np.abs(off).max() < 1e-4
    assert np.abs(way[:, 2]).max() < 5e-5
    assert np.linalg.norm(way[-1]) > 0.008


def test_a_hard_tube_holds_though_the_guide_itself_is_free() -> None:
    rig = guided_rig(kind="axis_lock", locked="xy", compliance=1.0, tube_m=0.003)
    way = sway(rig, 500, 0.01, 0.0, 0.004)
    assert np.hypot(way[:, 0], way[:, 1]).max() <= 0.003 + 1e-7
    assert way[-1, 0] > 0.0029
    assert way[-1, 2] > 0.003
    assert ("guide", "clamped") in ledger(rig)


def turn_hand(rig: Rig, ticks: int, rotvec: tuple[float, float, float]) -> None:
    begin = Rotation.from_quat(rig.hand.quat_xyzw)
    for k in range(1, ticks + 1):
        turn = Rotation.from_rotvec(np.array(rotvec) * k / ticks)
        rig.hand.quat_xyzw = (turn * begin).as_quat().tolist()
        rig.tick()


def test_an_orientation_cone_stops_the_tool_at_its_rim() -> None:
    rig = Rig(scale=1.0, ramp_s=0.0)
    rig.bring_up()
    axis = rig.pair.motion.T_world_tip[:3, 2].copy()
    fixture = {"name": "cone", "kind": "orientation_cone", "axis": axis.tolist(), "half_angle_rad": 0.2}
    assert rig.request("set_fixture", fixture=fixture).ok
    worst = angle = 0.0
    for _ in range(800):
        turn_hand(rig, 1, (1.5e-3, 0.0, 0.0))
        angle = float(np.arccos(np.clip(rig.pair.motion.T_world_tip[:3, 2] @ axis, -1, 1)))
        worst = max(worst, angle)
    assert worst <= 0.2 + 1e-4
    assert angle > 0.19
    line = ledger(rig)["cone", "guided"]
    assert line.by_rad > 0.5  # type: ignore[attr-defined]
    assert line.by_m == 0.0  # type: ignore[attr-defined]


def test_look_at_keeps_the_tool_pointed_while_the_tip_moves() -> None:
    rig = Rig(scale=1.0, ramp_s=0.0)
    rig.bring_up()
    T = rig.pair.motion.T_world_tip.copy()
    target = T[:3, 3] + 0.05 * T[:3, 2] + 0.004 * T[:3, 0]
    fixture = {"name": "look", "kind": "look_at", "pose": {"position_m": target.tolist()}}
    assert rig.request("set_fixture", fixture=fixture).ok
    rig.run(FADED)
    sway(rig, 500, 0.006, 0.006, 0.0)
    rig.run(100)
    T = rig.pair.motion.T_world_tip
    to = target - T[:3, 3]
    assert float(T[:3, 2] @ to / np.linalg.norm(to)) > np.cos(2e-3)


def test_an_arm_that_is_not_commanded_is_where_it_is_measured_for_the_other_arm() -> None:
    rig = Rig()
    rig.run(5)
    sweep = rig.scene.memory("arm").sweep
    q = rig.sim.q.copy()
    q[0] += 0.2  # moved by hand while disabled
    for _ in range(3):
        rig.sim.q[:] = q
        rig.tick()
    centers = np.zeros_like(sweep.start)
    rig.pair.arm.sphere_centers(q, centers)
    np.testing.assert_allclose(sweep.start, centers, atol=1e-12)
    np.testing.assert_allclose(sweep.end, centers, atol=1e-12)


def test_without_a_guidance_following_starts_at_once() -> None:
    """What a guidance would need half a second for, to take hold, is not withheld where there is none."""
    rig = Rig(scale=1.0, ramp_s=0.0)
    rig.bring_up()
    before = rig.pair.mapping.p_world.copy()
    rig.hand.p_m = (np.array(rig.hand.p_m) + 1e-5).tolist()
    rig.tick()
    assert np.array_equal(rig.pair.motion._guided.p, rig.pair.mapping.p_world)
    assert not np.array_equal(rig.pair.mapping.p_world, before)
    assert not rig.pair.motion.guidance(rig.pair.mapping.p_world, rig.pair.mapping.quat_world_xyzw).any()
