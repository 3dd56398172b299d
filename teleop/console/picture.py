"""What a viewer sees now: poses of every part, states with reasons, the last clamp in words."""

from __future__ import annotations

from collections import deque
from typing import Any

import numpy as np
import pinocchio as pin

from kinematics.arm import ArmModel
from kinematics.spec import ArmSpec
from teleop.console.messages import ArmShape, CapsuleShape, PairState, Pose, State
from teleop.safety.reasons import Reason
from teleop.wire.messages import LedgerLine, MeasuredJs, PairTelemetry, Telemetry

_REASONS = {reason.code: reason for reason in Reason}
_WINDOW = 1000
_FELT_M, _SEEN_M = 1e-6, 1e-4
"""From where on it is told what a fixture takes away, and what the arm's own limits do: a lag one can see."""
_BY_FIXTURES = frozenset({"clamped", "stopped", "unsafe", "recovering"})
"""What fixtures do is told before what the arm's own limits do in the same tick."""


def _round(values: Any, digits: int = 6) -> list[float]:
    return [round(float(v), digits) for v in values]


def pose(T: Any) -> Pose:
    """``(4, 4)`` as position and quaternion xyzw."""
    return _round(pin.SE3ToXYZQUAT(pin.SE3(np.asarray(T))))


class ArmPicture:
    """Draws one arm: its capsules once, the poses of their frames at every ``q``."""

    def __init__(self, name: str, arm: ArmModel, spec: ArmSpec) -> None:
        """Prepare.

        Args:
            name: of the arm in the session.
            arm: its model where the session placed it.
            spec: its description, for the capsules.
        """
        frames = list(dict.fromkeys(c.frame for body in spec.bodies for c in body.capsules))
        model = arm.pinocchio_model
        self._model, self._data = model, model.createData()
        self._ids = [int(model.getFrameId(f, pin.FrameType.OP_FRAME)) for f in frames]
        self._n = arm.n
        self._q: list[float] = []
        self._poses: list[Pose] = []
        rcm = None if arm.rcm is None else arm.rcm.p_world_rcm.tolist()
        capsules = [
            CapsuleShape(frames.index(c.frame), list(c.from_m), list(c.to_m), c.radius_m, body.name)
            for body in spec.bodies
            for c in body.capsules
        ]
        jaw = arm.jaw is not None
        self.shape = ArmShape(
            name,
            spec.title or spec.name,
            frames,
            capsules,
            list(arm.joint_names),
            list(arm.prismatic),
            jaw,
            rcm,
        )

    def frames(self, q: list[float]) -> list[Pose]:
        """Poses of the shape's frames at ``q``."""
        if len(q) == self._n and q != self._q:
            pin.framesForwardKinematics(self._model, self._data, np.asarray(q))
            self._poses = [_round(pin.SE3ToXYZQUAT(self._data.oMf[i])) for i in self._ids]
            self._q = list(q)
        return self._poses


def clamp_words(line: LedgerLine, fixtures: frozenset[str]) -> str:
    """One line of the ledger as a person says it: ``"shaft, 0.31 mm, by fixture carotid"``."""
    amount = f"{1e3 * line.by_m:.2f} mm" if line.by_m >= 5e-6 else f"{1e6 * line.by_m:.1f} µm"
    by = f"fixture {line.who}" if line.who in fixtures else line.who.replace("_", " ")
    return ", ".join(
        [*([line.body] if line.body else []), *([amount] if line.by_m > 0.0 else []), f"by {by}"]
    )


class Watcher:
    """Follows the telemetry and keeps what the newest state needs of the past."""

    def __init__(self, pairs: int) -> None:
        """Nothing seen."""
        self.newest: Telemetry | None = None
        self.heard_s = 0.0
        self.sender = b""
        self._compute: deque[float] = deque(maxlen=_WINDOW)
        self._lateness: deque[float] = deque(maxlen=_WINDOW)
        self._stamps: deque[int] = deque(maxlen=_WINDOW)
        self._clamps: list[tuple[LedgerLine, int] | None] = [None] * pairs

    def see(self, message: Telemetry, now_s: float) -> bool:
        """Take in one tick; True if the controller is another than before."""
        changed = message.session != self.sender
        if changed:
            self.sender = message.session
            self._compute.clear()
            self._lateness.clear()
            self._stamps.clear()
        self.newest, self.heard_s = message, now_s
        self._compute.append(message.compute_us)
        self._lateness.append(message.lateness_us)
        self._stamps.append(message.stamp_ns)
        for index, pair in enumerate(message.pairs):
            if pair.ledger and index < len(self._clamps):
                line = max(pair.ledger, key=lambda entry: (entry.what in _BY_FIXTURES, entry.by_m))
                least = _FELT_M if line.what in _BY_FIXTURES else _SEEN_M
                if line.by_m >= least or line.by_m == 0.0:
                    self._clamps[index] = (line, message.stamp_ns)
        return changed

    def last_clamp(self, index: int) -> tuple[LedgerLine, float] | None:
        """The last one worth telling, and its age in s."""
        clamp = self._clamps[index]
        if clamp is None or self.newest is None:
            return None
        return clamp[0], (self.newest.stamp_ns - clamp[1]) * 1e-9

    @property
    def hz(self) -> float:
        """Ticks a second over the last thousand."""
        if len(self._stamps) < 2 or self._stamps[-1] == self._stamps[0]:
            return 0.0
        return (len(self._stamps) - 1) * 1e9 / (self._stamps[-1] - self._stamps[0])

    def percentile(self) -> tuple[float, float]:
        """99th percentile of compute and lateness over the last second, us."""
        if not self._compute:
            return 0.0, 0.0
        rank = int(0.99 * (len(self._compute) - 1))
        return sorted(self._compute)[rank], sorted(self._lateness)[rank]


class Painter:
    """Puts a :class:`State` together."""

    def __init__(self, arms: list[ArmPicture], watcher: Watcher) -> None:
        """Draw ``arms`` as ``watcher`` saw them last."""
        self.arms = arms
        self.watcher = watcher
        self.details: dict[str, str] = {}
        self._p99 = (0.0, 0.0)
        self._p99_at_s = 0.0

    def pair(
        self, index: int, pair: PairTelemetry, js: MeasuredJs | None, fixtures: frozenset[str]
    ) -> PairState:
        """One pair of the newest tick."""
        reason = _REASONS.get(pair.reason)
        clamp = self.watcher.last_clamp(index)
        force = getattr(pair, "force_n", None) or []
        frames = self.arms[index].frames(pair.q_measured)
        names = self.arms[index].shape.frames
        command = [*_round(pair.p_command_m), *_round(pair.quat_command_xyzw)]
        return PairState(
            teleop_state=pair.teleop_state,
            reason=pair.reason,
            sentence=reason.sentence if reason else pair.reason,
            action=reason.action if reason else "",
            detail=self.details.get(pair.pair, ""),
            desired=[*_round(pair.p_desired_m), *_round(pair.quat_desired_xyzw)],
            command=command,
            measured=frames[names.index("tip")] if "tip" in names and frames else command,
            frames=frames,
            q=_round(pair.q_measured, 5),
            jaw_rad=round(js.jaw_rad, 4) if js else 0.0,
            arm_state=js.state if js else "",
            tracking_error=round(pair.tracking_error_m, 7),
            scale=pair.scale,
            clutch=pair.clutch,
            input_age_ms=round(pair.input_age_us * 1e-3, 2),
            round_trip_ms=round(pair.round_trip_us * 1e-3, 3),
            clearance={name: round(c, 6) for name, c in pair.clearance_m.items()},
            clamp=clamp_words(clamp[0], fixtures) if clamp else "",
            clamp_fixture=clamp[0].who if clamp and clamp[0].who in fixtures else "",
            clamp_age_s=round(clamp[1], 2) if clamp else -1.0,
            force=_round(force, 3),
        )

    def state(
        self,
        seq: int,
        now_s: float,
        states: list[MeasuredJs | None],
        fixtures: frozenset[str],
        moving: dict[str, Pose],
    ) -> State:
        """Everything but who drives and who watches."""
        watcher = self.watcher
        newest = watcher.newest
        if now_s - self._p99_at_s > 0.5:
            self._p99, self._p99_at_s = watcher.percentile(), now_s
        return State(
            seq=seq,
            stamp_ms=round(now_s * 1e3, 3),
            silent_s=round(now_s - watcher.heard_s, 3) if newest else -1.0,
            tick=newest.tick if newest else 0,
            state=newest.state if newest else "",
            hz=round(watcher.hz, 1),
            compute_p99_us=round(self._p99[0], 1),
            lateness_p99_us=round(self._p99[1], 1),
            overruns=newest.overruns if newest else 0,
            pairs=[
                self.pair(i, pair, states[i], fixtures)
                for i, pair in enumerate(newest.pairs[: len(self.arms)] if newest else [])
            ],
            moving=moving,
            driver=0,
            person=False,
            viewers=0,
            kept_s=0.0,
        )
