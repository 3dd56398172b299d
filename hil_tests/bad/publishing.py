"""Drivers that are wrong about what it publishes."""

from __future__ import annotations

import time
from typing import Any

import msgpack

from hil_tests.bad.registry import Good, caught_by, example


@caught_by("motion.echo")
class NoEcho(Good):
    def execute(self, m: dict[str, Any]) -> None:
        super().execute(m)
        self.echo = (-1, 0)


@caught_by("motion.echo")
class EchoesArrival(Good):
    def execute(self, m: dict[str, Any]) -> None:
        super().execute(m)
        self.echo = (m["seq"], time.monotonic_ns())


@caught_by("state.message")
class RepeatsSeq(Good):
    def publish(self) -> None:
        super().publish()
        self.seq -= self.seq % 10 == 5


@caught_by("state.message")
class HeaderWithoutSession(Good):
    session = b""

    def publish(self) -> None:
        self.session = b"short"
        super().publish()


@caught_by("state.rate")
class HalfRate(Good):
    def publish(self) -> None:
        self.ticks = getattr(self, "ticks", 0) + 1
        if self.ticks % 2:
            super().publish()


@caught_by("state.jitter")
class Stutters(Good):
    def tick(self) -> None:
        if self.seq % 300 == 299:
            time.sleep(0.03)
        super().tick()


@caught_by("identity.info")
class LimitsWrongWay(Good):
    def answer(self, op: str, args: dict[str, Any], client: bytes) -> Any:
        result = super().answer(op, args, client)
        if op == "get_info":
            limits = {**result["limits"], "q_min": example.Q_MAX, "q_max": example.Q_MIN}
            return {**result, "limits": limits}
        return result


@caught_by("garbage.commands")
class DiesOfGarbage(Good):
    def receive(self, socket: Any, most: int, handle: Any) -> None:
        while socket.poll(0):
            frames = socket.recv_multipart()
            handle(msgpack.unpackb(frames[-1]), frames)


@caught_by("garbage.requests")
class HangsOnUnknown(Good):
    def answer(self, op: str, args: dict[str, Any], client: bytes) -> Any:
        if op not in ("acquire", "release", "enable", "disable", "home", "get_info"):
            self.hung = True
        return super().answer(op, args, client)

    def on_request(self, m: dict[str, Any], frames: Any) -> None:
        if not getattr(self, "hung", False):
            super().on_request(m, frames)


@caught_by("garbage.not_finite")
class RemembersNan(Good):
    def check_finite(self, m: dict[str, Any]) -> str | None:
        why = super().check_finite(m)
        if why:
            self.qd = [float("nan")] * 6
        return why

    def drive(self, q: Any, qd: Any) -> None:
        super().drive(q, [a + 0.0 * b for a, b in zip(qd, self.qd, strict=True)])


@caught_by("lease.disable")
class OnlyHolderStops(Good):
    def answer(self, op: str, args: dict[str, Any], client: bytes) -> Any:
        if op == "disable" and not self.holds(client, args):
            raise PermissionError("only the holder of the lease may stop this arm")
        return super().answer(op, args, client)


@caught_by("garbage.not_reading")
class WaitsForReaders(Good):
    def on_request(self, m: dict[str, Any], frames: Any) -> None:
        time.sleep(0.005)
        super().on_request(m, frames)
