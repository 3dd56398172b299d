"""One plausible message of every stream."""

from __future__ import annotations

from typing import Any

import msgspec

from teleop.wire import messages as m
from teleop.wire.record import PairRecord, TickRecord
from teleop.wire.sockets import HeaderFields

SESSION = bytes(range(16))


def header(stream: str, seq: int = 0, stamp_ns: int = 1_000) -> HeaderFields:
    return {"schema": 1, "stream": stream, "session": SESSION, "seq": seq, "stamp_ns": stamp_ns}


def measured_cp(head: HeaderFields) -> m.MeasuredCp:
    return m.MeasuredCp(
        **head,
        p_m=[0.1, -0.2, 0.3],
        quat_xyzw=[0.0, 0.0, 0.0, 1.0],
        twist=[0.0] * 6,
        gripper_rad=0.5,
        valid=True,
        present=m.Signal(True, 900),
        clutch=m.Signal(False, 900),
    )


def servo_jp(head: HeaderFields) -> m.ServoJp:
    return m.ServoJp(**head, mode="SERVO", q=[0.0] * 6, qd=[0.1] * 6, stop_s=0.02, ttl_ms=5.0, lease=b"lease")


def event(head: HeaderFields) -> m.Event:
    return m.Event(
        **head, kind="state", state="ENABLED", teleop_state="IDLE", reason="", action="engage", data={"n": 1}
    )


def pair() -> m.PairTelemetry:
    return m.PairTelemetry(
        pair="left",
        teleop_state="FOLLOWING",
        reason="",
        p_desired_m=[0.0] * 3,
        quat_desired_xyzw=[0.0, 0.0, 0.0, 1.0],
        p_command_m=[0.0] * 3,
        quat_command_xyzw=[0.0, 0.0, 0.0, 1.0],
        q_command=[0.0] * 6,
        qd_command=[0.0] * 6,
        q_measured=[0.0] * 6,
        tracking_error_m=0.0,
        clearance_m={"carotid": 0.012},
        ledger=[m.LedgerLine("carotid", "limited", "shaft", 1e-4)],
        scale=0.3,
        clutch=False,
        input_age_us=120.0,
        round_trip_us=400.0,
        rejected={"malformed": 1},
    )


def every_message() -> list[tuple[str | None, msgspec.Struct]]:
    """Pairs of full stream name and message; requests and replies have no name."""
    js: dict[str, Any] = {
        "q": [0.0] * 6,
        "qd": [0.0] * 6,
        "state": "ENABLED",
        "is_homed": True,
        "is_busy": False,
    }
    tick: dict[str, Any] = {"tick": 7, "skipped": 0, "overruns": 0, "state": "ENABLED", "compute_us": 90.0}
    plane = m.ConstraintPlane([0.0, 0.0, 1.0], 0.01, 500.0, 2.0, "floor")
    return [
        ("left/measured_cp", measured_cp(header("left/measured_cp"))),
        (
            "left/servo_cf",
            m.ServoCf(
                **header("left/servo_cf"), force_n=[1.0, 0, 0], torque_nm=[0.0] * 3, planes=[plane], ttl_ms=5
            ),
        ),
        (
            "left/steer",
            m.Steer(
                **header("left/steer"),
                drive=True,
                epoch=3,
                p_m=[0.01, 0.0, 0.0],
                quat_xyzw=[0.0, 0.0, 0.0, 1.0],
                present=m.Signal(True, 900),
                clutch=m.Signal(False, 900),
            ),
        ),
        ("psm/servo_jp", servo_jp(header("psm/servo_jp"))),
        ("psm/measured_js", m.MeasuredJs(**header("psm/measured_js"), **js)),
        ("telemetry", m.Telemetry(**header("telemetry"), **tick, lateness_us=3.0, pairs=[pair(), pair()])),
        ("event", event(header("event"))),
        ("estop", m.Estop(**header("estop"), source="console", why="pressed")),
        ("tick", TickRecord(**header("tick"), tick=7, now_ns=3, dt_s=0.001, pairs=[PairRecord(pair="left")])),
        (None, m.Request(id=4, op="enable", args={"deep": [{"a": 1}]})),
        (None, m.Reply(id=4, ok=True, result={"lease": b"x"})),
    ]
