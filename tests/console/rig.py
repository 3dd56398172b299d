"""A controller, an arm and a master that only speak, for a console to look at."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from teleop.config import Session, load_session
from teleop.wire.endpoints import Participant
from teleop.wire.messages import LedgerLine, PairTelemetry, Steer, Telemetry
from teleop.wire.requests import RequestServer
from teleop.wire.sockets import Context, NewestSubscriber, Publisher, new_session
from teleop.wire.streams import Role

DEMO = Path(__file__).parents[2] / "configs" / "sessions" / "demo.toml"
OPS = ("get_config", "set_fixture", "remove_fixture", "engage", "set_scale")
WALL = {"name": "wall", "kind": "forbidden", "geometry": {"shape": "half_space", "normal": [0.0, 0.0, 1.0]}}


def load(folder: Path, *overrides: str) -> Session:
    return load_session(DEMO, (f'runtime_dir="{folder}"', *overrides))


class Stand:
    """Stands in for the controller and the master of the demo session."""

    def __init__(self, context: Context, session: Session) -> None:
        own = Participant(Role.CONTROLLER, "controller", session.controller_endpoint)
        self.telemetry = Publisher(context, own.channel("telemetry"), new_session())
        self.requests = RequestServer(context, own.channel("request"), OPS)
        entry = session.spec.pairs[0].master
        master = Participant(Role.MASTER, entry.name, session.endpoint(entry.name, entry.endpoint))
        self.steer = NewestSubscriber(context, master.channel("steer"), Steer)
        self.fixtures: dict[str, dict[str, Any]] = {
            f.name: f.model_dump(mode="json") for f, _ in session.fixtures
        }
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.refusal = ""
        self.home = [0.0, 0.0, 0.12, 0.0, 0.0, 0.0]
        self.tick = 0

    def tell(self, **keys: Any) -> None:
        self.tick += 1
        plain = {
            "pair": "right",
            "teleop_state": "FOLLOWING",
            "reason": "none",
            "p_desired_m": [0.0, 0.0, -0.1],
            "quat_desired_xyzw": [0.0, 0.0, 0.0, 1.0],
            "p_command_m": [0.0, 0.0, -0.1],
            "quat_command_xyzw": [0.0, 0.0, 0.0, 1.0],
            "q_command": self.home,
            "qd_command": [0.0] * 6,
            "q_measured": self.home,
            "tracking_error_m": 0.0,
            "clearance_m": {"wall": 0.0003},
            "ledger": [LedgerLine("wall", "clamped", "shaft", 3.1e-4)],
            "scale": 0.5,
            "clutch": False,
            "input_age_us": 100.0,
            "round_trip_us": 1000.0,
            "rejected": {},
        }
        self.telemetry.send(
            Telemetry(
                **self.telemetry.header(time.monotonic_ns()),
                tick=self.tick,
                skipped=0,
                overruns=0,
                state="ENABLED",
                compute_us=120.0,
                lateness_us=5.0,
                pairs=[PairTelemetry(**(plain | keys))],
            )
        )

    def serve(self) -> None:
        while (incoming := self.requests.receive()) is not None:
            op, args = incoming.request.op, incoming.request.args
            self.asked.append((op, args))
            if self.refusal:
                self.requests.refuse(incoming, self.refusal)
                continue
            if op == "set_fixture":
                self.fixtures[args["fixture"]["name"]] = args["fixture"]
            if op == "remove_fixture":
                self.fixtures.pop(args["name"])
            self.requests.succeed(
                incoming, {"fixture": list(self.fixtures.values())} if op == "get_config" else None
            )
