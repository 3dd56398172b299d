"""Sphere covers: nothing of the capsule is left out, and nothing sticks out further than stated."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kinematics import ArmModel, ArmSpec
from kinematics.bodies import cover_capsule

unhurried = settings(deadline=None)  # a kernel compiles on its first call, and two cores are shared
ARMS = Path(__file__).parents[2] / "configs" / "arms"
NAMES = sorted(path.stem for path in ARMS.glob("*.toml"))


def distance_to_segment(points: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    axis = b - a
    t = np.clip((points - a) @ axis / max(axis @ axis, 1e-300), 0.0, 1.0)
    return np.linalg.norm(points - (a + t[:, None] * axis), axis=1)


def surface(
    a: np.ndarray, b: np.ndarray, radius: float, rng: np.random.Generator, count: int = 4000
) -> np.ndarray:
    """Points of a capsule's surface: random points of the axis pushed out, less those that end up inside."""
    out = rng.normal(size=(count, 3))
    out *= radius / np.linalg.norm(out, axis=1)[:, None]
    points = a + rng.uniform(-0.2, 1.2, size=(count, 1)).clip(0, 1) * (b - a) + out
    return points[distance_to_segment(points, a, b) > radius * (1 - 1e-9)]


lengths = st.floats(0.0, 0.5)
radii = st.floats(1e-3, 0.1)
covers = st.floats(1e-4, 0.05)


@unhurried
@given(lengths, radii, covers, st.integers(0, 2**32 - 1))
def test_the_union_covers_the_capsule_and_sticks_out_no_more_than_stated(
    length: float, radius: float, cover_m: float, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    a = rng.normal(size=3)
    direction = rng.normal(size=3)
    b = a + length * direction / np.linalg.norm(direction)
    centers, excess = cover_capsule(a, b, radius, cover_m)
    assert 0.0 <= excess <= cover_m
    points = surface(a, b, radius, rng)
    nearest = np.linalg.norm(points[:, None, :] - centers[None], axis=2).min(axis=1)
    assert nearest.max() <= radius + excess + 1e-12
    # The outermost point of any sphere of the union lies within the excess of the capsule.
    away = rng.normal(size=(2000, 3))
    away /= np.linalg.norm(away, axis=1)[:, None]
    for center in centers[:: max(1, len(centers) // 5)]:
        out = distance_to_segment(center + (radius + excess) * away, a, b) - radius
        assert out.max() <= excess + 1e-12
    # At the two ends it does not stick out at all.
    if length > 0.0:
        axis = (b - a) / length
        assert max((centers - b) @ axis) + radius + excess <= radius + 1e-12


@unhurried
@given(lengths, radii, covers)
def test_one_sphere_fewer_would_not_do(length: float, radius: float, cover_m: float) -> None:
    centers, _ = cover_capsule(np.zeros(3), np.array([0.0, 0.0, length]), radius, cover_m)
    if len(centers) > 2:
        R = radius + cover_m
        reach = 2 * cover_m + (len(centers) - 2) * 2 * np.sqrt(R**2 - radius**2)
        assert reach < length + 1e-9


def test_a_finer_cover_costs_more_spheres_and_sticks_out_less() -> None:
    ends = np.zeros(3), np.array([0.0, 0.0, 0.2244])
    counts = [len(cover_capsule(*ends, 0.0042, c)[0]) for c in (0.004, 0.002, 0.001, 0.0005, 0.00025)]
    print("spheres of the PSM's shaft for 4, 2, 1, 0.5, 0.25 mm:", counts)
    assert counts == sorted(counts)
    assert counts[0] < counts[-1]


@pytest.mark.parametrize("name", NAMES)
def test_every_capsule_of_a_profile_is_covered_in_world(name: str) -> None:
    spec = ArmSpec.from_toml(ARMS / f"{name}.toml")
    arm = ArmModel.from_spec(spec)
    rng = np.random.default_rng(6)
    q = rng.uniform(arm.limits.q_min, arm.limits.q_max)
    state = arm.at(q)
    data = arm.pinocchio_model.createData()
    import pinocchio as pin

    pin.framesForwardKinematics(arm.pinocchio_model, data, q)
    assert arm.bodies.body_names == tuple(b.name for b in spec.bodies)
    for index, body in enumerate(spec.bodies):
        mine = arm.bodies.body_of == index
        for capsule in body.capsules:
            frame = arm.pinocchio_model.getFrameId(capsule.frame, pin.FrameType.OP_FRAME)
            T = data.oMf[frame].homogeneous
            a, b = (T[:3, :3] @ np.array(p) + T[:3, 3] for p in (capsule.from_m, capsule.to_m))
            points = surface(a, b, capsule.radius_m, rng, 500)
            gap = np.linalg.norm(points[:, None] - state.centers[mine][None], axis=2) - arm.bodies.radii[mine]
            assert gap.min(axis=1).max() <= 1e-12
        assert np.all(arm.bodies.sphere_cover_m[mine] <= body.cover_m)
    assert arm.bodies.cover_m == arm.bodies.sphere_cover_m.max()


@pytest.mark.parametrize(
    ("name", "hinge_m", "blade_m", "half_thickness_m", "half_opening_deg"),
    [
        ("psm_lnd_400006", 0.0, 0.0087, 0.0015, 40.0),
        ("raven2_left", 0.0, 0.0081, 0.0019, 30.0),
        ("panda_lap", -0.015, 0.0135, 0.0015, 30.0),
    ],
)
def test_the_jaw_body_holds_the_blades_at_every_opening(
    name: str, hinge_m: float, blade_m: float, half_thickness_m: float, half_opening_deg: float
) -> None:
    """A blade is a capsule from a hinge on the tip's z axis, turned about the tip's x axis."""
    spec = ArmSpec.from_toml(ARMS / f"{name}.toml")
    assert spec.tool.jaw is not None
    assert half_opening_deg == pytest.approx(np.rad2deg(spec.tool.jaw.max_rad) / 2, abs=1e-3)
    (jaw,) = (body for body in spec.bodies if body.name == "jaw")
    rng = np.random.default_rng(7)
    hinge = np.array([0.0, 0.0, hinge_m])
    for opening in np.deg2rad(np.linspace(-half_opening_deg, half_opening_deg, 41)):
        end = hinge + blade_m * np.array([0.0, np.sin(opening), np.cos(opening)])
        points = surface(hinge, end, half_thickness_m, rng, 1000)
        outside = [
            distance_to_segment(points, np.array(c.from_m), np.array(c.to_m)) - c.radius_m
            for c in jaw.capsules
        ]
        assert all(c.frame == "tip" for c in jaw.capsules)
        assert np.min(outside, axis=0).max() <= 0.0
