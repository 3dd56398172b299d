"""A hand that wants to get the tool where it must not go, and a link that does not help."""

from __future__ import annotations

import math

import numpy as np

from teleop.wire.messages import MeasuredCp, Request, Signal

from .solids import Region

Array = np.ndarray
MS = 1_000_000
FASTEST_M_S = 4.9
"""Of the hand; the controller refuses samples that need more than 5 m/s."""
MODES = (
    *(
        "dive",
        "dive",
        "graze",
        "oscillate",
        "jump",
        "garbage",
        "dropout",
        "clutch",
        "scale",
        "press",
        "press",
    ),
    *("turn", "wander", "requests"),
)


def _turned(quat: list[float], turn: Array) -> list[float]:
    """A quaternion (x, y, z, w) turned for a millisecond at ``turn`` [rad/s], world."""
    a, b, c = (5e-4 * turn).tolist()
    x, y, z, w = quat
    out = [
        x + a * w + b * z - c * y,
        y + b * w + c * x - a * z,
        z + c * w + a * y - b * x,
        w - a * x - b * y - c * z,
    ]
    size = math.hypot(*out)
    return [v / size for v in out]


class Attacker:
    """One hand. ``move()`` once a tick, then ``sample()``.

    Attributes:
        mode: what it is up to.
        age: ticks since that began.
    """

    def __init__(self, rng: np.random.Generator, name: str) -> None:
        """Undecided, at the origin of the master's frame."""
        self.rng = rng
        self.name = name
        self.p = np.zeros(3)
        self.quat = [0.0, 0.0, 0.0, 1.0]
        self.mode, self.age, self.left = "rest", 0, 150
        self.seq = 0
        self.session = b"attacker" + name.encode().rjust(8, b"-")[:8]
        self.clutch = False
        self.silent = 0
        self.way = np.array([0.0, 0.0, -1.0])
        self.turn = np.zeros(3)
        self.speed = 0.0
        self.freq = 1.0
        self.last: MeasuredCp | None = None

    def _towards(self, tip: Array, t: float, regions: list[Region]) -> Array:
        """The steepest way to a region drawn from those there are, from the tip."""
        if not regions:
            v = self.rng.normal(size=3)
            return v / np.linalg.norm(v)
        region = regions[int(self.rng.integers(len(regions)))]
        h = 1e-6
        points = np.concatenate([tip + h * np.eye(3), tip - h * np.eye(3)])
        d = region.distance(points, np.full(6, t))
        g = d[3:] - d[:3]
        size = np.linalg.norm(g)
        return g / size if size > 1e-12 else np.array([0.0, 0.0, -1.0])

    def _decide(self, tip: Array, wanted: Array, t: float, regions: list[Region]) -> None:
        rng = self.rng
        away = wanted - tip
        if np.linalg.norm(away) > 0.012 and rng.random() < 0.7:
            self.mode, self.left = "return", int(rng.integers(20, 200))
            self.way, self.speed = -away / np.linalg.norm(away), rng.uniform(0.1, 1.0)
        else:
            self.mode, self.left = MODES[int(rng.integers(len(MODES)))], int(rng.integers(20, 300))
            self.way = self._towards(tip, t, regions)
            self.speed = float(10 ** rng.uniform(-2.0, 0.3))
            if self.mode == "press":
                self.left, self.speed = 500, float(rng.uniform(0.03, 0.2))
        self.age = 0
        self.freq = float(10 ** rng.uniform(0, 1.6))
        self.turn = rng.normal(size=3) * (10.0 if self.mode == "turn" else 0.5)
        self.clutch = False

    def move(self, tip: Array, wanted: Array, scale: float, t: float, regions: list[Region]) -> list[Request]:
        """Move by a millisecond; ask something of the controller now and then.

        Args:
            tip: (3,) where the tool is.
            wanted: (3,) where it was asked to be.
            scale: tool motion per hand motion.
            t: [s].
            regions: those there are now.
        """
        if self.left == 0:
            self._decide(tip, wanted, t, regions)
        self.left -= 1
        self.age += 1
        rng, u, asks = self.rng, self.way * self.speed, []
        match self.mode:
            case "rest":
                u = np.zeros(3)
            case "graze":
                if self.age % 25 == 1:
                    n = self._towards(tip, t, regions[:1] if regions else [])
                    side = np.cross(n, rng.normal(size=3))
                    self.way = side / np.linalg.norm(side) + 0.2 * n
                    u = self.way * self.speed
            case "oscillate":
                u = u * math.cos(2 * math.pi * self.freq * self.age * 1e-3)
            case "jump":
                u = np.zeros(3)
                if self.age % 40 == 1:
                    self.p = self.p + self.way * rng.uniform(1e-3, 0.05) / scale
            case "clutch":
                if self.age % 30 == 1:
                    self.clutch = rng.random() < 0.5
            case "scale":
                if self.age % 50 == 1:
                    args = {
                        "scale": float(rng.uniform(0.1, 5.0)),
                        "rotation_scale": float(rng.uniform(0.1, 3.0)),
                    }
                    asks.append(Request(id=1, op="set_scale", args={"pair": self.name, **args}))
            case "press":
                # Arrive, push on until the hand is a few millimetres beyond, and stay there.
                if math.dist(wanted.tolist(), tip.tolist()) > 2e-3 or self.age > 350:
                    u = np.zeros(3)
            case "wander":
                self.way = self.way + 0.3 * rng.normal(size=3)
                u = self.way / np.linalg.norm(self.way) * self.speed
            case "dropout":
                if self.silent == 0 and rng.random() < 0.03:
                    self.silent = int(10 ** rng.uniform(0, 2.2))
            case "requests":
                if self.age % 60 == 1:
                    op = str(rng.choice(["pause", "resume", "release", "engage", "set_filter"]))
                    args = {"pair": self.name} if op in ("release", "engage", "set_filter") else {}
                    if op == "set_filter":
                        args["filter"] = {"kind": str(rng.choice(["none", "butterworth"]))}  # type: ignore[assignment]
                    asks.append(Request(id=1, op=op, args=args))
        v = u / scale
        size = math.hypot(*v.tolist())
        if size > FASTEST_M_S:
            v *= FASTEST_M_S / size
        self.p = self.p + v * 1e-3
        if self.mode not in ("press", "rest"):
            self.quat = _turned(self.quat, self.turn)
        return asks

    def sample(self, now_ns: int, *, cycle_clutch: bool) -> MeasuredCp | None:
        """What the master sends now; None if nothing. ``cycle_clutch`` presses it to end a hold."""
        if self.silent:
            self.silent -= 1
            return None
        rng = self.rng
        self.seq += 1
        p, quat = self.p.tolist(), list(self.quat)
        stamp, seq, session = now_ns - 100_000, self.seq, self.session
        present, valid = True, True
        if self.mode == "garbage" and rng.random() < 0.3:
            match int(rng.integers(8)):
                case 0:
                    p[int(rng.integers(3))] = math.nan
                case 1:
                    quat[0] = math.inf
                case 2:
                    quat = [2.0 * x for x in quat]
                case 3:
                    p = [1e3, 0.0, 0.0]
                case 4:
                    seq = max(0, seq - 5)
                case 5:
                    session = b"somebody--else--"
                case 6:
                    return self.last
                case _:
                    stamp -= int(rng.integers(0, 30)) * MS
        elif self.mode == "garbage" and rng.random() < 0.003:
            present = False
        elif self.mode == "garbage" and rng.random() < 0.003:
            valid = False
        clutch = self.clutch or cycle_clutch
        self.last = MeasuredCp(
            schema=1, stream="", session=session, seq=seq, stamp_ns=stamp, p_m=p, quat_xyzw=quat,
            gripper_rad=0.3, valid=valid, present=Signal(present, stamp), clutch=Signal(clutch, stamp),
        )  # fmt: skip
        return self.last
