"""A whole stack of real processes, steered from one loop: the hand, the operator and the saboteur.

The controller is the real one; the arm is the rig's; a ``trocar impair`` stands before the arm and another
before the hand. The hand itself, the operator's requests, the clock and the notes are in this process, which
is the only one that sees both what the controller says and what the arm really did.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import zmq

from hil_tests.notes import KEPT_STATE, KEPT_TICK, Attic, Notes, Seen, Tick
from hil_tests.remedies import REMEDY
from hil_tests.under_test import ROOT
from kinematics.arm import ArmModel
from teleop.config import load_session
from teleop.conform.punctual import punctual
from teleop.controller.build import place_arm
from teleop.supervisor.child import tethered

FLOOR_M = -0.140
"""Height of the forbidden half space; the tool's lowest body stands about 10 mm above it after homing."""
SERVO_M = 1e-4
"""Margin of that fixture: how far the simulated arm may be from its command. The jump from the stop to the
first command after some were lost saturates its motors, one joint and not the other: 6 um were measured."""

_START_S = 300.0
_PERIOD_S = 1e-3
_encode, _decode = msgspec.msgpack.Encoder().encode, msgspec.msgpack.Decoder().decode

Hand = Callable[[float], np.ndarray]
"""Position of the hand, m, at a time of the loop, s."""

# Six real-time processes on two processors: nobody spins, or ordinary work starves until the kernel stops us.
SESSION = """
name = "hil"
[loop]
spin_us = 0
[[pairs]]
name = "right"
[pairs.master]
name = "hand"
external = true
endpoint = "ipc://{folder}/hand-far"
[pairs.arm]
name = "{arm}"
profile = "{profile}"
endpoint = "{far}"
external = true
[pairs.mapping]
scale = 1.0
orientation = "locked"
{filter}
[[fixture]]
kind = "forbidden"
name = "floor"
geometry = {{ shape = "half_space", normal = [0.0, 0.0, 1.0], point_m = [0.0, 0.0, {floor}] }}
margin = {{ servo_m = {servo} }}
"""


class Stack:
    """The processes and the loop. Use :func:`running_stack`.

    Attributes:
        notes: what happened since :meth:`cut`.
        q_min: joint limits of the arm, shape (n,).
        q_max: likewise.
        qd_max: velocity limits of the arm, shape (n,).
    """

    def __init__(
        self, folder: Path, *, profile: str = "psm_lnd_400006", arm: str = "PSM1", real: str | None = None,
        tremor_filter: bool = True, impaired: Collection[str] = ("arm", "master"),
    ) -> None:  # fmt: skip
        self.folder, self.arm_name = folder, arm
        self.own_arm = real is None
        self.real = real or f"ipc://{folder}/{arm}"
        far = f"ipc://{folder}/{arm}-far" if "arm" in impaired else self.real
        hand = "hand" if "master" in impaired else "hand-far"
        self.session = folder / "session.toml"
        self.session.write_text(
            SESSION.format(
                folder=folder, arm=arm, profile=profile, far=far, floor=FLOOR_M, servo=SERVO_M,
                filter="" if tremor_filter else '[pairs.filter]\nkind = "none"',
            )
        )  # fmt: skip
        session = load_session(self.session)
        self.model: ArmModel = place_arm(session.spec.pairs[0].arm, session.arms[0])
        limits = self.model.limits
        self.q_min, self.q_max = np.array(limits.q_min), np.array(limits.q_max)
        self.qd_max = np.array(limits.qd_max)
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.log = (folder / "log.txt").open("ab")
        self.context = zmq.Context()
        self.control: dict[str, zmq.Socket[bytes]] = {}
        self.notes = Notes()
        self._attic = Attic()
        self.newest: Tick | None = None
        self.now: Seen | None = None
        self.hand_session, self.hand_seq = os.urandom(16), 0
        self.hand_p = np.zeros(3)
        self.hand_silent = False
        self._ask_id, self._not_before_s = 0, 0.0
        self.clearance(np.array(self.model.home))  # compiled before anything is timed
        self._poses = self._socket(zmq.PUB, bind=f"ipc://{folder}/{hand}.measured_cp")
        self._forces = self._socket(zmq.SUB, bind=f"ipc://{folder}/{hand}.servo_cf")
        self._telemetry = self._socket(zmq.SUB, connect=f"ipc://{folder}/controller.telemetry")
        self._states = self._socket(zmq.SUB, connect=f"{self._arm_address('measured_js')}")
        self._requests = self._socket(zmq.DEALER, connect=f"ipc://{folder}/controller.request")
        if self.own_arm:
            self.start("arm")
        self.start("controller")
        if "arm" in impaired:
            self._start_proxy("arm", self.real, far)
        if "master" in impaired:
            self._start_proxy("master", f"ipc://{folder}/hand", f"ipc://{folder}/hand-far")

    # -- processes -------------------------------------------------------------------------------------

    def _spawn(self, name: str, *words: str) -> None:
        self.processes[name] = subprocess.Popen(
            tethered([sys.executable, "-m", "teleop", *words]), stdout=self.log, stderr=self.log, cwd=ROOT
        )

    def start(self, kind: str) -> None:
        sets = ["--set", f'runtime_dir="{self.folder}"']
        if kind == "arm":
            sets += ["--set", f'pairs[0].arm.endpoint="{self.real}"']
        json_file = ["--json", str(self.folder / "summary.json")] if kind == "controller" else []
        self._spawn(kind, kind, str(self.session), *sets, *json_file)

    def _start_proxy(self, role: str, real: str, shown: str) -> None:
        address = f"ipc://{self.folder}/{role}.control"
        self._spawn(
            f"proxy {role}", "impair", "--role", role, "--real", real, "--shown", shown, "--control", address
        )
        self.control[role] = self._socket(zmq.REQ, connect=address)

    def signal(self, name: str, number: signal.Signals) -> None:
        process = self.processes[name]
        process.send_signal(number)
        if number is signal.SIGKILL:  # the hand goes on meanwhile: its silence would be the first sign of it
            self.run(10.0, until=lambda: process.poll() is not None)

    def alive(self) -> dict[str, bool]:
        return {name: process.poll() is None for name, process in self.processes.items()}

    def close(self) -> dict[str, Any]:
        """End everything; the controller's summary if it left one."""
        summary: dict[str, Any] = {}
        for name in ("controller", "proxy master", "proxy arm", "arm"):
            process = self.processes.get(name)
            if process is None:
                continue
            with suppress(ProcessLookupError):
                process.send_signal(signal.SIGCONT)
                process.send_signal(signal.SIGINT)
            end = time.monotonic() + 10.0
            while process.poll() is None and time.monotonic() < end:
                self.run(0.05)  # the hand goes on, so that the controller can let the arm go
            if process.poll() is None:
                process.kill()
            process.wait()
        with suppress(OSError, ValueError):
            summary = json.loads((self.folder / "summary.json").read_text())
        self.context.destroy(linger=0)
        self.log.close()
        return summary

    # -- sockets ---------------------------------------------------------------------------------------

    def _socket(self, kind: int, *, bind: str = "", connect: str = "") -> zmq.Socket[bytes]:
        socket = self.context.socket(kind)
        socket.setsockopt(zmq.LINGER, 0)
        socket.setsockopt(zmq.RECONNECT_IVL, 20)
        socket.setsockopt(zmq.RCVHWM, 100_000)
        if kind == zmq.SUB:
            socket.subscribe(b"")
        if bind:
            socket.bind(bind)
        else:
            socket.connect(connect)
        return socket

    def _arm_address(self, stream: str) -> str:
        offset = {"servo_jp": 0, "measured_js": 1, "request": 2, "estop": 3}[stream]
        if self.real.startswith("ipc://"):
            return f"{self.real}.{stream}"
        host, _, port = self.real.rpartition(":")
        return f"{host}:{int(port) + offset}"

    def impair(
        self, role: str, streams: tuple[str, ...] = (), for_s: float | None = None, **impair: Any
    ) -> dict[str, Any]:
        """Change the network before the arm or the hand, for a time; the loop goes on meanwhile."""
        socket = self.control[role]
        socket.send(_encode({"op": "set", "args": {"streams": streams, "impair": impair, "for_s": for_s}}))
        end = time.monotonic() + _START_S
        while not socket.poll(0):
            self.run(0.002)
            if time.monotonic() > end:
                raise AssertionError(f"the proxy of the {role} does not answer")
        reply = _decode(socket.recv())
        assert reply["ok"], reply
        return dict(reply["result"])

    def estop(self, target: str) -> float:
        """Push an e-stop to ``"arm"`` or ``"controller"``; when, s."""
        address = self._arm_address("estop") if target == "arm" else f"ipc://{self.folder}/controller.estop"
        socket = self._socket(zmq.PUSH, connect=address)
        message = {
            "schema": 1,
            "stream": "estop",
            "session": self.hand_session,
            "seq": 0,
            "source": "hil",
            "why": "test",
        }
        socket.send(_encode({**message, "stamp_ns": time.monotonic_ns()}))
        self._extra = socket
        return time.monotonic()

    # -- the loop --------------------------------------------------------------------------------------

    def cut(self) -> Notes:
        """Begin new notes; the old ones are the caller's, who keeps them until the loop has ended."""
        self._drain()
        notes, self.notes = self.notes, Notes()
        return notes

    def forget(self) -> None:
        """Begin new notes; nobody needs the old ones."""
        self._attic.put(self.cut())

    def run(
        self,
        seconds: float,
        hand: Hand | None = None,
        until: Callable[[], bool] | None = None,
        operate: bool = False,
    ) -> bool:
        """Go on for a time: the hand publishes, everything that comes is noted, the operator looks.

        Args:
            seconds: how long, at most.
            hand: where the hand is; it stays if left out.
            until: ends it early.
            operate: do in the operator's place what each reason asks for.
        """
        begin_s = last_s = deadline_s = time.monotonic()
        while True:
            now_s = time.monotonic()
            self.notes.gap_s = max(self.notes.gap_s, now_s - last_s)
            last_s = now_s
            if hand is not None:
                self.hand_p = np.asarray(hand(now_s - begin_s))
            if not self.hand_silent:
                self._publish(now_s)
            self._drain()
            self._attic.sweep()
            if until is not None and until():
                return True
            if now_s - begin_s >= seconds:
                return False
            if operate:
                self._operate(now_s)
            deadline_s = max(deadline_s + _PERIOD_S, now_s)
            time.sleep(max(0.0, deadline_s - time.monotonic()))

    def _publish(self, now_s: float) -> None:
        stamp = round(now_s * 1e9)
        self.notes.hand.append((now_s, self.hand_p.copy()))
        self._poses.send(
            _encode(
                {
                    "schema": 1, "stream": "hand/measured_cp", "session": self.hand_session,
                    "seq": self.hand_seq, "stamp_ns": stamp,
                    "p_m": self.hand_p.tolist(), "quat_xyzw": [0.0, 0.0, 0.0, 1.0],
                    "gripper_rad": 0.3, "valid": True, "present": {"value": True, "stamp_ns": stamp},
                    "clutch": {"value": False, "stamp_ns": stamp},
                }
            )
        )  # fmt: skip
        self.hand_seq += 1

    def new_hand(self) -> None:
        """The master driver restarted: another session, numbers from zero."""
        self.hand_session, self.hand_seq = os.urandom(16), 0

    def _drain(self) -> None:
        while self._telemetry.poll(0):
            m = _decode(self._telemetry.recv())
            self.newest = Tick(
                m["stamp_ns"] * 1e-9,
                m["tick"],
                m["skipped"],
                m["state"],
                {key: m["pairs"][0][key] for key in KEPT_TICK},
                m["compute_us"],
                m["lateness_us"],
            )
            self.notes.ticks.append(self.newest)
        while self._states.poll(0):
            m = _decode(self._states.recv())
            self.now = Seen(m["stamp_ns"] * 1e-9, {key: m[key] for key in KEPT_STATE})
            self.notes.seen.append(self.now)
        while self._forces.poll(0):
            self._forces.recv()
        while self._requests.poll(0):
            self._requests.recv()

    def ask(self, op: str, **args: Any) -> None:
        """Send a request to the controller; the answer is not waited for."""
        self._ask_id += 1
        self.notes.asked.append((time.monotonic(), op))
        with suppress(zmq.Again):
            self._requests.send(_encode({"id": self._ask_id, "op": op, "args": args}), zmq.NOBLOCK)

    def _operate(self, now_s: float) -> None:
        if self.newest is None or now_s < self._not_before_s:
            return
        reason = self.newest.pair["reason"]
        ops = REMEDY.get(reason, ())
        for op in ops:
            self.ask(op)
        if ops:
            self._not_before_s = now_s + 0.25

    @property
    def following(self) -> bool:
        """The controller says so, and said it just now."""
        newest = self.newest
        fresh = newest is not None and time.monotonic() - newest.at_s < 0.2
        return fresh and newest is not None and newest.pair["teleop_state"] == "FOLLOWING"

    @property
    def touches(self) -> bool:
        """The command is at the floor, as the arm's owner would see it: less than a millimetre above."""
        return self.newest is not None and self.clearance(np.array(self.newest.pair["q_command"])) < 1e-3

    def follow(self, timeout_s: float = 20.0) -> float:
        """Operate until it follows; how long that took, s. Raises AssertionError if it does not."""
        begin = time.monotonic()
        if not self.run(timeout_s, until=lambda: self.following, operate=True):
            reason = self.newest.pair["reason"] if self.newest else "no telemetry"
            raise AssertionError(
                f"it does not follow within {timeout_s:g} s: {reason}; alive: {self.alive()}"
            )
        return time.monotonic() - begin

    def lead_tip(self, to: np.ndarray, seconds: float = 0.6) -> None:
        """Move the hand so that the tip comes to ``to``; scale 1 and equal axes make both move alike."""
        if self.newest is None:
            return
        begin = self.hand_p.copy()
        way = to - np.array(self.newest.pair["p_command_m"])

        def hand(t: float) -> np.ndarray:
            s = min(1.0, t / (seconds - 0.1))
            return np.asarray(begin + way * (s**3 * (10.0 - 15.0 * s + 6.0 * s * s)))

        self.run(seconds, hand)

    # -- judging ---------------------------------------------------------------------------------------

    def clearance(self, q: np.ndarray) -> float:
        """Distance of the arm's lowest body from the floor, by plain formulas, m."""
        centers = np.zeros((self.model.bodies.count, 3))
        self.model.sphere_centers(q, centers)
        return float(np.min(centers[:, 2] - self.model.bodies.radii)) - FLOOR_M


@contextmanager
def running_stack(folder: Path, **keys: Any) -> Iterator[Stack]:
    """A stack that follows its hand."""
    stack = Stack(folder, **keys)
    try:
        with punctual():
            stack.follow(_START_S)
            stack.run(0.5)
            yield stack
    finally:
        stack.close()
