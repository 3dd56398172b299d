"""What recording costs a tick, and what a recorder that stands still costs it: with and without in turn.

The core is stepped as in the rehearsal before a session. Every tick builds and encodes its telemetry; in
blocks of 50 ticks it is also recorded, to a recorder process of its own. Then the recorder is stopped
(SIGSTOP) for as long again. Ratios count: absolute times are of this machine.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import msgspec
import numpy as np

from teleop.config import load_session
from teleop.config.toml import profiles_dir
from teleop.controller import rehearsal
from teleop.controller.build import build_controller
from teleop.controller.controller import Controller
from teleop.controller.record import tick_record
from teleop.controller.telemetry import telemetry
from teleop.controller.types import ControllerInputs, ControllerOutputs
from teleop.wire.endpoints import Participant
from teleop.wire.sockets import open_context
from teleop.wire.streams import Role
from teleop.wire.tape import TapeSender

BLOCK = 50


class Taped:
    """A controller whose ticks are told, and recorded in every second block."""

    def __init__(self, controller: Controller, tape: TapeSender) -> None:
        """Wrap a new controller."""
        self.inner, self.tape = controller, tape
        self.pairs = controller.pairs
        self.names = [pair.name for pair in controller.pairs]
        self.tick = 0
        self.us: dict[bool, list[float]] = {False: [], True: []}

    def step(self, inputs: ControllerInputs, dt: float) -> ControllerOutputs:
        """One tick, timed; then wait for the rest of its millisecond."""
        self.tick += 1
        recorded = self.tick // BLOCK % 2 == 1
        began = time.perf_counter_ns()
        out = self.inner.step(inputs, dt)
        header = {"schema": 1, "stream": "telemetry", "session": bytes(16), "seq": self.tick, "stamp_ns": 0}
        told = telemetry(
            header, self.pairs, out, tick=self.tick, skipped=0, overruns=0, compute_us=0.0, lateness_us=0.0
        )
        data = msgspec.msgpack.encode(told)
        if recorded:
            record = tick_record(
                self.tape.header(inputs.now_ns), self.names, inputs, dt, out, tick=self.tick, events=[],
                telemetry=data, before=(0, 0, 0, [0, 0, 0, 0]),
            )  # fmt: skip
            self.tape.send(record)
        self.us[recorded].append((time.perf_counter_ns() - began) * 1e-3)
        time.sleep(max(0.0, 1e-3 - (time.perf_counter_ns() - began) * 1e-9))
        return out


def show(title: str, us: dict[bool, list[float]]) -> None:
    print(title)
    for recorded in (False, True):
        p50, p99 = np.percentile(us[recorded][BLOCK:], [50, 99])
        print(f"  {'recorded' if recorded else 'not recorded':<14} p50 {p50:8.1f} us   p99 {p99:8.1f} us")


def main() -> None:
    ticks = int(sys.argv[1]) if len(sys.argv) > 1 else 8000
    demo = profiles_dir() / "sessions" / "demo.toml"
    with tempfile.TemporaryDirectory() as folder, open_context() as context:
        runtime = f'runtime_dir="{folder}"'
        session = load_session(demo, (runtime,))
        out = Path(folder) / "run.mcap"
        command = [sys.executable, "-m", "teleop", "recorder", str(demo), str(out), "--set", runtime]
        recorder = subprocess.Popen(command)
        try:
            recorder_at = Participant(Role.RECORDER, "recorder", session.recorder_endpoint)
            tape = TapeSender(context, recorder_at.channel("tick"), bytes(16))
            rehearsal.play(build_controller(session, bytes(16)), 400)
            for title, stopped in (("recorder running", False), ("recorder stopped", True)):
                if stopped:
                    recorder.send_signal(signal.SIGSTOP)
                taped = Taped(build_controller(session, bytes(16)), tape)
                rehearsal.play(taped, ticks)  # type: ignore[arg-type]
                recorder.send_signal(signal.SIGCONT)
                show(title, taped.us)
            print(f"sent {tape.sent}, dropped {tape.dropped} (the queue holds 5000)")
            tape.finish()
            time.sleep(2.0)
        finally:
            recorder.send_signal(signal.SIGINT)
            recorder.wait(60)
        per_tick = out.stat().st_size / max(1, tape.sent)
        print(f"{per_tick:.0f} bytes a tick, {per_tick * 60_000 / 1e6:.0f} MB a minute at 1 kHz")


if __name__ == "__main__":
    main()
