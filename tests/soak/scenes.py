"""Random scenes: what is forbidden, where the arms stand, and the same again as the oracle's regions."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation

from kinematics.arm import ArmModel
from kinematics.spec import ArmSpec
from teleop.config.session import Session, load_session
from teleop.config.toml import find_profile, read_toml, validate

from .arm_oracle import ArmOracle
from .solids import Mesh, Region, load_mesh

Array = np.ndarray
Rng = np.random.Generator
Table = dict[str, Any]

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
"""Meshes made by others; see the README. ``TROCAR_DATA`` names another folder."""
GAP_M = 1e-3
"""At the start nothing is nearer than this."""
PSM, PANDA = "psm_lnd_400006", "panda_lap"
WRISTED = ("tip", "jaw", "wrist")


def data_folder() -> Path:
    """Where the meshes of others lie."""
    return Path(os.environ.get("TROCAR_DATA", DATA))


@dataclass(eq=False)
class ArmPlace:
    """One arm of a scene: its oracle, and its spheres at home."""

    profile: str
    p_world_base_m: tuple[float, float, float] = (0.0, 0.0, 0.0)
    oracle: ArmOracle = field(init=False)
    spec: ArmSpec = field(init=False)

    def __post_init__(self) -> None:
        """Read the profile, once for the product and once for the oracle."""
        T = np.eye(4)
        T[:3, 3] = self.p_world_base_m
        self.spec = validate(ArmSpec, read_toml(find_profile("arms", self.profile, Path())), self.profile)
        model = ArmModel.from_spec(self.spec, T)
        self.oracle = ArmOracle(self.profile, model, T)
        self.home = np.array(model.home)[None]
        self.centers = self.oracle.centers(self.home)[0]
        self.tip = self.oracle.frames(self.home)["tip"][0, :3, 3]

    def mask(self, bodies: tuple[str, ...]) -> Array:
        """Which spheres belong to the bodies named."""
        if "all" in bodies:
            return np.ones(len(self.oracle.radii), dtype=bool)
        return np.isin(self.oracle.body_of, [self.oracle.body_names.index(b) for b in bodies])


@dataclass(eq=False)
class Plan:
    """A scene before it is built.

    Attributes:
        kind: of scene, for the counts.
        arms: one or two.
        fixtures: as in TOML.
        regions: the hard ones, for the oracle.
        later: fixtures that appear while running, with what they are to the oracle.
        apart: the two arms keep this margin between them [m], or None.
        clear: a body may never be inside, so recovery would be a fault of ours.
    """

    kind: str
    arms: list[ArmPlace]
    fixtures: list[Table] = field(default_factory=list)
    regions: list[Region] = field(default_factory=list)
    later: list[Table] = field(default_factory=list)
    apart: float | None = None
    clear: bool = True

    def add(self, fixture: Table, mesh: Mesh | None = None) -> bool:
        """Take a fixture that leaves every arm at home room."""
        region = Region.of(fixture, mesh)
        if clearance_at_home(self.arms, region) < GAP_M:
            return False
        self.fixtures.append(fixture)
        self.regions.append(region)
        return True

    def session(self, rng: Rng) -> Session:
        """A session as a user would write it, with a mapping and a filter of its own."""
        pairs = []
        for k, arm in enumerate(self.arms):
            pairs.append(
                {
                    "name": f"pair{k}",
                    "master": {"name": f"hand{k}", "external": True},
                    "arm": {"name": f"arm{k}", "profile": arm.profile, "p_world_base_m": arm.p_world_base_m},
                    "mapping": {
                        "scale": float(rng.choice([0.3, 1.0, 2.5])),
                        "ramp_s": float(rng.choice([0.0, 0.1])),
                        "orientation": "locked" if rng.random() < 0.2 else "relative",
                    },
                    "filter": {"kind": str(rng.choice(["none", "none", "butterworth", "kalman_bank"]))},
                }
            )
        table = {"name": "soak", "pairs": pairs, "fixture": self.fixtures}
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "soak.toml"
            path.write_text("\n".join(f"{key} = {_toml(value)}" for key, value in table.items()))
            return load_session(path)


def _toml(value: Any) -> str:
    """A value as TOML writes it in a line."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {_toml(item)}" for key, item in value.items()) + " }"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(_toml(item) for item in value) + "]"
    return json.dumps(value)


def clearance_at_home(arms: list[ArmPlace], region: Region) -> float:
    """Least clearance of the bodies a region guards, over a beat of its motion [m]."""
    least = np.inf
    rate = min((r for _, r, _ in region.waves), default=1.0)
    for arm in arms:
        mask = arm.mask(region.bodies)
        centers, radii = arm.centers[mask], arm.oracle.radii[mask]
        for t in np.linspace(0, 1 / rate, 24 if region.waves else 1):
            d = region.distance(centers, np.full(len(centers), t)) - radii
            least = min(least, float(d.min(initial=np.inf)))
    return least


# -- pieces --------------------------------------------------------------------------------------------------


def _direction(rng: Rng) -> Array:
    v = rng.normal(size=3)
    return v / np.linalg.norm(v)


def _vec(v: Array) -> list[float]:
    return [float(x) for x in v]


def _margin(rng: Rng) -> Table:
    return {"registration_m": float(rng.choice([0.0, 0.0, 2e-4]))}


def _bodies(rng: Rng, arm: ArmPlace) -> list[str]:
    choices = [["all"], ["tip"], ["tip", "jaw", "shaft"]]
    if "wrist" in arm.oracle.body_names:
        choices.append(list(WRISTED))
    return choices[int(rng.integers(len(choices)))]


def _shape(rng: Rng) -> Table:
    """A body about its own origin, 4 to 40 mm."""
    r = float(10 ** rng.uniform(-2.7, -1.9))
    axis = _direction(rng) * rng.uniform(0.5, 2.0) * r
    ends = {"start_m": _vec(-axis), "end_m": _vec(axis)}
    zero = [0.0, 0.0, 0.0]
    match int(rng.integers(6)):
        case 0:
            return {"shape": "sphere", "center_m": zero, "radius_m": r}
        case 1:
            return {"shape": "box", "center_m": zero, "size_m": _vec(r * rng.uniform(0.5, 2.5, 3))}
        case 2:
            return {"shape": "capsule", **ends, "radius_m": r}
        case 3:
            return {"shape": "cylinder", **ends, "radius_m": r}
        case 4:
            return {
                "shape": "frustum",
                **ends,
                "start_radius_m": r,
                "end_radius_m": r * rng.uniform(0.1, 0.9),
            }
    return {"shape": "half_space", "normal": _vec(_direction(rng)), "point_m": zero}


def _thin_wall(rng: Rng) -> Table:
    size = [rng.uniform(2e-4, 1e-3), rng.uniform(0.01, 0.05), rng.uniform(0.01, 0.05)]
    return {"shape": "box", "center_m": [0.0, 0.0, 0.0], "size_m": _vec(np.array(size))}


def place(rng: Rng, plan: Plan, fixture: Table, mesh: Mesh | None = None, least: float | None = None) -> bool:
    """Slide a fixture from afar towards the tip of an arm, until it is as near as drawn, and take it."""
    arm = plan.arms[int(rng.integers(len(plan.arms)))]
    gap = least if least is not None else float(10 ** rng.uniform(-2.9, -1.9))
    way = _direction(rng)
    way[2] = -abs(way[2]) if rng.random() < 0.7 else way[2]
    turned = _vec(Rotation.random(random_state=rng).as_quat())
    far, near = 0.25, 0.0

    def at(s: float) -> Table:
        return {**fixture, "pose": {"position_m": _vec(arm.tip + s * way), "quat_xyzw": turned}}

    if clearance_at_home(plan.arms, Region.of(at(far), mesh)) < gap:
        return False
    for _ in range(18):
        middle = 0.5 * (far + near)
        if clearance_at_home(plan.arms, Region.of(at(middle), mesh)) >= gap:
            far = middle
        else:
            near = middle
    return plan.add(at(far), mesh)


def _forbid(rng: Rng, plan: Plan, name: str, shape: Table, **keys: Any) -> bool:
    for _ in range(8):
        fixture = {
            "kind": "forbidden", "name": name, "geometry": shape, "bodies": _bodies(rng, plan.arms[0]),
            "margin": _margin(rng), **keys,
        }  # fmt: skip
        if place(rng, plan, fixture):
            return True
    return False


def _room(rng: Rng, plan: Plan, name: str = "room", **keys: Any) -> bool:
    """Something to stay inside: its inner edges are concave corners."""
    arm = plan.arms[0]
    bodies = list(WRISTED) if "wrist" in arm.oracle.body_names else ["tip", "jaw"]
    mask = arm.mask(tuple(bodies))
    low = (arm.centers[mask] - arm.oracle.radii[mask, None]).min(axis=0)
    high = (arm.centers[mask] + arm.oracle.radii[mask, None]).max(axis=0)
    middle, size = 0.5 * (low + high), (high - low) + 2 * rng.uniform(3e-3, 0.02, 3)
    zero = [0.0, 0.0, 0.0]
    reach = float(np.linalg.norm(high - low) / 2 + rng.uniform(3e-3, 0.02))
    axis = _direction(rng) * reach
    match int(rng.integers(4)):
        case 0:
            shape: Table = {"shape": "box", "center_m": zero, "size_m": _vec(size)}
        case 1:
            shape = {"shape": "sphere", "center_m": zero, "radius_m": reach}
        case 2:
            shape = {"shape": "cylinder", "start_m": _vec(-axis), "end_m": _vec(axis), "radius_m": reach}
        case _:
            shape = {
                "shape": "frustum", "start_m": _vec(-axis * 1.5), "end_m": _vec(axis * 1.5),
                "start_radius_m": 2 * reach, "end_radius_m": 0.8 * reach,
            }  # fmt: skip
    pose = {"position_m": _vec(middle)}
    fixture = {
        "kind": "keep_in", "name": name, "geometry": shape, "bodies": bodies, "pose": pose,
        "margin": _margin(rng), **keys,
    }  # fmt: skip
    return plan.add(fixture)


def _beat(rng: Rng) -> Table:
    rate = float(rng.uniform(0.3, 5.0))
    speed = 0.05 if rng.random() < 0.5 else float(rng.uniform(0.005, 0.05))
    amplitude = _direction(rng) * speed / (2 * np.pi * rate)
    wave = {"amplitude_m": _vec(amplitude), "rate_hz": rate, "phase_rad": float(rng.uniform(0, 6))}
    return {"type": "periodic", "waves": [wave]}


def _mesh_fixture(name: str, path: str, **keys: Any) -> Table:
    geometry = {"shape": "mesh", "path": path, "units": "mm", **keys}
    return {"kind": "forbidden", "name": name, "geometry": geometry, "bodies": ["all"]}


# -- kinds ---------------------------------------------------------------------------------------------------


def planes(rng: Rng, plan: Plan) -> None:
    """One to four half-spaces."""
    for k in range(int(rng.integers(1, 5))):
        shape = {"shape": "half_space", "normal": [0.0, 0.0, 1.0], "point_m": [0.0, 0.0, 0.0]}
        _forbid(rng, plan, f"plane{k}", shape)


def thin_walls(rng: Rng, plan: Plan) -> None:
    """Sheets of 0.2 to 1 mm."""
    for k in range(int(rng.integers(1, 4))):
        _forbid(rng, plan, f"wall{k}", _thin_wall(rng))


def corner(rng: Rng, plan: Plan) -> None:
    """A notch of two or three planes, 15 to 150 degrees wide, under the tip, or a room; sometimes both."""
    if rng.random() < 0.7:
        half, turn = np.radians(rng.uniform(8, 75)), rng.uniform(0, 2 * np.pi)
        count = int(rng.integers(2, 4))
        parts = []
        for k in range(count):
            a = turn + 2 * np.pi * k / count
            normal = np.array([np.cos(half) * np.cos(a), np.cos(half) * np.sin(a), np.sin(half)])
            parts.append({"shape": "half_space", "normal": _vec(normal), "point_m": [0.0, 0.0, 0.0]})
        apart = rng.random() < 0.5
        bodies = list(WRISTED) if "wrist" in plan.arms[0].oracle.body_names else ["tip", "jaw"]
        for depth in np.linspace(0.005, 0.08, 30):
            pose = {"position_m": _vec(plan.arms[0].tip - [0, 0, depth])}
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
        _room(rng, plan)


def shells(rng: Rng, plan: Plan) -> None:
    """A room in a room, with bodies inside."""
    _room(rng, plan, "outer")
    _room(rng, plan, "inner")
    for k in range(int(rng.integers(1, 3))):
        _forbid(rng, plan, f"body{k}", _shape(rng), bodies=list(WRISTED))


def bodies(rng: Rng, plan: Plan) -> None:
    """Two to five spheres, boxes, capsules, cylinders and frusta."""
    for k in range(int(rng.integers(2, 6))):
        _forbid(rng, plan, f"body{k}", _shape(rng))


def moving(rng: Rng, plan: Plan) -> None:
    """One or two regions that beat at up to 50 mm/s, with room to get away."""
    plan.clear = False
    for k in range(1 + (rng.random() < 0.25)):
        shape = _thin_wall(rng) if rng.random() < 0.3 else _shape(rng)
        _forbid(rng, plan, f"moving{k}", shape, motion=_beat(rng), bodies=["tip", "jaw", "wrist", "shaft"])


def appears(rng: Rng, plan: Plan) -> None:
    """One region that stays, and others that come and go on or around the tool."""
    plan.clear = False
    _forbid(rng, plan, "stays", _shape(rng))
    for k in range(3):
        pose = {
            "position_m": _vec(plan.arms[0].tip + rng.normal(0, 0.008, 3)),
            "quat_xyzw": _vec(Rotation.random(random_state=rng).as_quat()),
        }
        bodies = list(WRISTED)
        shape = _shape(rng)
        plan.later.append(
            {"kind": "forbidden", "name": f"late{k}", "geometry": shape, "bodies": bodies, "pose": pose}
        )


def many(rng: Rng, plan: Plan) -> None:
    """Six to eight hard regions and soft kinds beside them."""
    planes(rng, plan)
    for k in range(4):
        _forbid(rng, plan, f"body{k}", _shape(rng))
    _room(rng, plan)
    tip = _vec(plan.arms[0].tip)
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
    fixture = _mesh_fixture("tooth", str(path), scale=units_mm)
    for _ in range(10):
        if place(rng, plan, fixture, load_mesh(path, units_mm * 1e-3)):
            return


def small_tooth(rng: Rng, plan: Plan) -> None:
    """The same, 15 mm long."""
    tooth(rng, plan, 0.03)


def tissue(rng: Rng, plan: Plan) -> None:
    """The open surface of a simulator's tissue, 17 195 triangles, as a wall of 0.6 mm."""
    path = data_folder() / "tissue_open_surface.obj"
    fixture = _mesh_fixture("tissue", str(path), scale=40.0, treat_as="shell", thickness_m=6e-4)
    fixture["bodies"] = list(WRISTED)
    for _ in range(10):
        if place(rng, plan, fixture, load_mesh(path, 0.04, 6e-4)):
            return


def organ(rng: Rng, plan: Plan) -> None:
    """A bumpy closed organ of 1280 triangles, made here: a mesh wherever the data of others is absent."""
    path = organ_file()
    fixture = _mesh_fixture("organ", str(path), spacing_m=1e-3, band_m=4e-3)
    for _ in range(10):
        if place(rng, plan, fixture, load_mesh(path, 1e-3)):
            return


def organ_file() -> Path:
    """Write the organ where generated files are kept."""
    import trimesh

    ball = trimesh.creation.icosphere(3, radius=1.0)
    v = np.array(ball.vertices)
    r = 9.0 * (1 + 0.12 * np.sin(4 * v[:, 0]) * np.cos(3 * v[:, 1]) + 0.08 * np.sin(5 * v[:, 2]))
    v = v * r[:, None]
    lines = ["v {:.17g} {:.17g} {:.17g}".format(*p) for p in v]
    lines += ["f {} {} {}".format(*(f + 1)) for f in np.asarray(ball.faces)]
    path = Path(tempfile.gettempdir()) / f"trocar-soak-{os.getuid()}" / "organ.obj"
    path.parent.mkdir(exist_ok=True)
    if not path.exists():
        scratch = path.with_suffix(f".{os.getpid()}")
        scratch.write_text("\n".join(lines))
        scratch.replace(path)
    return path


def two_arms(rng: Rng, plan: Plan) -> None:
    """Two instruments that must not touch, sometimes over a floor."""
    plan.apart = float(rng.choice([0.0, 1e-3]))
    plan.fixtures.append(
        {
            "kind": "tool_to_tool", "name": "apart", "arms": ["arm0", "arm1"], "bodies": list(WRISTED),
            "other_bodies": list(WRISTED), "margin": {"extra_m": plan.apart},
        }
    )  # fmt: skip
    if rng.random() < 0.5:
        _forbid(rng, plan, "floor", _shape(rng), bodies=list(WRISTED))


Kind = Callable[[Rng, Plan], None]
KINDS: dict[str, tuple[Kind, str, float]] = {
    "planes": (planes, PSM, 1.5),
    "thin walls": (thin_walls, PSM, 1.5),
    "corner": (corner, PSM, 1.0),
    "shells": (shells, PSM, 1.0),
    "bodies": (bodies, PSM, 1.0),
    "moving": (moving, PSM, 1.5),
    "appears": (appears, PSM, 0.7),
    "many": (many, PSM, 0.3),
    "organ": (organ, PSM, 0.7),
    "tooth": (tooth, PSM, 0.7),
    "small tooth": (small_tooth, PSM, 0.0),
    "tissue": (tissue, PSM, 0.7),
    "two arms": (two_arms, PSM, 0.4),
    "software RCM": (planes, PANDA, 0.4),
}
"""Kind of scene: who makes it, on which arm, how often."""
NEEDS = {"tooth": "tooth.obj", "small tooth": "tooth.obj", "tissue": "tissue_open_surface.obj"}


def absent(kind: str) -> str:
    """Why a kind of scene cannot be had here, or an empty string."""
    need = NEEDS.get(kind)
    if need is None or (data_folder() / need).is_file():
        return ""
    return f"no {need} in {data_folder()} (set TROCAR_DATA to the folder that has it)"


def draw(kind: str, rng: Rng) -> Plan:
    """A scene of the kind."""
    make, profile, _ = KINDS[kind]
    if kind == "two arms":
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
