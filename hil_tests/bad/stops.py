"""Drivers that are wrong about jaw, emergency stop and restart."""

from __future__ import annotations

from typing import Any

from hil_tests.bad.registry import Good, caught_by, example


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


@caught_by("estop.reset_fault")
class AnybodyResetsFaults(Good):
    def answer(self, op: str, args: dict[str, Any], client: bytes) -> Any:
        if op == "reset_fault":
            self.enter("DISABLED", "the fault was reset")
            return None
        return super().answer(op, args, client)


@caught_by("estop.reset_fault")
class EnablesOnReset(Good):
    def answer(self, op: str, args: dict[str, Any], client: bytes) -> Any:
        result = super().answer(op, args, client)
        if op == "reset_fault":
            self.enable()
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
