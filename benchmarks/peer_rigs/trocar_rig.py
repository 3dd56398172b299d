"""This project: inverse kinematics, rows, gate; acceleration and jerk limits and the stop included."""

from __future__ import annotations

import numpy as np

from fixtures.gate import Gate
from fixtures.geometry.baked import Workshop
from fixtures.motion.streamed import Streamed
from fixtures.scene import Scene as Fixtures
from fixtures.spec import FixturesFile
from teleop.config import load_session
from teleop.config.toml import profiles_dir
from teleop.controller.build import build_pair

from .scene import PERIOD_S, Array, Scene, arm_spec


class TrocarRig:
    """``Motion.follow``: everything from the desired pose to the certified command."""

    title = "trocar"

    def __init__(self, scene: Scene, period_s: float = PERIOD_S) -> None:
        """At home over the obstacle."""
        self._fixture = FixturesFile.model_validate({"fixture": [scene.table]}).build(Workshop())[0]
        self._T = scene.at
        self._streamed: Streamed | None = None
        self._fixtures = Fixtures([self._fixture])
        session = load_session(profiles_dir() / "sessions" / "demo.toml")
        gate = Gate(self._fixtures, PERIOD_S)
        built = build_pair(
            session.spec.pairs[0], arm_spec(), bytes(16), self._fixtures, gate, session.devices[0]
        )
        self.motion = built.motion
        self.motion.sync(np.array(built.arm.home))
        self._quat = self.motion.quat_world_tip_xyzw.copy()
        self._now = 1.0
        self._height = 0.0
        self.motion.reference(self.motion.p_world_tip, self._quat)

    @property
    def q(self) -> Array:
        """Joints."""
        return self.motion.q

    @property
    def tip(self) -> Array:
        """Tip [m]."""
        return self.motion.p_world_tip

    def step(self, p: Array, wall_m_s: float = 0.0) -> None:
        """One tick."""
        self._now += PERIOD_S
        if wall_m_s and self._streamed is None:
            T = np.eye(4)
            T[:3, 3] = self._T
            self._streamed = Streamed(T, 0.0)
            self._fixture.motion = self._streamed
            self._fixtures.change(self._fixture)
        if self._streamed is not None:
            T = np.eye(4)
            T[:3, 3] = self._T + np.array([0.0, 0.0, self._height])
            self._streamed.update(T, np.array([0.0, 0.0, wall_m_s]), np.zeros(3), self._now)
        self._fixtures.begin(self._now)
        self.motion.follow(p, self._quat)

    def raise_wall(self, by_m: float) -> None:
        """Move the plane up."""
        self._height += by_m
