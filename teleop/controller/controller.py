"""The controller: numbers in, numbers out. No clock, no socket, no file, no randomness."""

from __future__ import annotations

from collections.abc import Sequence

from fixtures.scene import Scene
from teleop.controller.pair import Pair
from teleop.controller.requests import RequestDesk
from teleop.controller.types import ControllerInputs, ControllerOutputs, EventRecord
from teleop.safety.reasons import Reason
from teleop.safety.states import Operating, OperatingMachine, Teleop


class Controller:
    """All pairs of a session in one tick, so that fixtures between tools are possible.

    Attributes:
        operating: CRTK operating state, shared by all pairs.
        pairs: the pairs, in the order of the session.
    """

    def __init__(self, pairs: Sequence[Pair], scene: Scene, desk: RequestDesk) -> None:
        """Disabled; nothing moves before ``enable``."""
        self.operating = OperatingMachine()
        self.pairs = tuple(pairs)
        self._scene = scene
        self._desk = desk
        self._told: list[tuple[Operating, Teleop, Reason, str]] = [
            (Operating.DISABLED, Teleop.IDLE, Reason.NONE, "") for _ in self.pairs
        ]

    def step(self, inputs: ControllerInputs, dt: float) -> ControllerOutputs:
        """One tick.

        Args:
            inputs: everything that came in since the last tick.
            dt: time since the last tick, s: the period times one plus the ticks skipped.

        Returns:
            Commands, replies, events, and the record of what was done and why.
        """
        if inputs.shut_down and self.operating.state is not Operating.FAULT:
            self.operating.request("disable")
        for pair, came in zip(self.pairs, inputs.pairs, strict=True):
            pair.sense(came, self.operating, inputs.now_ns)
        for source, why in inputs.estops:
            self.operating.fault(Reason.ESTOP, f"{source}: {why}")
        for pair in self.pairs:
            reason, detail = pair.fault()
            if reason is not Reason.NONE:
                self.operating.fault(reason, detail)
        replies = tuple(
            (token, self._desk.answer(request, self.operating, self.pairs))
            for token, request in inputs.requests
        )
        if self.operating.state in (Operating.FAULT, Operating.DISABLED):
            for pair in self.pairs:
                pair.link.drop()
        self._scene.begin(inputs.now_ns * 1e-9)
        outputs = tuple(pair.act(self.operating, inputs.now_ns, dt) for pair in self.pairs)
        return ControllerOutputs(self.operating.state, outputs, replies, self._changes())

    @property
    def ops(self) -> frozenset[str]:
        """Requests that are answered."""
        return self._desk.ops

    @property
    def let_go(self) -> bool:
        """Whether every arm is at rest and no lease is held any more."""
        return all(pair.motion.at_rest and not pair.link.lease for pair in self.pairs)

    def _changes(self) -> tuple[EventRecord, ...]:
        """What differs from what was told last."""
        events: list[EventRecord] = []
        for index, pair in enumerate(self.pairs):
            now = (self.operating.state, pair.machine.state, pair.machine.reason, pair.motion.unsafe)
            before = self._told[index]
            self._told[index] = now
            if now[:3] != before[:3]:
                detail = self.operating.detail or pair.link.refusal or pair.link.driver_reason
                events.append(EventRecord("state", pair.name, *now[:3], detail))
            if now[3] and now[3] != before[3]:
                detail = f"{now[3]} closes in on an arm that cannot get out of its way in time"
                events.append(EventRecord("alarm", pair.name, *now[:3], detail))
        return tuple(events)
