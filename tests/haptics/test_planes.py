"""Planes in the master's frame are where the tool touches, whatever the registration, scale and body."""

from __future__ import annotations

import numpy as np
import pytest
import quadprog

from teleop.haptics.planes import CANDIDATES, MOST, project, tip_rows

from .test_force import (
    CLAMPS,
    DOWN,
    FLOOR,
    RIGHT,
    SCALE,
    SHAFT,
    VIEW,
    angle_deg,
    push,
    rig_with,
)


def tip_at(rig, p_hand: np.ndarray) -> np.ndarray:
    """Where a hand at ``p_hand`` asks the tip to be."""
    pair = rig.outputs.pairs[0]
    return pair.p_desired_world + SCALE * VIEW.apply(p_hand - rig.pair.hand.p)


def on_plane(plane, p_hand: np.ndarray) -> np.ndarray:
    n = np.array(plane.n)
    return p_hand + (plane.offset_m - n @ p_hand) * n


@pytest.mark.parametrize("normal", [[0.0, 0.0, 1.0], [0.3, 0.4, 0.8]])
@pytest.mark.parametrize("hand_m", [0.0145, 0.03])
def test_the_plane_of_a_wall_is_where_the_tip_touches_it(normal: list[float], hand_m: float) -> None:
    n = np.array(normal) / np.linalg.norm(normal)
    point = np.array([0.0, 0.0, -0.1285])
    wall = {
        "kind": "forbidden", "name": "wall", "bodies": ["tip"],
        "geometry": {"shape": "half_space", "normal": normal, "point_m": point.tolist()},
    }  # fmt: skip
    rig = rig_with(wall)
    push(rig, DOWN, hand_m)
    (plane,) = rig.outputs.pairs[0].planes
    assert plane.fixture == "wall"
    assert angle_deg(np.array(plane.n), VIEW.inv().apply(n)) < 0.01
    bodies = rig.pair.arm.bodies
    tip = rig.pair.arm.forward(rig.pair.motion.q)[:3, 3]
    centers = np.zeros((bodies.count, 3))
    rig.pair.arm.sphere_centers(rig.pair.motion.q, centers)
    of_tip = [i for i in range(bodies.count) if bodies.body_names[bodies.body_of[i]] == "tip"]
    lowest = min(float((centers[i] - tip) @ n) - bodies.radii[i] for i in of_tip)
    hand = on_plane(plane, np.array(rig.hand.p_m))
    room = float((tip_at(rig, hand) - point) @ n) + lowest
    print(f"a hand on the plane puts the tip {1e6 * room:.2f} um off the wall")
    assert abs(room) < 5e-6


def test_a_plane_is_there_before_the_wall_is_touched() -> None:
    rig = rig_with({**FLOOR, "bodies": ["tip"]})
    seen = touched = None
    direction = VIEW.inv().apply(DOWN)
    for k in range(1200):
        rig.hand.p_m = (5e-5 * k * direction).tolist()
        pair = rig.tick().pairs[0]
        if seen is None and pair.planes:
            seen = k
        if touched is None and pair.force_n.any():
            touched = k
    print(f"plane {touched - seen} ms before the touch at 50 mm/s of the hand")
    assert touched - seen >= 3


def test_a_block_of_the_shaft_is_a_plane_for_the_hand() -> None:
    """Going on until the hand is on the plane, the shaft is on the wall: by the arm's own kinematics."""
    rig = rig_with(SHAFT)
    push(rig, RIGHT, 0.03)
    pair = rig.outputs.pairs[0]
    plane = min(pair.planes, key=lambda plane: plane.offset_m - np.array(plane.n) @ rig.pair.hand.p)
    n = np.array(plane.n)
    assert angle_deg(n, pair.force_n) < 5.0
    # The planes of the shaft push back what the clamp pushes back: nothing is left beside them.
    deepest = max(plane.offset_m - np.array(plane.n) @ rig.pair.hand.p for plane in pair.planes)
    u = float(np.linalg.norm(pair.p_desired_world - pair.T_world_tip[:3, 3])) / SCALE
    print(f"hand behind the plane {1e3 * deepest:.3f} mm, tool kept from it {1e3 * u:.3f} mm")
    assert deepest == pytest.approx(u, rel=0.02)


@pytest.mark.parametrize("clamp", CLAMPS)
def test_planes_and_what_is_beside_them_make_up_the_force(clamp: str) -> None:
    wall, towards = CLAMPS[clamp]
    rig = rig_with(wall, device="generic", stiffness_n_m=50.0)
    push(rig, towards, 0.025)
    pair = rig.outputs.pairs[0]
    assert pair.planes, "no plane"
    assert len(pair.planes) <= 16
    normal, offset, way = np.zeros((16, 3)), np.zeros(16), np.zeros(3)
    for k, plane in enumerate(pair.planes):
        normal[k], offset[k] = plane.n, plane.offset_m
        assert np.linalg.norm(plane.n) == pytest.approx(1.0)
    project(rig.pair.hand.p.copy(), normal, offset, len(pair.planes), way)
    rendered = pair.beside_n + 50.0 * way
    size = np.linalg.norm(pair.force_n)
    print(f"{clamp}: {len(pair.planes)} planes, {rendered.round(3)} for {pair.force_n.round(3)} N")
    # A hundredth of a newton is less than the friction of any device here.
    assert np.linalg.norm(rendered - pair.force_n) < 0.1 * size + 0.01


def test_no_planes_while_nothing_follows_and_none_deeper_than_the_tool_inside_a_region() -> None:
    rig = rig_with()
    tip = rig.pair.motion.p_world_tip.copy()
    wall = {"shape": "half_space", "normal": [0.0, 0.0, 1.0], "point_m": [0.0, 0.0, float(tip[2]) + 0.01]}
    assert rig.request("set_fixture", fixture={"kind": "forbidden", "name": "w", "geometry": wall}).ok
    rig.run(20)
    pair = rig.outputs.pairs[0]
    assert pair.planes
    for plane in pair.planes:
        # The plane is at the hand: it does not throw the hand out of where it already is.
        assert abs(plane.offset_m - np.array(plane.n) @ rig.pair.hand.p) < 1e-5
    rig.hand.clutch = True
    rig.tick()
    assert rig.outputs.pairs[0].planes == []


def test_a_corner_is_a_plane_for_each_of_its_walls() -> None:
    side = {"shape": "half_space", "normal": [-1.0, 0.0, 0.0], "point_m": [0.01, 0.0, 0.0]}
    rig = rig_with(FLOOR, {"kind": "forbidden", "name": "side", "geometry": side})
    push(rig, [0.8, 0.0, -1.0], 0.035)
    assert {plane.fixture for plane in rig.outputs.pairs[0].planes} == {"wall", "side"}


def test_planes_that_nearly_coincide_push_once() -> None:
    tilt = 0.02
    normal = np.zeros((16, 3))
    normal[:2] = [[0.0, 0.0, 1.0], [np.sin(tilt), 0.0, np.cos(tilt)]]
    way = np.zeros(3)
    size = project(np.zeros(3), normal, np.full(16, 1e-3), 2, way)
    # The exact projection, by the two normals' own little linear system or by one plane alone.
    assert size == pytest.approx(1e-3, rel=1e-3)
    assert np.all(normal[:2] @ way >= 1e-3 - 1e-7)


@pytest.mark.parametrize("seed", range(20))
def test_projection_is_the_least_squares_solution(seed: int) -> None:
    """Against quadprog, on random sets of planes around a point that is inside all of them."""
    rng = np.random.default_rng(seed)
    count = int(rng.integers(1, 9))
    normal = np.zeros((16, 3))
    normal[:count] = rng.normal(size=(count, 3))
    normal[:count] /= np.linalg.norm(normal[:count], axis=1)[:, None]
    offset = np.zeros(16)
    offset[:count] = normal[:count] @ rng.normal(size=3) * 0.01 - rng.uniform(1e-4, 5e-3, count)
    p = rng.normal(size=3) * 0.01
    way = np.zeros(3)
    project(p, normal, offset, count, way)
    best = quadprog.solve_qp(np.eye(3), np.zeros(3), normal[:count].T, offset[:count] - normal[:count] @ p)[0]
    assert np.linalg.norm(way - best) < 1e-4


def test_the_nearest_rows_are_seen_from_the_tip_as_its_inverse_jacobian_says() -> None:
    rng = np.random.default_rng(2)
    fixtures, spheres, n = 3, 40, 7
    near = rng.random((fixtures, spheres)) < 0.7
    clearance = rng.random((fixtures, spheres))
    gradient = rng.normal(size=(fixtures, spheres, 3))
    jacobians = rng.normal(size=(spheres, 3, n))
    tip = rng.normal(size=(6, n))
    owner, room = np.zeros(CANDIDATES + MOST, np.int64), np.zeros(CANDIDATES + MOST)
    g = np.zeros((CANDIDATES + MOST, 3))
    count = tip_rows(near, clearance, gradient, jacobians, tip, np.eye(6), owner, room, g)
    assert count == CANDIDATES < near.sum()
    nearest = sorted(np.argwhere(near).tolist(), key=lambda pair: clearance[tuple(pair)])[:CANDIDATES]
    inverse = np.linalg.pinv(tip)[:, :3]
    expected = {clearance[f, i]: (f, gradient[f, i] @ jacobians[i] @ inverse) for f, i in nearest}
    assert set(room[:count]) == set(expected)
    for k in range(count):
        f, row = expected[room[k]]
        assert owner[k] == f
        np.testing.assert_allclose(g[k], row, atol=1e-6)
