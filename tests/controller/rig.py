"""A controller, a hand and a simulated arm in one process, stepped by hand: no clock, no sockets."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from fixtures.gate import Gate
from fixtures.scene import Scene
from kinematics.spec import ArmSpec
from teleop.config.schema import ArmEntry, MasterEntry, PairSpec
from teleop.config.toml import find_profile, read_toml, validate
from teleop.controller.build import PERIOD_S, build_pair
from teleop.controller.controller import Controller
from teleop.controller.requests import RequestDesk
from teleop.controller.types import ControllerInputs, ControllerOutputs, PairInputs
from teleop.drivers.sim.arm import SimArm
from teleop.drivers.sim.spec import SimArmSpec
from teleop.haptics.device import DeviceSpec
from teleop.haptics.planes import PLANES_AHEAD_M
from teleop.mapping import MappingSpec
from teleop.wire.messages import MeasuredCp, MeasuredJs, Reply, Request, ServoJp, Signal

MS = 1_000_000
OWN = b"controller-sessi"
HAND = b"master---session"
ARM = b"arm------session"


def profile(name: str = "psm_lnd_400006") -> ArmSpec:
    spec: ArmSpec = validate(ArmSpec, read_toml(find_profile("arms", name, Path())), name)
    return spec


@dataclass
class HandState:
    """What the test's hand does; changed freely between ticks."""

    p_m: list[float] = field(default_factory=lambda: [0.0, 0.0, 0.0])
    quat_xyzw: list[float] = field(default_factory=lambda: [0.0, 0.0, 0.0, 1.0])
    gripper_rad: float = 0.2
    present: bool = True
    clutch: bool = False
    valid: bool = True
    session: bytes = HAND


class Rig:
    """One pair. ``tick()`` is one millisecond of everything."""

    def __init__(
        self,
        arm: str = "psm_lnd_400006",
        *,
        filter_kind: str = "none",
        sim: SimArmSpec | None = None,
        haptics: dict[str, object] | None = None,
        **mapping: object,
    ) -> None:
        spec = PairSpec.model_validate(
            {
                "name": "pair",
                "master": MasterEntry(name="hand", external=True),
                "arm": ArmEntry(name="arm", profile=arm),
                "mapping": MappingSpec(**mapping),  # type: ignore[arg-type]
                "filter": {"kind": filter_kind},
                "haptics": haptics or {},
            }
        )
        self.scene = Scene(look_m=PLANES_AHEAD_M)
        device: DeviceSpec = validate(
            DeviceSpec, read_toml(find_profile("devices", spec.haptics.device, Path())), "device"
        )
        self.pair = build_pair(spec, profile(arm), OWN, self.scene, Gate(self.scene, PERIOD_S), device)
        self.controller = Controller([self.pair], self.scene, RequestDesk({}, 1.0 / PERIOD_S, self.scene))
        self.sim_spec = sim or SimArmSpec(homing_s=0.05)
        self.hand = HandState()
        self.now_ns = 1_000_000_000
        self.dt = PERIOD_S
        self.hand_seq = 0
        self.command_seq = 0
        self.token = 0
        self.arm_session = ARM
        self.arm_seq = 0
        self.start_arm()
        self._arm_replies: list[Reply] = []
        self.sent: list[np.ndarray] = []
        self.segments: list[list[np.ndarray]] = [[]]
        self.commands: list[ServoJp] = []
        self.outputs: ControllerOutputs | None = None
        self.events: list[object] = []

    def start_arm(self) -> None:
        """(Re)start the arm driver."""
        self.sim = SimArm(
            "arm", self.pair.arm, self.sim_spec, new_token=lambda: b"lease-" + self.arm_session[:8]
        )

    def sample(self) -> MeasuredCp:
        self.hand_seq += 1
        h, stamp = self.hand, self.now_ns - 100_000
        return MeasuredCp(
            schema=1, stream="hand/measured_cp", session=h.session, seq=self.hand_seq, stamp_ns=stamp,
            p_m=list(h.p_m), quat_xyzw=list(h.quat_xyzw), gripper_rad=h.gripper_rad, valid=h.valid,
            present=Signal(h.present, stamp), clutch=Signal(h.clutch, stamp),
        )  # fmt: skip

    def measured(self) -> MeasuredJs:
        self.arm_seq += 1
        c = self.sim.contract
        return MeasuredJs(
            schema=1, stream="arm/measured_js", session=self.arm_session, seq=self.arm_seq,
            stamp_ns=self.now_ns - 50_000, q=self.sim.q.tolist(), qd=self.sim.qd.tolist(),
            jaw_rad=self.sim.jaw_rad, state=c.state.value, is_homed=c.is_homed, is_busy=c.is_busy,
            reason=c.reason, echo_seq=c.echo_seq, echo_stamp_ns=c.echo_stamp_ns,
        )  # fmt: skip

    def tick(
        self,
        *requests: Request,
        sample: MeasuredCp | str | None = "hand",
        arm: bool = True,
        estops: tuple[tuple[str, str], ...] = (),
    ) -> ControllerOutputs:
        """One millisecond. ``sample=None`` loses the hand's sample, ``arm=False`` silences the arm."""
        self.now_ns += MS
        master = self.sample() if isinstance(sample, str) else sample
        inputs = ControllerInputs(
            self.now_ns,
            (PairInputs(master, self.measured() if arm else None, tuple(self._arm_replies)),),
            tuple((self.token + i, r) for i, r in enumerate(requests)),
            estops,
        )
        self.token += len(requests)
        out = self.controller.step(inputs, self.dt)
        self.outputs = out
        self.events.extend(out.events)
        pair = out.pairs[0]
        self._arm_replies = [
            self.sim.contract.request(b"us", request, self.now_ns) for request in pair.arm_requests if arm
        ]
        commands = []
        if pair.command is not None:
            c = pair.command
            self.command_seq += 1
            command = ServoJp(
                schema=1, stream="arm/servo_jp", session=OWN, seq=self.command_seq, stamp_ns=self.now_ns,
                mode=c.mode.value, q=c.q.tolist(), qd=c.qd.tolist(), stop_s=c.stop_s, jaw_rad=c.jaw_rad,
                ttl_ms=5.0, lease=c.lease,
            )  # fmt: skip
            self.commands.append(command)
            self.sent.append(np.array(command.q))
            self.segments[-1].append(self.sent[-1])
            commands.append(command)
        elif self.segments[-1]:
            self.segments.append([])
        if arm:
            self.sim.step(self.now_ns, commands)
        return out

    def request(self, op: str, **args: object) -> Reply:
        """One tick with a request in it; its reply."""
        out = self.tick(Request(id=1, op=op, args=args))
        return out.replies[-1][1]

    def run(self, ticks: int) -> None:
        for _ in range(ticks):
            self.tick()

    def bring_up(self) -> None:
        """Enable, home, engage, as a user would, until the arm follows."""
        self.run(5)
        assert self.request("enable").ok
        assert self.request("home").ok
        self.run(150)
        reply = self.request("engage")
        assert reply.ok, reply.error
        self.run(5)

    def spheres(self, body: str = "all") -> tuple[np.ndarray, np.ndarray]:
        """Centres (k, 3) and radii (k,) of the spheres of a body at the last command [m]."""
        b = self.pair.arm.bodies
        mine = np.ones(b.count, bool) if body == "all" else b.body_of == b.body_names.index(body)
        return self.pair.arm.sphere_centers(self.pair.motion.q, np.zeros((b.count, 3)))[mine], b.radii[mine]

    @property
    def state(self) -> tuple[str, str]:
        return self.pair.machine.state.value, self.pair.machine.reason.code


def assert_within_limits(rig: Rig, sent: list[np.ndarray]) -> None:
    """Position, velocity, acceleration and jerk of what was sent, by finite differences."""
    limits = rig.pair.arm.limits
    q = np.array(sent)
    v = np.diff(q, axis=0) / PERIOD_S
    a = np.diff(v, axis=0) / PERIOD_S
    jerk = np.diff(a, axis=0) / PERIOD_S
    # Positions of order 1 are rounded to 1e-16; a third difference divides that by T^3.
    assert np.all(q >= limits.q_min)
    assert np.all(q <= limits.q_max)
    assert np.all(np.abs(v) <= limits.qd_max * (1 + 1e-9) + 1e-12)
    assert np.all(np.abs(a) <= limits.qdd_max * (1 + 1e-9) + 1e-9)
    assert np.all(np.abs(jerk) <= limits.qddd_max * (1 + 1e-9) + 1e-6)
