"""A scene before it is built: what is forbidden, where the arms stand, and what the oracle makes of it."""

from __future__ import annotations

import json
import os
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from kinematics.arm import ArmModel
from kinematics.spec import ArmSpec
from teleop.config.load import load_session
from teleop.config.session import Session
from teleop.config.toml import find_profile, read_toml, validate

from .arm_oracle import ArmOracle
from .solids import Mesh, Region
from .stream import Stream

Array = np.ndarray
Rng = np.random.Generator
Table = dict[str, Any]

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
"""Meshes made by others; see the README. ``TROCAR_DATA`` names another folder."""
GAP_M = 1e-3
"""At the start nothing is nearer than this."""
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

    @property
    def tool(self) -> tuple[str, ...]:
        """Bodies of the instrument that are kept off another one."""
        return WRISTED if "wrist" in self.oracle.body_names else ("tip", "jaw", "shaft")

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
        streams: by name, how the poses of fixtures that a tracker follows are sent.
        apart: the two arms keep this margin between them [m], or None.
        clear: a body may never be inside, so recovery would be a fault of ours.
    """

    kind: str
    arms: list[ArmPlace]
    fixtures: list[Table] = field(default_factory=list)
    regions: list[Region] = field(default_factory=list)
    later: list[Table] = field(default_factory=list)
    streams: dict[str, Stream] = field(default_factory=dict)
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
    rate = min((r for _, r, _ in (*region.waves, *region.swell)), default=1.0)
    for arm in arms:
        mask = arm.mask(region.bodies)
        centers, radii = arm.centers[mask], arm.oracle.radii[mask]
        for t in np.linspace(0, 1 / rate, 24 if region.moves else 1):
            d = region.distance(centers, np.full(len(centers), t)) - radii
            least = min(least, float(d.min(initial=np.inf)))
    return least
