"""The simulated arm: the driver's contract in front of a servo model. Numbers in, numbers out."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
import numpy.typing as npt

from kinematics.arm import ArmModel
from teleop.drivers.contract import ArmContract
from teleop.drivers.limits import DriverLimits, JawRange
from teleop.drivers.moves import MinimumJerkMove
from teleop.drivers.sim.servo import Encoders, Servo
from teleop.drivers.sim.spec import SimArmSpec
from teleop.drivers.sim.tissue import Tissue
from teleop.drivers.watchdog import HOLD_AFTER_S
from teleop.errors import TrocarError
from teleop.wire.messages import ServoJp

Array = npt.NDArray[np.float64]


def driver_limits(arm: ArmModel, spec: SimArmSpec) -> DriverLimits:
    """The profile's limits with the driver's own in their place.

    Raises:
        TrocarError: a list of the wrong length, or limits the wrong way round.
    """

    def own(key: str) -> Array:
        value: list[float] | None = getattr(spec.limits, key)
        profile: Array = getattr(arm.limits, key)
        return profile if value is None else _per_joint(value, arm, f"limits.{key}")

    jaw = arm.jaw
    return DriverLimits(
        q_min=own("q_min"),
        q_max=own("q_max"),
        qd_max=own("qd_max"),
        qdd_max=own("qdd_max"),
        jaw=None if jaw is None else JawRange(jaw.min_rad, jaw.max_rad, jaw.qd_max_rad_s),
    )


def _per_joint(value: list[float], arm: ArmModel, key: str) -> Array:
    if len(value) != arm.n:
        raise TrocarError(
            f"simulated arm {arm.name}: {key} has {len(value)} numbers, the arm has {arm.n} joints"
        )
    return np.array(value)


class SimArm:
    """One simulated arm, driven only by what its arguments say.

    Attributes:
        contract: the driver's side of the protocol; requests and e-stops go there.
        q: joint positions as the encoders read them, shape (n,), rad or m.
        qd: joint velocities, shape (n,).
        jaw_rad: measured jaw opening, rad.
        effort: of the motors against what the tip touches, shape (n,), N m or N; ``None`` without tissue.
    """

    def __init__(
        self,
        name: str,
        arm: ArmModel,
        spec: SimArmSpec,
        *,
        new_token: Callable[[], bytes],
        shared_clock: bool = True,
    ) -> None:
        """At rest and DISABLED.

        Args:
            name: name of the arm on the wire.
            arm: its model, where the session puts it.
            spec: how it behaves.
            new_token: fresh, unguessable bytes for each lease.
            shared_clock: the controller runs on the same host.

        Raises:
            TrocarError: settings that do not fit the arm.
        """
        limits = driver_limits(arm, spec)
        start = np.array(arm.home) if spec.q_start is None else _per_joint(spec.q_start, arm, "q_start")
        for what, q in (("home", np.array(arm.home)), ("q_start", start)):
            if (q < limits.q_min).any() or (q > limits.q_max).any():
                joint = int(np.argmax(np.maximum(limits.q_min - q, q - limits.q_max)))
                raise TrocarError(
                    f"simulated arm {name}: {what} of joint {arm.joint_names[joint]} is {q[joint]:g}, not "
                    f"within the driver's limits {limits.q_min[joint]:g} to {limits.q_max[joint]:g}"
                )
        jaw = limits.jaw
        jaw_rad = 0.0 if jaw is None else min(max(0.0, jaw.min_rad), jaw.max_rad)
        jaw_rate = 1.0 if jaw is None else jaw.qd_max_rad_s
        jaw_range = 1.0 if jaw is None else jaw.max_rad - jaw.min_rad
        self._period_s = 1.0 / spec.rate_hz
        self._jaw_step = jaw_rate * self._period_s
        self._u = np.append(start, jaw_rad)
        self._servo = Servo(
            self._u,
            period_s=self._period_s,
            bandwidth_hz=spec.bandwidth_hz,
            damping_ratio=spec.damping_ratio,
            delay_ticks=round(spec.delay_ms * 1e-3 * spec.rate_hz),
            rate_max=spec.rate_headroom * np.append(limits.qd_max, jaw_rate),
            # The profiles bound only the speed of a jaw.
            acceleration_max=spec.acceleration_headroom * np.append(limits.qdd_max, np.inf),
        )
        quantum = np.append(limits.q_max - limits.q_min, jaw_range) / spec.encoder_counts
        self._encoders = Encoders(quantum, spec.noise_counts * quantum, spec.seed)
        self._tissue = None if spec.tissue is None else Tissue(spec.tissue, arm)
        self._measure()
        self.contract = ArmContract(
            name=name,
            joint_names=arm.joint_names,
            limits=limits,
            q=self.q,
            jaw_rad=jaw_rad,
            period_s=self._period_s,
            lease_ttl_s=spec.lease_ttl_s,
            stop_max_s=spec.stop_max_s,
            shared_clock=shared_clock,
            is_homed=spec.homed_at_start,
            plan_home=lambda q: MinimumJerkMove.plan(
                q, np.array(arm.home), limits, speed=spec.homing_speed, least_s=spec.homing_s
            ),
            new_token=new_token,
        )

    def _measure(self) -> None:
        reading = self._encoders.read(self._servo.p)
        self.q, self.jaw_rad = reading[:-1], float(reading[-1])
        self.qd = self._servo.v[:-1].copy()
        touched = self._tissue
        self.effort = None if touched is None else touched.effort(self._servo.p[:-1].copy(), self.qd)

    def step(
        self, now_ns: int, commands: Iterable[ServoJp] = (), periods: int = 1, at_ns: int | None = None
    ) -> None:
        """One tick of the driver: the contract decides, the servo moves, the encoders read.

        The simulated drives keep time by themselves: one setpoint a period, on the dot. In periods that the
        loop missed they go on along the stop. A loop that is late on a busy machine would else be a blow for
        the servo, whose motors then saturate, one joint and not the other.

        Args:
            now_ns: the driver's monotonic clock.
            commands: the newest ``servo_jp`` of each connection since the last tick.
            periods: periods of the servo since the last tick, more than one after skipped ticks.
            at_ns: deadline of this tick; ``now_ns`` if left out.
        """
        contract = self.contract
        at_ns = now_ns if at_ns is None else at_ns
        period_ns = round(self._period_s * 1e9)
        asleep = (periods - 1) * self._period_s >= HOLD_AFTER_S
        for missed in range(periods - 1, 0, -1):
            if not asleep:
                contract.coast(at_ns - missed * period_ns)
            self._drive()
        contract.tick(now_ns, self.q, commands, at_ns)
        self._drive()
        self._measure()

    def _drive(self) -> None:
        """One period of the servo."""
        u, contract = self._u, self.contract
        u[:-1] = contract.setpoint.q
        u[-1] += min(max(contract.jaw_rad - u[-1], -self._jaw_step), self._jaw_step)
        self._servo.step(u)
