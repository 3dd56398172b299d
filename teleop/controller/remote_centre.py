"""The remote centre that software keeps a straight tool on: the arm's own, or that of a trocar fixture."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from kinematics.arm import ArmModel, ArmState
from kinematics.errors import KinematicsError
from kinematics.rcm import AT_REST, SoftwareRcm
from kinematics.rcm_stop import RcmStop
from kinematics.rows import RowSet
from kinematics.task import TipTask
from teleop.controller.guard import Guard

Array = npt.NDArray[np.float64]


class RemoteCentre:
    """Where the shaft of one arm passes, and what of a motion keeps it there.

    A hard ``trocar`` fixture takes the place of the centre that the arm's profile names, for as long as it is
    enabled: the patient may be elsewhere, and breathe. Its own rows then hold the shaft; without one, the
    software's do.
    """

    def __init__(self, arm: ArmModel, guard: Guard, period_s: float) -> None:
        """The centre of an arm.

        Raises:
            KinematicsError: its profile names none.
        """
        if arm.rcm is None:
            raise KinematicsError(f"arm {arm.name!r} has no remote centre of motion")
        self._own = arm.rcm.p_world_rcm
        self._guard = guard
        self._rcm = SoftwareRcm(arm.n, period_s)
        self._stop = RcmStop(arm, period_s)
        self._p, self._v = self._own, AT_REST
        self._by_fixture = False

    @property
    def task(self) -> TipTask:
        """What the tip can follow: position, roll, and the shaft on the centre."""
        return self._rcm.task

    def ask(self, state: ArmState, error: Array, feedforward: Array) -> tuple[Array, Array]:
        """What is asked of the task in this tick, (6,) each, of a pose error and a pose step (6,), world."""
        found = self._guard.remote_centre()
        self._by_fixture = found is not None
        self._p, self._v = (self._own, AT_REST) if found is None else found
        self._rcm.update(state.T_world_tip[:3, 3], state.shaft_axis, self._p, state.jacobian, self._v)
        return self._rcm.error(error), self._rcm.feedforward(feedforward)

    def with_rows(self, rows: RowSet | None) -> RowSet | None:
        """The scene's rows first, so that their indices stay, then what else holds the shaft."""
        if self._by_fixture:
            return rows
        return self._rcm.rows if rows is None else RowSet.join(rows, self._rcm.rows)

    def fraction(self, q: Array, stop_v: Array, v: Array) -> float:
        """How far to go from the stop's velocity (n,) to the wanted one (n,); see `RcmStop.fraction`."""
        return self._stop.fraction(q, stop_v, v, self._p, self._v)
