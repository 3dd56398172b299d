"""Random scenes by kind."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec

import numpy as np
from scipy.spatial.transform import Rotation

from .files import organ_file
from .pieces import (
    any_shape,
    beat,
    direction,
    forbid,
    mesh_fixture,
    place,
    room,
    swelling,
    thin_wall,
    turning,
    vec,
)
from .plan import WRISTED, ArmPlace, Plan, Rng, Table, clearance_at_home, data_folder
from .solids import Region, load_mesh
from .stream import Stream
from .volumes import LABEL, surface, volume_file

PSM, PANDA = "psm_lnd_400006", "panda_lap"


def planes(rng: Rng, plan: Plan) -> None:
    """One to four half-spaces."""
    for k in range(int(rng.integers(1, 5))):
        shape = {"shape": "half_space", "normal": [0.0, 0.0, 1.0], "point_m": [0.0, 0.0, 0.0]}
        forbid(rng, plan, f"plane{k}", shape)


def thin_walls(rng: Rng, plan: Plan) -> None:
    """Sheets of 0.2 to 1 mm."""
    for k in range(int(rng.integers(1, 4))):
        forbid(rng, plan, f"wall{k}", thin_wall(rng))


def corner(rng: Rng, plan: Plan) -> None:
    """A notch of two or three planes, 15 to 150 degrees wide, under the tip, or a room; sometimes both."""
    if rng.random() < 0.7:
        half, turn = np.radians(rng.uniform(8, 75)), rng.uniform(0, 2 * np.pi)
        count = int(rng.integers(2, 4))
        parts = []
        for k in range(count):
            a = turn + 2 * np.pi * k / count
            normal = np.array([np.cos(half) * np.cos(a), np.cos(half) * np.sin(a), np.sin(half)])
            parts.append({"shape": "half_space", "normal": vec(normal), "point_m": [0.0, 0.0, 0.0]})
        apart = rng.random() < 0.5
        bodies = list(WRISTED) if "wrist" in plan.arms[0].oracle.body_names else ["tip", "jaw"]
        for depth in np.linspace(0.005, 0.08, 30):
            pose = {"position_m": vec(plan.arms[0].tip - [0, 0, depth])}
            shapes = parts if apart else [{"shape": "union", "of": parts}]
            fixtures = [
                {"kind": "forbidden", "name": f"notch{k}", "geometry": s, "pose": pose, "bodies": bodies}
                for k, s in enumerate(shapes)
            ]
            if all(clearance_at_home(plan.arms, Region.of(f)) > 2e-3 for f in fixtures):
                for f in fixtures:
                    plan.add(f)
                break
    if not plan.fixtures or rng.random() < 0.5:
        room(rng, plan)


def shells(rng: Rng, plan: Plan) -> None:
    """A room in a room, with bodies inside."""
    room(rng, plan, "outer")
    room(rng, plan, "inner")
    for k in range(int(rng.integers(1, 3))):
        forbid(rng, plan, f"body{k}", any_shape(rng), bodies=list(WRISTED))


def bodies(rng: Rng, plan: Plan) -> None:
    """Two to five spheres, boxes, capsules, cylinders and frusta."""
    for k in range(int(rng.integers(2, 6))):
        forbid(rng, plan, f"body{k}", any_shape(rng))


def moving(rng: Rng, plan: Plan) -> None:
    """One or two regions that beat at up to 50 mm/s, with room to get away."""
    plan.clear = False
    for k in range(1 + (rng.random() < 0.25)):
        shape = thin_wall(rng) if rng.random() < 0.3 else any_shape(rng)
        forbid(rng, plan, f"moving{k}", shape, motion=beat(rng), bodies=["tip", "jaw", "wrist", "shaft"])


def moving_room(rng: Rng, plan: Plan) -> None:
    """A room that beats about the wrist, sometimes with a body in it."""
    plan.clear = False
    for _ in range(10):
        if room(rng, plan, motion=beat(rng)):
            break
    if rng.random() < 0.3:
        forbid(rng, plan, "body", any_shape(rng), bodies=list(WRISTED))


def streamed(rng: Rng, plan: Plan) -> None:
    """One or two bodies that a tracker follows, turning or not: with or without a twist, late, with gaps."""
    plan.clear = False
    for k in range(1 + (rng.random() < 0.25)):
        stream = Stream.drawn(rng)
        # What is known badly and beats fast is nowhere to be touched, so most of them are slow.
        motion = beat(rng, float(10 ** rng.uniform(-3.0, -1.5)))
        shape = thin_wall(rng) if rng.random() < 0.3 else any_shape(rng)
        if shape["shape"] != "half_space" and rng.random() < 0.6:
            motion["turn"] = turning(rng, motion["waves"][0]["rate_hz"])
        name = f"tracked{k}"
        if forbid(rng, plan, name, shape, motion=motion, bodies=["tip", "jaw", "wrist", "shaft"]):
            region, fixture = plan.regions[-1], plan.fixtures[-1]
            plan.streams[name] = stream
            fixture["motion"] = {"type": "stream", "speed_error_m_s": stream.speed_error(region)}
            region.unseen_m = 2.0 * stream.speed_error(region) * stream.oldest_s


def cloud(rng: Rng, plan: Plan) -> None:
    """A crust of 300 balls about the points of a scan, full of notches."""
    # The same points in every scene, so that they are baked once.
    points = np.random.default_rng(7).normal(size=(300, 3))
    points *= 0.008 / np.linalg.norm(points, axis=1)[:, None]
    shape = {
        "shape": "cloud", "points_m": [vec(p) for p in points], "radius_m": 1.5e-3,
        # A sixth of the balls' radius: at a third, nothing gets nearer than 0.05 to 0.2 mm to their creases.
        "spacing_m": 2.5e-4, "band_m": 4e-3,
    }  # fmt: skip
    forbid(rng, plan, "scan", shape)


def deforming(rng: Rng, plan: Plan) -> None:
    """One or two bodies that swell and shrink; sometimes the first also moves."""
    plan.clear = False
    for k in range(1 + (rng.random() < 0.25)):
        r, axis = float(10 ** rng.uniform(-2.5, -1.9)), direction(rng) * 0.01
        rest: Table = {"shape": "sphere", "center_m": [0.0, 0.0, 0.0], "radius_m": r}
        if rng.random() < 0.5:
            rest = {"shape": "capsule", "start_m": vec(-axis), "end_m": vec(axis), "radius_m": r}
        body = swelling(rng, rest)
        keys: Table = {"motion": beat(rng)} if k == 0 and rng.random() < 0.3 else {}
        guarded = ["tip", "jaw", "wrist", "shaft"]
        forbid(rng, plan, f"organ{k}", body["shape"], deforms=body["deforms"], bodies=guarded, **keys)


def appears(rng: Rng, plan: Plan) -> None:
    """One region that stays, and others that come and go on or around the tool."""
    plan.clear = False
    forbid(rng, plan, "stays", any_shape(rng))
    for k in range(3):
        pose = {
            "position_m": vec(plan.arms[0].tip + rng.normal(0, 0.008, 3)),
            "quat_xyzw": vec(Rotation.random(random_state=rng).as_quat()),
        }
        bodies = list(WRISTED)
        shape = any_shape(rng)
        plan.later.append(
            {"kind": "forbidden", "name": f"late{k}", "geometry": shape, "bodies": bodies, "pose": pose}
        )


def many(rng: Rng, plan: Plan) -> None:
    """Six to eight hard regions and soft kinds beside them."""
    planes(rng, plan)
    for k in range(4):
        forbid(rng, plan, f"body{k}", any_shape(rng))
    room(rng, plan)
    tip = vec(plan.arms[0].tip)
    plan.fixtures.append(
        {
            "kind": "speed_limit", "name": "slow",
            "geometry": {"shape": "sphere", "radius_m": 0.01, "center_m": tip},
            "near_speed_m_s": 0.02, "far_speed_m_s": 0.3, "range_m": 0.02, "bodies": ["tip"],
            "softness": {"priority": 1},
        }
    )  # fmt: skip


def tooth(rng: Rng, plan: Plan, units_mm: float = 0.1) -> None:
    """The tooth of chai3d, 8768 triangles, at a random place."""
    path = data_folder() / "tooth.obj"
    fixture = mesh_fixture("tooth", str(path), scale=units_mm)
    for _ in range(10):
        if place(rng, plan, fixture, load_mesh(path, units_mm * 1e-3)):
            return


def small_tooth(rng: Rng, plan: Plan) -> None:
    """The same, 15 mm long."""
    tooth(rng, plan, 0.03)


def tissue(rng: Rng, plan: Plan) -> None:
    """The open surface of a simulator's tissue, 17 195 triangles, as a wall of 0.6 mm."""
    path = data_folder() / "tissue_open_surface.obj"
    fixture = mesh_fixture("tissue", str(path), scale=40.0, treat_as="shell", thickness_m=6e-4)
    fixture["bodies"] = list(WRISTED)
    for _ in range(10):
        if place(rng, plan, fixture, load_mesh(path, 0.04, 6e-4)):
            return


def organ(rng: Rng, plan: Plan) -> None:
    """A bumpy closed organ of 1280 triangles, made here: a mesh wherever the data of others is absent."""
    path = organ_file()
    fixture = mesh_fixture("organ", str(path), spacing_m=5e-4, band_m=4e-3)
    for _ in range(10):
        if place(rng, plan, fixture, load_mesh(path, 1e-3)):
            return


def labelled(rng: Rng, plan: Plan) -> None:
    """The label of an organ in a volume of 0.5 to 0.7 mm, rows and columns askew."""
    path = volume_file()
    shape = {
        "shape": "volume", "path": str(path), "labels": [LABEL], "units": "mm", "spacing_m": 5e-4,
        "band_m": 3e-3,
    }  # fmt: skip
    fixture = {"kind": "forbidden", "name": "label", "geometry": shape, "bodies": ["all"]}
    for _ in range(10):
        if place(rng, plan, fixture, surface()):
            return


def two_arms(rng: Rng, plan: Plan) -> None:
    """Two instruments that must not touch, sometimes over a floor."""
    plan.apart, bodies = float(rng.choice([0.0, 1e-3])), list(plan.arms[0].tool)
    plan.fixtures.append(
        {
            "kind": "tool_to_tool", "name": "apart", "arms": ["arm0", "arm1"], "bodies": bodies,
            "other_bodies": bodies, "margin": {"extra_m": plan.apart},
        }
    )  # fmt: skip
    if rng.random() < 0.5:
        forbid(rng, plan, "floor", any_shape(rng), bodies=bodies)


Kind = Callable[[Rng, Plan], None]
KINDS: dict[str, tuple[Kind, str, float]] = {
    "planes": (planes, PSM, 1.5),
    "thin walls": (thin_walls, PSM, 1.5),
    "corner": (corner, PSM, 1.0),
    "shells": (shells, PSM, 1.0),
    "bodies": (bodies, PSM, 1.0),
    "moving": (moving, PSM, 1.5),
    "moving room": (moving_room, PSM, 0.7),
    "streamed": (streamed, PSM, 0.7),
    "cloud": (cloud, PSM, 0.3),
    "deforming": (deforming, PSM, 0.7),
    "appears": (appears, PSM, 0.7),
    "many": (many, PSM, 0.3),
    "organ": (organ, PSM, 0.7),
    "labelled": (labelled, PSM, 0.5),
    "tooth": (tooth, PSM, 0.7),
    "small tooth": (small_tooth, PSM, 0.0),
    "tissue": (tissue, PSM, 0.7),
    "two arms": (two_arms, PSM, 0.4),
    "two straight tools": (two_arms, PANDA, 0.2),
    "software RCM": (planes, PANDA, 0.4),
}
"""Kind of scene: who makes it, on which arm, how often."""
NEEDS = {"tooth": "tooth.obj", "small tooth": "tooth.obj", "tissue": "tissue_open_surface.obj"}


def absent(kind: str) -> str:
    """Why a kind of scene cannot be had here, or an empty string."""
    if kind == "labelled" and find_spec("SimpleITK") is None:
        return "no SimpleITK (pip install 'trocar[bake]')"
    need = NEEDS.get(kind)
    if need is None or (data_folder() / need).is_file():
        return ""
    return f"no {need} in {data_folder()} (set TROCAR_DATA to the folder that has it)"


def draw(kind: str, rng: Rng) -> Plan:
    """A scene of the kind."""
    make, profile, _ = KINDS[kind]
    if make is two_arms:
        apart = float(rng.uniform(0.02, 0.035))
        arms = [ArmPlace(profile, (side * apart / 2, 0.0, 0.0)) for side in (-1, 1)]
    else:
        arms = [ArmPlace(profile)]
    plan = Plan(kind, arms)
    for _ in range(20):
        make(rng, plan)
        if plan.regions or plan.apart is not None:
            return plan
    raise AssertionError(f"no scene of kind {kind} leaves the arm room")
