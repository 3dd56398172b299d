"""One tick as a telemetry message."""

from __future__ import annotations

from collections.abc import Sequence

from teleop.controller.pair import Pair
from teleop.controller.types import ControllerOutputs, PairOutputs
from teleop.wire.messages import PairTelemetry, Telemetry
from teleop.wire.sockets import HeaderFields


def telemetry(
    header: HeaderFields,
    pairs: Sequence[Pair],
    outputs: ControllerOutputs,
    *,
    tick: int,
    skipped: int,
    overruns: int,
    compute_us: float,
    lateness_us: float,
) -> Telemetry:
    """The message for consoles and recorders. ``compute_us`` is that of the tick before this one."""
    return Telemetry(
        **header,
        tick=tick,
        skipped=skipped,
        overruns=overruns,
        state=outputs.state.value,
        compute_us=compute_us,
        lateness_us=lateness_us,
        pairs=[pair_telemetry(pair, out) for pair, out in zip(pairs, outputs.pairs, strict=True)],
    )


def pair_telemetry(pair: Pair, out: PairOutputs) -> PairTelemetry:
    """What one pair did in a tick; a function of the core alone, so a replay tells the same."""
    motion = pair.motion
    return PairTelemetry(
        pair=pair.name,
        teleop_state=out.teleop.value,
        reason=out.reason.code,
        p_desired_m=out.p_desired_world.tolist(),
        quat_desired_xyzw=out.quat_desired_world_xyzw.tolist(),
        p_command_m=motion.p_world_tip.tolist(),
        quat_command_xyzw=motion.quat_world_tip_xyzw.tolist(),
        q_command=motion.q.tolist(),
        qd_command=motion.v.tolist(),
        q_measured=pair.link.q.tolist(),
        tracking_error_m=out.tracking_error_m,
        clearance_m=out.clearance_m,
        ledger=out.ledger,
        scale=pair.mapping.scale,
        clutch=pair.hand.clutch,
        input_age_us=out.hand_age_ns * 1e-3,
        round_trip_us=out.round_trip_ns * 1e-3,
        rejected=pair.hand.rejected,
        p_filtered_m=pair.hand.filtered_p.tolist(),
        p_hand_m=pair.hand.p.tolist(),
        quat_hand_xyzw=pair.hand.quat_xyzw.tolist(),
        asked_m=out.asked_m,
        sent_m=out.sent_m,
        violation=out.violation,
        arm_state=pair.link.state,
        jaw_rad=pair.jaw.position_rad,
        force_n=out.force_n.tolist(),
        torque_nm=out.torque_nm.tolist(),
    )
