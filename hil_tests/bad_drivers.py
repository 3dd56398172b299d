"""Drivers that each break one rule, made from the example driver, to show that the suite catches them.

python -m hil_tests.bad_drivers no_watchdog --endpoint ipc:///tmp/arm
python -m hil_tests.bad_drivers --list
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
import time
from pathlib import Path
from types import ModuleType
from typing import Any

import msgpack


def _example() -> ModuleType:
    """The example driver; it is a script beside this folder, not a package."""
    path = Path(__file__).parents[1] / "examples" / "arm_driver.py"
    spec = importlib.util.spec_from_file_location("example_arm_driver", path)
    if spec is None or spec.loader is None:
        raise ImportError(f"no {path}")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


example = _example()
Good = example.ArmDriver
BAD: dict[str, tuple[type[Any], tuple[str, ...]]] = {"good": (Good, ())}
"""By name: the driver, and the rules that must catch it."""


def caught_by(*rules: str) -> Any:
    def note(driver: type[Any]) -> type[Any]:
        name = "".join(f"_{c.lower()}" if c.isupper() else c for c in driver.__name__).lstrip("_")
        BAD[name] = (driver, rules)
        return driver

    return note


def never(_self: Any, _m: Any) -> None:
    """A check that is not made."""


# -- who may command -----------------------------------------------------------------------------------------


@caught_by("admission.lease", "silence.refused")
class IgnoresLease(Good):
    check_lease = check_session = never


@caught_by("admission.session")
class IgnoresSession(Good):
    check_session = never


@caught_by("lease.single")
class LeasesTwice(Good):
    def acquire(self, client: bytes, args: dict[str, Any], holder: bool) -> Any:
        if len(args.get("session", b"")) == 16:
            self.lease = b""
        return super().acquire(client, args, holder)


@caught_by("lease.lapse")
class KeepsLease(Good):
    def watch(self) -> None:
        self.lease_s = self.now_s
        super().watch()


@caught_by("lease.lapse")
class OneLeaseForAll(Good):
    def acquire(self, client: bytes, args: dict[str, Any], holder: bool) -> Any:
        result = super().acquire(client, args, holder)
        self.lease = b"the only lease  "
        return {**result, "lease": self.lease}


@caught_by("lease.acquire")
class AnySession(Good):
    def acquire(self, client: bytes, args: dict[str, Any], holder: bool) -> Any:
        return super().acquire(client, {**args, "session": args["session"].ljust(16)[:16]}, holder)


@caught_by("lease.stranger", "estop.latch")
class AnybodyIsHolder(Good):
    def holds(self, client: bytes, args: dict[str, Any]) -> bool:
        return True


# -- which commands are executed -----------------------------------------------------------------------------


@caught_by("admission.old", "admission.duplicate")
class IgnoresSeq(Good):
    check_seq = never


@caught_by("admission.duplicate")
class ExecutesDuplicates(Good):
    def check_seq(self, m: dict[str, Any]) -> str | None:
        return None if m["seq"] >= self.last_seq else "seq"


@caught_by("admission.expired", "admission.ttl")
class ExecutesStale(Good):
    check_age = never


@caught_by("admission.ttl")
class IgnoresZeroTtl(Good):
    def check_age(self, m: dict[str, Any]) -> str | None:
        return super().check_age(m) if m["ttl_ms"] > 0.0 else None


@caught_by("admission.not_finite")
class AcceptsNan(Good):
    check_finite = never

    def check_limits(self, m: dict[str, Any]) -> str | None:
        """Comparisons the wrong way round: every one of them is false for NaN."""
        good = super().check_finite(m) is None
        return super().check_limits(m) if good else None


@caught_by("admission.position", "admission.stop", "admission.velocity")
class NoLimits(Good):
    check_limits = never


@caught_by("admission.step")
class NoStepLimit(Good):
    check_step = never


@caught_by("admission.shape")
class PadsJoints(Good):
    def on_command(self, m: dict[str, Any], frames: Any) -> None:
        for key in ("q", "qd"):
            rest = (list(self.q) if key == "q" else [0.0] * 6)[len(m[key]) :]
            m[key] = [*m[key], *rest][:6]
        super().on_command(m, frames)


@caught_by("admission.mode")
class GuessesMode(Good):
    def on_command(self, m: dict[str, Any], frames: Any) -> None:
        if m.get("mode") not in ("SERVO", "HOLD", "DISABLED"):
            m["mode"] = "SERVO"
        super().on_command(m, frames)


@caught_by("motion.hold")
class HoldMoves(Good):
    def execute(self, m: dict[str, Any]) -> None:
        super().execute({**m, "mode": "SERVO"} if m["mode"] == "HOLD" else m)


@caught_by("garbage.disabled")
class MovesDisabled(Good):
    def check_state(self, m: dict[str, Any]) -> None:
        if self.state == "DISABLED" and m["mode"] == "SERVO":
            self.state = "ENABLED"


@caught_by("motion.unknown_keys")
class StrictKeys(Good):
    def refuse(self, m: dict[str, Any]) -> Any:
        return "unknown_key" if "colour" in m else super().refuse(m)


@caught_by("motion.disable")
class NeverDisables(Good):
    def execute(self, m: dict[str, Any]) -> None:
        if m["mode"] != "DISABLED":
            super().execute(m)


@caught_by("motion.enable")
class JumpsOnEnable(Good):
    def enable(self) -> None:
        super().enable()
        self.q = [q + 0.01 for q in self.q]


@caught_by("motion.follow")
class HalfWay(Good):
    def measure(self) -> Any:
        q, qd, jaw = super().measure()
        return [h + 0.5 * (v - h) for h, v in zip(example.HOME, q, strict=True)], qd, jaw


# -- what it publishes ---------------------------------------------------------------------------------------


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


# -- silence -------------------------------------------------------------------------------------------------


@caught_by("silence.hold", "silence.disable", "silence.refused", "silence.paused", "silence.enable")
class NoWatchdog(Good):
    def watch(self) -> None:
        pass


@caught_by("silence.hold")
class HoldsLate(Good):
    def watch(self) -> None:
        self.fed_s += 0.012 if self.state == "ENABLED" and 0.0185 < self.now_s - self.fed_s < 0.02 else 0.0
        super().watch()


@caught_by("silence.hold")
class HoldsEarly(Good):
    def watch(self) -> None:
        super().watch()
        if self.state == "ENABLED" and self.streaming and self.now_s - self.fed_s > 0.012:
            self.enter("PAUSED", "impatient")


@caught_by("silence.disable")
class NeverOff(Good):
    def watch(self) -> None:
        if self.state == "PAUSED":
            self.fed_s = max(self.fed_s, self.now_s - 0.05)
        super().watch()


@caught_by("silence.refused")
class RefusedFeed(Good):
    def refuse(self, m: dict[str, Any]) -> Any:
        why = super().refuse(m)
        if why:
            self.fed_s = self.now_s
        return why


@caught_by("silence.paused")
class ResumesByItself(Good):
    def check_state(self, m: dict[str, Any]) -> str | None:
        if self.state == "PAUSED":
            self.state = "ENABLED"
        return super().check_state(m)


@caught_by("silence.stop")
class StopsDead(Good):
    def execute(self, m: dict[str, Any]) -> None:
        super().execute({**m, "qd": [0.0] * 6, "stop_s": 0.0})


@caught_by("silence.stop")
class CoastsThenStops(Good):
    def move(self, dt_s: float) -> None:
        """Go on at the last velocity until the watchdog acts; only then stop."""
        s = self.now_s - self.stop.begin_s
        if self.state == "ENABLED" and self.stop.stop_s > 0.0:
            self.drive(
                [q + v * s for q, v in zip(self.stop.q, self.stop.qd, strict=True)], list(self.stop.qd)
            )
            self.coasted = list(self.q), self.now_s
            return
        if getattr(self, "coasted", None) is not None:
            q, begin = self.coasted
            self.stop = example.Stop(q, self.stop.qd, self.stop.stop_s, begin)
            self.coasted = None
        super().move(dt_s)


@caught_by("silence.stop")
class StopsTwiceAsLong(Good):
    def execute(self, m: dict[str, Any]) -> None:
        super().execute({**m, "stop_s": 2.0 * m["stop_s"]})


@caught_by("silence.resume")
class HoldsAtOnce(Good):
    def watch(self) -> None:
        super().watch()
        if self.state == "ENABLED" and self.streaming and self.now_s - self.fed_s > 0.004:
            self.enter("PAUSED", "one command was missing")


@caught_by("silence.resume")
class JumpsToCommand(Good):
    def move(self, dt_s: float) -> None:
        """Waits where it is while nothing comes, and then is where it should be, at once."""
        if self.now_s - self.fed_s < 0.002:
            q, qd = self.stop.at(self.now_s)
            self.drive([v + 0.02 * (self.now_s - self.last_s > 0.004) for v in q], qd)
            self.last_s = self.now_s

    last_s = float("inf")


# -- jaw, emergency stop, restart ----------------------------------------------------------------------------


@caught_by("jaw.follow")
class DropsWhatItHolds(Good):
    def enter(self, state: str, reason: str) -> None:
        super().enter(state, reason)
        self.jaw = 0.0


@caught_by("jaw.limit")
class SqueezesHard(Good):
    def check_limits(self, m: dict[str, Any]) -> str | None:
        return super().check_limits({**m, "jaw_rad": 0.0})


@caught_by("estop.motion")
class SlowEstop(Good):
    heard: tuple[float, Any] | None = None

    def on_estop(self, m: dict[str, Any], frames: Any) -> None:
        self.heard = (self.now_s, m)

    def watch(self) -> None:
        super().watch()
        if self.heard is not None and self.now_s - self.heard[0] > 0.03:
            super().on_estop(self.heard[1], None)
            self.heard = None


@caught_by("estop.motion")
class EstopRunsOn(Good):
    def on_estop(self, m: dict[str, Any], frames: Any) -> None:
        q, qd = self.stop.at(self.now_s)
        super().on_estop(m, frames)
        self.stop = example.Stop(q, qd, 0.2, self.now_s)


@caught_by("estop.latch", "estop.motion")
class IgnoresEstop(Good):
    def on_estop(self, m: dict[str, Any], frames: Any) -> None:
        pass


@caught_by("estop.latch")
class EstopClearedByDisable(Good):
    def answer(self, op: str, args: dict[str, Any], client: bytes) -> Any:
        result = super().answer(op, args, client)
        if op == "disable":
            self.state = "DISABLED"
        return result


@caught_by("estop.latch")
class EnablesInFault(Good):
    def enable(self) -> None:
        if self.state == "FAULT":
            self.state = "DISABLED"
        super().enable()


@caught_by("restart.fresh")
class SameSession(Good):
    def publish(self) -> None:
        self.session = b"always this one "
        super().publish()


@caught_by("restart.fresh")
class RemembersLease(Good):
    def acquire(self, client: bytes, args: dict[str, Any], holder: bool) -> Any:
        self.lease = self.lease and b"in a file on the disk"
        return super().acquire(client, args, holder) | {"lease": b"in a file on the disk"}


@caught_by("estop.latch")
class NeverClears(Good):
    def answer(self, op: str, args: dict[str, Any], client: bytes) -> Any:
        state = self.state
        result = super().answer(op, args, client)
        if state == "FAULT":
            self.state = "FAULT"
        return result


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("name", nargs="?", default="good", choices=sorted(BAD))
    parser.add_argument("--endpoint", default="tcp://127.0.0.1:5610")
    parser.add_argument("--list", action="store_true")
    args = parser.parse_args()
    if args.list:
        for name, (_, rules) in BAD.items():
            print(f"{name:24} {', '.join(rules)}")
        sys.exit(0)
    BAD[args.name][0](args.name, args.endpoint).run()


if __name__ == "__main__":
    main()
