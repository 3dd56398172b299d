"""The controller: numbers in, numbers out. No clock, no socket, no file, no randomness."""

from __future__ import annotations

import traceback
from collections.abc import Sequence
from pathlib import PurePath

from fixtures.fixture import Fixture
from fixtures.scene import Scene
from teleop.controller.pair import Pair
from teleop.controller.requests import RequestDesk
from teleop.controller.types import ControllerInputs, ControllerOutputs, EventRecord
from teleop.safety.deadlines import Deadlines
from teleop.safety.reasons import Reason
from teleop.safety.states import Operating, OperatingMachine, Teleop
from teleop.wire.messages import Reply


class Controller:
    """All pairs of a session in one tick, so that fixtures between tools are possible.

    Attributes:
        operating: CRTK operating state, shared by all pairs.
        pairs: the pairs, in the order of the session.
    """

    def __init__(
        self, pairs: Sequence[Pair], scene: Scene, desk: RequestDesk, *, period_s: float = 1e-3
    ) -> None:
        """Disabled; nothing moves before ``enable``."""
        self.operating = OperatingMachine()
        self._deadlines = Deadlines(period_s)
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
        try:
            return self._step(inputs, dt)
        except Exception as error:  # an arm must not depend on our being without a mistake
            return self._brake(inputs, error)

    def _step(self, inputs: ControllerInputs, dt: float) -> ControllerOutputs:
        self._deadlines.update(inputs.now_ns, dt)
        if inputs.shut_down and self.operating.state is not Operating.FAULT:
            self.operating.request("disable")
        for pair, came in zip(self.pairs, inputs.pairs, strict=True):
            pair.sense(came, self.operating, inputs.now_ns, controller_late=self._deadlines.missed_too_many)
        if inputs.mistake:
            self.operating.fault(Reason.INTERNAL, inputs.mistake)
        for source, why in inputs.estops:
            self.operating.fault(Reason.ESTOP, f"{source}: {why}")
        for pair in self.pairs:
            reason, detail = pair.fault(self.operating)
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
        for pair, out in zip(self.pairs, outputs, strict=True):
            pair.committed(out)
        return ControllerOutputs(self.operating.state, outputs, replies, self._changes())

    def _brake(self, inputs: ControllerInputs, error: Exception) -> ControllerOutputs:
        """A tick that broke off: latch FAULT, go along the stops certified before, say what happened."""
        where = traceback.extract_tb(error.__traceback__)[-1]
        detail = f"{type(error).__name__}: {error} ({PurePath(where.filename).name}:{where.lineno})"[:300]
        self.operating.fault(Reason.INTERNAL, detail)
        outputs = tuple(pair.brake() for pair in self.pairs)
        replies = tuple(
            (token, Reply(id=request.id, ok=False, error=f"{Reason.INTERNAL.sentence} {detail}"))
            for token, request in inputs.requests
        )
        text = "".join(traceback.format_exception(error))
        return ControllerOutputs(
            self.operating.state, outputs, replies, self._changes(Teleop.IDLE, Reason.INTERNAL), text
        )

    @property
    def fixtures(self) -> tuple[Fixture, ...]:
        """The fixtures in force."""
        return self._scene.fixtures

    @property
    def ops(self) -> frozenset[str]:
        """Requests that are answered."""
        return self._desk.ops

    @property
    def let_go(self) -> bool:
        """Whether every arm is at rest and no lease is held any more."""
        return all(pair.motion.at_rest and not pair.link.lease for pair in self.pairs)

    def _changes(self, teleop: Teleop | None = None, reason: Reason | None = None) -> tuple[EventRecord, ...]:
        """What differs from what was told last; ``teleop`` and ``reason`` are those of a broken tick."""
        events: list[EventRecord] = []
        warning = self._deadlines.warning()
        for index, pair in enumerate(self.pairs):
            state = teleop or pair.machine.state
            now = (self.operating.state, state, reason or pair.machine.reason, pair.motion.unsafe)
            if warning:
                events.append(
                    EventRecord("warning", pair.name, now[0], state, Reason.CONTROLLER_LATE, warning)
                )
            before = self._told[index]
            self._told[index] = now
            if now[:3] != before[:3]:
                detail = self.operating.detail or pair.link.refusal or pair.link.driver_reason
                events.append(EventRecord("state", pair.name, *now[:3], detail))
            if now[3] and now[3] != before[3]:
                detail = f"{now[3]} closes in on an arm that cannot get out of its way in time"
                room = pair.motion.clearance().get(now[3])
                if room is not None:
                    detail += f"; the arm is {abs(1e3 * room):.3f} mm {'inside it' if room < 0.0 else 'away'}"
                events.append(EventRecord("alarm", pair.name, *now[:3], detail))
        return tuple(events)
