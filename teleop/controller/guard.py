"""Where kinematics and fixtures meet: one arm's bodies as the scene sees them."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from fixtures.body import BodyView, Shaft
from fixtures.gate import Certificate, Gate
from fixtures.rows import SceneRows
from fixtures.scene import Scene
from kinematics.arm import ArmModel, ArmState
from teleop.controller._motion_kernels import any_negative
from teleop.haptics.planes import Near

Array = npt.NDArray[np.float64]


class Guard:
    """Rows and certificates of one arm in a scene that several arms may share."""

    def __init__(self, name: str, arm: ArmModel, scene: Scene, gate: Gate, period_s: float) -> None:
        """Attach the arm.

        Args:
            name: name of the arm, which fixtures may refer to.
            arm: its model; its state's arrays are read in place.
            scene: the fixtures of the session.
            gate: the gate of that scene.
            period_s: tick T, s.

        Raises:
            FixtureError: a fixture names a body that the arm does not have.
        """
        self.name = name
        self.scene = scene
        self._arm = arm
        self._gate = gate
        self._period_s = period_s
        self._state: ArmState = arm.at(arm.home)
        state = self._state
        self.view = BodyView(
            arm=name,
            body_names=arm.bodies.body_names,
            body_of=np.asarray(arm.bodies.body_of, dtype=np.int64),
            radii=np.asarray(arm.bodies.radii),
            accel=arm.limits.effective_acceleration(period_s),
            centers=state.centers,
            jacobians=state.center_jacobians,
            ahead=state.centers.copy(),
            jacobians_ahead=state.center_jacobians.copy(),
            T_world_tip=state.T_world_tip,
            tip_jacobian=state.jacobian,
            shaft=Shaft(state.shaft_point, state.shaft_axis, state.shaft_jacobian),
        )
        scene.attach(self.view)

    @property
    def empty(self) -> bool:
        """Whether there is no fixture at all."""
        return not self.scene.fixtures

    def rows(self, q: Array, v: Array, stop_s: float) -> SceneRows:
        """Rows ``A dq >= b`` for the tick after a command ``(q, v, stop_s)``; the model must be at ``q``."""
        view = self.view
        self._arm.look_ahead(q + v * (self._period_s + 0.5 * stop_s), view.ahead, view.jacobians_ahead)
        return self.scene.rows(view, v, stop_s, self._period_s)

    def certify(self, q: Array, v: Array, stop_s: float) -> Certificate:
        """Whether a step at ``v`` from ``q`` and the stop after it are clear; the model must be at ``q``."""
        return self._gate.certify(self.name, q, v, stop_s, self._arm.along)

    @property
    def guides(self) -> bool:
        """Whether a fixture may shape the desired pose."""
        return bool(self.scene.guides)

    def guide(self, p_world: Array, R_world: Array) -> list[tuple[str, float, float]]:
        """Let guidances change the desired position (3,) and rotation (3, 3); who acted, by how much."""
        return self.scene.guide(self.name, p_world, R_world, self._period_s)

    def remote_centre(self) -> tuple[Array, Array] | None:
        """Where a fixture has the shaft pass, (3,) m, and how that moves, (3,) m/s; ``None`` without one."""
        return self.scene.remote_centre(self.name)

    def forget_guides(self) -> None:
        """Following starts anew."""
        self.scene.forget_guides(self.name)

    def near(self) -> Near:
        """Distances known since the last :meth:`rows`; overwritten by the next."""
        memory = self.scene.memory(self.name)
        sample = memory.bank.sample
        return Near(memory.near, sample.clearance, sample.gradient, self.view.jacobians)

    def rest(self) -> None:
        """The arm is where it was measured and is not being commanded; the model must be there."""
        self._gate.rest(self.name)

    def violated(self) -> bool:
        """Whether, as of the last :meth:`rows`, a body is inside a hard region or its margin."""
        return any_negative(self.scene.clearance(self.name), self.scene.gated)

    def clearance(self) -> dict[str, float]:
        """Smallest clearance to each fixture as of the last :meth:`rows`, m; those far away are left out."""
        clearance = self.scene.clearance(self.name).tolist()
        return {name: c for name, c in zip(self.scene.names, clearance, strict=True) if c < math.inf}
