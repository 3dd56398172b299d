"""A driver's contract on a bench: a fake clock, two joints, and a controller that sends what it is told."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from teleop.drivers.contract import ArmContract
from teleop.drivers.limits import DriverLimits, JawRange
from teleop.drivers.moves import MinimumJerkMove
from teleop.wire.messages import Reply, Request, ServoJp

MS = 1_000_000
PERIOD_S = 1e-3
SESSION = b"s" * 16
CLIENT = b"controller"
LIMITS = DriverLimits(
    q_min=np.array([-1.0, -0.5]),
    q_max=np.array([1.0, 0.5]),
    qd_max=np.array([2.0, 0.5]),
    qdd_max=np.array([20.0, 5.0]),
    jaw=JawRange(-0.5, 1.5, 5.0),
)
HOME = np.array([0.1, -0.1])


@dataclass
class Bench:
    """A driver that follows its setpoint exactly, and its clock."""

    contract: ArmContract
    now_ns: int = 1_000_000_000
    seq: int = 0
    tokens: list[bytes] = field(default_factory=list)

    def command(self, **changes: Any) -> ServoJp:
        """The next command: hold the setpoint, unless ``changes`` say otherwise."""
        self.seq += 1
        fields: dict[str, Any] = {
            "schema": 1,
            "stream": "arm/servo_jp",
            "session": SESSION,
            "seq": self.seq,
            "stamp_ns": self.now_ns - 100_000,
            "mode": "SERVO",
            "q": self.contract.setpoint.q.tolist(),
            "qd": [0.0, 0.0],
            "stop_s": PERIOD_S,
            "jaw_rad": 0.0,
            "ttl_ms": 10.0,
            "lease": self.contract.lease.token,
        }
        return ServoJp(**(fields | changes))

    def tick(self, *commands: ServoJp, ns: int = MS) -> np.ndarray:
        """One tick of the driver ``ns`` later; returns the setpoint."""
        self.now_ns += ns
        self.contract.tick(self.now_ns, self.contract.setpoint.q.copy(), commands)
        return self.contract.setpoint.q

    def send(self, **changes: Any) -> np.ndarray:
        """A command that arrives in the next tick."""
        self.now_ns += MS
        command = self.command(**changes)
        self.now_ns -= MS
        return self.tick(command)

    def silence(self, ms: int) -> None:
        """No command for ``ms`` ticks."""
        for _ in range(ms):
            self.tick()

    def ask(self, op: str, client: bytes = CLIENT, **args: Any) -> Reply:
        return self.contract.request(client, Request(id=7, op=op, args=args), self.now_ns)

    def arm(self) -> None:
        """Acquire and enable, and a first tick."""
        assert self.ask("acquire", session=SESSION).ok
        assert self.ask("enable").ok
        self.tick()

    def cruise(self, v: np.ndarray, ticks: int, stop_s: float) -> np.ndarray:
        """Move at the constant velocity ``v`` for ``ticks`` ticks; returns the last commanded position."""
        q = self.contract.setpoint.reference.copy()
        for _ in range(ticks):
            q = q + v * PERIOD_S
            self.send(q=q.tolist(), qd=v.tolist(), stop_s=stop_s)
        return q


def bench(*, is_homed: bool = True, shared_clock: bool = True, lease_ttl_s: float = 1.0) -> Bench:
    tokens: list[bytes] = []

    def new_token() -> bytes:
        tokens.append(len(tokens).to_bytes(16, "big"))
        return tokens[-1]

    contract = ArmContract(
        name="arm",
        joint_names=("turn", "slide"),
        limits=LIMITS,
        q=np.zeros(2),
        jaw_rad=0.0,
        period_s=PERIOD_S,
        lease_ttl_s=lease_ttl_s,
        stop_max_s=1.0,
        shared_clock=shared_clock,
        is_homed=is_homed,
        plan_home=lambda q: MinimumJerkMove.plan(q, HOME, LIMITS, speed=0.5, least_s=0.2),
        new_token=new_token,
    )
    return Bench(contract, tokens=tokens)


def armed(**options: Any) -> Bench:
    """A bench whose arm is enabled and waits for the first command."""
    new = bench(**options)
    new.arm()
    return new


V = np.array([1.0, -0.25])


def moving(stop_s: float, **options: bool) -> tuple[Bench, np.ndarray]:
    """An arm at the velocity ``V`` whose last command asks for ``stop_s``; and that command's position."""
    arm = armed(**options)
    return arm, arm.cruise(V, 100, stop_s)
