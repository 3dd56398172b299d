"""Drivers that are wrong about which commands are executed."""

from __future__ import annotations

from typing import Any

from hil_tests.bad.registry import Good, caught_by, example, never


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
