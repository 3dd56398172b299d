"""The force of the arm on the hand, from the `effort` of its joints: off unless a session asks for it.

A force f on the tip is read from the effort tau of the joints, `tau = -J^T f` at rest, by least squares for a
force without a moment,

    f = -(J J^T + mu 1)^-1 J tau,       J (3, n) of the tip where the arm was measured

and felt as `gain R^T f`. It is passed on only while both ends count energy (:mod:`teleop.haptics.channel`),
the driver measures effort and the round trip is within the bound; where not, :attr:`RemoteForce.refusal` says
why and the arm follows the hand as it does without.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from kinematics.arm import ArmModel
from teleop.haptics.channel import ArmEnd
from teleop.haptics.feel import saturate
from teleop.haptics.spec import RemoteSpec

Array = npt.NDArray[np.float64]

_MU = 1e-9
# What was refused for its delay is taken up again only below this part of the bound.
_RELEASE = 0.9


def tip_force(arm: ArmModel, q: Array, effort: Array) -> tuple[Array, Array]:
    """Force on the tip, shape (3,), N, and its position, shape (3,), m, both in the world.

    Args:
        arm: model of the arm; its state is overwritten.
        q: measured joints, shape (n,).
        effort: measured with them, shape (n,), N m or N.
    """
    state = arm.at(q)
    J = state.jacobian[:3]
    force = -np.linalg.solve(J @ J.T + _MU * np.eye(3), J @ effort)
    return np.asarray(force, dtype=np.float64), state.T_world_tip[:3, 3].copy()


class RemoteForce:
    """The arm's end of one pair.

    Attributes:
        force_n: to be felt, before what the device's end allows, shape (3,), N, master's frame.
        refusal: why there is none, in a few words; empty where it is passed on.
        end: counts and limits the energy.
    """

    def __init__(self, spec: RemoteSpec, arm: ArmModel, period_s: float) -> None:
        """Nothing measured yet.

        Args:
            spec: what the session asks for.
            arm: a model of its own, which nobody else moves.
            period_s: tick.
        """
        self.spec = spec
        self._arm = arm
        self._force = np.zeros(3)
        self.force_n = np.zeros(3)
        self.end = ArmEnd(period_s)
        self.refusal = ""

    @property
    def energy_j(self) -> float:
        """What came in at the arm so far, J, for the device's end."""
        return self.end.budget.in_j

    def start(self) -> None:
        """Following starts where the tool is."""
        self.end.start()

    def release(self) -> None:
        """Nothing may be felt in this tick."""
        self.force_n[:] = 0.0
        self.end.lost()

    def follow(
        self,
        *,
        measured: tuple[Array, Array | None] | None,
        counted: tuple[float, bytes],
        round_trip_ns: float,
        R_wm: Array,
        scale: float,
        desired: Array,
        at: Array,
    ) -> Array:
        """A tick in which the tool follows the hand: what is felt, and where the tip shall go.

        Args:
            measured: new joints (n,) and effort (n,) of the arm; ``None`` where none came in this tick.
            counted: energy that came in at the device [J], below 0 where it does not count; its session.
            round_trip_ns: of the whole way.
            R_wm: rotation from master to world, shape (3, 3).
            scale: tip translation per hand translation.
            desired: where the hand wants the tip, shape (3,), m, world.
            at: where the tip is commanded to be, shape (3,), m, world.

        Returns:
            desired tip, shape (3,), m, world.
        """
        self.refusal = self._refused(measured, counted[0], round_trip_ns)
        end, ratio = self.end, self.spec.gain / scale
        end.budget.hear(*counted)
        if self.refusal:
            self.release()
            end.budget.forgive()
            end.offset *= 0.99
            return desired + end.offset
        if measured is not None and (effort := measured[1]) is not None:
            self._force, p_tip = tip_force(self._arm, measured[0], effort)
            end.measure(self._force, p_tip, ratio)
        self.force_n[:] = self.spec.gain * (R_wm.T @ self._force)
        saturate(self.force_n, self.spec.max_force_n)
        return desired + end.step(desired, at, ratio)

    def _refused(
        self, measured: tuple[Array, Array | None] | None, counted_j: float, round_trip_ns: float
    ) -> str:
        bound_ns = 1e6 * self.spec.max_round_trip_ms
        late = "the round trip is too long"
        if round_trip_ns > (bound_ns * _RELEASE if self.refusal == late else bound_ns):
            return late
        if counted_j < 0.0:
            return "the master counts no energy"
        silent = "the arm measures no effort"
        if measured is None:
            return silent if self.refusal == silent else ""
        if measured[1] is None or len(measured[1]) != len(measured[0]) or not np.isfinite(measured[1]).all():
            return silent
        return ""
