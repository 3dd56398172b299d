"""The setpoint as a function of time: the last command, the stop after it, and the way to a new one."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


class Setpoint:
    """Follows commands and, without being told, the stop that each of them fixes.

    A command ``(q, v, S)`` due at time 0 fixes the reference ``r(s) = q + v (s - s²/(2S))`` for
    ``0 <= s <= S`` and ``r = q + v S/2`` after it: straight in joint space, speed falling linearly.
    Before it is due, ``r = q + v s``, for a period at most: the way that led to the command. The reference
    runs from the moment the command is due, not after some delay in which a missing one is
    recognised: the next command replaces it before it is seen, and one that is late finds the setpoint
    within ``v T²/(2S)`` of where it would have been, on a path that the controller certified. Waiting at
    ``q`` would stop the arm for that tick and throw it forward in the next.

    The setpoint is the reference itself, unless the velocity limit lies between: then it goes straight
    towards the reference as fast as the limit lets it. So it is continuous, and in each step no joint moves
    further than ``qd_max * dt``, whatever commands come.

    Attributes:
        q: the setpoint, shape (n,), rad or m.
        qd: its mean velocity over the last step, shape (n,).
        reference: where the last command or its stop stood at the last step, shape (n,).
    """

    def __init__(
        self, q: Array, qd_max: Array, qdd_max: Array, stall_s: float, period_s: float = 0.0
    ) -> None:
        """At rest at ``q``.

        Args:
            q: joint positions, shape (n,).
            qd_max: greatest speeds, shape (n,).
            qdd_max: greatest accelerations of a braking that no command fixed, shape (n,).
            stall_s: when the driver itself missed this much time it stays where it is: the arm has long
                come to rest at the last setpoint, and going on along the stop would be a jump in velocity.
            period_s: period of the commands; a command may come this much before it is due.
        """
        self._qd_max = qd_max
        self._qdd_max = qdd_max
        self._stall_ns = round(stall_s * 1e9)
        self._period_s = period_s
        self._now_ns: int | None = None
        self.rest_at(q)

    def rest_at(self, q: Array) -> None:
        """Stand still at ``q``. Only for drives that are off, or a ``q`` that is the setpoint already."""
        self.q = np.array(q, dtype=float)
        self.qd = np.zeros_like(self.q)
        self.reference = self.q.copy()
        self._line(self.q, self.qd, 0.0, 0)
        self.forget_way()

    def _line(self, q: Array, v: Array, stop_s: float, start_ns: int) -> None:
        self._q0, self._v0 = np.array(q, dtype=float), np.array(v, dtype=float)
        self._stop_s, self._start_ns = stop_s, start_ns

    def command(self, q: Array, v: Array, stop_s: float, due_ns: int) -> None:
        """Execute a command that was admitted and is due at ``due_ns``."""
        self._line(q, v, stop_s if v.any() else 0.0, due_ns)
        self._from = self._q0

    @property
    def covered(self) -> tuple[Array, Array]:
        """Least and greatest position, (n,) each, of the way from the last command to the reference."""
        return np.minimum(self._from, self.reference), np.maximum(self._from, self.reference)

    def forget_way(self) -> None:
        """The way covered starts anew at the reference: what comes next must start where the arm is."""
        self._from = self.reference.copy()

    def brake(self, now_ns: int) -> None:
        """Stop on the same line as the last command, but as fast as the driver can: for an emergency stop.

        The way is a part of the one the command fixed, so it is as safe.
        """
        position, velocity, left_s = self._at(now_ns)
        self._line(position, velocity, min(left_s, self._braking_s(velocity)), now_ns)

    def brake_move(self) -> None:
        """Stop from a motion of the driver's own, straight ahead and as fast as the driver can."""
        self._line(self.q, self.qd, self._braking_s(self.qd), self._now_ns or 0)

    def _braking_s(self, v: Array) -> float:
        return float(np.max(np.abs(v) / self._qdd_max))

    def _at(self, now_ns: int) -> tuple[Array, Array, float]:
        stop = self._stop_s
        s = (now_ns - self._start_ns) * 1e-9
        if stop == 0.0:
            return self._q0, np.zeros_like(self._v0), 0.0
        if s < 0.0:
            return self._q0 + self._v0 * max(s, -self._period_s), self._v0, stop
        s = min(s, stop)
        return self._q0 + self._v0 * (s - s * s / (2.0 * stop)), self._v0 * (1.0 - s / stop), stop - s

    def advance(self, now_ns: int) -> None:
        """Move the setpoint to ``now_ns``."""
        before = self._now_ns
        if before is not None and now_ns <= before:
            return
        self._now_ns = now_ns
        if before is None:
            return
        if now_ns - before > self._stall_ns:
            self.rest_at(self.q)
            return
        dt = (now_ns - before) * 1e-9
        self.reference, _, _ = self._at(now_ns)
        step = self.reference - self.q
        too_fast = float(np.max(np.abs(step) / (self._qd_max * dt)))
        if too_fast > 1.0:
            step /= too_fast
            self.q = self.q + step
        else:
            self.q = self.reference.copy()
        self.qd = step / dt

    def carry(self, q: Array, v: Array, now_ns: int) -> None:
        """Put the setpoint on a motion of the driver's own, which keeps the limits by itself."""
        self.rest_at(q)
        self.qd = np.array(v, dtype=float)
        self._now_ns = now_ns

    @property
    def at_rest(self) -> bool:
        """Whether the setpoint stands still at the end of its stop."""
        ended = self._now_ns is None or self._now_ns >= self._start_ns + self._stop_s * 1e9
        return ended and bool((self.q == self.reference).all())
