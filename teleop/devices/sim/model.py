"""Hand and handle as one mass, the device's servo as it is: sampled, quantised, delayed, limited.

    (m_hand + m_device) x'' = f + k (x_i - x) + b (x_i' - x') - b_device x' - f_c sat(x' / v_0)

with f the device's force, x_i where the hand wants to be (its intent), k and b of arm and grip, and Coulomb
friction f_c smoothed below v_0. Integrated in steps of 50 us (semi-implicit Euler).

Defaults of the hand are of the order identified for a stylus in the fingers (Fu & Cavusoglu 2012; Speich et
al. 2005): tenths of a kilogram, some N s/m, some hundred N/m. Quoted from memory.
"""

from __future__ import annotations

import math
from typing import Annotated

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field

from teleop.compiled import kernel
from teleop.haptics.device import DeviceSpec

Array = npt.NDArray[np.float64]

STEP_S = 50e-6
_V0 = 1e-3
_DELAY_SLOTS = 4096


class HandModelSpec(BaseModel):
    """Arm and grip of the simulated hand.

    Attributes:
        mass_kg: apparent mass of hand and arm, kg.
        damping_ns_m: b, N s/m.
        stiffness_n_m: k towards where the hand wants to be, N/m.
    """

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False, frozen=True)

    mass_kg: Annotated[float, Field(ge=0.0, le=10.0)] = 0.15
    damping_ns_m: Annotated[float, Field(ge=0.0, le=100.0)] = 5.0
    stiffness_n_m: Annotated[float, Field(ge=0.0, le=5000.0)] = 300.0


class HandOnDevice:
    """The mass and the servo.

    Attributes:
        p: where the handle is, shape (3,), m.
        v: its velocity, shape (3,), m/s.
        from_device_j: energy that the device's force gave the handle so far, J.
        worked_j: energy that the hand gave the handle so far, J.
    """

    def __init__(self, hand: HandModelSpec, device: DeviceSpec, p: Array | None = None) -> None:
        """At rest at ``p``."""
        self.hand, self.device = hand, device
        self.p = np.zeros(3) if p is None else np.array(p, dtype=np.float64)
        self.v = np.zeros(3)
        self._force = np.zeros((_DELAY_SLOTS, 3))
        self._at = 0
        self._delay = min(_DELAY_SLOTS - 1, round(device.delay_s / STEP_S))
        self._energy = np.zeros(3)

    @property
    def from_device_j(self) -> float:
        """See the class."""
        return float(self._energy[0])

    @property
    def worked_j(self) -> float:
        """See the class."""
        return float(self._energy[1])

    @property
    def viscous_m2_s(self) -> float:
        """Integral of ``|x'|^2`` so far, m2/s: a damper b took b times this."""
        return float(self._energy[2])

    @property
    def measured(self) -> Array:
        """What the encoders say of the position, shape (3,), m."""
        step = self.device.resolution_m
        return np.round(self.p / step) * step

    def advance(self, seconds: float, force: Array, intent: Array, intent_v: Array) -> None:
        """Go on for ``seconds``, holding ``force`` (3,) N; the intent (3,) moves at ``intent_v`` (3,)."""
        device, hand = self.device, self.hand
        size = float(np.linalg.norm(force))
        if not math.isfinite(size):
            force = np.zeros(3)
        elif size > device.max_force_n:
            force = force * (device.max_force_n / size)
        self._at = int(
            advance(
                round(seconds / STEP_S),
                self.p,
                self.v,
                force,
                self._force,
                self._at,
                self._delay,
                intent,
                intent_v,
                hand.mass_kg + device.inertia_kg,
                hand.damping_ns_m,
                hand.stiffness_n_m,
                device.damping_ns_m,
                device.friction_n,
                self._energy,
            )
        )


@kernel
def advance(
    steps: int,
    p: Array,
    v: Array,
    force: Array,
    line: Array,
    at: int,
    delay: int,
    intent: Array,
    intent_v: Array,
    mass: float,
    hand_b: float,
    hand_k: float,
    device_b: float,
    friction: float,
    energy: Array,
) -> int:
    """See :class:`HandOnDevice`; ``line`` rings the forces on their way, returned is its new head."""
    for n in range(steps):
        for i in range(3):
            line[at, i] = force[i]
        past = (at - delay) % line.shape[0]
        at = (at + 1) % line.shape[0]
        speed = math.sqrt(v[0] * v[0] + v[1] * v[1] + v[2] * v[2])
        rub = friction * min(1.0, speed / _V0)
        # Damping and friction implicitly: they can only slow down.
        brake = device_b + (rub / speed if speed > 0.0 else 0.0)
        for i in range(3):
            f = line[past, i]
            want = intent[i] + intent_v[i] * n * STEP_S
            pull = hand_k * (want - p[i]) + hand_b * intent_v[i]
            after = (v[i] + STEP_S / mass * (f + pull)) / (1.0 + STEP_S / mass * (brake + hand_b))
            moved = STEP_S * after
            energy[0] += f * moved
            energy[1] += (pull - hand_b * after) * moved
            energy[2] += after * moved
            v[i] = after
            p[i] += moved
    return at
