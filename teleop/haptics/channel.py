"""Two ends of a delayed link that carries motion one way and force back: it gives out no more than it took.

Each end counts, at its own port, what came in and what went out apart (time domain passivity for two ports,
Ryu, Artigas & Preusche 2010; the observer and controller of one port are Hannaford & Ryu's, 2002):

    in  += max(0, w),      out += max(0, -w),      w the work done on the link in a sample [J]

`in` only grows and is sent with every message. Energy may leave at an end only as far as the newest `in` of
the other end covers it,

    budget = in_other + reserve + dissipated - out  >=  0

so what is late or lost only makes an end more careful: no delay, jitter or loss can make the link generate.
The work of a sample is known one sample later, so an end can be in debt for a moment; it pays first.

**Device's end** (force out). In debt, a damper takes from the motion, ``f - alpha v``. A damper that the
device can render is too weak for a slow hand, so the force itself shrinks, and in time: a force that can only
fall by `slew` must not push for longer than the budget lasts, ``lambda^2 |f| (f.v) / (2 slew) <= budget``.

**Arm's end** (motion out). In debt, the tool is asked no further against the force than it is commanded
to be now, and gives way along it,

    v <- v + beta f,      beta = min(debt / (|f|^2 T), yield / |f|)

What this moved the tool away from the hand is `offset`; it goes back slowly while there is no debt.

No clock, no sockets.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from teleop.haptics.feel import approach, saturate

Array = npt.NDArray[np.float64]

RESERVE_J = 0.5e-3
"""What each end may give in advance, so that noise of its own count does not stop it, J."""
YIELD_M_S = 0.02
"""Fastest that the tool gives way, m/s."""
_RETURN_S = 0.5
_REST_N = 1e-3


class Budget:
    """What one end may still give out.

    Attributes:
        in_j: what came in at this end, J; it only grows, and is told to the other end.
        out_j: what went out at this end, less what its controller dissipated, J.
    """

    def __init__(self) -> None:
        """Nothing counted, and nothing heard of the other end."""
        self.in_j = self.out_j = 0.0
        self._other_j = 0.0
        self._heard_j = math.nan
        self._other: bytes | None = None

    @property
    def left_j(self) -> float:
        """What may still go out, J; negative in debt."""
        return self._other_j + RESERVE_J - self.out_j

    def hear(self, in_j: float, session: bytes) -> None:
        """The other end's newest count; a new session counts from anew, and gives no credit for before."""
        if not math.isfinite(in_j) or in_j < 0.0:
            return
        if session != self._other:
            self._other, self._heard_j = session, in_j
            self._other_j, self.out_j = 0.0, 0.0
        elif in_j > self._heard_j:  # older news is no news
            self._other_j += in_j - self._heard_j
            self._heard_j = in_j

    def forgive(self) -> None:
        """Nothing is passed on: what was given until now is no debt any more."""
        self.out_j = min(self.out_j, self._other_j)

    def count(self, work_j: float) -> None:
        """Work [J] that was done on the link at this end in a sample."""
        if work_j > 0.0:
            self.in_j += work_j
        else:
            self.out_j -= work_j

    def dissipated(self, work_j: float) -> None:
        """Work [J] that a damper took out at this end; what is not needed is no credit for later."""
        self.out_j = max(self.out_j - max(0.0, work_j), min(self.out_j, self._other_j))


class DeviceEnd:
    """The end at the hand: what is rendered of the force that came.

    Attributes:
        budget: energy of this end.
        force: to render now, shape (3,), N.
    """

    def __init__(self, *, period_s: float, max_force_n: float, slew_n_s: float, max_damping: float) -> None:
        """Nothing to render.

        Args:
            period_s: sample period T.
            max_force_n: largest force.
            slew_n_s: fastest change of the force.
            max_damping: largest damping that the device renders, N s/m.
        """
        self._T, self._most, self._slew, self._damping = period_s, max_force_n, slew_n_s, max_damping
        self.budget = Budget()
        self._f, self._damped = np.zeros(3), np.zeros(3)
        self._last_p: Array | None = None
        self.force = np.zeros(3)

    def shrink(self, share: float) -> None:
        """Render only this part of :attr:`force`."""
        self._f *= share
        self._damped *= share
        self.force *= share

    def step(self, asked: Array, p: Array, v: Array) -> Array:
        """The force to hold until the next sample, shape (3,), N.

        Args:
            asked: force that came, or zero where none may be felt, shape (3,).
            p: position of the hand, shape (3,), m.
            v: its velocity, shape (3,), m/s.
        """
        budget = self.budget
        if self._last_p is not None:
            moved = p - self._last_p
            budget.count(-float(self._f @ moved))
            budget.dissipated(-float(self._damped @ moved))
        self._last_p = p.copy()
        target = asked.copy()
        saturate(target, self._most)
        size, power = math.sqrt(float(target @ target)), float(target @ v)
        if power > 0.0:
            # The way down from lambda f costs lambda^2 |f| (f.v) / (2 slew).
            cost = size * power / (2.0 * self._slew)
            left = max(0.0, budget.left_j)
            if cost > left:
                target *= math.sqrt(left / cost)
        elif budget.left_j < -RESERVE_J:
            target[:] = 0.0
        approach(self._f, target, self._slew * self._T)
        speed = float(v @ v)
        alpha = 0.0
        if budget.left_j < 0.0 and speed > 1e-12:
            alpha = min(-budget.left_j / (speed * self._T), self._damping)
        np.multiply(v, -alpha, out=self._damped)
        np.add(self._f, self._damped, out=self.force)
        size = math.sqrt(float(self.force @ self.force))
        if size > self._most:
            self.shrink(self._most / size)
        return self.force


class ArmEnd:
    """The end at the arm: how far the tool is kept from where the hand wants it.

    Energies are those at the hand: work of the tool times `ratio`, force gain over motion scale.

    Attributes:
        budget: energy of this end.
        offset: shape (3,), m, world; added to the desired tip.
    """

    def __init__(self, period_s: float) -> None:
        """No offset."""
        self._T = period_s
        self.budget = Budget()
        self.offset = np.zeros(3)
        self._last: tuple[Array, Array] | None = None

    def start(self) -> None:
        """Following starts where the tool is."""
        self.offset[:] = 0.0

    def measure(self, force: Array, p_tip: Array, ratio: float) -> None:
        """A new measurement of the arm; the work since the last one is judged to this end's disadvantage.

        Args:
            force: of the surroundings on the tool, shape (3,), N, world.
            p_tip: where the tip is, shape (3,), m, world.
            ratio: hand's energy per energy at the tool.
        """
        if self._last is not None:
            moved = p_tip - self._last[1]
            self.budget.count(ratio * min(float(force @ moved), float(self._last[0] @ moved)))
        self._last = (force.copy(), p_tip.copy())

    def lost(self) -> None:
        """No measurement holds any more."""
        self._last = None

    def step(self, desired: Array, at: Array, ratio: float) -> Array:
        """Change :attr:`offset` for this tick, and return it.

        Args:
            desired: where the hand wants the tip, shape (3,), m, world.
            at: where the tip is commanded to be now, shape (3,); it may lag behind.
            ratio: hand's energy per energy at the tool.
        """
        force = np.zeros(3) if self._last is None else self._last[0]
        size = math.sqrt(float(force @ force))
        debt = -self.budget.left_j
        if debt > 0.0 and size > _REST_N:
            n = force / size
            ahead = max(0.0, float((at - desired - self.offset) @ n))
            give = min(debt / (ratio * size), YIELD_M_S * self._T)
            self.offset += (ahead + give) * n
        else:
            away = math.sqrt(float(self.offset @ self.offset))
            back = min(away / _RETURN_S, YIELD_M_S) * self._T
            self.offset *= 1.0 - back / max(away, back, 1e-12)
        return self.offset
