"""A whole session in one process, without a clock: controller, hands, simulated arms, and its recording."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from teleop.config.load import load_session
from teleop.config.schema import RATE_HZ
from teleop.config.session import Session
from teleop.controller.build import build_controller, place_arm
from teleop.controller.record import tick_record
from teleop.controller.telemetry import telemetry
from teleop.controller.types import ControllerInputs, ControllerOutputs, PairInputs
from teleop.drivers.sim.arm import SimArm
from teleop.masters.spec import make_source
from teleop.recorder.live_files import LiveFiles
from teleop.recorder.luggage import FIELDS_JSON, field_hashes, pack
from teleop.recorder.writer import RecordingWriter
from teleop.wire.messages import Event, MeasuredCp, MeasuredJs, Reply, Request, ServoJp, Signal
from teleop.wire.record import TickRecord

MS = 1_000_000
OWN = b"controller-sessi"
FLOOR: dict[str, Any] = {
    "kind": "forbidden",
    "name": "floor",
    "geometry": {"shape": "half_space", "normal": [0.0, 0.0, 1.0], "point_m": [0.0, 0.0, -0.1265]},
}


def session_file(folder: Path, *, pairs: int = 1, name: str = "theatre", extra: str = "") -> Path:
    """A session of synthetic surgeons on PSMs, 0.2 m apart."""
    text = f'name = "{name}"\n'
    for k in range(pairs):
        text += f"""
[[pairs]]
name = "pair{k}"
[pairs.master]
name = "hand{k}"
source = {{ kind = "synthetic", seed = {k + 3}, motion_s = 30.0, lead_in_s = 0.2, clutch_every = 2 }}
[pairs.arm]
name = "arm{k}"
profile = "psm_lnd_400006"
p_world_base_m = [{0.2 * k}, 0.0, 0.0]
sim = {{ homing_s = 0.05 }}
[pairs.mapping]
scale = 1.0
"""
    path = folder / f"{name}.toml"
    path.write_text(text + extra, encoding="utf-8")
    return path


def floor_toml(z_m: float = -0.1265, extra: str = "") -> str:
    return f"""
[[fixture]]
kind = "forbidden"
name = "floor"
geometry = {{ shape = "half_space", normal = [0.0, 0.0, 1.0], point_m = [0.0, 0.0, {z_m}] }}
{extra}
"""


Disturb = Callable[["Theatre", ControllerInputs], ControllerInputs]


@dataclass
class Theatre:
    """``run(n)`` is n milliseconds of everything."""

    session: Session
    disturb: Disturb | None = None
    tick: int = 0
    now_ns: int = 5_000_000_000_000
    records: list[bytes] = field(default_factory=list)
    asked: dict[int, list[tuple[str, dict[str, Any]]]] = field(default_factory=dict)
    estops: dict[int, tuple[str, str]] = field(default_factory=dict)
    skips: dict[int, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.controller = build_controller(self.session, OWN)
        self.fields = field_hashes(self.controller.fixtures)  # a recorder's comes with the first tick, too
        spec = self.session.spec
        self.hands = [
            make_source(source, folder)
            for source, folder in zip(self.session.sources, self.session.source_dirs, strict=True)
            if source is not None
        ]
        self.arms = [
            SimArm(
                p.arm.name,
                place_arm(p.arm, arm),
                p.arm.sim,
                new_token=lambda k=k: b"lease-%d" % k,  # type: ignore[misc]
            )
            for k, (p, arm) in enumerate(zip(spec.pairs, self.session.arms, strict=True))
        ]
        n = len(self.arms)
        self.replies: list[tuple[Reply, ...]] = [()] * n
        self.command_seq = 0
        self.shut_down = False
        self.events: list[Event] = []
        self.outputs: ControllerOutputs | None = None

    def ask(self, at_tick: int, op: str, **args: Any) -> None:
        """Send a request in a later tick."""
        self.asked.setdefault(at_tick, []).append((op, args))

    def bring_up(self) -> None:
        """Enable, home and engage in the first 200 ticks."""
        self.ask(5, "enable")
        self.ask(8, "home")
        self.ask(190, "engage")

    def run(self, ticks: int) -> None:
        for _ in range(ticks):
            self._one()

    def _sample(self, k: int) -> MeasuredCp:
        stamp = self.now_ns - 100_000
        hand = self.hands[k].sample(self.tick / RATE_HZ)
        return MeasuredCp(
            schema=1, stream=f"hand{k}/measured_cp", session=b"hand%012d" % k, seq=self.tick, stamp_ns=stamp,
            p_m=hand.p_m.tolist(), quat_xyzw=hand.quat_xyzw.tolist(), gripper_rad=hand.gripper_rad,
            valid=True, present=Signal(True, stamp), clutch=Signal(hand.clutch, stamp),
        )  # fmt: skip

    def _measured(self, k: int) -> MeasuredJs:
        arm, c = self.arms[k], self.arms[k].contract
        return MeasuredJs(
            schema=1, stream=f"arm{k}/measured_js", session=b"arm-%012d" % k, seq=self.tick,
            stamp_ns=self.now_ns - 50_000, q=arm.q.tolist(), qd=arm.qd.tolist(), jaw_rad=arm.jaw_rad,
            state=c.state.value, is_homed=c.is_homed, is_busy=c.is_busy, reason=c.reason,
            echo_seq=c.echo_seq, echo_stamp_ns=c.echo_stamp_ns,
        )  # fmt: skip

    def _one(self) -> None:
        self.tick += 1
        periods = 1 + self.skips.get(self.tick, 0)
        self.now_ns += periods * MS
        dt = periods / RATE_HZ
        requests = tuple(
            (1000 * self.tick + k, Request(id=k, op=op, args=args))
            for k, (op, args) in enumerate(self.asked.get(self.tick, ()))
        )
        estops = (self.estops[self.tick],) if self.tick in self.estops else ()
        inputs = ControllerInputs(
            self.now_ns,
            tuple(
                PairInputs(self._sample(k), self._measured(k), self.replies[k]) for k in range(len(self.arms))
            ),
            requests,
            estops,
            self.shut_down,
        )
        if self.disturb is not None:
            inputs = self.disturb(self, inputs)
        out = self.controller.step(inputs, dt)
        self.outputs = out
        self._record(inputs, out, dt)
        for k, pair in enumerate(out.pairs):
            arm = self.arms[k]
            self.replies[k] = tuple(
                arm.contract.request(b"us", request, self.now_ns) for request in pair.arm_requests
            )
            commands = []
            if pair.command is not None:
                self.command_seq += 1
                c = pair.command
                commands.append(
                    ServoJp(
                        schema=1, stream=f"arm{k}/servo_jp", session=OWN, seq=self.command_seq,
                        stamp_ns=self.now_ns, mode=c.mode.value, q=c.q.tolist(), qd=c.qd.tolist(),
                        stop_s=c.stop_s, jaw_rad=c.jaw_rad, ttl_ms=5.0, lease=c.lease,
                    )
                )  # fmt: skip
            arm.step(self.now_ns, commands)

    def _record(self, inputs: ControllerInputs, out: ControllerOutputs, dt: float) -> None:
        header = {"schema": 1, "session": OWN, "seq": self.tick - 1, "stamp_ns": self.now_ns}
        told = telemetry(
            {**header, "stream": "telemetry"}, self.controller.pairs, out,
            tick=self.tick, skipped=0, overruns=0, compute_us=100.0, lateness_us=1.0,
        )  # fmt: skip
        events = [
            Event(
                **header, stream="event", kind=e.kind, state=e.state.value, teleop_state=e.teleop.value,
                reason=e.reason.code, action=e.reason.action,
                data={"pair": e.pair, "sentence": e.reason.sentence, "detail": e.detail},
            )
            for e in out.events
        ]  # fmt: skip
        record = tick_record(
            {**header, "stream": "tick"}, [p.name for p in self.controller.pairs], inputs, dt, out,
            tick=self.tick, events=events, telemetry=msgspec.msgpack.encode(told),
            before=(1000, 100_000, 300_000, [1, 2, 3, 4]),
        )  # fmt: skip
        self.events.extend(events)
        self.records.append(msgspec.msgpack.encode(record))

    def ticks(self) -> list[TickRecord]:
        """The records as a recorder receives them."""
        decoder = msgspec.msgpack.Decoder(TickRecord)
        return [decoder.decode(data) for data in self.records]

    def save(self, path: Path, *, drop: tuple[int, ...] = ()) -> Path:
        """The recording; ticks in ``drop`` never reached the recorder."""
        writer = RecordingWriter(path)
        facts = {"format": "1", "version": "0", "config_hash": self.session.config_hash}
        writer.metadata("trocar", facts | {"session": self.session.spec.name, "rate_hz": "1000"})
        for name, media_type, data in pack(self.session).attachments():
            writer.attach(name, media_type, data)
        writer.attach(FIELDS_JSON, "application/json", json.dumps(self.fields).encode())
        live_files = LiveFiles(writer)
        for record in self.ticks():
            if record.tick not in drop:
                live_files.take(record)
                writer.add(record)
        writer.finish({"ticks": str(writer.ticks), "dropped": str(writer.dropped)})
        return path


def theatre(folder: Path, **keys: Any) -> Theatre:
    return Theatre(load_session(session_file(folder, **keys)))


def nan_hand(theatre: Theatre, inputs: ControllerInputs) -> ControllerInputs:
    """Every 50th sample is not a number somewhere; every 70th tick has none; some come twice."""
    for pair in inputs.pairs:
        if pair.master is None:
            continue
        if theatre.tick % 50 == 0:
            pair.master.p_m[theatre.tick // 50 % 3] = (math.nan, math.inf, -math.inf)[theatre.tick // 50 % 3]
        if theatre.tick % 70 == 0:
            pair.master = None
        elif theatre.tick % 90 == 0:
            pair.master.quat_xyzw = [0.5, 0.5, 0.5, -0.0]
    return inputs


def random_directions(n: int, seed: int) -> np.ndarray:
    v = np.random.default_rng(seed).normal(size=(n, 3))
    return v / np.linalg.norm(v, axis=1, keepdims=True)
