"""The force against the clamp as an outsider sees it: what the hand asked for less what the arm was sent.

Nothing of the force's own computation is used. Asked is ``p_0 + s R_wm (p_hand - p_hand0)``, with the test's
own R_wm and s; sent is the tip of the joints in the last ``servo_jp``; the stiffness is that of the bound, by
hand. Where the tool moves, asked is what the same hand gets from an arm without the fixture.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import trimesh
from scipy.spatial.transform import Rotation

from fixtures.geometry.baked import Workshop
from fixtures.geometry.spec import MeshSpec
from teleop.haptics.feel import wrench
from tests.controller.rig import Rig

from .test_force import CLAMPS, DOWN, RIGHT, SCALE, VIEW, angle_deg, fixture, geometry, push, rig_with

# The sigma.7 with the lightest grip over 3 ms: b / (T / 2 + t_d).
STIFFNESS = (0.5 + 1.0) / (0.5e-3 + 3e-3)
MOST_N, MOST_NM = 12.0, 0.2


def sent(rig: Rig) -> np.ndarray:
    return rig.pair.arm.forward(rig.sent[-1]).copy()


class Asked:
    """Where the hand wants the tip, by the test's own arithmetic from the moment it is made."""

    def __init__(self, rig: Rig) -> None:
        self._rig = rig
        self._T0 = sent(rig)
        self._p0 = np.array(rig.hand.p_m)
        self._R0 = Rotation.from_quat(rig.hand.quat_xyzw)

    @property
    def p(self) -> np.ndarray:
        return self._T0[:3, 3] + SCALE * VIEW.apply(np.array(self._rig.hand.p_m) - self._p0)

    @property
    def R(self) -> Rotation:
        turn = (VIEW * Rotation.from_quat(self._rig.hand.quat_xyzw) * self._R0.inv() * VIEW.inv()).as_rotvec()
        return Rotation.from_rotvec(turn) * Rotation.from_matrix(self._T0[:3, :3])


def clamp(rig: Rig, asked: np.ndarray) -> np.ndarray:
    """Sent less asked, (3,) m, as the hand sees it."""
    return VIEW.inv().apply(sent(rig)[:3, 3] - asked) / SCALE


def check(name: str, force: np.ndarray, back: np.ndarray) -> None:
    """The force is the spring over the clamp."""
    size = min(MOST_N, STIFFNESS * float(np.linalg.norm(back)))
    off, felt = angle_deg(force, back), float(np.linalg.norm(force))
    print(f"{name}: {felt:.3f} N, off the clamp by {off:.4f} deg, size by {100 * (felt / size - 1):+.3f} %")
    assert size > 0.2, "the test never touched"
    assert off < 1.0
    assert felt == pytest.approx(size, rel=0.01)


SHAPES: dict[str, dict[str, object]] = {
    "capsule": geometry("capsule", start_m=[-0.05, 0.002, -0.14], end_m=[0.05, 0.002, -0.14], radius_m=0.01),
    "cone": geometry("cone", apex_m=[0.001, 0.0, -0.128], base_m=[0, 0, -0.2], radius_m=0.05),
    "frustum": geometry(
        "frustum", start_m=[0, 0, -0.13], end_m=[0, 0, -0.2], start_radius_m=0.02, end_radius_m=0.04
    ),
    "spline tube": geometry(
        "tube", points_m=[[-0.05, 0, -0.15], [0, 0.003, -0.14], [0.05, 0, -0.15]], radius_m=0.01
    ),
    "hull": geometry("hull", points_m=[[-0.03, -0.03, -0.17], [0.03, -0.03, -0.17], [0, 0.03, -0.17],
                                       [0.001, 0.0, -0.129]]),
    "union": geometry("union", of=[
        geometry("sphere", center_m=[0.008, 0, -0.14], radius_m=0.01),
        geometry("sphere", center_m=[-0.008, 0, -0.14], radius_m=0.01)]),
    "tilted wall": geometry("half_space", normal=[0.3, 0.4, 0.8], point_m=[0, 0, -0.126]),
}  # fmt: skip

ALL = {name: (wall, towards) for name, (wall, towards) in CLAMPS.items() if name != "camera cone"}
ALL |= {name: (fixture("forbidden", geometry=shape), DOWN) for name, shape in SHAPES.items()}
ALL |= {
    "tube of a curve": (
        fixture("guide_curve", compliance=1.0, tube_m=0.003,
                points_m=[[-0.03, 0.004, -0.115], [0, 0, -0.1135], [0.03, 0.004, -0.115]]), DOWN),
    "tube of a line": (fixture("axis_lock", locked="yz", compliance=1.0, tube_m=0.003,
                               pose={"position_m": [0, 0, -0.1135]}), DOWN),
    "tube of a plane": (fixture("guide_plane", compliance=1.0, tube_m=0.003,
                                pose={"position_m": [0, 0, -0.1135]}), DOWN),
    "camera cone": CLAMPS["camera cone"],
}  # fmt: skip


@pytest.mark.parametrize("kind", ALL)
def test_force_is_along_what_was_asked_less_what_was_sent(kind: str) -> None:
    wall, towards = ALL[kind]
    rig = rig_with(wall)
    asked = Asked(rig)
    push(rig, towards, 0.03, ticks=300)
    check(kind, rig.outputs.pairs[0].force_n, clamp(rig, asked.p))


@pytest.fixture(scope="module")
def baked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ball of triangles, baked coarsely; its middle is 10 mm below (0, 0, -0.13)."""
    folder = tmp_path_factory.mktemp("mesh")
    ball = trimesh.creation.icosphere(subdivisions=3, radius=10.0)
    ball.apply_translation([4.0, 0.0, -140.0])
    ball.export(folder / "ball.stl")
    spec = MeshSpec(shape="mesh", path=folder / "ball.stl", units="mm", spacing_m=1e-3, band_m=4e-3)
    spec.field(Workshop(folder)).save(folder / "ball.field")
    return folder / "ball.field"


def test_force_of_a_mesh_is_along_what_was_asked_less_what_was_sent(baked: Path) -> None:
    rig = rig_with(fixture("forbidden", geometry=geometry("field", path=str(baked))))
    asked = Asked(rig)
    push(rig, DOWN, 0.03, ticks=300)
    check("mesh", rig.outputs.pairs[0].force_n, clamp(rig, asked.p))


def test_a_joint_at_its_end_is_felt_along_what_was_asked_less_what_was_sent() -> None:
    rig = rig_with()
    asked = Asked(rig)
    push(rig, [0.0, 0.0, 1.0], 0.4, ticks=2500)
    check("joint end", rig.outputs.pairs[0].force_n, clamp(rig, asked.p))


def test_a_trocar_that_is_off_the_arms_own_is_felt_along_what_was_asked_less_what_was_sent() -> None:
    """The PSM turns about its remote centre; a second port 20 mm below it holds the shaft from the side."""
    rig = rig_with(fixture("trocar", tolerance_m=5e-4, pose={"position_m": [0.0, 0.0, -0.02]}))
    asked = Asked(rig)
    push(rig, RIGHT, 0.03, ticks=300)
    check("trocar", rig.outputs.pairs[0].force_n, clamp(rig, asked.p))


def test_a_speed_limit_is_felt_along_what_it_holds_back() -> None:
    """Against a twin under the same hand without the fixture, so that ordinary lag is not counted."""
    limit = fixture(
        "speed_limit", near_speed_m_s=0.01, far_speed_m_s=0.01, range_m=0.5,
        geometry=geometry("half_space", normal=[0, 0, 1], point_m=[0, 0, -0.2]),
    )  # fmt: skip
    held, twin = rig_with(limit), rig_with()
    direction = VIEW.inv().apply([1.0, 0.0, 0.0])
    for k in range(600):
        for rig in (held, twin):
            rig.hand.p_m = (1e-4 * k * direction).tolist()
            rig.tick()
    check("speed limit", held.outputs.pairs[0].force_n, clamp(held, sent(twin)[:3, 3]))


def turn(rig: Rig, axis_world: list[float], angle: float, ticks: int = 600) -> None:
    start = Rotation.from_quat(rig.hand.quat_xyzw)
    axis = VIEW.inv().apply(axis_world)
    for k in range(ticks + 300):
        step = Rotation.from_rotvec(min(1.0, k / ticks) * angle * axis)
        rig.hand.quat_xyzw = (step * start).as_quat().tolist()
        rig.tick()


TURNED: dict[str, tuple[dict[str, object], Callable[[Rig], None]]] = {
    "orientation cone": (
        fixture("orientation_cone", axis=[0.0, 0.0, -1.0], half_angle_rad=0.2),
        lambda rig: turn(rig, [0.0, 1.0, 0.0], 0.5),
    ),
    "look at": (
        fixture("look_at", pose={"position_m": [0.0, 0.0, -0.2]}),
        lambda rig: turn(rig, [math.sqrt(0.5), math.sqrt(0.5), 0.0], 0.2),
    ),
}


@pytest.mark.parametrize("kind", TURNED)
def test_torque_is_along_the_turn_that_was_asked_less_the_one_that_was_sent(kind: str) -> None:
    wall, move = TURNED[kind]
    rig = rig_with(wall)
    rig.run(700)
    asked = Asked(rig)
    move(rig)
    out = rig.outputs.pairs[0]
    back = VIEW.inv().apply((Rotation.from_matrix(sent(rig)[:3, :3]) * asked.R.inv()).as_rotvec())
    # 1 N m/rad of the sigma.7, cut as the force spring is.
    size = min(MOST_NM, 1.0 * STIFFNESS / 4000.0 * float(np.linalg.norm(back)))
    off, felt = angle_deg(out.torque_nm, back), float(np.linalg.norm(out.torque_nm))
    print(f"{kind}: {1e3 * felt:.2f} mN m, off by {off:.3f} deg, size by {100 * (felt / size - 1):+.2f} %")
    assert size > 5e-3, "the test never touched"
    assert off < 1.0
    assert felt == pytest.approx(size, rel=0.01)
    assert np.linalg.norm(out.force_n) < 0.05


GUIDES: dict[str, dict[str, object]] = {
    "curve": fixture("guide_curve", points_m=[[-0.04, 0, -0.115], [0.0, 0.0, -0.1135], [0.04, 0, -0.115]]),
    "plane": fixture("guide_plane", pose={"position_m": [0.0, 0.0, -0.1135]}),
    "axis lock": fixture("axis_lock", locked="yz", pose={"position_m": [0.0, 0.0, -0.1135]}),
    "hold point": fixture("hold_point", pose={"position_m": [0.0, 0.0, -0.1135]}),
    "surface": fixture("guide_surface", geometry=geometry("sphere", center_m=[0, 0, -0.1535], radius_m=0.04)),
}


@pytest.mark.parametrize("kind", GUIDES)
def test_guidance_turns_the_hand_towards_the_guide_and_does_not_drive_it(kind: str) -> None:
    """Across its motion the hand is pushed along what was asked less what was sent; along it, held back.

    The velocity the force is made from is a few milliseconds old, so where the hand turns a little power
    goes into it: at most the force times what the velocity has changed by since.
    """
    rig = rig_with(GUIDES[kind])
    rig.run(600)
    asked = Asked(rig)
    gain = rig.pair.feel.spec.guidance_ns_m
    seen, worst, largest, given, taken = 0, 0.0, 0.0, 0.0, 0.0
    last, recent = np.array(rig.hand.p_m), [np.zeros(3)]
    for k in range(1200):
        t = 1e-3 * k
        ramp = min(1.0, 2.0 * t)
        way = [0.03 * math.sin(2.1 * t), 0.008 * math.sin(5.3 * t), 0.012 * math.sin(3.7 * t)]
        rig.hand.p_m = (ramp * VIEW.inv().apply(way)).tolist()
        rig.tick()
        f = rig.outputs.pairs[0].force_n
        p = np.array(rig.hand.p_m)
        v, last = (p - last) / 1e-3, p
        recent = [*recent[-9:], v]
        power = float(f @ v)
        given, taken = max(given, power), min(taken, power)
        changed = max(float(np.linalg.norm(v - old)) for old in recent)
        fastest = max(float(np.linalg.norm(old)) for old in recent)
        assert power <= 1.5 * gain * fastest * changed + 1e-9
        largest = max(largest, float(np.linalg.norm(f)))
        speed, back = float(np.linalg.norm(v)), clamp(rig, asked.p)
        if speed < 0.03 or np.linalg.norm(back) < 2e-3:
            continue
        across_f = f - (f @ v) / speed**2 * v
        across_back = back - (back @ v) / speed**2 * v
        if np.linalg.norm(across_back) > 0.3 * np.linalg.norm(back):
            seen += 1
            worst = max(worst, angle_deg(across_f, across_back))
    print(
        f"{kind}: {seen} ticks, up to {largest:.3f} N, off by {worst:.2f} deg; "
        f"gives {1e3 * given:.1f} mW at most, takes up to {-1e3 * taken:.1f} mW"
    )
    assert seen > 100, "the hand was never off the guide"
    assert largest > 0.05
    assert worst < 6.0


def test_redirection_by_itself_does_no_work_but_what_it_takes() -> None:
    """The formula, over random hands: its power is ``-c min(0, v.n)^2`` and it turns towards the guide."""
    rng = np.random.default_rng(11)
    still, force, torque, out = np.zeros(6), np.zeros(3), np.zeros(3), np.zeros(3)
    for _ in range(2000):
        v, guide = rng.normal(size=3) * 0.1, np.zeros(6)
        guide[:3] = rng.normal(size=3) * 0.004
        wrench(still, guide, v, VIEW.as_matrix(), SCALE, 1.0, 0.0, 0.0, 0.0, 4.0, 0.005, force, out, torque)
        h = VIEW.inv().apply(guide[:3]) / SCALE
        n = h / np.linalg.norm(h)
        c = 4.0 * min(1.0, float(np.linalg.norm(h)) / 0.005)
        assert out @ v == pytest.approx(-c * min(0.0, float(v @ n)) ** 2, abs=1e-12)
        assert out @ v <= 1e-12
        across = n - (n @ v) / (v @ v) * v
        assert out @ across >= -1e-12
