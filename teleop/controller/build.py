"""From a session to a controller that is ready to step, everything compiled."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from fixtures.gate import Gate
from fixtures.geometry.baked import Workshop
from fixtures.scene import Scene
from fixtures.warm_up import warm_up
from kinematics.arm import ArmModel
from kinematics.ik import DifferentialIK
from kinematics.pose import quat_to_matrix
from kinematics.spec import ArmSpec
from teleop.config.schema import RATE_HZ, ArmEntry, PairSpec
from teleop.config.session import Session
from teleop.controller.arm_link import ArmLink
from teleop.controller.controller import Controller
from teleop.controller.guard import Guard
from teleop.controller.hand import Hand
from teleop.controller.jaw import Jaw
from teleop.controller.motion import Motion
from teleop.controller.pair import Pair
from teleop.controller.requests import RequestDesk
from teleop.haptics.device import DeviceSpec
from teleop.haptics.feel import Feel
from teleop.haptics.free import FreeTracker
from teleop.haptics.planes import PLANES_AHEAD_M
from teleop.haptics.remote import RemoteForce
from teleop.mapping import ClutchedMapping
from teleop.safety.round_trip import RoundTrip
from teleop.tremor import make_pose_filter

PERIOD_S = 1.0 / RATE_HZ


def place_arm(entry: ArmEntry, spec: ArmSpec) -> ArmModel:
    """The model of an arm where the session puts it."""
    T_world_base = np.eye(4)
    T_world_base[:3, :3] = quat_to_matrix(np.asarray(entry.quat_world_base_xyzw))
    T_world_base[:3, 3] = entry.p_world_base_m
    return ArmModel.from_spec(spec, T_world_base)


def build_pair(
    spec: PairSpec, arm_spec: ArmSpec, sender: bytes, scene: Scene, gate: Gate, device: DeviceSpec
) -> Pair:
    """One pair of a session, guarded by the scene that all pairs share.

    Raises:
        FixtureError: a fixture names a body that the arm does not have.
        HapticsError: the hand is to feel what its device cannot render stably.
        ModelError: the arm cannot be built.
    """
    arm = place_arm(spec.arm, arm_spec)
    guard = Guard(spec.arm.name, arm, scene, gate, PERIOD_S)
    if scene.fixtures:
        # The rehearsal meets only what its hand runs into, and compiling a kernel in the loop takes a second.
        warm_up(guard.view, np.array(arm.home), arm.along, PERIOD_S)
    remote = spec.haptics.remote
    ik = DifferentialIK(arm.limits, PERIOD_S)
    free = FreeTracker(ik) if spec.haptics.enabled else None
    return Pair(
        name=spec.name,
        arm=arm,
        hand=Hand(spec.hand, make_pose_filter(spec.filter, RATE_HZ), RATE_HZ),
        link=ArmLink(arm, spec.link, sender, RATE_HZ),
        mapping=ClutchedMapping(spec.mapping),
        motion=Motion(arm, ik, guard, PERIOD_S, free),
        jaw=Jaw(arm.jaw, spec.mapping.jaw_rate_max_rad_s, PERIOD_S),
        round_trip=RoundTrip(spec.round_trip),
        feel=Feel(spec.haptics, device, PERIOD_S),
        remote=None if remote is None else RemoteForce(remote, place_arm(spec.arm, arm_spec), PERIOD_S),
    )


def build_controller(session: Session, sender: bytes, config: Mapping[str, Any] | None = None) -> Controller:
    """The controller of a session.

    Args:
        session: what to control.
        sender: session id of the process, under which it commands.
        config: what `get_config` answers; the effective configuration when left out.

    Raises:
        FixtureError: a fixture cannot be built, or names a body that an arm does not have.
        HapticsError: a hand is to feel what its device cannot render stably.
        ModelError: an arm cannot be built.
    """
    # A session that names no device need not pay for planes far ahead of the touch.
    felt = any(
        pair.haptics.enabled and pair.haptics.planes and pair.haptics.device != "generic"
        for pair in session.spec.pairs
    )
    scene = Scene(
        (spec.build(Workshop(folder)) for spec, folder in session.fixtures),
        look_m=PLANES_AHEAD_M if felt else 0.0,
    )
    gate = Gate(scene, PERIOD_S)
    pairs = [
        build_pair(spec, arm, sender, scene, gate, device)
        for spec, arm, device in zip(session.spec.pairs, session.arms, session.devices, strict=True)
    ]
    return Controller(pairs, scene, RequestDesk(config or session.effective(), RATE_HZ, scene))
