"""One master-arm pair: hand in, certified command out."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from kinematics.arm import ArmModel
from teleop.controller._motion_kernels import worst_excess
from teleop.controller.arm_link import ArmLink
from teleop.controller.hand import Hand
from teleop.controller.jaw import Jaw
from teleop.controller.motion import Motion
from teleop.controller.types import Command, CommandMode, PairInputs, PairOutputs
from teleop.haptics.feel import Feel
from teleop.haptics.remote import RemoteForce
from teleop.mapping import ClutchedMapping
from teleop.safety.age import Age
from teleop.safety.reasons import Reason
from teleop.safety.round_trip import Band, RoundTrip
from teleop.safety.states import Operating, OperatingMachine, Teleop
from teleop.safety.teleop_machine import Facts, TeleopMachine
from teleop.safety.tracking import SentCommands
from teleop.tremor import PoseFilter
from teleop.wire.messages import LedgerLine, Request

Array = npt.NDArray[np.float64]

# After this long an arm that was left in motion stands, whatever its driver says.
_LONGEST_STOP_NS = 1_000_000_000
# The arm driver needs a moment to answer the first commands before its echo can be judged.
_TRACKING_GRACE_TICKS = 200
# Following begins only with the arm this near its command, as a part of what would be a fault.
_NEAR = 0.25
_NOTABLE_M = 1e-9


class Pair:
    """Everything that belongs to one master and its arm.

    Attributes:
        name: name of the pair.
        arm: model of the arm.
        hand: the hand as it is believed.
        link: the arm driver as it is believed.
        mapping: hand to desired tip.
        motion: the commanded motion.
        jaw: the commanded jaw.
        round_trip: how long the round trip is, and what that asks for.
        feel: what the hand feels.
        remote: the arm's own force; ``None`` where the session does not ask for it.
        machine: teleop state.
        now_ns: clock of the tick.
    """

    def __init__(
        self,
        *,
        name: str,
        arm: ArmModel,
        hand: Hand,
        link: ArmLink,
        mapping: ClutchedMapping,
        motion: Motion,
        jaw: Jaw,
        round_trip: RoundTrip,
        feel: Feel,
        remote: RemoteForce | None = None,
    ) -> None:
        """Put the parts together; nothing moves until the link streams and the machine follows."""
        self.name = name
        self.arm = arm
        self.hand = hand
        self.link = link
        self.mapping = mapping
        self.motion = motion
        self.jaw = jaw
        self.round_trip = round_trip
        self.feel = feel
        self.remote = remote
        self.machine = TeleopMachine()
        self.now_ns = 0
        self._streaming_ticks = 0
        self._runs_out_ns: int | None = None
        self._commands = SentCommands(arm.n)
        self._sent: Command | None = None
        self._sent_q, self._sent_v = np.zeros(arm.n), np.zeros(arm.n)
        self._facts: Facts | None = None
        prismatic = np.array(arm.prismatic)
        self._tracking_limit = np.where(prismatic, link.spec.tracking_error_m, link.spec.tracking_error_rad)
        self._near_limit = _NEAR * self._tracking_limit

    def sense(
        self, inputs: PairInputs, operating: OperatingMachine, now_ns: int, *, controller_late: bool = False
    ) -> None:
        """First half of a tick: take in what came and turn it into facts."""
        self.now_ns = now_ns
        self.hand.update(inputs.master, now_ns)
        self.link.update(inputs.arm, inputs.arm_replies, now_ns)
        self.round_trip.update(self.link.round_trip_ns, self.hand.round_trip_ns, now_ns)
        self._facts = Facts(
            operating=operating.state,
            operating_reason=operating.reason,
            arm_blocked=Reason.ARM_RESTARTED if self.link.restarted else self.link.blocked(),
            hand_seen=self.hand.seen,
            hand_age=self.hand.age,
            hand_valid=self.hand.valid,
            hand_good=self.hand.good_run >= self.hand.spec.recovery_samples,
            present=self.hand.present,
            deadman_stale=self.hand.deadman_stale,
            clutch=self.hand.clutch,
            at_rest=self.motion.at_rest and self._near(),
            aligned=self._aligned(),
            hand_unsteady=self.hand.unsteady,
            clutch_stale=self.hand.clutch_stale,
            round_trip=self.round_trip.band.reason,
            controller_late=controller_late,
        )

    def _near(self) -> bool:
        """Whether the arm is where it is commanded, so that following begins without a jump."""
        return worst_excess(self.motion.q, self.link.q, self._near_limit)[1] <= 0.0

    def _aligned(self) -> bool:
        if self.mapping.spec.orientation != "aligned" or not self.hand.seen:
            return True
        tolerance = math.radians(self.mapping.spec.alignment_tolerance_deg)
        return self.mapping.misalignment(self.hand.quat_xyzw, self.motion.quat_world_tip_xyzw) <= tolerance

    def engage(self) -> Reason:
        """The user asks to follow. Returns why not, or ``Reason.NONE``."""
        if self._facts is None:
            return Reason.ARM_ABSENT
        if self._facts.arm_blocked is Reason.ARM_HELD:
            # The driver held because commands failed to come; engaging again is what it waits for.
            self.link.ask_enable()
            self._facts.arm_blocked = self.link.blocked()
        return self.machine.engage(self._facts)

    def set_scale(self, scale: float | None, rotation_scale: float | None) -> None:
        """Change the scales in force; moves nothing.

        Raises:
            ValueError: a scale out of range.
        """
        self.mapping.set_scale(self.hand.p, self.hand.quat_xyzw, scale, rotation_scale)

    def set_filter(self, pose_filter: PoseFilter) -> None:
        """Use another tremor filter; moves nothing."""
        self.hand.replace_filter(pose_filter)

    def fault(self, operating: OperatingMachine) -> tuple[Reason, str]:
        """A fault of this pair that must stop the whole controller, and its detail; else ``Reason.NONE``."""
        link = self.link
        if operating.state in (Operating.ENABLED, Operating.PAUSED):
            if link.state == "FAULT" and not link.resetting:
                return Reason.ARM_FAULT, f"{self.name}: {link.driver_reason or 'the driver gives no reason'}"
            if link.jumped and self._streaming_ticks:
                return Reason.ENCODER_JUMP, f"{self.name}: joint {link.jumped}"
        if self._streaming_ticks > _TRACKING_GRACE_TICKS:
            executed = self._commands.executed(link.echo_stamp_ns, self.now_ns)
            commanded = self.motion.q if executed is None else executed
            worst, excess = worst_excess(commanded, link.q, self._tracking_limit)
            if excess > 0.0:
                joint = self.arm.joint_names[worst]
                return Reason.TRACKING_ERROR, f"{self.name}: joint {joint} is off by too much"
        return Reason.NONE, ""

    def act(self, operating: OperatingMachine, now_ns: int, dt: float) -> PairOutputs:
        """Second half of a tick: decide, map, move, and say what was done."""
        if self._facts is None:
            raise RuntimeError("sense() comes before act()")
        self._facts.operating, self._facts.operating_reason = operating.state, operating.reason
        streaming = self._stream(operating)
        self.motion.catch_up(dt)
        starts = self.machine.step(self._facts)
        if starts:
            self.mapping.reference(
                self.hand.p, self.hand.quat_xyzw, self.motion.p_world_tip, self.motion.quat_world_tip_xyzw
            )
            self.motion.reference(self.mapping.p_world, self.mapping.quat_world_xyzw)
            if self.remote is not None:
                self.remote.start()
        band = self.round_trip.band
        self.mapping.ease(
            band.scale, self.round_trip.spec.speed_cap_m_s if band >= Band.VERY_LONG else math.inf
        )
        if self.machine.state is Teleop.FOLLOWING and self.hand.age is Age.FRESH:
            if self.hand.rebased_from is None:
                self.mapping.step(self.hand.p, self.hand.quat_xyzw, dt)
            else:
                self.mapping.rebase(*self.hand.rebased_from, self.hand.p, self.hand.quat_xyzw, dt)
            given_up = self.mapping.leash(self.motion.p_world_tip, self.hand.p, self.hand.quat_xyzw)
            goal = self._with_remote_force() if self.remote is not None else self.mapping.p_world
            self.motion.follow(goal, self.mapping.quat_world_xyzw)
            if self.remote is not None and self.remote.refusal:
                who = f"remote force: {self.remote.refusal}"
                self.motion.ledger.append(LedgerLine(who, "withheld", "hand"))
            if given_up > _NOTABLE_M:
                self.motion.ledger.append(LedgerLine("leash", "limited", "tip", given_up))
            if self.mapping.eased_m > _NOTABLE_M:
                self.motion.ledger.append(LedgerLine("round trip", "eased", "tip", self.mapping.eased_m))
            self.jaw.follow(self.hand.gripper_rad * self.mapping.spec.jaw_scale, starts)
            self._felt(goal)
        else:
            self.motion.stop()
            self._numb()
        active = operating.state in (Operating.ENABLED, Operating.PAUSED) or not self.motion.at_rest
        return self._outputs(streaming, self.link.requests(now_ns, active=active))

    def _with_remote_force(self) -> Array:
        """Take in the arm's force; where the tip shall go, which that may hold back."""
        remote, link, mapping = self.remote, self.link, self.mapping
        assert remote is not None
        return remote.follow(
            measured=(link.q, link.effort) if link.fresh else None,
            counted=(self.hand.energy_j, self.hand.sender),
            round_trip_ns=self.round_trip.total_ns,
            R_wm=mapping.R_world_master,
            scale=mapping.scale,
            desired=mapping.p_world,
            at=self.motion.p_world_tip,
        )

    def _numb(self) -> None:
        """Nothing may be felt."""
        self.feel.release()
        if self.remote is not None:
            self.remote.release()

    def _felt(self, goal: Array) -> None:
        """What the hand feels of this tick's step towards ``goal``, shape (3,)."""
        mapping, feel = self.mapping, self.feel
        self.motion.push(feel.push)
        feel.follow(
            R_wm=mapping.R_world_master,
            scale=mapping.scale,
            rotation_scale=mapping.rotation_scale,
            v_hand=self.hand.velocity,
            guide=self.motion.guidance(goal, mapping.quat_world_xyzw),
        )
        if feel.planes is not None:
            self.motion.planes(
                feel.planes, R_wm=mapping.R_world_master, scale=mapping.scale, p_hand=self.hand.p
            )

    def _stream(self, operating: OperatingMachine) -> bool:
        """Whether commands go out in this tick; where they do not, the command follows the measured arm."""
        link = self.link
        wanted = operating.state in (Operating.ENABLED, Operating.PAUSED) or not self.motion.at_rest
        streaming = bool(
            wanted and link.lease and link.state == "ENABLED" and not link.is_busy and not link.stale
        )
        if self._runs_out(streaming):
            streaming = False
        if not streaming:
            self._streaming_ticks = 0
            self._commands.forget()
            if link.seen:
                self.motion.sync(link.q)
                self.jaw.sync(link.jaw_rad)
            return False
        self._streaming_ticks += 1
        return True

    def _runs_out(self, streaming: bool) -> bool:
        """Whether the driver runs out the stop of a command after which no other came, so that none may now.

        A new stream begins at the measured arm, at rest. To an arm in motion that would be a jump; a driver
        that paused is enabled anew only when it has come to rest.
        """
        link = self.link
        if not streaming and self._streaming_ticks and not self.motion.at_rest and link.state == "ENABLED":
            self._runs_out_ns = self.now_ns
        if self._runs_out_ns is None:
            return False
        paused = link.seen and not link.stale and link.state != "ENABLED"
        if paused or self.now_ns - self._runs_out_ns > _LONGEST_STOP_NS:
            self._runs_out_ns = None
        return self._runs_out_ns is not None

    def _outputs(self, streaming: bool, requests: tuple[Request, ...]) -> PairOutputs:
        motion = self.motion
        command = None
        if streaming:
            self._commands.add(motion.q, self.now_ns)
            command = Command(
                CommandMode.SERVO, motion.q, motion.v, motion.stop_s, self.jaw.position_rad, self.link.lease
            )
        return PairOutputs(
            command=command,
            arm_requests=requests,
            teleop=self.machine.state,
            reason=self.machine.reason,
            p_desired_world=self.mapping.p_world,
            quat_desired_world_xyzw=self.mapping.quat_world_xyzw,
            T_world_tip=motion.T_world_tip,
            asked_m=motion.asked_m,
            sent_m=motion.sent_m,
            ledger=motion.ledger,
            clearance_m=motion.clearance(),
            violation=streaming and motion.violated(),
            hand_age_ns=self.hand.age_ns,
            master_stamp_ns=self.hand.fresh_stamp_ns if self.machine.state is Teleop.FOLLOWING else 0,
            round_trip_ns=self.link.round_trip_ns,
            tracking_error_m=self.motion.behind(self.link.q) if streaming else 0.0,
            force_n=self.feel.force.copy(),
            torque_nm=self.feel.torque.copy(),
            beside_n=self.feel.beside(),
            planes=self.feel.constraint_planes(motion.fixture_names),
            remote_n=np.zeros(3) if self.remote is None else self.remote.force_n.copy(),
            energy_j=0.0 if self.remote is None else self.remote.energy_j,
        )

    def committed(self, outputs: PairOutputs) -> None:
        """The tick came to its end: its command is the one that the arm will have."""
        self._sent = outputs.command
        if self._sent is not None:
            self._sent_q[:], self._sent_v[:] = self._sent.q, self._sent.qd

    def brake(self) -> PairOutputs:
        """After a tick that broke off: one tick along the stop of the last command that was sent.

        It ends with no command at all: the driver, at rest by then, holds and disables itself.
        """
        motion, sent, command = self.motion, self._sent, None
        self._numb()
        if sent is not None:
            moves = bool(self._sent_v.any())
            motion.brake_from(self._sent_q, self._sent_v)
            self._sent_q[:], self._sent_v[:] = motion.q, motion.v
            if moves:
                command = replace(sent, q=self._sent_q, qd=self._sent_v, stop_s=motion.stop_s)
        return PairOutputs(
            command=command,
            arm_requests=(),
            teleop=Teleop.IDLE,
            reason=Reason.INTERNAL,
            p_desired_world=self.mapping.p_world,
            quat_desired_world_xyzw=self.mapping.quat_world_xyzw,
            T_world_tip=motion.T_world_tip,
            force_n=self.feel.force.copy(),
            torque_nm=self.feel.torque.copy(),
        )
