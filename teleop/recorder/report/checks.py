"""Thresholds that a run must keep, for people and for continuous integration."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from teleop.config.toml import read_toml, validate


class Thresholds(BaseModel):
    """What is asked of a run; ``None`` asks nothing.

    Attributes:
        max_violations: ticks inside a hard region or its margin.
        min_clearance_m: smallest clearance to any fixture, beyond its margin, m.
        max_skipped: deadlines passed over.
        max_overruns: ticks that lasted beyond the next deadline.
        max_missing: ticks that are not in the recording.
        max_compute_us: 99.9th percentile of the time of a tick, us.
        max_latency_us: 99th percentile from the hand's stamp to the command, us.
        max_tracking_error_m: 99.9th percentile of the distance between commanded and measured tip, m.
        max_fault_s: seconds in FAULT.
        min_following_s: seconds of following, over all pairs.
    """

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False, frozen=True)

    max_violations: Annotated[int, Field(ge=0)] | None = 0
    min_clearance_m: float | None = None
    max_skipped: Annotated[int, Field(ge=0)] | None = None
    max_overruns: Annotated[int, Field(ge=0)] | None = None
    max_missing: Annotated[int, Field(ge=0)] | None = None
    max_compute_us: Annotated[float, Field(gt=0)] | None = None
    max_latency_us: Annotated[float, Field(gt=0)] | None = None
    max_tracking_error_m: Annotated[float, Field(gt=0)] | None = None
    max_fault_s: Annotated[float, Field(ge=0)] | None = None
    min_following_s: Annotated[float, Field(ge=0)] | None = None


def read_thresholds(path: Path | None, flags: dict[str, Any]) -> Thresholds:
    """Thresholds from a TOML file, those given as flags in their place.

    Raises:
        ConfigError: mistakes in the file.
    """
    table = {} if path is None else read_toml(path)
    given = {key: value for key, value in flags.items() if value is not None}
    thresholds: Thresholds = validate(Thresholds, {**table, **given}, path or "thresholds")
    return thresholds


@dataclass(frozen=True, slots=True)
class Check:
    """One threshold and what the run did.

    Attributes:
        name: the threshold's key.
        asked: the threshold.
        got: the figure; ``None`` where the run has none, which fails.
        passed: whether it is kept.
    """

    name: str
    asked: float
    got: float | None
    passed: bool


def check(summary: dict[str, Any], thresholds: Thresholds) -> list[Check]:
    """Every threshold that is asked, against the figures of a run."""

    def percentile(key: str, which: str) -> float | None:
        figures = summary[key]
        return None if figures is None else figures[which]

    got: dict[str, float | None] = {
        "max_violations": summary["violations"],
        "min_clearance_m": min(summary["min_clearance_m"].values(), default=None),
        "max_skipped": summary["skipped"],
        "max_overruns": summary["overruns"],
        "max_missing": summary["missing"],
        "max_compute_us": percentile("compute_us", "p99_9"),
        "max_latency_us": percentile("latency_us", "p99"),
        "max_tracking_error_m": percentile("tracking_error_m", "p99_9"),
        "max_fault_s": summary["fault_s"],
        "min_following_s": summary["states"].get("FOLLOWING", 0.0),
    }
    checks = []
    for name, value in got.items():
        asked = getattr(thresholds, name)
        if asked is None:
            continue
        kept = value is not None and (value >= asked if name.startswith("min_") else value <= asked)
        # No fixture was ever near: its clearance was not small.
        kept = kept or (name == "min_clearance_m" and value is None)
        checks.append(Check(name, asked, value, kept))
    return checks
