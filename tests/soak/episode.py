"""One scene, attacked for some thousand ticks: what was sent, tick by tick, for the oracle to judge."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from teleop.controller.build import PERIOD_S, build_controller
from teleop.controller.controller import Controller
from teleop.controller.pair import Pair
from teleop.controller.types import ControllerInputs, PairInputs
from teleop.drivers.setpoint import Setpoint
from teleop.safety.states import Operating, Teleop
from teleop.wire.messages import MeasuredJs, Reply, Request

from .attacker import MS, Attacker
from .plan import Plan
from .solids import Region

Array = np.ndarray
OWN = b"controller-sessi"
RECOVERING, UNSAFE, OTHER = 1, 2, 4
"""Bits of ``Track.flags``: what the ledger said; OTHER is any limiter that is not a hard region."""


class Arm:
    """A driver that grants everything and follows its commands exactly, stops included."""

    def __init__(self, pair: Pair) -> None:
        """At home."""
        limits = pair.arm.limits
        self.setpoint = Setpoint(np.array(pair.arm.home), limits.qd_max, limits.qdd_max, stall_s=1.0)
        self.q = self.setpoint.q
        self.state = "DISABLED"
        self.seq = 0

    def answer(self, request: Request) -> Reply:
        """Grant it."""
        if request.op in ("enable", "disable"):
            self.state = "ENABLED" if request.op == "enable" else "DISABLED"
        result = {"lease": b"lease", "ttl_s": 1.0} if request.op == "acquire" else None
        return Reply(id=request.id, ok=True, result=result)

    def measured(self, now_ns: int) -> MeasuredJs:
        """Its state."""
        self.seq += 1
        q = self.q.tolist()
        return MeasuredJs(
            schema=1, stream="", session=OWN, seq=self.seq, stamp_ns=now_ns, q=q, qd=[0.0] * len(q),
            state=self.state, is_homed=True, is_busy=False,
        )  # fmt: skip


@dataclass(eq=False)
class Track:
    """What one arm was told, N ticks.

    Attributes:
        t: (N,) time of the tick [s].
        q: (N, n) commanded.
        before: (N, n) where its step starts: the command before it, led on by its stop if ticks were skipped.
        v: (N, n).
        stop_s: (N,).
        sent: (N,) a command went out.
        follows: (N,) the teleop state was FOLLOWING.
        flags: (N,) RECOVERING, UNSAFE, OTHER.
        acted: (N,) bit g: region g is named in the ledger.
        excess: (N,) how far from the tip the desired position was [m].
        pressed: ticks at which a hand had been pressing for long.
        periods: (N,) of the loop since the tick before; more than one where ticks were skipped.
        driven: (M, n + 1) time and setpoint of the driver, where ticks were skipped.
    """

    t: Array
    q: Array
    before: Array
    v: Array
    stop_s: Array
    sent: Array
    follows: Array
    flags: Array
    acted: Array
    excess: Array
    periods: Array
    pressed: list[int] = field(default_factory=list)
    driven: list[Array] = field(default_factory=list)

    @classmethod
    def empty(cls, n: int, ticks: int) -> Track:
        """Room for N ticks of an arm with n joints."""
        some = [np.zeros((ticks, n)) for _ in range(3)]
        return cls(
            np.zeros(ticks), *some, np.zeros(ticks), np.zeros(ticks, dtype=bool), np.zeros(ticks, dtype=bool),
            np.zeros(ticks, dtype=int), np.zeros(ticks, dtype=int), np.zeros(ticks),
            np.ones(ticks, dtype=int),
        )  # fmt: skip


def stopped(v: Array, stop_s: float, periods: int) -> Array:
    """How far the stop after a command v (n,) leads in ``s`` = these periods: ``v (s - s²/(2S))``."""
    s = min(periods * PERIOD_S, stop_s)
    return v * (s - s * s / (2.0 * stop_s)) if stop_s > 0.0 else np.zeros_like(v)


@dataclass(eq=False)
class Episode:
    """A scene and what was sent in it."""

    plan: Plan
    regions: list[Region]
    tracks: list[Track]


def play(plan: Plan, rng: np.random.Generator, ticks: int) -> Episode:
    """Build the scene's controller and attack it."""
    controller = build_controller(plan.session(rng), OWN)
    arms = [Arm(pair) for pair in controller.pairs]
    hands = [Attacker(rng, pair.name) for pair in controller.pairs]
    tracks = [Track.empty(pair.arm.n, ticks) for pair in controller.pairs]
    regions = list(plan.regions)
    index = {r.name: g for g, r in enumerate(regions)}
    soft = {f["name"] for f in plan.fixtures} - set(index)
    replies: list[tuple[Reply, ...]] = [() for _ in arms]
    skips = rng.random() < 0.25
    now_ns, dt = 1_000_000_000, PERIOD_S
    held = [0] * len(arms)
    for k in range(ticks):
        periods = int(rng.integers(2, 6)) if skips and rng.random() < 0.05 else 1
        for _ in range(periods):
            now_ns += MS
            for arm, track in zip(arms, tracks, strict=True) if skips else ():
                arm.setpoint.advance(now_ns)
                arm.q = arm.setpoint.q
                if k > 100:
                    track.driven.append(np.array([now_ns * 1e-9, *arm.q]))
        dt = periods * PERIOD_S
        t = now_ns * 1e-9
        asks: list[Request] = _routine(controller, k)
        if plan.later and k > 200 and k % 150 == 0:
            asks += _come_and_go(plan, rng, regions, index, controller, t)
        for name, stream in plan.streams.items():
            asks += stream.poses(regions[index[name]], k, now_ns)
        live = [r for r in regions if r.until_s == np.inf]
        pairs = []
        for a, (pair, hand) in enumerate(zip(controller.pairs, hands, strict=True)):
            tip = pair.motion.p_world_tip.copy()
            asks += hand.move(tip, pair.mapping.p_world, pair.mapping.scale, t, live)
            held[a] = held[a] + 1 if pair.machine.state is not Teleop.FOLLOWING else 0
            if held[a] > 120 and held[a] % 60 == 0:
                asks += [
                    Request(id=1, op="resume"), Request(id=1, op="engage", args={"pair": pair.name}),
                ]  # fmt: skip
            cycle = 40 <= held[a] % 120 < 50
            sample = hand.sample(now_ns, cycle_clutch=cycle)
            pairs.append(PairInputs(sample, arms[a].measured(now_ns), replies[a]))
            track = tracks[a]
            track.t[k] = t
            track.periods[k] = periods
            track.before[k] = pair.motion.q + stopped(pair.motion.v, pair.motion.stop_s, periods - 1)
        inputs = ControllerInputs(now_ns, tuple(pairs), tuple(enumerate(asks)))
        out = controller.step(inputs, dt)
        for a, told in enumerate(out.pairs):
            track = tracks[a]
            replies[a] = tuple(arms[a].answer(request) for request in told.arm_requests)
            command = told.command
            track.follows[k] = told.teleop is Teleop.FOLLOWING
            for line in told.ledger:
                if line.what == "recovering":
                    track.flags[k] |= RECOVERING
                elif line.what == "unsafe":
                    track.flags[k] |= UNSAFE
                elif line.who in index:
                    track.acted[k] |= 1 << index[line.who]
                elif line.who not in soft or line.who != "apart":
                    track.flags[k] |= OTHER
            if command is None:
                continue
            track.sent[k] = True
            track.q[k], track.v[k], track.stop_s[k] = command.q, command.qd, command.stop_s
            if skips:
                arms[a].setpoint.command(command.q, command.qd, command.stop_s, now_ns + MS)
            else:
                arms[a].q = track.q[k]
            if track.follows[k]:
                track.excess[k] = np.linalg.norm(told.p_desired_world - told.T_world_tip[:3, 3])
                if hands[a].mode == "press" and hands[a].left == 0:
                    track.pressed.append(k)
    return Episode(plan, regions, tracks)


def _routine(controller: Controller, k: int) -> list[Request]:
    """What a user does to get the arm to follow, again after a fault."""
    if k == 2 or (controller.operating.state is Operating.DISABLED and k % 100 == 50):
        return [Request(id=1, op="enable")]
    if k == 70:
        return [Request(id=1, op="engage")]
    if controller.operating.state is Operating.FAULT and k % 100 == 0:
        return [Request(id=1, op="reset_fault")]
    return []


def _come_and_go(
    plan: Plan,
    rng: np.random.Generator,
    regions: list[Region],
    index: dict[str, int],
    controller: Controller,
    t: float,
) -> list[Request]:
    """Put a region on or near the tool, or take one away."""
    table: dict[str, Any] = dict(plan.later[int(rng.integers(len(plan.later)))])
    name = table["name"]
    if name in index:
        regions[index.pop(name)].until_s = t
        return [Request(id=1, op="remove_fixture", args={"name": name})]
    if len(regions) > 40:
        return []
    tip = controller.pairs[0].motion.p_world_tip
    position = tip + rng.normal(0, 0.006, 3)
    table["pose"] = {**table["pose"], "position_m": [float(x) for x in position]}
    region = Region.of(table)
    region.since_s = t
    index[name] = len(regions)
    regions.append(region)
    return [Request(id=1, op="set_fixture", args={"fixture": table})]
