"""Every fault on every stream, at rest, in free motion and in contact: as a table in the docs and as a page.

python -m hil_tests.fault_matrix --docs docs/fault-matrix.md --html fault-matrix.html
python -m hil_tests.fault_matrix --only "outage" --stream servo_jp --part outage.json
python -m hil_tests.fault_matrix --merge a.json b.json --docs docs/fault-matrix.md
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path

import msgpack
import numpy as np
import zmq

from hil_tests.fault_tables import html, markdown, merge_parts, row, summary, write_part
from hil_tests.faults import (
    CONDITIONS,
    NETWORK_FAULTS,
    STREAMS,
    NetworkFault,
    Outcome,
    hand_motion,
)
from hil_tests.judge import judge
from hil_tests.stack import Stack, running_stack
from teleop.supervisor.child import tethered

START = np.array([0.0, 0.0, -0.1135])
"""Where the tip begins, m: 14 mm above the floor, where homing leaves it."""

_BEFORE_S, _AFTER_S, _TRIES = 0.7, 0.4, 4

Scenario = tuple[Outcome, Callable[[Stack], None]]


class NotReached(AssertionError):
    """The machine was too busy for the stack to follow undisturbed, so that the fault was not tried."""


def kill_controller(stack: Stack) -> None:
    stack.signal("controller", signal.SIGKILL)
    stack.run(0.3)
    stack.start("controller")
    stack.run(
        120.0, until=lambda: bool(stack.notes.ticks) and time.monotonic() - stack.notes.ticks[-1].at_s < 0.05
    )


def kill_arm(stack: Stack) -> None:
    stack.signal("arm", signal.SIGKILL)
    stack.run(0.3)
    stack.start("arm")
    session = stack.now.m["session"] if stack.now else b""
    stack.run(60.0, until=lambda: stack.now is not None and stack.now.m["session"] != session)


def kill_master(stack: Stack) -> None:
    stack.hand_silent = True
    stack.run(0.5)
    stack.new_hand()
    stack.hand_silent = False


def stop_controller(stack: Stack) -> None:
    stack.signal("controller", signal.SIGSTOP)
    stack.run(5.0)
    stack.signal("controller", signal.SIGCONT)
    stack.run(0.3)


def stop_arm(stack: Stack) -> None:
    stack.signal("arm", signal.SIGSTOP)
    stack.run(5.0)
    stack.signal("arm", signal.SIGCONT)
    stack.run(0.3)


def stop_master(stack: Stack) -> None:
    stack.hand_silent = True
    stack.run(5.0)
    stack.hand_silent = False


def estop_arm(stack: Stack) -> None:
    stack.estop("arm")
    stack.run(0.5)


def estop_controller(stack: Stack) -> None:
    stack.estop("controller")
    stack.run(0.5)


@contextmanager
def _burning() -> Iterator[None]:
    burn = tethered([sys.executable, "-c", "while True: pass"])
    hogs = [subprocess.Popen(burn) for _ in range(os.cpu_count() or 2)]
    try:
        yield
    finally:
        for hog in hogs:
            hog.kill()
            hog.wait()


def full_load(stack: Stack) -> None:
    with _burning():
        stack.run(3.0)


def never_read(stack: Stack) -> None:
    context = zmq.Context()
    deaf = context.socket(zmq.SUB)
    deaf.setsockopt(zmq.RCVHWM, 1)
    deaf.subscribe(b"")
    deaf.connect(f"ipc://{stack.folder}/controller.telemetry")
    asker = context.socket(zmq.DEALER)
    asker.connect(f"ipc://{stack.folder}/controller.request")
    for k in range(1500):
        asker.send(msgpack.packb({"id": k, "op": "get_state", "args": {}}))
        stack.run(0.001)
    context.destroy(linger=0)


def malformed(stack: Stack) -> None:
    context = zmq.Context()
    sockets = []
    arm, own = stack.real, f"ipc://{stack.folder}/controller"
    for kind, address in (
        (zmq.PUB, f"{arm}.servo_jp"),
        (zmq.DEALER, f"{arm}.request"),
        (zmq.PUSH, f"{arm}.estop"),
        (zmq.DEALER, f"{own}.request"),
        (zmq.PUSH, f"{own}.estop"),
    ):
        socket = context.socket(kind)
        socket.setsockopt(zmq.LINGER, 0)
        socket.connect(address)
        sockets.append(socket)
    for k in range(2000):
        data = (b"\xc1", b"\x91" * 500, msgpack.packb({"schema": 2}), os.urandom(300))[k % 4]
        for socket in sockets:
            try:
                socket.send(data, zmq.NOBLOCK)
            except zmq.Again:
                continue
        stack.run(0.001)
    context.destroy(linger=0)


def connects(stack: Stack) -> None:
    context = zmq.Context()
    addresses = [f"{stack.real}.request", f"ipc://{stack.folder}/controller.request"]
    for k in range(400):
        socket = context.socket(zmq.DEALER)
        socket.setsockopt(zmq.LINGER, 0)
        socket.connect(addresses[k % 2])
        stack.run(0.005)
        socket.close()
    context.destroy(linger=0)


# -- one scenario --------------------------------------------------------------------------------------------


def try_fault(stack: Stack, outcome: Outcome, do: Callable[[Stack], None]) -> Outcome:
    """Bring the stack into the condition, do it, and see how it comes back."""
    go_on = stack.run
    for _ in range(_TRIES):
        stack.follow()
        for _ in range(3):  # the tip goes back to where every scenario begins, also after the hand was let go
            stack.lead_tip(START)
            stack.follow()
        motion = hand_motion(outcome.condition, stack.hand_p.copy())
        origin = time.monotonic()
        stack.forget()
        stack.run(_BEFORE_S, lambda t, motion=motion: motion(t))  # type: ignore[misc]
        if stack.following and (outcome.condition != "contact" or stack.touches):
            break
    else:
        raise NotReached(f"the condition was not reached in {_TRIES} tries: {stack.notes.states()}")

    def run(seconds: float, hand: object = None, **keys: object) -> bool:
        # Whoever waits, the hand goes on with its motion.
        return go_on(seconds, lambda _: motion(time.monotonic() - origin), **keys)

    stack.run = run  # type: ignore[assignment, method-assign]
    try:
        fault_s = time.monotonic()
        do(stack)
        stack.run(_AFTER_S)
        if stack.newest is not None:
            pair = stack.newest.pair
            reason = "" if pair["reason"] == "none" else f": {pair['reason']}"
            outcome.ended = pair["teleop_state"] + reason
        before = len(stack.notes.asked)
        try:
            outcome.recovered_s = 0.0 if stack.following else stack.follow()
        except AssertionError as error:
            outcome.wrong.append(str(error))
        asked = [op for _, op in stack.notes.asked[before:]]
        outcome.recovered = " ".join(dict.fromkeys(asked)) or "by itself"
        stack.run(0.2)
    finally:
        stack.run = go_on  # type: ignore[method-assign]
    dead = [name for name, living in stack.alive().items() if not living]
    if dead:
        outcome.wrong.append(f"ended: {', '.join(dead)}")
    outcome.notes, outcome.begin_s = stack.cut(), fault_s
    return outcome


def network(fault: NetworkFault, stream: str, role: str) -> Callable[[Stack], None]:
    def do(stack: Stack) -> None:
        stack.impair(role, (stream,), for_s=fault.seconds, **fault.impair)
        stack.run(fault.seconds)

    return do


def scenarios(only: str, stream: str, conditions: tuple[str, ...]) -> Iterator[Scenario]:
    """All of them, filtered."""
    for fault in NETWORK_FAULTS:
        for name, role in STREAMS:
            for condition in conditions:
                if only in fault.name and stream in name:
                    yield Outcome(fault.name, name, condition), network(fault, name, role)
    for label, victim, do in PROCESS_FAULTS:
        for condition in conditions:
            if only in label and stream in victim:
                yield Outcome(label, victim, condition), do


PROCESS_FAULTS: tuple[tuple[str, str, Callable[[Stack], None]], ...] = (
    ("kill -9", "controller", kill_controller),
    ("kill -9", "arm driver", kill_arm),
    ("kill -9", "master", kill_master),
    ("SIGSTOP 5 s", "controller", stop_controller),
    ("SIGSTOP 5 s", "arm driver", stop_arm),
    ("SIGSTOP 5 s", "master", stop_master),
    ("e-stop", "arm driver", estop_arm),
    ("e-stop", "controller", estop_controller),
    ("all processors busy, 3 s", "everybody", full_load),
    ("clients that never read", "controller", never_read),
    ("1000 malformed messages a second on each socket", "controller and arm", malformed),
    ("200 connects a second", "controller and arm", connects),
)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--docs", type=Path)
    parser.add_argument("--html", type=Path)
    parser.add_argument("--only", default="", help="faults whose name contains this")
    parser.add_argument("--stream", default="", help="streams or processes whose name contains this")
    parser.add_argument("--condition", choices=CONDITIONS, action="append")
    parser.add_argument("--minutes", type=float, default=60.0, help="try no further ones after this long")
    parser.add_argument("--part", type=Path, help="write what was found here, for --merge")
    parser.add_argument("--merge", type=Path, nargs="+", help="try nothing: tables of these parts")
    args = parser.parse_args()
    if args.merge:
        outcomes, seconds = merge_parts(args.merge)
    else:
        chosen = list(scenarios(args.only, args.stream, tuple(args.condition or CONDITIONS)))
        outcomes, seconds = try_all(chosen, args.minutes)
    print(summary(outcomes))
    if args.part:
        write_part(args.part, outcomes, seconds)
    if args.docs:
        every = {(o.fault, o.stream, o.condition): o for o, _ in scenarios("", "", CONDITIONS)}
        tried = {(o.fault, o.stream, o.condition): o for o in outcomes}  # the last of several tells
        outcomes = [tried[key] for key in every if key in tried]
        left = [o for key, o in every.items() if key not in tried]
        args.docs.write_text(markdown(outcomes, seconds, left), encoding="utf-8")
    if args.html:
        args.html.write_text(html(outcomes), encoding="utf-8")
    return 1 if any(o.wrong for o in outcomes) else 0


def try_all(chosen: list[Scenario], minutes: float) -> tuple[list[Outcome], float]:
    """Try each of them; what became of them, judged, and how long it took, s.

    A stack for each place of the proxy: one that has nothing to do would only take the others' processor.
    """
    outcomes: list[Outcome] = []
    begin = time.monotonic()
    end = begin + 60.0 * minutes
    print(f"{len(chosen)} scenarios", flush=True)

    def role(scenario: Scenario) -> str:
        return dict(STREAMS).get(scenario[0].stream, "")

    for proxy, some in groupby(sorted(chosen, key=role), key=role):
        if time.monotonic() < end:
            outcomes += _try_on_a_stack([proxy] if proxy else [], list(some), end)
    return outcomes, time.monotonic() - begin


def _try_on_a_stack(proxies: list[str], some: list[Scenario], end: float) -> list[Outcome]:
    """Try them one after the other until ``end``; those whose condition was not reached are not told."""
    tried: list[Outcome] = []
    with (
        tempfile.TemporaryDirectory(prefix="trocar-faults-") as folder,
        running_stack(Path(folder), impaired=proxies) as stack,
    ):
        for outcome, do in some:
            if time.monotonic() > end:
                print("out of time: the rest is not tried", flush=True)
                break
            try:
                tried.append(try_fault(stack, outcome, do))
                told = outcome.ended
            except NotReached as error:
                told = str(error)
            except AssertionError as error:
                outcome.wrong.append(str(error))
                tried.append(outcome)
                told = str(error)
            print(f"{outcome.fault} | {outcome.stream} | {outcome.condition} | {told}", flush=True)
    # Judged when nothing runs any more: at real-time priority it would be a fault of its own.
    for outcome in tried:
        judge(stack, outcome)
        print(" | ".join(row(outcome)), flush=True)
    return tried


if __name__ == "__main__":
    sys.exit(main())
