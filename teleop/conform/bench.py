"""The arm under test: bring it up, move it inside the bounds, take it down."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from teleop.conform.bounds import Bounds
from teleop.conform.probe import PERIOD_S, Message, Probe, State
from teleop.errors import TrocarError

Array = npt.NDArray[np.float64]

STATES = ("DISABLED", "ENABLED", "PAUSED", "FAULT")
TTL_MS = 50.0
"""Commands of the tests live this long: a busy machine between us and the driver is not what they test."""

_RAMP_S, _CRUISE_S, STOP_S = 0.10, 0.10, 0.06
_WAY_S = 0.5 * _RAMP_S + _CRUISE_S + 0.5 * STOP_S + 0.03  # of a run to speed and its stop, with some to spare
_REACH = 0.05
"""Rad or m that a motion takes where the bounds would allow more."""


class BenchError(TrocarError):
    """The arm could not be brought where a rule needs it; the text is the finding."""


class Bench:
    """One driver and what may be done to it.

    Attributes:
        probe: the sockets.
        bounds: what a person allowed; ``None``: nothing may move.
        restart: restarts the driver, if there is a way.
        n: number of joints.
        q_start: where the arm stood when the test began, shape (n,).
    """

    def __init__(
        self, probe: Probe, bounds: Bounds | None = None, restart: Callable[[], None] | None = None
    ) -> None:
        """Look at the arm; nothing is asked of it yet.

        Raises:
            TrocarError: bounds that do not fit the arm.
            BenchError: the driver publishes nothing that can be understood, or its arm is in use.
        """
        self.probe, self.bounds, self.restart = probe, bounds, restart
        if not probe.pump(3.0, until=lambda: bool(self._understood())):
            raise BenchError(f"{probe.endpoint} answers requests, but no state with `q` came within 3 s")
        self.n = len(self.state.m["q"])
        names = probe.info.get("joints")
        self.joints = tuple(map(str, names)) if isinstance(names, list) and len(names) == self.n else ()
        self.joints = self.joints or tuple(f"joint {k}" for k in range(self.n))
        if self.state.m.get("state") != "DISABLED":
            raise BenchError(
                f"the arm is {self.state.m.get('state')} ({self.state.m.get('reason') or 'no reason'}): "
                "somebody uses it, or a fault is to be cleared. A test begins with a DISABLED arm"
            )
        if bounds is not None:
            bounds.check(self.joints)
        limits: Message = probe.info["limits"] if isinstance(probe.info.get("limits"), dict) else {}
        self.q_min = self._limit(limits, "q_min", -math.inf)
        self.q_max = self._limit(limits, "q_max", math.inf)
        self.qd_max = self._limit(limits, "qd_max", 0.0)
        jaw = limits.get("jaw_rad")
        self.jaw = (float(jaw[0]), float(jaw[1])) if isinstance(jaw, list) and len(jaw) == 2 else None
        self._begin_here()
        self.lease = b""

    def _begin_here(self) -> None:
        """Take the start from the encoders; their noise must not ask for more than the limits."""
        self.q_start = np.clip(self.q, self.q_min, self.q_max)
        low, high = self.jaw or (-math.inf, math.inf)
        self.jaw_start = min(max(float(self.state.m.get("jaw_rad", 0.0)), low), high)

    def _understood(self) -> bool:
        newest = self.probe.newest
        return newest is not None and isinstance(newest.m.get("q"), list) and bool(newest.m["q"])

    def _limit(self, limits: Message, key: str, otherwise: float) -> Array:
        values = limits.get(key)
        good = isinstance(values, list) and len(values) == self.n
        return np.array(values if good else [otherwise] * self.n, dtype=float)

    # -- what is known ---------------------------------------------------------------------------------

    @property
    def state(self) -> State:
        """The newest state.

        Raises:
            BenchError: there is none.
        """
        self.probe.drain()
        if self.probe.newest is None:
            raise BenchError("the driver publishes no state")
        return self.probe.newest

    @property
    def q(self) -> Array:
        """Measured joint positions, shape (n,)."""
        return np.array(self.state.m["q"], dtype=float)

    @property
    def free(self) -> bool:
        """The bounds cover the arm's whole range and speed: nothing can be hit."""
        if self.bounds is None:
            return False
        far = np.maximum(self.q_max - self.q_start, self.q_start - self.q_min)
        reach, speed = np.array(self.bounds.excursion), np.array(self.bounds.speed)
        return bool((reach >= far + 0.2).all() and (speed >= 1.5 * self.qd_max).all())

    @property
    def cruise(self) -> Array:
        """A velocity, shape (n,), that a run to speed and its stop can have inside the bounds."""
        if self.bounds is None:
            raise BenchError("nothing may move")
        room = np.minimum(self.q_max - self.q_start, self.q_start - self.q_min)
        reach = np.minimum(0.8 * np.array(self.bounds.excursion), np.minimum(0.5 * room, _REACH))
        speed = np.minimum(0.8 * np.array(self.bounds.speed), 0.3 * self.qd_max)
        return np.asarray(np.minimum(np.maximum(reach, 0.0) / _WAY_S, speed))

    @property
    def nudge(self) -> Array:
        """A displacement, shape (n,), that is within a step's reach and the bounds, and shows if executed."""
        if self.bounds is None:
            return np.zeros(self.n)
        reach = 0.5 * np.array(self.bounds.excursion)
        return np.asarray(np.minimum(reach, 0.9 * self.qd_max * PERIOD_S))

    # -- commands --------------------------------------------------------------------------------------

    def command(self, mode: str = "HOLD", q: Array | None = None, **keys: Any) -> Message:
        """A command with a fresh header; ``keys`` replace anything in it.

        Raises:
            BenchError: it would ask for more than the bounds allow. Nothing was sent.
        """
        q = self.q_start if q is None else q
        message = {
            **self.probe.commander.header(),
            "mode": mode,
            "q": [float(v) for v in q],
            "qd": [0.0] * self.n,
            "stop_s": 0.0,
            "jaw_rad": self.jaw_start,
            "ttl_ms": TTL_MS,
            "lease": self.lease,
            **keys,
        }
        self._within(message)
        return message

    def _within(self, m: Message) -> None:
        if m["mode"] != "SERVO" or self.free or self.state.m.get("state") == "DISABLED":
            return
        q, qd = np.array(m["q"], dtype=float), np.array(m["qd"], dtype=float)
        shaped = q.shape == qd.shape == self.q_start.shape and np.isfinite([*q, *qd, m["stop_s"]]).all()
        if self.bounds is None or not shaped or not self.bounds.allow(self.q_start, q, qd, m["stop_s"]):
            raise BenchError("this rule would send a command outside the bounds that were given")
        if self.jaw is not None and abs(m["jaw_rad"] - self.jaw_start) > self.bounds.jaw_rad + 1e-9:
            raise BenchError("this rule would move the jaw further than allowed")

    def hold(self, _t: float = 0.0) -> Message:
        """A HOLD, for :meth:`Probe.pump`: keeps the arm enabled and moves nothing."""
        return self.command()

    def along(self, v: Array, t: float) -> tuple[Array, Array]:
        """Position and velocity at time ``t`` of a run from rest at the start to velocity ``v``."""
        ramp = min(t / _RAMP_S, 1.0)
        way = 0.5 * t * ramp if t < _RAMP_S else t - 0.5 * _RAMP_S
        return self.q_start + v * way, v * ramp

    def run_to_speed(self, v: Array, then: float = 0.0) -> None:
        """Go from rest at the start to ``v`` and cruise; the last command sent has velocity ``v``.

        Args:
            v: velocity, shape (n,).
            then: cruise this much longer, s.
        """

        def make(t: float) -> Message:
            q, qd = self.along(v, min(t, _RAMP_S + _CRUISE_S + then))
            return self.command("SERVO", q, qd=qd.tolist(), stop_s=STOP_S)

        self.probe.pump(_RAMP_S + _CRUISE_S + then, make)

    # -- bringing up and taking down -------------------------------------------------------------------

    def acquire(self) -> None:
        """Take the lease, waiting until an older one has lapsed.

        Raises:
            BenchError: it was refused for too long.
        """
        reply: Message = {}
        for _ in range(40):
            reply = self.probe.ask("acquire", {"session": self.probe.commander.session})
            result = reply.get("result")
            if reply.get("ok") and isinstance(result, dict) and isinstance(result.get("lease"), bytes):
                self.lease = result["lease"]
                return
            self.probe.pump(0.1)
        raise BenchError(f"the lease was not given: {reply.get('error') or reply}")

    def release(self) -> None:
        """Stop, disable, let go; clears a fault that a rule made. Never raises for a driver that refuses."""
        if self.state.m.get("state") == "FAULT":
            self.reset_fault()
        self.probe.ask("disable", {"lease": self.lease})
        self.probe.ask("release", {"lease": self.lease})
        self.lease = b""

    def reset_fault(self) -> bool:
        """Clear FAULT as the holder of the lease; returns whether that worked."""
        self.acquire()
        self.probe.pump(2.0, until=lambda: not self.state.m.get("is_busy"))
        self.probe.ask("disable", {"lease": self.lease, "reset_fault": True})
        return self.probe.pump(0.3, until=lambda: self.state.m.get("state") == "DISABLED")

    def ready(self) -> None:
        """ENABLED, homed and at rest at the start, with a stream of HOLD behind it.

        Raises:
            BenchError: it did not get there; says where it stuck.
        """
        if self.bounds is None:
            raise BenchError("nothing may move")
        probe = self.probe
        if self.state.m.get("state") == "FAULT" and not self.reset_fault():
            raise BenchError(f"FAULT cannot be cleared: {self.state.m.get('reason')}")
        probe.pump(3.0, until=lambda: not self.state.m.get("is_busy"))
        self.acquire()
        for _ in range(5):
            if self.state.m.get("state") == "ENABLED":
                break
            reply = probe.ask("enable", {"lease": self.lease})
            probe.pump(0.05, self.hold)
            if probe.pump(0.3, self.hold, lambda: self.state.m.get("state") == "ENABLED"):
                break
        else:
            raise BenchError(
                f"it does not become ENABLED: {reply.get('error') or self.state.m.get('reason')}"
            )
        if self.state.m.get("is_homed") is not True:
            self._home()
        self._return()

    def _home(self) -> None:
        if self.bounds is None or not self.bounds.homing:
            raise BenchError("the arm is not homed: home it first, or allow it with --allow-homing")
        reply = self.probe.ask("home", {"lease": self.lease}, make=self.hold)
        homed = self.probe.pump(
            60.0,
            self.hold,
            lambda: self.state.m.get("is_homed") is True and not self.state.m.get("is_busy"),
        )
        if not homed:
            raise BenchError(f"homing did not end within a minute: {reply.get('error') or ''}")
        self.probe.pump(0.1, self.hold)
        self._begin_here()  # what it measured before homing meant nothing

    def _return(self) -> None:
        """Back to the start on a minimum-jerk way, not faster than the bounds."""
        begin, jaw = self.q, float(self.state.m.get("jaw_rad", 0.0))
        way = self.q_start - begin
        slowest = np.minimum(0.5 * np.array(self.bounds.speed if self.bounds else 0.0), 0.2 * self.qd_max)
        moves = np.abs(way) > 1e-6
        if (moves & (slowest <= 0.0) & (np.abs(way) > 1e-3)).any():
            raise BenchError("a joint that may not move has moved")
        moves &= slowest > 0.0
        duration = max(0.02, 1.875 * float(np.max(np.abs(way[moves]) / slowest[moves], initial=0.0)))
        begin = np.where(moves, begin, self.q_start)

        def make(t: float) -> Message:
            s = min(t / duration, 1.0)
            q = begin + (self.q_start - begin) * (s**3 * (10.0 - 15.0 * s + 6.0 * s * s))
            if self.bounds is not None and not self.free:  # coming back from a little outside is allowed
                reach = np.array(self.bounds.excursion)
                q = np.clip(q, self.q_start - reach, self.q_start + reach)
            return self.command("SERVO", q, jaw_rad=jaw if self._jaw_kept(jaw) else self.jaw_start)

        self.probe.pump(duration + 0.05, make)
        self.probe.pump(0.05, self.hold)
        if self.state.m.get("state") != "ENABLED":
            raise BenchError(f"it left ENABLED while it was led back: {self.state.m.get('reason')}")

    def _jaw_kept(self, jaw: float) -> bool:
        return self.bounds is not None and abs(jaw - self.jaw_start) <= self.bounds.jaw_rad
