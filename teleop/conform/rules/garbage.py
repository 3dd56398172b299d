"""Bytes that are no message, commands that nobody may send, clients that do not read."""

from __future__ import annotations

import itertools
import os

import msgspec
import numpy as np

from teleop.conform.bench import Bench
from teleop.conform.rule import Finding, Needs, rule, verdict

_encode = msgspec.msgpack.Encoder().encode


def _nonsense() -> list[bytes]:
    """What fuzzers find first: no MessagePack, the wrong shape, the wrong types, depth, size."""
    deep = b"\x91" * 2000 + b"\xc0"
    return [
        *(b"", b"\xc1", b"\x00" * 100, os.urandom(200), deep),
        *map(_encode, ([1, 2], "servo", None, {}, {"schema": 1}, {"q": None}, {"schema": "1", "q": "x"})),
        _encode({1: 2, "schema": 1}),
        os.urandom(60_000),
    ]


@rule(
    "garbage.commands",
    "bytes that are no command are counted and nothing else",
    demanded="state goes on, the arm stays where it is, `rejected` grows",
    why="Any program can reach a socket; none may crash what holds a tool inside a patient.",
    needs=Needs.WIRE,
)
def commands(bench: Bench) -> Finding:
    """Nonsense, and real commands with another schema or stream, to the command socket."""
    probe = bench.probe
    bench.acquire()
    probe.cut()
    before = bench.state.m
    good = bench.command("SERVO", q=bench.q_start, lease=bench.lease)
    queue = [*_nonsense(), _encode({**good, "schema": 2}), _encode({**good, "stream": "other/servo_jp"})]
    for data in [*queue, *queue]:
        probe.commander.send_raw(data)
        probe.pump(0.004)
    probe.pump(0.1)
    after = bench.state.m
    more = _rejected(after) - _rejected(before)
    moved = float(np.max(np.abs(np.array(after["q"]) - before["q"])))
    alive = after["seq"] - before["seq"] > 20 and after["session"] == before["session"]
    bench.release()
    good_end = alive and after.get("state") == "DISABLED" and moved < 1e-3 and more > 0
    return verdict(
        good_end, f"{more} counted, {'alive' if alive else 'NO STATE ANY MORE'}, moved {moved:.1e}"
    )


def _rejected(m: dict[str, object]) -> int:
    counts = m.get("rejected")
    return sum(c for c in counts.values() if isinstance(c, int)) if isinstance(counts, dict) else 0


@rule(
    "garbage.requests",
    "bytes that are no request do not keep others from being answered",
    demanded="an unknown operation refused with a sentence; get_info answered within 100 ms afterwards",
    why="A request that hangs is an arm that cannot be disabled.",
    needs=Needs.WIRE,
)
def requests(bench: Bench) -> Finding:
    """Nonsense, unknown operations and wrong arguments from one client, then a question from another."""
    probe = bench.probe
    bad, good = probe.new_client(), probe.new_client()
    unknown = probe.ask("open_the_pod_bay_doors", client=bad)
    for data in _nonsense():
        bad.send_raw(data)
    wrong: tuple[object, ...] = (None, 7, [], {"session": 5})
    for args in wrong:
        bad.send_raw(_encode({"id": 1, "op": "acquire", "args": args}))
    number = good.send("get_info")
    begin = probe.newest
    answered = probe.pump(
        0.5, until=lambda: (got := good.receive(number)) is not None and bool(got.get("ok"))
    )
    refused = unknown.get("ok") is False and bool(unknown.get("error"))
    alive = begin is not None and bench.state.m["session"] == begin.m["session"]
    text = f"unknown operation {'refused' if refused else unknown}; "
    text += f"get_info {'answered' if answered else 'NOT answered'}"
    return verdict(refused and answered and alive, text)


@rule(
    "garbage.not_reading",
    "a client that never reads its answers harms nobody",
    demanded="500 questions unread: state goes on at its rate, another client is answered",
    why="A console that hangs must not take the arm with it.",
    needs=Needs.WIRE,
)
def not_reading(bench: Bench) -> Finding:
    """Flood with questions and never read."""
    probe = bench.probe
    deaf = probe.new_client()
    probe.cut()
    for k in range(500):
        deaf.send("get_info")
        if k % 10 == 0:
            probe.pump(0.002)
    probe.pump(0.3)
    states = [s.m for s in probe.log.states]
    longest = max(
        ((b["stamp_ns"] - a["stamp_ns"]) * 1e-6 for a, b in itertools.pairwise(states)),
        default=1e9,
    )
    reply = probe.ask("get_info", client=probe.new_client())
    return verdict(
        bool(reply.get("ok")) and longest < 20.0,
        f"longest pause of the state {longest:.1f} ms; "
        f"another client {'answered' if reply.get('ok') else 'NOT answered'}",
    )


@rule(
    "garbage.disabled",
    "a disabled arm executes nothing",
    demanded="SERVO under a good lease while DISABLED: no echo, no motion, still DISABLED",
    why="An arm that moves without having been enabled moves when nobody expects it.",
    needs=Needs.WIRE,
)
def disabled(bench: Bench) -> Finding:
    """SERVO at the place where the arm is, so that also a bad driver has nowhere to go."""
    probe = bench.probe
    bench.acquire()
    probe.cut()
    echo = bench.state.m.get("echo_seq")
    probe.pump(0.2, lambda _: bench.command("SERVO"))
    m = bench.state.m
    bench.release()
    good = m.get("state") == "DISABLED" and m.get("echo_seq") == echo
    return verdict(good, f"state {m.get('state')}, echo_seq {echo} -> {m.get('echo_seq')}")


@rule(
    "garbage.not_finite",
    "NaN and infinity to a disabled arm leave its state finite",
    demanded="q and qd published stay finite, DISABLED, no echo",
    why="One NaN in a filter or a setpoint stays there until the arm is powered, and shows then.",
    needs=Needs.WIRE,
)
def not_finite(bench: Bench) -> Finding:
    """NaN and infinity in each number, with the drives off."""
    probe = bench.probe
    bench.acquire()
    echo = bench.state.m.get("echo_seq")
    for bad in (float("nan"), float("inf"), -float("inf")):
        for key in ("q", "qd"):
            probe.send({**bench.command("SERVO"), key: [bad] * bench.n})
            probe.pump(0.003)
        for key in ("stop_s", "jaw_rad", "ttl_ms"):
            probe.send({**bench.command("SERVO"), key: bad})
            probe.pump(0.003)
    probe.pump(0.05)
    m = bench.state.m
    bench.release()
    finite = bool(np.isfinite(np.array([*m["q"], *m["qd"]], dtype=float)).all())
    good = finite and m.get("state") == "DISABLED" and m.get("echo_seq") == echo
    return verdict(
        good, f"state {m.get('state')}, {'finite' if finite else 'NOT FINITE'}, echo_seq {m.get('echo_seq')}"
    )


RULES = (commands, requests, not_reading, disabled, not_finite)
