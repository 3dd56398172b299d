"""The spring closed at the device: from the newest ``servo_cf`` to a force at every sample of the hand.

    u   = the shortest way out of all planes           (:func:`teleop.haptics.planes.project`)
    f   = s K u - B (v.n) n + beside_n,    n = u / |u|   (never pulling along n)

with the energy tank's share s and, on top, the passivity controller's damper
(:mod:`teleop.haptics.passivity`). The result is held to the device's largest force and changes by at most
`slew` a second. When nothing newer came for ``ttl_ms`` everything fades to zero within `FADE_S`. No clock of
its own: the caller says what time it is.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from teleop.compiled import kernel
from teleop.haptics.channel import DeviceEnd
from teleop.haptics.device import DeviceSpec
from teleop.haptics.feel import approach, pursue, saturate
from teleop.haptics.passivity import TANK_J, TANK_W, affordable, damper, observe
from teleop.haptics.planes import MOST, project
from teleop.haptics.spec import HapticsSpec
from teleop.haptics.stability import springs
from teleop.wire.messages import ServoCf

Array = npt.NDArray[np.float64]

FADE_S = 0.020
"""From full force to none once the newest message is older than its ``ttl_ms``, s."""
_SLEW_S = 0.010
_UNIT = 1e-3

_ENERGY, _TANK, _SHARE, _QUIET, _ALPHA, _FADE, _DEPTH = range(7)


class Renderer:
    """What one device renders.

    Attributes:
        force: of the last sample, shape (3,), N, master's frame.
        torque: of the last sample, shape (3,), N m.
        remote: what is rendered of the arm's own force; ``None`` where the profile does not ask for it.
        refused: messages that were not believed, by reason.
    """

    def __init__(self, device: DeviceSpec, spec: HapticsSpec, period_s: float, *, local: bool = True) -> None:
        """Nothing to render yet.

        Args:
            device: what it can do.
            spec: the profile; its stiffness bound holds here, whatever a message says.
            period_s: sample period, s.
            local: close the planes here; without it ``force_n`` is rendered as it comes.

        Raises:
            HapticsError: the profile asks for what the device cannot render stably.
        """
        self._spring = springs(spec, device).planes
        self._device = device
        self._period_s = period_s
        self._local = local
        slew = device.max_force_n / _SLEW_S if spec.slew_n_s is None else spec.slew_n_s
        self._step_n = slew * period_s
        self._step_nm = device.max_torque_nm / _SLEW_S * period_s
        self._normal, self._offset = np.zeros((MOST, 3)), np.zeros(MOST)
        self._count = 0
        self._K, self._B = 0.0, 0.0
        self._beside, self._twist, self._turn = np.zeros(3), np.zeros(3), np.zeros(3)
        self._was_normal, self._was_offset = np.zeros((MOST, 3)), np.zeros(MOST)
        self._was_count, self._was_K = -1, 0.0
        self._state = np.zeros(7)
        self._state[_TANK], self._state[_SHARE] = TANK_J, 1.0
        self._last_p = np.full(3, np.nan)
        self._expires_s = -math.inf
        self.force, self.torque = np.zeros(3), np.zeros(3)
        self._local_n, self._remote_n = np.zeros(3), np.zeros(3)
        self.remote: DeviceEnd | None = None
        if spec.remote is not None:
            self.remote = DeviceEnd(
                period_s=period_s,
                max_force_n=min(spec.remote.max_force_n, device.max_force_n),
                slew_n_s=spec.remote.max_force_n / _SLEW_S,
                max_damping=device.max_damping_ns_m,
            )
        self.refused: dict[str, int] = {}

    def warm_up(self) -> None:
        """Compile what a sample calls, on a renderer of its own."""
        spare = Renderer(self._device, HapticsSpec(), self._period_s)
        spare._count = 1
        for k in range(2):
            spare.step(np.full(3, -1e-3 * k), np.zeros(3), 0.0)

    @property
    def energy(self) -> float:
        """What the wall took in and has not given back, J; below zero it has given out."""
        return float(self._state[_ENERGY])

    @property
    def energy_j(self) -> float:
        """Work of the hand against the arm's own force so far, J; -1 where that is not rendered."""
        return -1.0 if self.remote is None else self.remote.budget.in_j

    @property
    def damping(self) -> float:
        """Damping that the passivity controller added in the last sample, N s/m."""
        return float(self._state[_ALPHA])

    @property
    def share(self) -> float:
        """Part of the wall that the tank affords, 0 to 1."""
        return float(self._state[_SHARE])

    @property
    def depth_m(self) -> float:
        """How far the hand is behind the planes, m."""
        return float(self._state[_DEPTH])

    def take(self, message: ServoCf, now_s: float) -> bool:
        """A message came; whether it is believed. What it says holds from the next sample on.

        Args:
            message: the newest ``servo_cf``.
            now_s: the caller's clock, s.
        """
        problem = _problem(message)
        if problem:
            self.refused[problem] = self.refused.get(problem, 0) + 1
            return False
        self._expires_s = now_s + 1e-3 * message.ttl_ms
        if self._was_count < 0:
            # The first of the messages that come between two samples replaces what the last one rendered.
            self._was_normal[:], self._was_offset[:] = self._normal, self._offset
            self._was_count, self._was_K = self._count, self._K
        self._count = len(message.planes) if self._local else 0
        self._beside[:] = message.beside_n if self._count else message.force_n
        self._twist[:] = message.torque_nm
        if self.remote is not None:
            self._remote_n[:] = message.remote_n
            self.remote.budget.hear(message.energy_j, message.session)
        self._K, self._B = 0.0, 0.0
        planes = message.planes[: self._count]
        if planes:
            sizes = [math.sqrt(x * x + y * y + z * z) for x, y, z in (plane.n for plane in planes)]
            # At once: a numpy assignment costs as much for one row as for all.
            self._normal[: self._count] = [
                (plane.n[0] / size, plane.n[1] / size, plane.n[2] / size)
                for plane, size in zip(planes, sizes, strict=True)
            ]
            self._offset[: self._count] = [
                plane.offset_m / size for plane, size in zip(planes, sizes, strict=True)
            ]
            self._K = max(plane.stiffness_n_m for plane in planes)
            self._B = max(plane.damping_ns_m for plane in planes)
        self._K = min(self._K, self._spring.stiffness_n_m)
        self._B = min(self._B, self._spring.damping_ns_m)
        return True

    def step(self, p: Array, v: Array, now_s: float) -> Array:
        """The force to hold until the next sample, shape (3,), N; :attr:`torque` goes with it.

        Args:
            p: position of the hand, shape (3,), m, master's frame.
            v: its velocity, shape (3,), m/s.
            now_s: the caller's clock, s.
        """
        if not (np.isfinite(p).all() and np.isfinite(v).all()):
            # A device that does not know where it is must not push.
            self._expires_s = -math.inf
            p, v = self._last_p, np.zeros(3)
        if not np.isfinite(self._last_p).all():
            self._last_p[:] = np.where(np.isfinite(p), p, 0.0)
            p = self._last_p.copy()
        render(
            p,
            v,
            now_s <= self._expires_s,
            self._normal,
            self._offset,
            self._count,
            self._K,
            self._B,
            self._was_normal,
            self._was_offset,
            self._was_count,
            self._was_K,
            self._beside,
            self._device.max_force_n,
            self._device.max_damping_ns_m,
            self._step_n,
            self._period_s,
            self._state,
            self._last_p,
            self._local_n,
        )
        self.force[:] = self._local_n
        if self.remote is not None:
            self._add(self.remote, now_s <= self._expires_s, v)
        self._was_count = -1
        np.multiply(self._twist, self._state[_FADE], out=self._turn)
        pursue(self.torque, self._turn, self._device.max_torque_nm, self._step_nm)
        return self.force

    def _add(self, remote: DeviceEnd, fresh: bool, v: Array) -> None:
        """The arm's force on top, as far as the device has room for it beside the walls."""
        f = remote.step(self._remote_n if fresh else np.zeros(3), self._last_p, v)
        most, a, b = self._device.max_force_n, float(f @ f), float(f @ self._local_n)
        if a + 2.0 * b + float(self._local_n @ self._local_n) > most * most:
            # |local + s f| = most, of which s in [0, 1] is the root: local alone is within the limit.
            room = max(0.0, most * most - float(self._local_n @ self._local_n))
            remote.shrink(min(1.0, max(0.0, (-b + math.sqrt(b * b + a * room)) / a)))
        self.force += f


def _problem(message: ServoCf) -> str:
    """Why a message cannot be rendered, or an empty string."""
    # One number that is not finite makes the sum of all not finite, and one sum costs less than many tests.
    total = sum(message.force_n) + sum(message.torque_nm) + sum(message.beside_n) + sum(message.remote_n)
    unit = True
    for plane in message.planes:
        x, y, z = plane.n
        stiffness, damping = plane.stiffness_n_m, plane.damping_ns_m
        if stiffness < 0.0 or damping < 0.0:
            return "negative_spring"
        total += x + y + z + plane.offset_m + stiffness + damping
        unit = unit and abs(math.sqrt(x * x + y * y + z * z) - 1.0) <= _UNIT
    if not math.isfinite(total + message.ttl_ms):
        return "not_finite"
    if message.ttl_ms < 0.0:
        return "negative_ttl"
    return "" if unit else "non_unit_normal"


@kernel
def render(
    p: Array,
    v: Array,
    fresh: bool,
    normal: Array,
    offset: Array,
    count: int,
    K: float,
    B: float,
    was_normal: Array,
    was_offset: Array,
    was_count: int,
    was_K: float,
    beside: Array,
    most_n: float,
    most_damping: float,
    step_n: float,
    period: float,
    state: Array,
    last_p: Array,
    force: Array,
) -> None:
    """One sample; ``state``, ``last_p`` and ``force`` (3,) carry over. See the module.

    ``was_*`` are the planes of the last sample where there are new ones since; ``was_count`` is else -1.
    """
    energy = observe(state[_ENERGY], state[_QUIET], force, last_p, p)
    fade = state[_FADE]
    fade = min(1.0, fade + period / FADE_S) if fresh else max(0.0, fade - period / FADE_S)
    u, u_was = np.zeros(3), np.zeros(3)
    depth = 0.0
    if count and fade > 0.0:
        depth = project(p, normal, offset, count, u)
    # What the wall stored as it was rendered: with the planes of the last sample, at the hand's present
    # place.
    full = 0.5 * K * depth * depth
    stored = state[_SHARE] * full
    if was_count >= 0:
        before = project(p, was_normal, was_offset, was_count, u_was) if was_count else 0.0
        stored = state[_SHARE] * 0.5 * was_K * before * before
    tank = min(TANK_J, state[_TANK] + TANK_W * period)
    share, left = affordable(stored, full, tank)
    energy += max(0.0, tank - left)  # paid for
    f = np.zeros(3)
    if depth > 0.0:
        along = 0.0
        for i in range(3):
            along += v[i] * u[i] / depth
        size = max(0.0, share * K * depth - B * along)
        for i in range(3):
            f[i] = fade * size * u[i] / depth
    for i in range(3):
        f[i] += fade * beside[i]
    alpha = damper(energy, v, period, most_damping)
    for i in range(3):
        f[i] -= alpha * v[i]
    saturate(f, most_n)
    approach(force, f, step_n)
    speed = v[0] * v[0] + v[1] * v[1] + v[2] * v[2]
    quiet = force[0] == 0.0 and force[1] == 0.0 and force[2] == 0.0
    state[_ENERGY] = energy
    state[_TANK] = min(TANK_J, left + alpha * speed * period)
    state[_SHARE] = share
    state[_QUIET] = state[_QUIET] + period if quiet else 0.0
    state[_ALPHA] = alpha
    state[_FADE] = fade
    state[_DEPTH] = depth
    for i in range(3):
        last_p[i] = p[i]
