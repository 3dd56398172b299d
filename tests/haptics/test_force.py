"""The force on the hand is the clamp of the tool, through the whole tick, over every kind of clamp."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from tests.controller.rig import Rig

# The operator looks at the scene turned: nothing below may work by luck of equal frames.
VIEW = Rotation.from_rotvec([0.3, -0.8, 1.1])
SCALE = 0.5


def rig_with(*fixtures: dict[str, object], device: str = "sigma7", **haptics: object) -> Rig:
    rig = Rig(
        scale=SCALE,
        ramp_s=0.0,
        registration={"quat_world_camera_xyzw": tuple(VIEW.as_quat())},
        haptics={"device": device, **haptics},
    )
    rig.run(5)
    for fixture in fixtures:
        assert rig.request("set_fixture", fixture=fixture).ok, fixture
    rig.bring_up()
    return rig


def push(rig: Rig, towards_world: list[float], hand_m: float, ticks: int = 600) -> None:
    """Move the hand so that the desired tip goes ``towards_world``, then hold."""
    direction = VIEW.inv().apply(np.array(towards_world) / np.linalg.norm(towards_world))
    start = np.array(rig.hand.p_m)
    for k in range(ticks):
        u = min(1.0, k / (0.7 * ticks))
        rig.hand.p_m = (start + hand_m * u * direction).tolist()
        rig.tick()
    rig.run(150)


def geometry(shape: str, **keys: object) -> dict[str, object]:
    return {"shape": shape, **keys}


def fixture(kind: str, name: str = "wall", **keys: object) -> dict[str, object]:
    return {"kind": kind, "name": name, **keys}


FLOOR = fixture("forbidden", geometry=geometry("half_space", normal=[0.0, 0.0, 1.0], point_m=[0, 0, -0.1285]))
SLOPE = fixture("forbidden", geometry=geometry("half_space", normal=[0.3, 0.4, 0.8], point_m=[0, 0, -0.126]))
BALL = fixture("forbidden", geometry=geometry("sphere", center_m=[0.004, 0.0, -0.14], radius_m=0.01))
BOX = fixture("forbidden", geometry=geometry("box", center_m=[0.0, 0.0, -0.15], size_m=[0.04, 0.04, 0.04]))
ROD = fixture(
    "forbidden",
    geometry=geometry("cylinder", start_m=[-0.05, 0, -0.14], end_m=[0.05, 0, -0.14], radius_m=0.01),
)
ROOM = fixture(
    "keep_in", bodies=["tip"], geometry=geometry("sphere", center_m=[0.0, 0.0, -0.12], radius_m=0.008)
)
SOFT = fixture(
    "forbidden",
    softness={"priority": 1, "weight": 1e4, "max_slack_m": 1e-4},
    geometry=geometry("half_space", normal=[0.0, 0.0, 1.0], point_m=[0, 0, -0.1285]),
)
SHAFT = fixture(
    "forbidden",
    bodies=["shaft"],
    geometry=geometry("half_space", normal=[-1.0, 0.0, 0.0], point_m=[0.008, 0.0, 0.0]),
)
DOWN, RIGHT = [0.0, 0.0, -1.0], [1.0, 0.0, 0.0]

CLAMPS: dict[str, tuple[dict[str, object], list[float]]] = {
    "half space": (FLOOR, DOWN),
    "slope": (SLOPE, DOWN),
    "sphere": (BALL, DOWN),
    "box": (BOX, DOWN),
    "cylinder": (ROD, DOWN),
    "keep in": (ROOM, [0.6, 0.5, -1.0]),
    "soft": (SOFT, DOWN),
    "shaft": (SHAFT, RIGHT),
    "tube": (fixture("hold_point", compliance=1.0, tube_m=0.004, pose={"position_m": [0, 0, -0.12]}), DOWN),
    "camera cone": (
        fixture(
            "camera_cone",
            half_angle_rad=0.15,
            depth_m=0.12,
            pose={
                "position_m": [0.0, -0.06, -0.12],
                "quat_xyzw": [-math.sqrt(0.5), 0.0, 0.0, math.sqrt(0.5)],
            },
        ),
        RIGHT,
    ),
}


def expected(rig: Rig) -> np.ndarray:
    """``K R^T (x_c - x_d) / s``, saturated, from what the controller says it did."""
    out = rig.outputs.pairs[0]
    spring = rig.pair.feel.springs.force
    u = VIEW.inv().apply(out.T_world_tip[:3, 3] - out.p_desired_world) / SCALE
    f = spring.stiffness_n_m * u
    return f * min(1.0, rig.pair.feel.device.max_force_n / max(np.linalg.norm(f), 1e-12))


def angle_deg(a: np.ndarray, b: np.ndarray) -> float:
    return math.degrees(math.atan2(np.linalg.norm(np.cross(a, b)), a @ b))


@pytest.mark.parametrize("clamp", CLAMPS)
def test_force_points_as_the_clamp_does_and_is_as_large_as_the_formula(clamp: str) -> None:
    wall, towards = CLAMPS[clamp]
    rig = rig_with(wall)
    push(rig, towards, 0.03)
    out = rig.outputs.pairs[0]
    want = expected(rig)
    print(f"{clamp}: {out.force_n.round(3)} N, off by {angle_deg(out.force_n, want):.2e} deg")
    assert np.linalg.norm(want) > 0.2, "the test never touched"
    assert any(line.who == "wall" for line in out.ledger), out.ledger
    assert angle_deg(out.force_n, want) < 1.0
    assert np.linalg.norm(out.force_n) == pytest.approx(np.linalg.norm(want), rel=1e-2)


@pytest.mark.parametrize(
    ("clamp", "normal"),
    [("half space", [0, 0, 1]), ("slope", [0.3, 0.4, 0.8]), ("box", [0, 0, 1])],
)
def test_force_of_a_wall_that_touches_the_tip_is_along_its_normal(clamp: str, normal: list[float]) -> None:
    wall, towards = CLAMPS[clamp]
    rig = rig_with({**wall, "bodies": ["tip"]})
    push(rig, towards, 0.03)
    n = VIEW.inv().apply(np.array(normal) / np.linalg.norm(normal))
    off = angle_deg(rig.outputs.pairs[0].force_n, n)
    print(f"{clamp}: off the wall's normal by {off:.3f} deg")
    assert off < 1.0


def test_an_orientation_cone_is_felt_as_torque_and_as_no_force() -> None:
    rig = rig_with(fixture("orientation_cone", axis=[0.0, 0.0, -1.0], half_angle_rad=0.2))
    turn_world = np.array([0.0, 1.0, 0.0])
    for k in range(900):
        turn = 0.6 * min(1.0, k / 600) * VIEW.inv().apply(turn_world)
        rig.hand.quat_xyzw = Rotation.from_rotvec(turn).as_quat().tolist()
        rig.tick()
    out = rig.outputs.pairs[0]
    back = (
        Rotation.from_matrix(out.T_world_tip[:3, :3]) * Rotation.from_quat(out.quat_desired_world_xyzw).inv()
    ).as_rotvec()
    want = rig.pair.feel.springs.torsional_nm_rad * VIEW.inv().apply(back)
    want *= min(1.0, 0.2 / np.linalg.norm(want))
    assert np.linalg.norm(out.torque_nm) > 0.01
    assert angle_deg(out.torque_nm, want) < 1.0
    assert np.linalg.norm(out.torque_nm) == pytest.approx(np.linalg.norm(want), rel=0.02)
    assert np.linalg.norm(out.force_n) < 0.05


def test_a_joint_at_its_end_is_felt() -> None:
    rig = rig_with()
    push(rig, [0.0, 0.0, 1.0], 0.4, ticks=2500)
    out = rig.outputs.pairs[0]
    assert any("joint" in line.who for line in out.ledger), out.ledger
    assert np.linalg.norm(out.force_n) > 1.0
    assert angle_deg(out.force_n, expected(rig)) < 1.0


def test_free_motion_is_free_even_where_the_arm_cannot_keep_up() -> None:
    rig = rig_with()
    behind, worst = 0.0, 0.0
    for k in range(1500):
        t = k * 1e-3
        ramp = min(1.0, t)
        rig.hand.p_m = (
            ramp * np.array([0.04 * math.sin(10 * t), 0.04 * math.sin(8 * t), 0.01 * math.sin(13 * t)])
        ).tolist()
        out = rig.tick().pairs[0]
        behind = max(behind, float(np.linalg.norm(out.p_desired_world - out.T_world_tip[:3, 3])))
        worst = max(worst, float(np.linalg.norm(out.force_n)))
    print(f"the tool was {1e3 * behind:.2f} mm behind; the hand felt {worst:.2e} N")
    assert behind > 1e-4, "the arm kept up: the test says nothing"
    assert worst == 0.0


def test_sliding_along_a_wall_is_felt_along_its_normal_only() -> None:
    rig = rig_with({**FLOOR, "bodies": ["tip"]})
    push(rig, DOWN, 0.03)
    normal = VIEW.inv().apply([0.0, 0.0, 1.0])
    along = VIEW.inv().apply([1.0, 0.0, 0.0])
    start = np.array(rig.hand.p_m)
    worst = 0.0
    for k in range(400):
        rig.hand.p_m = (start + 5e-5 * k * along).tolist()
        rig.tick()
        f = rig.outputs.pairs[0].force_n
        worst = max(worst, angle_deg(f, normal))
    print(f"sliding at 50 mm/s the force leans by at most {worst:.2f} deg")
    assert worst < 1.0


def test_a_wall_does_not_stick() -> None:
    """Coming away, no force pulls back towards the wall, damper included."""
    rig = rig_with({**FLOOR, "bodies": ["tip"]}, damping_ns_m=0.5)
    push(rig, DOWN, 0.03)
    normal = VIEW.inv().apply([0.0, 0.0, 1.0])
    start = np.array(rig.hand.p_m)
    pulls = []
    for k in range(300):
        rig.hand.p_m = (start + 1e-4 * k * normal).tolist()
        rig.tick()
        pulls.append(float(rig.outputs.pairs[0].force_n @ normal))
    assert min(pulls) > -1e-9
    assert pulls[-1] == pytest.approx(0.0, abs=1e-9)


STOPS: dict[str, Callable[[Rig], None]] = {
    "clutch": lambda rig: setattr(rig.hand, "clutch", True),
    "deadman": lambda rig: setattr(rig.hand, "present", False),
    "invalid": lambda rig: setattr(rig.hand, "valid", False),
}


@pytest.mark.parametrize("stop", [*STOPS, "estop", "silence", "arm silence", "pause", "disable"])
def test_force_goes_to_zero_in_time_and_never_jumps(stop: str) -> None:
    rig = rig_with(FLOOR)
    push(rig, DOWN, 0.03)
    feel = rig.pair.feel
    step = max(feel.device.max_force_n / 20, feel.device.max_force_n / 10) * (1 + 1e-9)
    forces = [rig.outputs.pairs[0].force_n]
    assert np.linalg.norm(forces[0]) > 1.0
    for k in range(170):
        if stop in STOPS:
            STOPS[stop](rig)
            out = rig.tick()
        elif stop == "silence":
            out = rig.tick(sample=None)
        elif stop == "arm silence":
            out = rig.tick(arm=False)
        elif stop == "estop":
            out = rig.tick(estops=(("test", "now"),) if k == 0 else ())
        elif k == 0:
            rig.request(stop)
            out = rig.outputs
        else:
            out = rig.tick()
        forces.append(out.pairs[0].force_n)
    sizes = [float(np.linalg.norm(f)) for f in forces]
    jumps = [float(np.linalg.norm(b - a)) for a, b in pairwise(forces)]
    gone = next((k for k, size in enumerate(sizes) if size == 0.0), None)
    print(f"{stop}: zero after {gone} ms, largest step {max(jumps):.3f} N of {sizes[0]:.2f} N")
    assert gone is not None
    # Silence of the hand is bridged for 5 ms, of the arm (whose commands are felt, not its echo) longer.
    bridged = {"silence": 6, "arm silence": 1 + int(rig.pair.link.spec.stale_ms)}
    assert gone <= 20 + bridged.get(stop, 1)
    assert max(jumps) <= step


def test_force_rises_no_faster_than_its_slew_limit_when_a_wall_appears_at_the_tool() -> None:
    rig = rig_with(slew_n_s=100.0)
    tip = rig.pair.motion.p_world_tip.copy()
    wall = geometry("half_space", normal=[0.0, 0.0, 1.0], point_m=[0.0, 0.0, float(tip[2]) - 0.002])
    assert rig.request("set_fixture", fixture=fixture("forbidden", geometry=wall)).ok
    before = rig.outputs.pairs[0].force_n
    for k in range(400):
        rig.hand.p_m = VIEW.inv().apply([0.0, 0.0, -2e-4 * k]).tolist()
        now = rig.tick().pairs[0].force_n
        assert np.linalg.norm(now - before) <= 0.1 * (1 + 1e-9)
        before = now
    assert np.linalg.norm(before) > 1.0


def test_haptics_switched_off_sends_zero() -> None:
    rig = rig_with(FLOOR, enabled=False)
    push(rig, DOWN, 0.03)
    assert not rig.outputs.pairs[0].force_n.any()
