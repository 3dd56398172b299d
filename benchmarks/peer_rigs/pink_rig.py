"""pink with its barriers: a position barrier for the plane, coal's distances for the rest."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import coal
import numpy as np
import pink
import pinocchio as pin
from pink.barriers import Barrier, PositionBarrier, SelfCollisionBarrier
from pink.limits import ConfigurationLimit, VelocityLimit
from pink.tasks import FrameTask

from tests.soak.solids import load_mesh

from .scene import BALL_M, HOME, PERIOD_S, Array, LacksError, Scene, arm_model

GAIN = 100.0
"""Of the barriers [1/s]: a tenth of what is left in each tick."""


def barrier_on_tip(model: pin.Model, solids: Sequence[tuple[Any, pin.SE3]]) -> tuple[dict[str, Any], Barrier]:
    """Pink's barrier between a ball at the tip and solids; and what its configuration needs for that."""
    collision = pin.GeometryModel()
    frame = model.frames[model.getFrameId("tip")]
    at = frame.parentJoint, frame.parentFrame, frame.placement
    ball = collision.addGeometryObject(pin.GeometryObject("ball", *at, coal.Sphere(BALL_M)))
    for k, (shape, place) in enumerate(solids):
        solid = collision.addGeometryObject(pin.GeometryObject(f"solid{k}", 0, 0, place, shape))
        collision.addCollisionPair(pin.CollisionPair(ball, solid))
    keys = {"collision_model": collision, "collision_data": pin.GeometryData(collision)}
    return keys, SelfCollisionBarrier(len(solids), gain=GAIN, safe_displacement_gain=0.0, d_min=0.0)


class PinkRig:
    """``pink.solve_ik`` and one barrier."""

    title = "pink"

    def __init__(self, scene: Scene, period_s: float = PERIOD_S) -> None:
        """At home over the obstacle."""
        self._period = period_s
        arm = arm_model()
        model = arm.pinocchio_model.copy()
        model.lowerPositionLimit, model.upperPositionLimit = arm.limits.q_min, arm.limits.q_max
        model.velocityLimit = arm.limits.qd_max
        self._plane: PositionBarrier | None = None
        keys = {}
        if scene.name == "plane":
            z = np.array([scene.at[2] + BALL_M])
            self._plane = barrier = PositionBarrier("tip", [2], p_min=z, gain=np.array([GAIN]))
        else:
            place = pin.SE3(np.eye(3), scene.at)
            keys, barrier = barrier_on_tip(model, [(_solid(scene), place)])
        self._barriers = [barrier]
        self._configuration = pink.Configuration(model, model.createData(), HOME.copy(), **keys)
        self._frame = FrameTask("tip", position_cost=1.0, orientation_cost=0.02, lm_damping=1e-6)
        self._start = arm.forward(HOME)
        self._limits = [ConfigurationLimit(model), VelocityLimit(model)]

    @property
    def q(self) -> Array:
        """Joints."""
        return self._configuration.q

    @property
    def tip(self) -> Array:
        """Tip [m]."""
        return self._configuration.get_transform_frame_to_world("tip").translation

    def step(self, p: Array, wall_m_s: float = 0.0) -> None:
        """One tick."""
        wanted = self._start.copy()
        wanted[:3, 3] = p
        self._frame.set_target(pin.SE3(wanted))
        v = pink.solve_ik(
            self._configuration, [self._frame], self._period, "daqp", limits=self._limits,
            barriers=self._barriers, safety_break=False,
        )  # fmt: skip
        self._configuration.integrate_inplace(v, self._period)

    def raise_wall(self, by_m: float) -> None:
        """Move the plane up."""
        if self._plane is None or self._plane.p_min is None:
            raise LacksError("no moving obstacles here")
        self._plane.p_min = self._plane.p_min + by_m


def _solid(scene: Scene) -> object:
    geometry = scene.table["geometry"]
    if geometry["shape"] == "sphere":
        return coal.Sphere(geometry["radius_m"])
    if geometry["shape"] == "box":
        return coal.Box(*geometry["size_m"])
    mesh = load_mesh(Path(geometry["path"]), 1e-3)
    bvh = coal.BVHModelOBBRSS()
    bvh.beginModel(len(mesh.faces), len(mesh.vertices))
    bvh.addVertices(mesh.vertices)
    bvh.addTriangles(mesh.faces.astype(np.int64))
    bvh.endModel()
    return bvh
