"""The master's process, watched from outside with plain pyzmq and msgpack."""

from __future__ import annotations

import signal
import subprocess
import sys
import tempfile
import time

import msgpack
import numpy as np
import pytest
import zmq

from teleop.masters.synthetic import SyntheticSpec, synthetic

pytestmark = pytest.mark.process

PROGRAM = """
import sys
from teleop.masters.process import run_master
from teleop.masters.synthetic import SyntheticSpec, synthetic

spec = SyntheticSpec(kind="synthetic", motion_s=20.0, lead_in_s=0.0, seed=5)
sys.exit(run_master(name="left", source=synthetic(spec), endpoint=sys.argv[1],
                    on_ready=lambda: print("ready", flush=True), **eval(sys.argv[2])))
"""


@pytest.fixture
def wire():
    """Starts the process on a new endpoint; gives it, a SUB of its poses and a PUB of forces."""
    # pytest's own temporary paths can be longer than a unix socket's path may be.
    folder = tempfile.TemporaryDirectory(prefix="trocar-")
    endpoint = f"ipc://{folder.name}/left"
    context = zmq.Context()
    started, sockets = [], []

    def start(**keys):
        process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, endpoint, repr(keys)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        assert process.stdout.readline() == "ready\n", process.communicate()[1]
        poses, forces = context.socket(zmq.SUB), context.socket(zmq.PUB)
        sockets.extend((poses, forces))
        poses.setsockopt(zmq.RCVHWM, 100_000)
        poses.subscribe(b"")
        poses.connect(f"{endpoint}.measured_cp")
        forces.connect(f"{endpoint}.servo_cf")
        return process, poses, forces

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()
    for socket in sockets:
        socket.close(linger=0)
    context.term()
    folder.cleanup()


def receive(poses, seconds):
    """All messages of the next ``seconds``, unpacked by msgpack."""
    messages = []
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        if poses.poll(left * 1e3):
            messages.append(msgpack.unpackb(poses.recv()))
    return messages


def servo_cf(seq):
    return msgpack.packb(
        {
            **{"schema": 1, "stream": "left/servo_cf", "session": b"0123456789abcdef", "seq": seq},
            **{"stamp_ns": time.monotonic_ns(), "force_n": [0.0] * 3, "torque_nm": [0.0] * 3},
            **{"planes": [], "ttl_ms": 20.0},
        }
    )


def stop(process, number):
    process.send_signal(number)
    _, errors = process.communicate(timeout=10.0)
    return process.returncode, errors


def test_a_master_publishes_numbered_stamped_poses_at_its_rate(wire):
    _, poses, _ = wire()
    receive(poses, 0.2)
    messages = receive(poses, 1.5)
    stamps = np.array([m["stamp_ns"] for m in messages]) * 1e-9
    seqs = np.array([m["seq"] for m in messages])
    assert np.array_equal(np.diff(seqs), np.ones(seqs.size - 1))
    assert np.all(np.diff(stamps) > 0.0)
    # On a busy machine deadlines may be skipped, but never made up for: no burst above the rate.
    rate = (stamps.size - 1) / (stamps[-1] - stamps[0])
    assert 500.0 < rate < 1002.0
    assert {m["session"] for m in messages} == {messages[0]["session"]}
    assert len(messages[0]["session"]) == 16
    for m in messages:
        assert m["schema"] == 1
        assert m["stream"] == "left/measured_cp"
        assert m["valid"] is True
        assert np.linalg.norm(m["quat_xyzw"]) == pytest.approx(1.0, abs=1e-9)
        # The deadman and the clutch carry a stamp of their own, taken with the pose.
        assert m["present"] == {"value": True, "stamp_ns": m["stamp_ns"]}
        assert m["clutch"] == {"value": False, "stamp_ns": m["stamp_ns"]}
    assert abs(time.monotonic_ns() - messages[-1]["stamp_ns"]) < 1e9


def test_the_hand_rests_until_the_first_servo_cf_and_then_follows_the_source_at_each_stamp(wire):
    process, poses, forces = wire()
    source = synthetic(SyntheticSpec(kind="synthetic", motion_s=20.0, lead_in_s=0.0, seed=5))
    before = receive(poses, 0.4)
    first = source.sample(0.0)
    assert {tuple(m["p_m"]) for m in before} == {tuple(first.p_m)}
    for seq in range(200):
        forces.send(servo_cf(seq))
        time.sleep(1e-3)
    messages = before + receive(poses, 0.6)
    resting = sum(m["p_m"] == first.p_m.tolist() for m in messages)
    start_ns = messages[resting - 1]["stamp_ns"]
    moving = messages[resting:]
    assert len(moving) > 300
    for m in moving:
        hand = source.sample((m["stamp_ns"] - start_ns) * 1e-9)
        assert m["p_m"] == hand.p_m.tolist()
        assert m["quat_xyzw"] == hand.quat_xyzw.tolist()
        assert m["gripper_rad"] == hand.gripper_rad
    status, errors = stop(process, signal.SIGTERM)
    assert status == 0
    assert "servo_cf received, 0 refused" in errors
    assert "never started" not in errors


def test_a_master_without_a_controller_starts_after_its_timeout(wire):
    _, poses, _ = wire(start_timeout_s=0.3)
    messages = receive(poses, 1.0)
    assert len({tuple(m["p_m"]) for m in messages}) > 100


def test_rubbish_on_servo_cf_is_counted_and_does_not_start_the_motion(wire):
    process, poses, forces = wire()
    receive(poses, 0.2)
    for data in (b"", b"\xc1", servo_cf(0)[:-7], msgpack.packb({"schema": 2}), b"\x00" * 70_000):
        forces.send(data)
        time.sleep(0.01)
    assert len({tuple(m["p_m"]) for m in receive(poses, 0.4)}) == 1
    status, errors = stop(process, signal.SIGINT)
    assert status == 0
    assert "0 servo_cf received" in errors
    assert "never started" in errors
    assert not errors.rstrip().endswith(" 0 refused")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_process_cleanly_with_a_summary(wire, number):
    process, poses, _ = wire()
    receive(poses, 0.2)
    status, errors = stop(process, number)
    assert status == 0
    assert "poses published" in errors
    assert "Traceback" not in errors


def test_it_stops_by_itself_after_the_seconds_asked(wire):
    process, _, _ = wire(seconds=0.5)
    assert process.wait(timeout=10.0) == 0
    published = int(process.stderr.read().split(" poses published")[0].rsplit(" ", 1)[1])
    assert 200 < published <= 501
