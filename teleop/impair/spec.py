"""What a bad network does, as written in TOML."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from teleop.impair.presets import PRESETS
from teleop.wire.streams import STREAMS, Role

_CONFIG = ConfigDict(extra="forbid", allow_inf_nan=False, frozen=True)

Share = Annotated[float, Field(ge=0.0, le=1.0)]
Milliseconds = Annotated[float, Field(ge=0.0, le=60_000.0)]
Preset = Literal[tuple(PRESETS)]  # type: ignore[valid-type]


class Hyperexponential(BaseModel):
    """Extra delay drawn from one of several exponentials: mostly short, now and then long.

    Attributes:
        weights: chance of each; they sum to 1.
        rates_per_ms: of each, 1/ms; its mean is 1/rate.
    """

    model_config = _CONFIG

    weights: Annotated[tuple[Share, ...], Field(min_length=1, max_length=8)]
    rates_per_ms: Annotated[tuple[Annotated[float, Field(gt=0.0)], ...], Field(min_length=1, max_length=8)]

    @model_validator(mode="after")
    def _fit(self) -> Hyperexponential:
        if len(self.weights) != len(self.rates_per_ms) or abs(sum(self.weights) - 1.0) > 1e-6:
            raise ValueError("weights and rates_per_ms must be equally many, and the weights sum to 1")
        return self


class Impairment(BaseModel):
    """What happens to the messages of one direction of one stream.

    Attributes:
        delay_ms: every message is this late.
        jitter_ms: and up to this much more, evenly drawn.
        tail: and this much more.
        ordered: a message never overtakes an earlier one, as within one tcp connection.
        loss: share of messages lost.
        burst: mean number of messages lost in a row; 1 loses each by itself.
        burst_shape: lengths of bursts are Pareto with this shape (heavy tails); geometric without it, as in
            the two-state chain of Gilbert and Elliott.
        outage: nothing passes.
        outage_share: share of time in which nothing passes, in outages drawn evenly up to ``outage_max_ms``.
        outage_max_ms: longest of those.
        duplicate: share of messages that come twice, the copy up to 5 ms later.
        reorder: share of messages held back for ``reorder_ms``, so that later ones overtake them.
        reorder_ms: how long.
        corrupt: share of messages with one to four bytes changed.
        bandwidth_kbit_s: the link carries no more; 0: no limit.
        queue_kb: what waits for the link; beyond it messages are lost.
        clock_skew_ms: added to every stamp, as if the sender's clock were ahead.
        clock_drift_ppm: and growing by this much.
    """

    model_config = _CONFIG

    delay_ms: Milliseconds = 0.0
    jitter_ms: Milliseconds = 0.0
    tail: Hyperexponential | None = None
    ordered: bool = True
    loss: Share = 0.0
    burst: Annotated[float, Field(ge=1.0, le=10_000.0)] = 1.0
    burst_shape: Annotated[float, Field(gt=1.0, le=10.0)] | None = None
    outage: bool = False
    outage_share: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.0
    outage_max_ms: Annotated[float, Field(gt=0.0, le=60_000.0)] = 3000.0
    duplicate: Share = 0.0
    reorder: Share = 0.0
    reorder_ms: Milliseconds = 5.0
    corrupt: Share = 0.0
    bandwidth_kbit_s: Annotated[float, Field(ge=0.0)] = 0.0
    queue_kb: Annotated[float, Field(gt=0.0)] = 64.0
    clock_skew_ms: Annotated[float, Field(ge=-1e7, le=1e7)] = 0.0
    clock_drift_ppm: Annotated[float, Field(ge=-1e5, le=1e5)] = 0.0

    @model_validator(mode="after")
    def _possible(self) -> Impairment:
        if self.loss >= 1.0 and not self.outage:
            raise ValueError("loss = 1 is an outage: say outage = true")
        return self


NOTHING = Impairment()


class Change(BaseModel):
    """One line of the timeline: from ``at_s`` on, these streams are impaired so and not otherwise.

    Attributes:
        at_s: seconds after the proxy started.
        streams: names, such as ``servo_jp``; all of the participant's if left out.
        preset: begin with this one.
        impair: what differs from it; nothing and no preset: the stream is perfect again.
    """

    model_config = _CONFIG

    at_s: Annotated[float, Field(ge=0.0)]
    streams: tuple[str, ...] = ()
    preset: Preset | None = None  # type: ignore[valid-type]
    impair: dict[str, object] = {}

    @model_validator(mode="after")
    def _readable(self) -> Change:
        self.impairment()
        return self

    def impairment(self) -> Impairment:
        """The whole of it."""
        return from_preset(self.preset, self.impair)


class ImpairSpec(BaseModel):
    """A whole script: what each stream suffers from the beginning, and what changes when.

    Attributes:
        seed: of everything that is drawn; the same seed and the same arrivals give the same deliveries.
        preset: what all streams suffer from the beginning.
        streams: by stream, what differs from the preset.
        timeline: changes, in any order.
    """

    model_config = _CONFIG

    seed: Annotated[int, Field(ge=0)] = 0
    preset: Preset | None = None  # type: ignore[valid-type]
    streams: dict[str, dict[str, object]] = {}
    timeline: tuple[Change, ...] = ()

    @model_validator(mode="after")
    def _readable(self) -> ImpairSpec:
        for name in self.streams:
            self.impairment(name)
        return self

    def impairment(self, stream: str) -> Impairment:
        """What a stream suffers from the beginning."""
        return from_preset(self.preset, self.streams.get(stream, {}))

    def unknown_streams(self, role: Role, where: str) -> list[str]:
        """A mistake for each stream named here that a participant of this role does not have."""
        known = [entry.name for entry in STREAMS if entry.owner is role]
        named = set(self.streams).union(*(change.streams for change in self.timeline))
        return [
            f"{where}: the {role.value} has no stream {name!r}; it has: {', '.join(known)}"
            for name in sorted(named - set(known))
        ]


def from_preset(preset: str | None, changes: dict[str, object]) -> Impairment:
    """A preset with some values replaced."""
    return Impairment.model_validate({**(PRESETS[preset] if preset else {}), **changes})
