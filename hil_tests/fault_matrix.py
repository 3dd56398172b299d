"""Every fault on every stream, at rest, in free motion and in contact: as a table in the docs and as a page.

python -m hil_tests.fault_matrix --docs docs/fault-matrix.md --html fault-matrix.html
python -m hil_tests.fault_matrix --only "outage" --stream servo_jp
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgpack
import numpy as np
import zmq

from hil_tests.faults import (
    CONDITIONS,
    NETWORK_FAULTS,
    STREAMS,
    NetworkFault,
    Outcome,
    hand_motion,
    judge,
)
from hil_tests.stack import Stack, running_stack
from teleop.conform.page import Section, page

START = np.array([0.0, 0.0, -0.1135])
"""Where the tip begins, m: 14 mm above the floor, where homing leaves it."""

_BEFORE_S, _AFTER_S = 0.7, 0.4
HEAD = (
    *("fault", "stream or process", "condition", "detected", "by", "step", "arm step", "speed", "commands"),
    *("arm", "state after it", "way back", "verdict"),
)


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
    hogs = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(os.cpu_count() or 2)]
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
    stack.follow()
    for _ in range(3):  # the tip goes back to where every scenario begins, also after the hand was let go
        stack.lead_tip(START)
        stack.follow()
    begin = stack.hand_p.copy()
    motion = hand_motion(outcome.condition, begin)
    origin = time.monotonic()
    go_on = stack.run

    def run(seconds: float, hand: object = None, **keys: object) -> bool:
        # Whoever waits, the hand goes on with its motion.
        return go_on(seconds, lambda _: motion(time.monotonic() - origin), **keys)

    stack.run = run  # type: ignore[assignment, method-assign]
    try:
        stack.cut()
        stack.run(_BEFORE_S)
        if not stack.following:
            stack.follow()
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


def scenarios(
    only: str, stream: str, conditions: tuple[str, ...]
) -> Iterator[tuple[Outcome, Callable[[Stack], None]]]:
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


# -- tables --------------------------------------------------------------------------------------------------


def length(um: float) -> str:
    return f"{um / 1e3:.2f} mm" if abs(um) >= 1e3 else f"{um:.1f} um"


def row(o: Outcome) -> tuple[str, ...]:
    detected = "-" if o.detected_ms is None else f"{max(o.detected_ms, 0.0):.0f} ms"
    back = o.recovered if not o.recovered_s else f"{o.recovered}, {o.recovered_s:.1f} s"
    return (
        *(o.fault, o.stream, o.condition, detected, o.detected_by),
        *(
            f"{o.step:.2f}",
            f"{max(o.measured_step, 0.0):.2f}",
            f"{o.speed_mm_s:.0f} mm/s",
            length(o.commanded_um),
            length(o.clearance_um),
        ),
        *(o.ended, back, "; ".join(o.wrong) or "pass"),
    )


def summary(outcomes: list[Outcome]) -> str:
    bad = sum(bool(o.wrong) for o in outcomes)
    commanded = min((o.commanded_um for o in outcomes), default=0.0)
    measured = min((o.clearance_um for o in outcomes), default=0.0)
    step, arm = (
        max((o.step for o in outcomes), default=0.0),
        max((o.measured_step for o in outcomes), default=0.0),
    )
    return (
        f"{len(outcomes)} scenarios, {bad} failed. Smallest clearance of a command {commanded:.1f} um, "
        f"of the measured arm {measured:.1f} um; greatest step of a command {step:.2f}, "
        f"of the arm {arm:.2f} of the limit."
    )


INTRO = """# What faults do

Made by `make fault-matrix`; do not edit. Each row is one fault of a running stack: controller, simulated PSM,
a hand, a `trocar impair` before the arm and one before the hand, all in processes of their own over `ipc`.

{summary} Taken in {minutes:.0f} minutes on {processors} processors shared with other work.

- **detected**: from the beginning of the fault until the controller or the arm driver says so; `-`: nobody
  did, because nothing that matters was lost.
- **step**, **arm step**: greatest step of a command, and of the measured arm, in units of the velocity
  limit times the time it took. A command above 1, or an arm above 1.25 (headroom of its servo), fails.
- **commands**, **arm**: smallest distance from the forbidden floor, by plain formulas from the joint
  positions that were commanded, and from those that the arm published itself. Commands fail below -1 um
  (an arm enabled anew begins where its encoders say), the arm below -20 um (its servo and encoders).
- **way back**: what the operator had to send, and the time until the arm followed again.
- contact: the hand presses some 15 mm into the floor and slides; free: a circle of 8 mm at 0.8 Hz.

"""


def markdown(outcomes: list[Outcome], seconds: float) -> str:
    intro = INTRO.format(summary=summary(outcomes), minutes=seconds / 60.0, processors=os.cpu_count())
    rows = [HEAD, ("---",) * len(HEAD), *map(row, outcomes)]
    return intro + "".join("| " + " | ".join(cell.replace("|", "/") for cell in r) + " |\n" for r in rows)


def html(outcomes: list[Outcome]) -> str:
    sections = [Section("All", HEAD, tuple(row(o) for o in outcomes), text=summary(outcomes))]
    worth = [o for o in outcomes if o.plot is not None and (o.wrong or o.condition != "rest")]
    sections.append(Section("Pictures", plots=tuple(o.plot for o in worth if o.plot is not None)))
    return page("Fault matrix", "each fault x each stream x rest, free motion, contact", sections)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--docs", type=Path)
    parser.add_argument("--html", type=Path)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--only", default="", help="faults whose name contains this")
    parser.add_argument("--stream", default="", help="streams or processes whose name contains this")
    parser.add_argument("--condition", choices=CONDITIONS, action="append")
    parser.add_argument("--minutes", type=float, default=60.0, help="try no further ones after this long")
    args = parser.parse_args()
    chosen = list(scenarios(args.only, args.stream, tuple(args.condition or CONDITIONS)))
    outcomes: list[Outcome] = []
    begin = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="trocar-faults-") as folder, running_stack(Path(folder)) as stack:
        print(f"{len(chosen)} scenarios", flush=True)
        for outcome, do in chosen:
            try:
                outcomes.append(try_fault(stack, outcome, do))
            except AssertionError as error:
                outcome.wrong.append(str(error))
                outcomes.append(outcome)
            print(f"{outcome.fault} | {outcome.stream} | {outcome.condition} | {outcome.ended}", flush=True)
            if time.monotonic() - begin > 60.0 * args.minutes:
                print("out of time: the rest is not tried", flush=True)
                break
        seconds = time.monotonic() - begin
        model = stack
    # Judged when nothing runs any more: at real-time priority it would be a fault of its own.
    for outcome in outcomes:
        judge(model, outcome)
        print(" | ".join(row(outcome)), flush=True)
    print(summary(outcomes))
    if args.json:
        args.json.write_text(json.dumps([list(row(o)) for o in outcomes], indent=1), encoding="utf-8")
    if args.docs:
        args.docs.write_text(markdown(outcomes, seconds), encoding="utf-8")
    if args.html:
        args.html.write_text(html(outcomes), encoding="utf-8")
    return 1 if any(o.wrong for o in outcomes) else 0


if __name__ == "__main__":
    sys.exit(main())
