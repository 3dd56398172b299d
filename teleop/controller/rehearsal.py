"""A short run of the controller on made-up inputs, so that all is compiled before the loop starts."""

from __future__ import annotations

import math
import os
import signal
from contextlib import suppress
from dataclasses import replace
from multiprocessing import get_context

import numpy as np
from pydantic import TypeAdapter

from fixtures.spec import AnyFixture
from fixtures.warm_up import is_compiled
from teleop.config.schema import RATE_HZ
from teleop.config.session import Session
from teleop.controller.build import build_controller, place_arm
from teleop.controller.controller import Controller
from teleop.controller.pair import Pair
from teleop.controller.types import ControllerInputs, PairInputs
from teleop.safety.states import Teleop
from teleop.supervisor.tether import die_with_parent
from teleop.wire.messages import MeasuredCp, MeasuredJs, Reply, Request, Signal

_OWN = bytes(16)
_PERIOD_NS = round(1e9 / RATE_HZ)
_TICKS = 2500
_BELOW_M = 2e-3
_fixture: TypeAdapter[AnyFixture] = TypeAdapter(AnyFixture)


class _ObedientArm:
    """An arm that grants everything and is always where it was told to be."""

    def __init__(self, pair: Pair) -> None:
        self.q = np.array(pair.arm.home)
        self.state = "DISABLED"
        self.seq = 0

    def answer(self, request: Request) -> Reply:
        if request.op == "enable":
            self.state = "ENABLED"
        result = {"lease": b"rehearsal", "ttl_s": 1.0} if request.op == "acquire" else None
        return Reply(id=request.id, ok=True, result=result)

    def measured(self, now_ns: int) -> MeasuredJs:
        self.seq += 1
        return MeasuredJs(
            schema=1,
            stream="",
            session=_OWN,
            seq=self.seq,
            stamp_ns=now_ns,
            q=self.q.tolist(),
            qd=[0.0] * len(self.q),
            state=self.state,
            is_homed=True,
            is_busy=False,
        )


def _hand(seq: int, now_ns: int) -> MeasuredCp:
    """A hand that sways by some millimetres and turns a little; its clutch is pressed now and then."""
    t = seq / RATE_HZ
    half = 0.05 * math.sin(9.0 * t)
    signal = Signal(True, now_ns)
    return MeasuredCp(
        schema=1,
        stream="",
        session=_OWN,
        seq=seq,
        stamp_ns=now_ns,
        p_m=[0.01 * math.sin(7.0 * t), 0.01 * math.sin(5.0 * t), 0.01 * math.sin(11.0 * t)],
        quat_xyzw=[math.sin(half), 0.0, 0.0, math.cos(half)],
        gripper_rad=0.3,
        valid=True,
        present=signal,
        clutch=Signal(seq % 200 < 20, now_ns),
    )


def play(controller: Controller, ticks: int) -> int:
    """Step a controller through enabling, following, clutching and pausing on made-up inputs.

    Args:
        controller: a new one; it is of no use afterwards.
        ticks: how many.

    Returns:
        In how many of them an arm followed, over all pairs.
    """
    arms = [_ObedientArm(pair) for pair in controller.pairs]
    replies: list[tuple[Reply, ...]] = [() for _ in arms]
    asked = {2: "enable", 60: "engage", ticks - 20: "pause", ticks - 2: "get_state"}
    followed = 0
    for tick in range(1, ticks):
        now_ns = tick * _PERIOD_NS
        requests = ((tick, Request(id=tick, op=asked[tick])),) if tick in asked else ()
        pairs = tuple(
            PairInputs(_hand(tick, now_ns), arm.measured(now_ns), said)
            for arm, said in zip(arms, replies, strict=True)
        )
        out = controller.step(ControllerInputs(now_ns, pairs, requests), 1.0 / RATE_HZ)
        for k, pair in enumerate(out.pairs):
            replies[k] = tuple(arms[k].answer(request) for request in pair.arm_requests)
            followed += pair.teleop is Teleop.FOLLOWING
            if pair.command is not None:
                arms[k].q[:] = pair.command.q
    return followed


def with_a_floor(session: Session) -> Session:
    """The session with a floor close under its arms, as somebody may add one while it runs."""
    arms = [place_arm(pair.arm, spec) for pair, spec in zip(session.spec.pairs, session.arms, strict=True)]
    low = min(float((arm.at(arm.home).centers[:, 2] - arm.bodies.radii).min()) for arm in arms)
    half_space = {"shape": "half_space", "normal": [0.0, 0.0, 1.0], "point_m": [0.0, 0.0, low - _BELOW_M]}
    floor = _fixture.validate_python({"kind": "forbidden", "name": "floor", "geometry": half_space})
    return replace(session, fixtures=((floor, session.path.parent),))


def _play_with_a_floor(session: Session) -> None:
    play(build_controller(with_a_floor(session), _OWN), _TICKS // 4)


def _compile_on_two_processors(session: Session) -> None:
    """Play without and with a fixture at the same time, so that both processes share the compiling.

    The kernels for fixtures are about half of all. What one process has compiled, the other finds on disk;
    what fails in the helper, this process meets again and reports.
    """
    helper = get_context("fork").Process(target=_help, args=(session, os.getpid()), daemon=True)
    helper.start()
    play(build_controller(replace(session, fixtures=()), _OWN), _TICKS // 4)
    helper.join()


def _help(session: Session, parent: int) -> None:
    die_with_parent(parent)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends this process
    with suppress(Exception):
        _play_with_a_floor(session)


def rehearse(session: Session) -> None:
    """Run a throw-away controller of the session for a few thousand ticks.

    On the first start on a machine that compiles all kernels, for the better part of a minute.

    Raises:
        RuntimeError: it hardly followed, so the loop would meet code for the first time.
    """
    if not is_compiled():
        _compile_on_two_processors(session)
    controller = build_controller(session, _OWN)
    if not session.fixtures:
        # The first fixture may come while the loop runs, and compiling takes tens of seconds.
        _play_with_a_floor(session)
    if play(controller, _TICKS) < _TICKS // 4:
        reasons = ", ".join(f"{p.name}: {p.machine.reason.sentence}" for p in controller.pairs)
        raise RuntimeError(f"the rehearsal before the loop did not follow its hand ({reasons})")
