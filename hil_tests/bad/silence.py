"""Drivers that are wrong about what it does when nothing comes."""

from __future__ import annotations

from typing import Any

from hil_tests.bad.registry import Good, caught_by, example


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
