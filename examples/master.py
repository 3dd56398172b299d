"""A master device for Trocar in one file: plain pyzmq and msgpack, nothing of Trocar imported.

The "hand" draws a slow figure of eight. Replace `Hand.read` by your device's pose, gripper and pedals, and
`Hand.feel` by its motors; the rest is the protocol.

    python examples/master.py --endpoint tcp://127.0.0.1:5600 --name example_hand
"""

import argparse
import math
import os
import signal
import time

import msgpack
import zmq

RATE_HZ = 1000.0
FORCE_MAX_N = 3.0


class Hand:
    """The device: where it is, and what it lets the hand feel."""

    def __init__(self, size_m, period_s):
        self.size_m, self.period_s = size_m, period_s
        self.force_n = [0.0, 0.0, 0.0]

    def read(self, t_s):
        """Position (m), orientation (xyzw) and gripper (rad) in the device's frame at time `t_s`."""
        phase = 2.0 * math.pi * t_s / self.period_s
        x, y = self.size_m * math.sin(phase), 0.5 * self.size_m * math.sin(2.0 * phase)
        return [x, y, 0.0], [0.0, 0.0, 0.0, 1.0], 0.3 + 0.3 * math.cos(phase)

    def feel(self, force_n):
        """Send a force to the motors, never more than the device should give."""
        size = math.sqrt(sum(f * f for f in force_n))
        scale = min(1.0, FORCE_MAX_N / size) if size > 0.0 else 1.0
        self.force_n = [scale * f for f in force_n]


class Master:
    """Publishes `<name>/measured_cp` and listens to `<name>/servo_cf`."""

    def __init__(self, name, endpoint, hand):
        self.name, self.hand = name, hand
        self.session, self.seq = os.urandom(16), 0
        self.force_until_s = 0.0
        self.felt = 0
        self.context = zmq.Context()
        self.poses = self.open(zmq.PUB, endpoint, "measured_cp", 0)
        self.forces = self.open(zmq.SUB, endpoint, "servo_cf", 1)

    def open(self, kind, endpoint, stream, offset):
        """Bind one socket: `<base>.<stream>` over ipc, the base port and `offset` over tcp."""
        socket = self.context.socket(kind)
        socket.setsockopt(zmq.LINGER, 0)
        socket.setsockopt(zmq.MAXMSGSIZE, 65536)
        if kind == zmq.SUB:
            socket.setsockopt(zmq.CONFLATE, 1)
            socket.setsockopt(zmq.SUBSCRIBE, b"")
        if endpoint.startswith("ipc://"):
            socket.bind(f"{endpoint}.{stream}")
            return socket
        host, _, port = endpoint.rpartition(":")
        if host not in ("tcp://127.0.0.1", "tcp://[::1]", "tcp://localhost"):
            raise SystemExit(f"{endpoint}: other hosts can reach it; bind loopback or ipc")
        socket.bind(f"{host}:{int(port) + offset}")
        return socket

    def tick(self, t_s):
        """Read, publish, and let the hand feel the newest force while it is valid."""
        now_ns = time.monotonic_ns()
        p_m, quat_xyzw, gripper_rad = self.hand.read(t_s)
        # A button carries a stamp of its own: one that is no longer reported counts as released.
        held, pressed = {"value": True, "stamp_ns": now_ns}, {"value": False, "stamp_ns": now_ns}
        self.poses.send(msgpack.packb({
            "schema": 1, "stream": f"{self.name}/measured_cp", "session": self.session, "seq": self.seq,
            "stamp_ns": now_ns, "p_m": p_m, "quat_xyzw": quat_xyzw, "gripper_rad": gripper_rad,
            "valid": True, "present": held, "clutch": pressed,
        }))  # fmt: skip
        self.seq += 1
        if self.forces.poll(0):
            self.on_force(self.forces.recv(), now_ns * 1e-9)
        if now_ns * 1e-9 > self.force_until_s:
            self.hand.feel([0.0, 0.0, 0.0])  # nothing valid any more: let go

    def on_force(self, data, now_s):
        try:
            m = msgpack.unpackb(data)
            ours = m["schema"] == 1 and m["stream"] == f"{self.name}/servo_cf"
            if ours and len(m["force_n"]) == 3 and all(map(math.isfinite, m["force_n"])):
                self.hand.feel(m["force_n"])
                self.force_until_s = now_s + min(m["ttl_ms"], 100.0) * 1e-3
                self.felt += 1
        except Exception:  # not a message of ours: the last force fades by itself
            return

    def run(self):
        """A tick a period on absolute deadlines, until SIGTERM or Ctrl-C."""
        ending = []
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: ending.append(True))
        begin_s = deadline_s = time.monotonic()
        while not ending:
            # The hand rests until a controller is there, then begins its motion.
            begin_s = begin_s if self.felt else time.monotonic()
            deadline_s = max(deadline_s + 1.0 / RATE_HZ, time.monotonic() - 1.0 / RATE_HZ)
            time.sleep(max(0.0, deadline_s - time.monotonic()))
            self.tick(time.monotonic() - begin_s)
        self.context.destroy(linger=0)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--endpoint", default="tcp://127.0.0.1:5600", help="base endpoint, ipc:// or tcp://")
    parser.add_argument("--name", default="example_hand", help="name of the master on the wire")
    parser.add_argument("--size-m", type=float, default=0.03, help="half the width of the figure")
    parser.add_argument("--period-s", type=float, default=6.0, help="time of one figure")
    args = parser.parse_args()
    Master(args.name, args.endpoint, Hand(args.size_m, args.period_s)).run()


if __name__ == "__main__":
    main()
