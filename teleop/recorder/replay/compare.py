"""What a tick gave out as named values in the order of its stages, and where two ticks part."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from teleop.controller.pair import Pair
from teleop.controller.record import command_record, remote_record
from teleop.controller.telemetry import pair_telemetry
from teleop.controller.types import ControllerOutputs
from teleop.wire.messages import PairTelemetry
from teleop.wire.record import CommandRecord, TickRecord

_encode = msgspec.msgpack.Encoder().encode

# Fields of a pair's telemetry by the stage of the tick that decides them; a later stage inherits what an
# earlier one did, so the first that differs is where to look. What is not listed comes last.
_STAGES: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("sense", ("rejected", "input_age_us", "clutch", "p_filtered_m", "p_hand_m", "quat_hand_xyzw")),
    ("sense", ("arm_state", "q_measured", "round_trip_us")),
    ("decide", ("teleop_state", "reason", "scale")),
    ("map", ("p_desired_m", "quat_desired_xyzw")),
    ("constrain", ("clearance_m", "violation")),
    ("solve and gate", ("asked_m", "ledger", "q_command", "qd_command")),
    ("solve and gate", ("p_command_m", "quat_command_xyzw", "sent_m", "jaw_rad")),
)
_LISTED = {name for _, names in _STAGES for name in names}


@dataclass(frozen=True, slots=True)
class Difference:
    """Where a replay parts from what was recorded.

    Attributes:
        tick: the first tick.
        stage: the first stage of it: sense, decide, map, constrain, solve and gate, command, tell.
        field: the first value that differs, e.g. ``"pairs[0].q_command[3]"``.
        recorded: the value then.
        replayed: the value now.
    """

    tick: int
    stage: str
    field: str
    recorded: Any
    replayed: Any

    def sentence(self) -> str:
        """For people."""
        return (
            f"tick {self.tick}, stage {self.stage}, {self.field}: recorded {self.recorded!r}, "
            f"replayed {self.replayed!r}"
        )


class Fields:
    """The values of a tick that are compared: those the recording has."""

    def __init__(self, recorded: Iterable[str]) -> None:
        """Compare the fields of a pair's telemetry that are among ``recorded``."""
        there = set(recorded)
        known = set(PairTelemetry.__struct_fields__) - {"pair"}
        stages = [(stage, [n for n in names if n in there]) for stage, names in _STAGES]
        stages.append(("tell", sorted((known & there) - _LISTED)))
        self._stages = [(stage, name) for stage, names in stages for name in names]
        self.new = tuple(sorted(known - there))

    def recorded(self, record: TickRecord) -> list[Any]:
        """The values of a recorded tick."""
        told = record.telemetry
        pairs = () if told is None else told.pairs
        return self._values(
            None if told is None else told.state,
            pairs,
            [pair.command for pair in record.pairs],
            [pair.arm_requests for pair in record.pairs],
            [
                None if pair.beside_n is None else [pair.planes, pair.beside_n, pair.remote_n]
                for pair in record.pairs
            ],
            [[entry.token, entry.reply] for entry in record.replies],
            [[e.kind, e.data.get("pair"), e.state, e.teleop_state, e.reason] for e in record.events],
        )

    def replayed(
        self, pairs: Sequence[Pair], outputs: ControllerOutputs, *, told: bool, felt: bool
    ) -> list[Any]:
        """The same values of a tick just replayed.

        Args:
            pairs: the controller's.
            outputs: of the tick.
            told: the recording has the tick's telemetry.
            felt: the recording has what the hand was given to feel.
        """
        return self._values(
            outputs.state.value if told else None,
            [pair_telemetry(p, out) for p, out in zip(pairs, outputs.pairs, strict=True)] if told else (),
            [None if out.command is None else command_record(out.command) for out in outputs.pairs],
            [list(out.arm_requests) for out in outputs.pairs],
            [
                [out.planes, out.beside_n.tolist(), remote_record(out)] if felt else None
                for out in outputs.pairs
            ],
            [[token, reply] for token, reply in outputs.replies],
            [[e.kind, e.pair, e.state.value, e.teleop.value, e.reason.code] for e in outputs.events],
        )

    def _values(
        self,
        state: str | None,
        pairs: Sequence[PairTelemetry],
        commands: list[CommandRecord | None],
        arm_requests: list[Any],
        felt: list[Any],
        replies: list[Any],
        events: list[Any],
    ) -> list[Any]:
        return [
            state,
            [[getattr(pair, name) for pair in pairs] for _, name in self._stages],
            commands,
            arm_requests,
            felt,
            replies,
            events,
        ]

    def first_difference(self, tick: int, recorded: list[Any], replayed: list[Any]) -> Difference | None:
        """The first value that differs in a bit; ``None`` if none does."""
        if _encode(recorded) == _encode(replayed):
            return None
        before, after = self._flat(recorded), self._flat(replayed)
        for (stage, field, then), (_, _, now) in zip(before, after, strict=True):
            if _encode(then) != _encode(now):
                return _deepest(tick, stage, field, then, now)
        raise RuntimeError("values that differ as a whole and not in any part")

    def _flat(self, values: list[Any]) -> list[tuple[str, str, Any]]:
        state, pairs, commands, arm_requests, felt, replies, events = values
        senses = [stage for stage, _ in self._stages].count("sense")
        flat = [
            (stage, f"pairs[{k}].{name}", value)
            for (stage, name), column in zip(self._stages, pairs, strict=True)
            for k, value in enumerate(column)
        ]
        n = len(pairs[0]) if pairs else 0
        flat.insert(senses * n, ("decide", "state", state))
        flat += [("command", f"pairs[{k}].command", command) for k, command in enumerate(commands)]
        flat += [("command", f"pairs[{k}].arm_requests", r) for k, r in enumerate(arm_requests)]
        flat += [("tell", f"pairs[{k}].planes, beside_n and remote_n", f) for k, f in enumerate(felt)]
        return [*flat, ("tell", "replies", replies), ("tell", "events", events)]


def _deepest(tick: int, stage: str, field: str, then: Any, now: Any) -> Difference:
    """Narrow a difference down to the value in a record or list."""
    if isinstance(then, CommandRecord) and isinstance(now, CommandRecord):
        for name in CommandRecord.__struct_fields__:
            a, b = getattr(then, name), getattr(now, name)
            if _encode(a) != _encode(b):
                return _deepest(tick, stage, f"{field}.{name}", a, b)
    if isinstance(then, list) and isinstance(now, list) and len(then) == len(now):
        for k, (a, b) in enumerate(zip(then, now, strict=True)):
            if _encode(a) != _encode(b):
                return _deepest(tick, stage, f"{field}[{k}]", a, b)
    return Difference(tick, stage, field, msgspec.to_builtins(then), msgspec.to_builtins(now))
