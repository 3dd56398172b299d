"""What every rig gets: a PSM with a guarded ball of 2 mm at its tip, and one obstacle under it."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2]))

from kinematics.arm import ArmModel
from kinematics.spec import ArmSpec, BodySpec, CapsuleSpec
from teleop.config.toml import find_profile, read_toml, validate
from tests.soak.files import organ_file
from tests.soak.solids import Region, load_mesh

Array = np.ndarray
PERIOD_S = 1e-3
BALL_M = 2e-3
GAP_M = 5e-3


class LacksError(Exception):
    """The peer has no such thing; the text says what."""


def arm_spec() -> ArmSpec:
    """The PSM, its only body a ball about the tip."""
    spec: ArmSpec = validate(ArmSpec, read_toml(find_profile("arms", "psm_lnd_400006", Path())), "psm")
    zero = (0.0, 0.0, 0.0)
    ball = CapsuleSpec(frame="tip", from_m=zero, to_m=zero, radius_m=BALL_M)
    return spec.model_copy(update={"bodies": [BodySpec(name="tip", capsules=[ball])]})


def arm_model() -> ArmModel:
    """Its model."""
    return ArmModel.from_spec(arm_spec())


HOME = np.array(arm_model().home)
TIP = arm_model().forward(HOME)[:3, 3]


@dataclass(frozen=True)
class Scene:
    """One obstacle.

    Attributes:
        name: plane, sphere, mesh or thin wall.
        table: the fixture, as in TOML.
        at: (3,) of its frame, world [m].
    """

    name: str
    table: dict[str, Any]
    at: Array

    def clearance(self, p: Array) -> Array:
        """Exact clearance (k,) of the ball at points (k, 3), by closed formulas or VTK."""
        geometry = self.table["geometry"]
        mesh = load_mesh(Path(geometry["path"]), 1e-3) if geometry["shape"] == "mesh" else None
        return Region.of(self.table, mesh).distance(p, np.zeros(len(p))) - BALL_M


def scene(name: str, gap_m: float = GAP_M) -> Scene:
    """An obstacle with its top ``gap_m`` under the ball."""
    zero = [0.0, 0.0, 0.0]
    below = {"plane": 0.0, "sphere": 7e-3, "mesh": 8.72e-3, "thin wall": 1e-4}[name]
    shape: dict[str, Any] = {
        "plane": {"shape": "half_space", "normal": [0.0, 0.0, 1.0], "point_m": zero},
        "sphere": {"shape": "sphere", "center_m": zero, "radius_m": 7e-3},
        "thin wall": {"shape": "box", "center_m": zero, "size_m": [0.06, 0.06, 2e-4]},
        "mesh": {"shape": "mesh", "path": str(organ_file()), "units": "mm"},
    }[name]
    at = TIP - [0.0, 0.0, BALL_M + gap_m + below]
    table = {
        "kind": "forbidden", "name": name, "geometry": shape, "bodies": ["tip"],
        "pose": {"position_m": [float(x) for x in at]},
    }  # fmt: skip
    return Scene(name, table, at)


class Rig(Protocol):
    """One solver with its arm.

    Attributes:
        q: (n,) where its arm is.
        tip: (3,) where its tip is [m].
    """

    q: Array
    tip: Array

    def step(self, p: Array, wall_m_s: float = 0.0) -> None:
        """One tick towards position p (3,) with the first orientation; may raise what the peer raises.

        ``wall_m_s`` is the speed at which the plane rises in this tick.
        """

    def raise_wall(self, by_m: float) -> None:
        """Move the plane up by a length."""
