"""mink with its collision avoidance limit, on the same arm written as a MuJoCo model."""

from __future__ import annotations

from math import radians
from pathlib import Path

import mink
import mujoco
import numpy as np
from scipy.spatial.transform import Rotation

from tests.soak.solids import load_mesh

from .scene import BALL_M, HOME, PERIOD_S, Array, Scene, arm_model, arm_spec


def _model(scene: Scene) -> mujoco.MjModel:
    """The PSM's modified DH rows as bodies; the obstacle on a mocap body of its own."""
    spec, arm = mujoco.MjSpec(), arm_spec()
    limits = arm_model().limits
    body = spec.worldbody
    for j, joint in enumerate(arm.joints):
        dh = joint.dh
        slides = joint.type == "prismatic"
        theta = radians(dh.theta_deg if slides else dh.offset_deg)
        d = dh.offset_m if slides else dh.d_m
        turn = Rotation.from_euler("x", radians(dh.alpha_deg))
        place = turn.apply([0.0, 0.0, d]) + np.array([dh.a_m, 0.0, 0.0])
        quat = (turn * Rotation.from_euler("z", theta)).as_quat()[[3, 0, 1, 2]]
        body = body.add_body(name=joint.name, pos=place, quat=quat, mass=0.1, inertia=[1e-4] * 3)
        kind = mujoco.mjtJoint.mjJNT_SLIDE if slides else mujoco.mjtJoint.mjJNT_HINGE
        span = [limits.q_min[j], limits.q_max[j]]
        body.add_joint(name=joint.name, type=kind, axis=[0, 0, 1], range=span, limited=True)
    R = Rotation.from_matrix(np.array(arm.tool.tip_rotation)).as_quat()[[3, 0, 1, 2]]
    body.add_site(name="tip", pos=arm.tool.tip_offset_m, quat=R)
    ball = {"type": mujoco.mjtGeom.mjGEOM_SPHERE, "size": [BALL_M, 0, 0], "pos": arm.tool.tip_offset_m}
    body.add_geom(name="ball", **ball)
    holder = spec.worldbody.add_body(name="holder", mocap=True, pos=scene.at)
    keys = {"name": "obstacle"}
    geometry = scene.table["geometry"]
    if geometry["shape"] == "half_space":
        holder.add_geom(type=mujoco.mjtGeom.mjGEOM_PLANE, size=[1, 1, 0.1], **keys)
    elif geometry["shape"] == "sphere":
        holder.add_geom(type=mujoco.mjtGeom.mjGEOM_SPHERE, size=[geometry["radius_m"], 0, 0], **keys)
    elif geometry["shape"] == "box":
        holder.add_geom(type=mujoco.mjtGeom.mjGEOM_BOX, size=np.array(geometry["size_m"]) / 2, **keys)
    else:
        mesh = load_mesh(Path(geometry["path"]), 1e-3)
        faces = mesh.faces.ravel().astype(np.int32)
        spec.add_mesh(name="mesh", uservert=mesh.vertices.ravel(), userface=faces)
        holder.add_geom(type=mujoco.mjtGeom.mjGEOM_MESH, meshname="mesh", **keys)
    return spec.compile()


class MinkRig:
    """``mink.solve_ik`` and one collision avoidance limit."""

    title = "mink"

    def __init__(self, scene: Scene, period_s: float = PERIOD_S) -> None:
        """At home over the obstacle."""
        self._period = period_s
        model = _model(scene)
        self._configuration = mink.Configuration(model, HOME.copy())
        self._frame = mink.FrameTask("tip", "site", position_cost=1.0, orientation_cost=0.02, lm_damping=1e-6)
        self._start = self._configuration.get_transform_frame_to_world("tip", "site")
        qd = arm_model().limits.qd_max
        speeds = {joint.name: float(v) for joint, v in zip(arm_spec().joints, qd, strict=True)}
        self.collision = mink.CollisionAvoidanceLimit(
            model, [(["ball"], ["obstacle"])], minimum_distance_from_collisions=0.0,
            collision_detection_distance=0.05,
        )  # fmt: skip
        self._limits = [mink.ConfigurationLimit(model), mink.VelocityLimit(model, speeds), self.collision]

    @property
    def q(self) -> Array:
        """Joints."""
        return self._configuration.q

    @property
    def tip(self) -> Array:
        """Tip [m]."""
        return self._configuration.get_transform_frame_to_world("tip", "site").translation()

    def step(self, p: Array, wall_m_s: float = 0.0) -> None:
        """One tick."""
        self._frame.set_target(mink.SE3.from_rotation_and_translation(self._start.rotation(), p))
        v = mink.solve_ik(
            self._configuration, [self._frame], self._period, "daqp", damping=1e-9, limits=self._limits
        )
        self._configuration.integrate_inplace(v, self._period)

    def raise_wall(self, by_m: float) -> None:
        """Move the plane up."""
        self._configuration.data.mocap_pos[0, 2] += by_m
        self._configuration.update()


def pairs_with_the_world() -> int:
    """Collision pairs that mink keeps of a ball on slides before a wall of the world: 1 is what was asked."""
    model = mujoco.MjModel.from_xml_string(
        """<mujoco><worldbody><geom name="wall" type="plane" size="1 1 .1"/><body>
        <joint type="slide" axis="1 0 0"/><joint type="slide" axis="0 1 0"/><joint type="slide" axis="0 0 1"/>
        <geom name="ball" type="sphere" size=".002"/></body></worldbody></mujoco>"""
    )
    limit = mink.CollisionAvoidanceLimit(model, [(["ball"], ["wall"])])
    return len(limit.geom_id_pairs)
