"""What the system gives runs out: the recorder's disk, an arm driver's file descriptors."""

from __future__ import annotations

import os
import resource
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgpack
import pytest
import zmq

from teleop.recorder.read import read_recording
from tests.drivers.test_sim_process import PSM, SERVE
from tests.wire.ports import free_base

from .session import RunningSession

pytestmark = [pytest.mark.process, pytest.mark.soak]

DISK_KB = 1500
DESCRIPTORS = 60


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", f"size={DISK_KB}k", "none", str(folder)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"a disk of its own is not permitted here: {done.stderr.strip()}")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_ends_the_recording_and_nothing_else(small_disk: Path, tmp_path: Path) -> None:
    file = small_disk / "run.mcap"
    session = RunningSession(tmp_path, words=("--record", str(file)))
    try:
        session.wait_following(240.0)
        end = time.monotonic() + 60.0
        while "no more room" not in session.log.read_text() and time.monotonic() < end:
            time.sleep(0.2)
        assert "no more room for it" in session.log.read_text()
        session.drain(session.telemetry)
        session.wait_moving()  # the surgeon goes on
        assert session.stop() == 1  # and learns at the end that the recording is not whole
    finally:
        session.close()
    recording = read_recording(file)
    assert not recording.damage
    ticks = [t.tick for t in recording.ticks()]
    print(f"{len(ticks)} ticks in {DISK_KB} kB")
    assert len(ticks) > 100
    assert ticks == list(range(ticks[0], ticks[0] + len(ticks)))


def test_an_arm_over_tcp_whose_descriptors_run_out_goes_on_and_answers_when_they_are_free(
    tmp_path: Path,
) -> None:
    base = free_base()
    port = int(base.rpartition(":")[2])
    arm = subprocess.Popen(
        [sys.executable, "-c", SERVE, str(PSM), base], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    held: list[socket.socket] = []
    try:
        assert arm.stdout is not None
        assert arm.stdout.readline() == b"ready\n"
        states = context.socket(zmq.SUB)
        states.subscribe(b"")
        states.connect(f"tcp://127.0.0.1:{port + 1}")
        stop = context.socket(zmq.PUSH)
        stop.connect(f"tcp://127.0.0.1:{port + 3}")
        assert states.poll(20_000)
        resource.prlimit(arm.pid, resource.RLIMIT_NOFILE, (DESCRIPTORS, DESCRIPTORS))
        for _ in range(2 * DESCRIPTORS):
            s = socket.socket()
            s.settimeout(0.5)
            s.connect(("127.0.0.1", port + 2))  # the system takes it; nobody may have accepted it
            held.append(s)
        time.sleep(0.5)
        assert len(os.listdir(f"/proc/{arm.pid}/fd")) >= DESCRIPTORS - 2
        _newest(states)
        assert arm.poll() is None
        # A connection that was there before still stops it.
        head = {"schema": 1, "stream": "estop", "session": b"t" * 16, "seq": 0}
        stop.send(msgpack.packb(head | {"stamp_ns": time.monotonic_ns(), "source": "test", "why": "abuse"}))
        end = time.monotonic() + 2.0
        while _newest(states)["state"] != "FAULT":
            assert time.monotonic() < end
        while held:
            held.pop().close()
        client = context.socket(zmq.DEALER)
        client.connect(f"tcp://127.0.0.1:{port + 2}")
        client.send(msgpack.packb({"id": 1, "op": "get_info", "args": {}}))
        assert client.poll(10_000), "nobody is let in though descriptors are free again"
        assert msgpack.unpackb(client.recv())["ok"]
    finally:
        for s in held:
            s.close()
        arm.kill()
        arm.communicate()
        context.destroy(linger=0)


def _newest(states: zmq.Socket[bytes]) -> dict[str, Any]:
    assert states.poll(1000), "the arm is silent"
    message: dict[str, Any] = {}
    while states.poll(0):
        message = msgpack.unpackb(states.recv())
    return message
