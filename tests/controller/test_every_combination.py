"""Every kind with every softness, motion and set of bodies, through the whole tick, against plain formulas.

A hand drives the arm against one fixture. Hard, it holds and the ledger names it; soft, it gives at most its
slack; advisory, the arm goes exactly where it would without it. Bodies that a kind cannot act on are refused.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from tests.soak.solids import Region

from .rig import MS, Rig

Array = np.ndarray
TICKS = 260
SETTLED = 80
"""Ticks after which a moving frame has been caught up with by what only rows hold."""
RISE_M_S = 2e-3
BEAT_M, BEAT_HZ = 1e-3, 1.0
SLACK = 2e-6
BODIES = ("tip", "jaw", "wrist", "shaft", "links", "all")
SOFTNESS: dict[str, Any] = {
    "hard": "hard", "soft": {"priority": 2, "max_slack_m": SLACK}, "advisory": "advisory",
}  # fmt: skip
MOTIONS = ("static", "periodic", "stream")


@dataclass
class Case:
    """One kind in a place where a diving hand must meet it.

    Attributes:
        table: what TOML says of it, its pose left out.
        at: (3,) its frame's origin at rest [m].
        quat: its frame's rotation.
        way: direction its frame moves in, a unit vector (3,).
        broken: (rig, frame's origin (3,) now, centres of all spheres a tick before) -> how far the rule is
            broken [m or rad], <= 0 where it is kept.
        drive: what the hand does with the time since the start [s].
    """

    table: dict[str, Any]
    at: Array
    broken: Callable[[Rig, Array, Array | None], float]
    drive: Callable[[Rig, float], None]
    quat: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 1.0)
    way: Array = field(default_factory=lambda: np.array([0.0, 0.0, 1.0]))


def _dive(rig: Rig, t: float) -> None:
    rig.hand.p_m = [0.03 * min(t, 0.2), 0.0, -0.05 * min(t, 0.2)]


def _turn(rig: Rig, t: float) -> None:
    rig.hand.quat_xyzw = Rotation.from_rotvec([0.0, 2.0 * min(t, 0.2), 0.0]).as_quat().tolist()


def _lowest(rig: Rig, bodies: str) -> Array:
    """The lowest point of a body (3,) [m]."""
    centers, radii = rig.spheres(bodies)
    k = int(np.argmin(centers[:, 2] - radii))
    return centers[k] - [0.0, 0.0, radii[k]]


def _region(rig: Rig, bodies: str, kind: str) -> Case:
    """A floor 2 mm under the bodies: of what is forbidden, of a room, of what a camera sees."""
    low = _lowest(rig, bodies) - np.array([0.0, 0.0, 2e-3])
    quat = (0.0, 0.0, 0.0, 1.0)
    if kind == "forbidden":
        table: dict[str, Any] = {"geometry": {"shape": "half_space", "normal": [0.0, 0.0, 1.0]}}
        solid, inside = {"shape": "half_space", "normal": [0.0, 0.0, 1.0], "point_m": [0.0] * 3}, False
    elif kind == "keep_in":
        box = {"shape": "box", "size_m": [2.0, 2.0, 2.0], "center_m": [0.0, 0.0, 1.0]}
        table, solid, inside = {"geometry": box}, box, True
    else:
        low, quat = low + np.array([0.0, 0.0, 1.0]), (1.0, 0.0, 0.0, 0.0)
        table = {"half_angle_rad": 0.6, "depth_m": 1.0}
        cone = {"start_m": [0.0, 0.0, 0.0], "end_m": [0.0, 0.0, 1.0], "start_radius_m": 0.0}
        solid, inside = {"shape": "frustum", **cone, "end_radius_m": math.tan(0.6)}, True
    oracle = Region.of({"name": "x", "kind": "keep_in" if inside else "forbidden", "geometry": solid})

    def broken(rig: Rig, at: Array, _: Array | None) -> float:
        centers, radii = rig.spheres(bodies)
        local = Rotation.from_quat(quat).inv().apply(centers - at)
        return -float((oracle.distance(local, np.zeros(len(local))) - radii).min())

    return Case({"kind": kind, "bodies": [bodies], **table}, low, broken, _dive, quat)


def _slow(rig: Rig, bodies: str, kind: str) -> Case:
    """Slower near a floor 8 mm under the bodies."""
    low = _lowest(rig, bodies) - np.array([0.0, 0.0, 8e-3])
    near, far, reach = 5e-3, 0.05, 0.02

    def broken(rig: Rig, at: Array, before: Array | None) -> float:
        if before is None:
            return -math.inf
        b, worst = rig.pair.arm.bodies, -math.inf
        now, _ = rig.spheres()
        for index, name in enumerate(b.body_names):
            mine = b.body_of == index
            if bodies not in (name, "all") or not mine.any():
                continue
            room = before[mine, 2] - at[2] - b.radii[mine]
            speed = np.linalg.norm(now[mine] - before[mine], axis=1) / 1e-3
            if room.min() < reach:
                limit = near + (far - near) * max(room.min(), 0.0) / reach
                worst = max(worst, float(speed.max()) - limit)
        return 1e-3 * worst  # as far as it comes in a tick

    geometry = {"shape": "half_space", "normal": [0.0, 0.0, 1.0]}
    speeds = {"near_speed_m_s": near, "far_speed_m_s": far, "range_m": reach}
    return Case({"kind": kind, "bodies": [bodies], "geometry": geometry, **speeds}, low, broken, _dive)


_TUBE_M = 2e-3


def _guide(rig: Rig, kind: str) -> Case:
    """Something to stay within 2 mm of, through the tip."""
    line = [[-0.03, 0.0, 0.0], [-0.01, 0.0, 0.0], [0.01, 0.0, 0.0], [0.03, 0.0, 0.0]]
    ball = {"shape": "sphere", "radius_m": 0.03, "center_m": [0.0, 0.0, -0.032]}
    table, away = {
        "guide_plane": ({}, lambda p: abs(p[2])),
        "axis_lock": ({"locked": "yz"}, lambda p: math.hypot(p[1], p[2])),
        "hold_point": ({}, lambda p: float(np.linalg.norm(p))),
        "guide_curve": ({"points_m": line}, lambda p: math.hypot(p[1], p[2])),
        "guide_surface": (
            {"geometry": ball, "standoff_m": 2e-3},
            lambda p: abs(float(np.linalg.norm(p - ball["center_m"])) - 0.032),
        ),
    }[kind]

    def broken(rig: Rig, at: Array, _: Array | None) -> float:
        return float(away(rig.pair.motion.p_world_tip - at)) - _TUBE_M

    table = {"kind": kind, "compliance": 0.8, "tube_m": _TUBE_M, **table}
    return Case(table, rig.pair.motion.p_world_tip.copy(), broken, _dive)


def _axis(rig: Rig) -> Array:
    """The tip's z axis (3,) in world."""
    out: Array = rig.pair.arm.forward(rig.pair.motion.q)[:3, 2]
    return out


def _cone(rig: Rig, kind: str) -> Case:
    """A hand that turns the tool 0.4 rad out of a cone of 0.1."""
    axis = _axis(rig)

    def broken(rig: Rig, at: Array, _: Array | None) -> float:
        return float(np.arctan2(np.linalg.norm(np.cross(_axis(rig), axis)), _axis(rig) @ axis)) - 0.1

    table = {"kind": kind, "axis": axis.tolist(), "half_angle_rad": 0.1}
    return Case(table, rig.pair.motion.p_world_tip.copy(), broken, _turn)


def _look(rig: Rig, kind: str) -> Case:
    """It has no rows: what it asks for is told by how the tool turns, in `test_guidance.py`."""
    at = rig.pair.motion.p_world_tip + 0.05 * _axis(rig)
    return Case({"kind": kind, "compliance": 0.2}, at, lambda *_: -math.inf, _dive)


def _trocar(rig: Rig, kind: str) -> Case:
    """A second port, half way from the arm's own to the tip: the shaft can only slide through both."""
    state = rig.pair.arm.at(rig.pair.motion.q)
    point, axis = state.shaft_point, state.shaft_axis
    at = point + axis * float(axis @ (0.5 * rig.pair.motion.p_world_tip - point))
    way = np.cross(axis, [0.0, 1.0, 0.0])

    def broken(rig: Rig, at: Array, _: Array | None) -> float:
        s = rig.pair.arm.at(rig.pair.motion.q)
        return float(np.linalg.norm(np.cross(at - s.shaft_point, s.shaft_axis))) - 1e-4

    table = {"kind": kind, "tolerance_m": 1e-4}
    return Case(table, at, broken, _dive, way=way / np.linalg.norm(way))


REGIONS = {"forbidden": _region, "keep_in": _region, "camera_cone": _region, "speed_limit": _slow}
OTHERS: dict[str, Callable[[Rig, str], Case]] = {
    **dict.fromkeys(("guide_plane", "axis_lock", "hold_point", "guide_curve", "guide_surface"), _guide),
    "orientation_cone": _cone, "look_at": _look, "trocar": _trocar,
}  # fmt: skip


def _rig(kind: str) -> Rig:
    rig = Rig(scale=1.0, ramp_s=0.0, orientation="relative" if kind == "orientation_cone" else "locked")
    rig.bring_up()
    return rig


def _frame(case: Case, motion: str, since_s: float) -> Array:
    """Origin (3,) of the frame, a time after it was set [m]."""
    if motion == "periodic":  # from its lowest, at rest
        return case.at + BEAT_M * (1.0 - math.cos(2 * math.pi * BEAT_HZ * since_s)) * case.way
    return case.at + (RISE_M_S * since_s if motion == "stream" else 0.0) * case.way


def _set(rig: Rig, case: Case, softness: str, motion: str) -> None:
    set_s = (rig.now_ns + MS) * 1e-9
    at, told = case.at, {"type": motion}
    if motion == "periodic":
        at = at + BEAT_M * case.way
        phase = -0.5 * math.pi - 2 * math.pi * BEAT_HZ * set_s
        told["waves"] = [
            {"amplitude_m": (BEAT_M * case.way).tolist(), "rate_hz": BEAT_HZ, "phase_rad": phase}
        ]
    if motion == "stream":
        told["speed_error_m_s"] = 0.0
    pose = {"position_m": at.tolist(), "quat_xyzw": case.quat}
    fixture = {"name": "x", **case.table, "softness": SOFTNESS[softness], "motion": told, "pose": pose}
    reply = rig.request("set_fixture", fixture=fixture)
    assert reply.ok, reply.error


def _driven(rig: Rig, case: Case, softness: str, motion: str) -> tuple[list[float], set[str]]:
    """How far the rule was broken at each tick, and what the ledger said of it."""
    begin_ns, before = rig.now_ns, None
    broken, said = [], set()
    for k in range(TICKS):
        case.drive(rig, 1e-3 * k)
        if motion == "stream" and k % 20 == 0:
            now_ns = rig.now_ns + MS
            reply = rig.request(
                "set_fixture_pose", name="x", p_m=_frame(case, motion, (now_ns - begin_ns) * 1e-9).tolist(),
                quat_xyzw=list(case.quat), twist=[*(RISE_M_S * case.way), 0.0, 0.0, 0.0], stamp_ns=now_ns,
            )  # fmt: skip
            assert reply.ok, reply.error
        else:
            rig.tick()
        assert rig.outputs is not None
        said |= {line.what for line in rig.outputs.pairs[0].ledger if line.who == "x"}
        frame = _frame(case, motion, (rig.now_ns + MS - begin_ns) * 1e-9)
        broken.append(case.broken(rig, frame, before))
        before, _ = rig.spheres()
    return broken, said


def _free(kind: str, make: Callable[[Rig], Case]) -> list[Array]:
    """The joints that the same hand asks for without a fixture."""
    rig = _rig(kind)
    case = make(rig)
    rig.tick()  # where the fixture is set in the other runs
    start = len(rig.sent)
    for k in range(TICKS):
        case.drive(rig, 1e-3 * k)
        rig.tick()
    return rig.sent[start:]


def _judge(kind: str, make: Callable[[Rig], Case]) -> None:
    free = _free(kind, make)
    for softness, motion in itertools.product(SOFTNESS, MOTIONS):
        rig = _rig(kind)
        case = make(rig)
        _set(rig, case, softness, motion)
        start = len(rig.sent)
        broken, said = _driven(rig, case, softness, motion)
        sent = rig.sent[start:]
        where = f"{kind} of {case.table.get('bodies', 'its own')}, {softness}, {motion}"
        print(f"{where}: worst {1e6 * max(broken[SETTLED:]):.2f} um, said {sorted(said)}")
        if softness == "advisory":
            assert np.array_equal(sent, free), where
            continue
        assert not np.array_equal(sent, free), f"{where}: it does nothing"
        assert said, f"{where}: nothing is said"
        if softness == "hard":
            gated = kind in ("forbidden", "keep_in", "camera_cone")
            assert max(broken if gated else broken[SETTLED:]) <= (0.0 if gated else 1e-5), where
        else:
            gave = max(b - max(a, 0.0) for a, b in itertools.pairwise(broken[SETTLED:]))
            assert gave <= SLACK + 1e-7, where


@pytest.mark.parametrize("bodies", BODIES)
@pytest.mark.parametrize("kind", REGIONS)
def test_what_acts_on_bodies(kind: str, bodies: str) -> None:
    _judge(kind, lambda rig: REGIONS[kind](rig, bodies, kind))


@pytest.mark.parametrize("kind", OTHERS)
def test_what_acts_on_one_part_of_the_tool(kind: str) -> None:
    _judge(kind, lambda rig: OTHERS[kind](rig, kind))


@pytest.mark.parametrize("kind", OTHERS)
def test_a_part_that_a_kind_cannot_act_on_is_refused_and_named(kind: str) -> None:
    rig = _rig(kind)
    table = OTHERS[kind](rig, kind).table
    own = "shaft" if kind == "trocar" else "tip"
    for other in BODIES:
        reply = rig.request("set_fixture", fixture={"name": "x", **table, "bodies": [other]})
        assert reply.ok == (other == own), reply.error
        assert reply.ok or ("bodies" in reply.error and own in reply.error), reply.error
    reply = rig.request("set_fixture", fixture={"name": "x", **table, "bodies": [own, "jaw"]})
    assert not reply.ok
