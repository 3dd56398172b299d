"""A hand on a simulated haptic device in real processes: it feels the wall, and nothing once left alone."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgpack
import numpy as np
import pytest
import zmq

from .session import RunningSession

pytestmark = pytest.mark.process

HAPTIC = Path(__file__).parents[2] / "configs" / "sessions" / "haptic.toml"


@pytest.fixture
def session(tmp_path: Path) -> Iterator[RunningSession]:
    running = RunningSession(tmp_path, name="haptic")
    yield running
    running.close()


def test_a_simulated_hand_feels_the_wall_until_an_emergency_stop_and_no_tool_enters(
    session: RunningSession,
) -> None:
    session.wait_following()
    session.drain(session.telemetry)
    ticks: list[dict[str, Any]] = []

    def force() -> float:
        return float(np.linalg.norm(ticks[-1]["force_n"]))

    def until(done: Callable[[], bool]) -> None:
        def look(message: dict[str, Any]) -> bool:
            ticks.append(message["pairs"][0])
            return done()

        session.wait(look, 60.0)

    until(lambda: force() > 0.5)
    felt, who = np.array(ticks[-1]["force_n"]), {line["who"] for line in ticks[-1]["ledger"]}
    print(f"felt {felt.round(2)} N of {sorted(who)}")
    assert who & {"floor", "vessel"}
    held_back = np.subtract(ticks[-1]["p_command_m"], ticks[-1]["p_desired_m"])
    assert felt @ held_back > 0.0, "this master's frame is the world: it pushes to where the tool was held"

    with session.subscribe("surgeon.measured_cp") as hand:
        assert hand.poll(5000)
        assert msgpack.unpackb(hand.recv())["echo_seq"] > 0, "the device is sent no force"

    estop = {"schema": 1, "stream": "estop", "session": b"t" * 16, "seq": 1, "stamp_ns": time.monotonic_ns(),
             "source": "test", "why": "to see the force go"}  # fmt: skip
    before = len(ticks)
    with session.context.socket(zmq.PUSH) as push:
        push.connect(f"ipc://{session.folder}/controller.estop")
        push.send(msgpack.packb(estop))
        until(lambda: ticks[-1]["teleop_state"] != "FOLLOWING" and force() == 0.0)
    until(lambda: len(ticks) % 100 == 0)  # and stays so
    stopped = [tick for tick in ticks[before:] if tick["reason"] == "estop"]
    sizes = [float(np.linalg.norm(tick["force_n"])) for tick in stopped]
    assert sizes, "it fell for another reason"
    assert sizes == sorted(sizes, reverse=True), "it only falls"
    assert not any(tick["violation"] for tick in ticks)
    assert session.stop() == 0


class Alone:
    """A device process without a controller: the test plays that part."""

    def __init__(self, folder: Path) -> None:
        still = "pairs[0].master.source.surgeon={moving=false,tremor_rms_m=0.0,drift_rms_m=0.0}"
        command = [sys.executable, "-m", "teleop", "master", str(HAPTIC)]
        self.process = subprocess.Popen([*command, "--set", f'runtime_dir="{folder}"', "--set", still])
        self.context = zmq.Context()
        self.poses = self.context.socket(zmq.SUB)
        self.poses.subscribe(b"")
        self.poses.connect(f"ipc://{folder}/surgeon.measured_cp")
        self.forces = self.context.socket(zmq.PUB)
        self.forces.connect(f"ipc://{folder}/surgeon.servo_cf")
        self._seq = 0
        assert self.poses.poll(120_000), "the device process did not start"

    def send(self, depth_m: float) -> None:
        """A plane ``depth_m`` above where the hand wants to be."""
        self._seq += 1
        plane = [[0.0, 0.0, 1.0], depth_m, 500.0, 0.0, "wall"]
        message = {
            "schema": 1, "stream": "surgeon/servo_cf", "session": b"t" * 16, "seq": self._seq,
            "stamp_ns": time.monotonic_ns(), "force_n": [0.0] * 3, "torque_nm": [0.0] * 3,
            "planes": [plane], "ttl_ms": 20.0,
        }  # fmt: skip
        self.forces.send(msgpack.packb(message))

    def newest(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        while self.poses.poll(0 if found else 5000):
            found = msgpack.unpackb(self.poses.recv())
        return found

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        self.context.destroy(linger=0)


def test_a_device_whose_controller_falls_silent_pushes_no_more(tmp_path: Path) -> None:
    device = Alone(tmp_path)
    try:
        free = device.newest()["p_m"][2]
        end = time.monotonic() + 1.5
        while time.monotonic() < end:
            device.send(0.010)
            time.sleep(0.002)
        pushed = device.newest()
        time.sleep(1.0)
        alone = device.newest()["p_m"][2]
        print(f"the hand is at {1e3 * free:.2f} mm free, {1e3 * pushed['p_m'][2]:.2f} pushed, "
              f"{1e3 * alone:.2f} a second after the last message")  # fmt: skip
        assert pushed["p_m"][2] > free + 0.003
        # Friction of 0.1 N holds the handle within 0.1 / 300 m of where no force would leave it.
        assert alone == pytest.approx(free, abs=0.5e-3)
        assert pushed["echo_seq"] > 0
    finally:
        device.close()
