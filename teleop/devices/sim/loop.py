"""Hand, device, renderer, controller and arm in one closed loop, stepped by hand: no clock, no process.

What a session does over the wire, with a delay of a whole number of ticks each way, so that contact,
stability and guidance can be tested and measured to the bit.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from teleop.config.session import Session
from teleop.controller.build import PERIOD_S, build_controller
from teleop.controller.types import ControllerInputs, PairInputs, PairOutputs
from teleop.devices.device import Velocity
from teleop.devices.sim.model import HandModelSpec, HandOnDevice
from teleop.drivers.sim.tissue import Tissue
from teleop.haptics.renderer import Renderer
from teleop.safety.states import Teleop
from teleop.wire.messages import MeasuredCp, MeasuredJs, Reply, Request, ServoCf, Signal

Array = npt.NDArray[np.float64]

_MS = 1_000_000
_OWN = bytes(16)
_BRING_UP_TICKS = 900


@dataclass(slots=True)
class Felt:
    """One tick.

    Attributes:
        out: what the controller did.
        p_hand: where the hand is, shape (3,), m, master's frame.
        force: what the device renders, shape (3,), N.
    """

    out: PairOutputs
    p_hand: Array
    force: Array


class ClosedLoop:
    """The first pair of a session, in a closed loop with a simulated hand on its haptic device.

    Attributes:
        controller: the session's controller.
        handle: hand and handle.
        renderer: of the device.
        intent: where the hand wants to be, shape (3,), m; changed freely between ticks.
        quat_xyzw: how the handle is turned, shape (4,).
        clutch: the clutch is pressed.
        present: the deadman is held.
        deaf: messages of the controller do not arrive any more.
        mute: samples of the hand do not arrive any more.
        blind: the device does not know any more where the hand is.
        tissue: what the tip touches, if anything.
        on_servo_cf: what becomes of a message of the controller on its way: none, itself, others.
    """

    def __init__(
        self,
        session: Session,
        hand: HandModelSpec | None = None,
        *,
        local: bool = True,
        feels: bool = True,
        delay_ticks: int = 1,
    ) -> None:
        """Build everything; the arm is enabled and follows after :meth:`bring_up`.

        Args:
            session: what to run; its first pair is used.
            hand: arm and grip.
            local: close the planes at the device.
            feels: false leaves the device without force.
            delay_ticks: of a message each way.
        """
        pair, device = session.spec.pairs[0], session.devices[0]
        self.controller = build_controller(session, _OWN)
        self.pair = self.controller.pairs[0]
        self.handle = HandOnDevice(hand or HandModelSpec(), device)
        self.renderer = Renderer(device, pair.haptics, PERIOD_S, local=local)
        self._feels = feels
        self._velocity = Velocity()
        self.intent = np.zeros(3)
        self._intent_last = np.zeros(3)
        self.quat_xyzw = [0.0, 0.0, 0.0, 1.0]
        self.clutch = self.deaf = self.mute = self.blind = False
        self.on_servo_cf: Callable[[ServoCf], list[ServoCf]] = lambda message: [message]
        self._estops: list[tuple[str, str]] = []
        self.tissue: Tissue | None = None
        self.present = True
        self.tick_count = 0
        self._to_controller: deque[MeasuredCp] = deque()
        self._to_device: deque[list[ServoCf]] = deque()
        self._delay = delay_ticks
        self._q = np.array(self.pair.arm.home)
        self._state = "DISABLED"
        self._replies: tuple[Reply, ...] = ()
        self._token = 0

    def bring_up(self) -> None:
        """Enable and engage, the hand at rest, until the arm follows.

        Raises:
            RuntimeError: it does not.
        """
        for tick in range(_BRING_UP_TICKS):
            ask = {5: "enable", 100: "engage"}.get(tick)
            self.tick(*((ask,) if ask else ()))
        if self.pair.machine.state is not Teleop.FOLLOWING:
            raise RuntimeError(f"the arm does not follow: {self.pair.machine.reason.sentence}")

    def tick(self, *ops: str) -> Felt:
        """One millisecond of everything; ``ops`` are requests to the controller."""
        self.tick_count += 1
        now_ns = self.tick_count * _MS
        self._sense(now_ns)
        master = None
        if len(self._to_controller) > self._delay:
            master = self._to_controller.popleft()
        requests = []
        for op in ops:
            self._token += 1
            requests.append((self._token, Request(id=self._token, op=op)))
        inputs = PairInputs(None if self.mute else master, self._measured(now_ns), self._replies)
        came = ControllerInputs(now_ns, (inputs,), tuple(requests), tuple(self._estops))
        self._estops.clear()
        out = self.controller.step(came, PERIOD_S).pairs[0]
        self._replies = tuple(self._answer(request) for request in out.arm_requests)
        if out.command is not None:
            self._q[:] = out.command.q
        if not self.deaf:
            self._to_device.append(self.on_servo_cf(_servo_cf(out, self.tick_count, now_ns)))
        return Felt(out, self.handle.p.copy(), self.renderer.force.copy())

    def estop(self, source: str, why: str) -> None:
        """An emergency stop arrives in the next tick."""
        self._estops.append((source, why))

    def run(self, ticks: int, each: Callable[[int], None]) -> list[Felt]:
        """``ticks`` milliseconds; ``each(k)`` moves the intent before tick k."""
        felt = []
        for k in range(ticks):
            each(k)
            felt.append(self.tick())
        return felt

    def _sense(self, now_ns: int) -> None:
        """The device's tick: read, render, and a millisecond of physics."""
        p = self.handle.measured
        if self.blind:
            p = np.full(3, np.nan)
        self._to_controller.append(
            MeasuredCp(
                schema=1, stream="", session=_OWN, seq=self.tick_count, stamp_ns=now_ns, p_m=p.tolist(),
                quat_xyzw=list(self.quat_xyzw), valid=True, present=Signal(self.present, now_ns),
                clutch=Signal(self.clutch, now_ns), energy_j=self.renderer.energy_j,
            )
        )  # fmt: skip
        if len(self._to_device) > self._delay:
            for message in self._to_device.popleft():
                self.renderer.take(message, 1e-9 * now_ns)
        force = self.renderer.step(p, self._velocity.step(p, PERIOD_S), 1e-9 * now_ns)
        if not self._feels:
            force = np.zeros(3)
        v = (self.intent - self._intent_last) / PERIOD_S
        self.handle.advance(PERIOD_S, force, self._intent_last, v)
        self._intent_last[:] = self.intent

    def _measured(self, now_ns: int) -> MeasuredJs:
        effort = None if self.tissue is None else self.tissue.effort(self._q, np.zeros(len(self._q))).tolist()
        return MeasuredJs(
            schema=1, stream="", session=_OWN, seq=self.tick_count, stamp_ns=now_ns, q=self._q.tolist(),
            effort=effort, qd=[0.0] * len(self._q), state=self._state, is_homed=True, is_busy=False,
        )  # fmt: skip

    def _answer(self, request: Request) -> Reply:
        if request.op == "enable":
            self._state = "ENABLED"
        result = {"lease": b"closed loop", "ttl_s": 1.0} if request.op == "acquire" else None
        return Reply(id=request.id, ok=True, result=result)


def _servo_cf(out: PairOutputs, seq: int, now_ns: int) -> ServoCf:
    return ServoCf(
        schema=1, stream="", session=_OWN, seq=seq, stamp_ns=now_ns, force_n=out.force_n.tolist(),
        torque_nm=out.torque_nm.tolist(), planes=out.planes, beside_n=out.beside_n.tolist(), ttl_ms=20.0,
        remote_n=out.remote_n.tolist(), energy_j=out.energy_j,
    )  # fmt: skip
