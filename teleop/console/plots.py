"""Plots that lose no peak: minimum and maximum of each channel in every bucket, and the hand's spectrum."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from kinematics.arm import ArmModel
from teleop.config.schema import RATE_HZ
from teleop.console.messages import Channel
from teleop.wire.messages import Telemetry

Array = npt.NDArray[np.float64]

BUCKET_S = 0.02
BUCKETS = 3000
"""A minute of history."""


class Buckets:
    """A ring of buckets; a bucket is the extremes of ``BUCKET_S`` of ticks.

    Attributes:
        next: number of the bucket now being filled; those before it are complete.
    """

    def __init__(self, channels: int) -> None:
        """Empty."""
        self._ring: list[list[float | None]] = []
        self._n = channels
        self._low = [math.inf] * channels
        self._high = [-math.inf] * channels
        self._until_ns = 0
        self.next = 0

    def add(self, stamp_ns: int, values: list[float]) -> None:
        """One tick; NaN where a channel has no value."""
        if stamp_ns >= self._until_ns:
            if self._until_ns:
                self._close()
            period = round(BUCKET_S * 1e9)
            self._until_ns = stamp_ns - stamp_ns % period + period
        low, high = self._low, self._high
        for k, value in enumerate(values):
            if value < low[k]:
                low[k] = value
            if value > high[k]:
                high[k] = value

    def _close(self) -> None:
        row: list[float | None] = []
        for low, high in zip(self._low, self._high, strict=True):
            known = low <= high
            row += [round(float(low), 4), round(float(high), 4)] if known else [None, None]
        self._ring.append(row)
        if len(self._ring) > BUCKETS:
            del self._ring[: len(self._ring) - BUCKETS]
        self.next += 1
        self._low = [math.inf] * self._n
        self._high = [-math.inf] * self._n

    def since(self, number: int) -> tuple[int, list[list[float | None]]]:
        """The complete buckets from ``number`` on that are still held: the first one's number, and rows."""
        oldest = self.next - len(self._ring)
        first = max(number, oldest)
        return first, self._ring[first - oldest :]


class Tremor:
    """The hand's motion at the tip before and after the filter, while the arm follows.

    Before the filter: ``p_raw = p_d0 + s R_wm (p_m - p_m0)``, tied to the desired tip when following starts
    and once the ramp of the scale is over, as the mapping does with the filtered hand.
    """

    LENGTH = 2048

    def __init__(self, R_world_master: Array, ramp_s: float) -> None:
        """Map with ``R_world_master`` (3, 3)."""
        self._R = R_world_master
        self._settle = math.ceil(ramp_s * RATE_HZ) + 50
        self._run = 0
        self._tied: tuple[Array, Array, float] | None = None
        self._raw = np.zeros((self.LENGTH, 3))
        self._filtered = np.zeros((self.LENGTH, 3))
        self._count = 0

    def add(
        self, p_master: list[float] | None, p_desired: list[float], scale: float, following: bool
    ) -> Array:
        """One tick; where the unfiltered hand would put the tip, (3,), NaN while that is not known."""
        self._run = self._run + 1 if following and p_master is not None else 0
        if p_master is None or self._run == 0:
            self._tied, self._count = None, 0
            return np.full(3, np.nan)
        hand, desired = np.asarray(p_master), np.asarray(p_desired)
        if self._tied is None or self._run == self._settle or self._tied[2] != scale:
            self._tied = (hand, desired, scale)
            self._count = 0
        raw = self._tied[1] + scale * self._R @ (hand - self._tied[0])
        at = self._count % self.LENGTH
        self._raw[at], self._filtered[at] = raw, desired
        self._count += 1
        return np.asarray(raw)

    def spectrum(self, up_to_hz: float = 30.0) -> tuple[float, list[float], list[float]] | None:
        """Step in Hz, and amplitude in um of raw and filtered over the last two seconds; None before."""
        if self._count < self.LENGTH:
            return None
        turn = -(self._count % self.LENGTH)
        window = np.hanning(self.LENGTH)[:, None]
        step = RATE_HZ / self.LENGTH
        out = []
        for signal in (self._raw, self._filtered):
            x = np.roll(signal, turn, axis=0)
            t = np.linspace(-1.0, 1.0, self.LENGTH)
            x = x - np.polynomial.polynomial.polyval(t, np.polynomial.polynomial.polyfit(t, x, 3)).T
            spectrum = np.abs(np.fft.rfft(x * window, axis=0)) * 2.0 / window.sum()
            amplitude = np.linalg.norm(spectrum, axis=1)[: int(up_to_hz / step) + 1]
            out.append([round(float(a) * 1e6, 3) for a in amplitude])
        return step, out[0], out[1]


def channels(pair: int) -> list[Channel]:
    """The lines of the plots, in the order of :func:`row`."""
    axes = [("Tip", f"{what} {axis}", "mm") for what in ("commanded", "actual") for axis in "xyz"]
    axes += [("Hand at the tip", f"{what} {axis}", "mm") for what in ("raw", "filtered") for axis in "xyz"]
    rest = [
        ("Clearance", "nearest fixture", "mm"),
        ("Force", "force", "N"),
        ("Loop", "period", "µs"),
        ("Loop", "compute", "µs"),
        ("Latency", "hand's sample", "µs"),
        ("Latency", "round trip", "µs"),
    ]
    return [Channel(pair, *channel) for channel in (*axes, *rest)]


def row(
    message: Telemetry,
    models: list[ArmModel],
    tremor: list[Tremor],
    hands: list[list[float] | None],
    period_us: float,
) -> list[float]:
    """What the lines of all pairs show for one tick, in the order of :func:`channels`; NaN is a gap."""
    values: list[float] = []
    for index, pair in enumerate(message.pairs[: len(models)]):
        arm = models[index]
        known = len(pair.q_measured) == arm.n
        measured = arm.at(np.asarray(pair.q_measured)).T_world_tip[:3, 3] if known else np.full(3, np.nan)
        following = pair.teleop_state == "FOLLOWING"
        raw = tremor[index].add(hands[index], pair.p_desired_m, pair.scale, following)
        nearest = min(pair.clearance_m.values(), default=np.nan)
        force = getattr(pair, "force_n", None)
        values += [
            *(1e3 * c for c in pair.p_command_m),
            *(1e3 * measured),
            *(1e3 * raw),
            *((1e3 * c for c in pair.p_desired_m) if following else (np.nan,) * 3),
            1e3 * nearest,
            float(np.linalg.norm(force)) if force else np.nan,
            period_us if 0.0 < period_us < 1e6 else np.nan,
            message.compute_us,
            pair.input_age_us if pair.input_age_us >= 0.0 else np.nan,
            pair.round_trip_us if pair.round_trip_us >= 0.0 else np.nan,
        ]
    return values
