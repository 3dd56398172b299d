"""An arm driver for Trocar in one file: plain pyzmq and msgpack, nothing of Trocar imported.

It drives an ideal arm, one that is always where its setpoint is. Replace `measure` and `drive` by your
hardware's own, and the table of limits by your arm's; the rest is the protocol. Python is used because it
reads easily; any language with ZeroMQ and MessagePack will do.

    python examples/arm_driver.py --endpoint tcp://127.0.0.1:5610 --name example_arm
    trocar conform tcp://127.0.0.1:5610
"""

import argparse
import contextlib
import math
import os
import signal
import time
from collections import Counter

import msgpack
import zmq

RATE_HZ = 1000.0
PERIOD_S = 1.0 / RATE_HZ
HOLD_AFTER_S, DISABLE_AFTER_S, LEASE_TTL_S, STOP_MAX_S = 0.020, 0.100, 1.0, 2.0
MAX_BYTES = 65536

# A da Vinci PSM: yaw, pitch, insertion, roll, wrist pitch, wrist yaw; rad and m, per second.
JOINTS = ["yaw", "pitch", "insertion", "roll", "wrist_pitch", "wrist_yaw"]
Q_MIN = [-1.58, -0.92, 0.061, -4.53, -1.39, -1.39]
Q_MAX = [1.58, 0.92, 0.239, 4.53, 1.39, 1.39]
QD_MAX = [3.0, 3.0, 0.4, 12.0, 12.0, 12.0]
QDD_MAX = [20.0, 20.0, 4.0, 100.0, 100.0, 100.0]
JAW_MIN, JAW_MAX = -0.69, 1.39
HOME = [0.0, 0.0, 0.12, 0.0, 0.0, 0.0]


class Stop:
    """A command as a motion: from `q` at velocity `qd`, falling linearly to zero in `stop_s`."""

    def __init__(self, q, qd, stop_s, begin_s):
        self.q, self.qd, self.stop_s, self.begin_s = q, qd, stop_s, begin_s

    def at(self, now_s):
        """Position and velocity: r(s) = q + qd (s - s^2 / (2 stop_s))."""
        if self.stop_s <= 0.0:
            return list(self.q), [0.0] * len(self.q)
        s = min(max(now_s - self.begin_s, 0.0), self.stop_s)
        way, left = s - s * s / (2.0 * self.stop_s), 1.0 - s / self.stop_s
        return [q + v * way for q, v in zip(self.q, self.qd)], [v * left for v in self.qd]


class Quickest:
    """Age of messages where clocks may differ: counted from the quickest passage of the last seconds."""

    def __init__(self, shared_clock):
        self.shared_clock, self.best, self.next, self.since_s = shared_clock, None, None, 0.0

    def age_s(self, now_s, stamp_s):
        passage = now_s - stamp_s
        if self.shared_clock:
            return passage
        if self.best is None or now_s - self.since_s > 1.0:
            self.best = passage if self.next is None else min(self.next, passage)
            self.next, self.since_s = None, now_s
        self.next = passage if self.next is None else min(self.next, passage)
        self.best = min(self.best, passage)
        return passage - self.best


class ArmDriver:
    """Four sockets, one lease, one watchdog."""

    def __init__(self, name, endpoint):
        self.name, self.session, self.seq = name, os.urandom(16), 0
        self.state, self.reason = "DISABLED", "not enabled yet: acquire the lease, then enable"
        self.lease = self.owner_session = self.owner = b""
        self.lease_s = self.fed_s = 0.0
        self.streaming = False  # a command has been executed since `enable`
        self.last_seq, self.echo = -1, (-1, 0)
        self.rejected = Counter()
        self.q, self.qd, self.jaw = list(HOME), [0.0] * len(HOME), 0.0
        self.stop = Stop(self.q, self.qd, 0.0, 0.0)
        self.clock = Quickest(endpoint.startswith("ipc://"))
        self.now_s = time.monotonic()
        self.shared_clock = endpoint.startswith("ipc://")
        self.context = zmq.Context()
        self.commands = self.open(zmq.SUB, endpoint, "servo_jp", 0)
        self.states = self.open(zmq.PUB, endpoint, "measured_js", 1)
        self.requests = self.open(zmq.ROUTER, endpoint, "request", 2)
        self.estops = self.open(zmq.PULL, endpoint, "estop", 3)

    def open(self, kind, endpoint, stream, offset):
        """Bind one socket: `<base>.<stream>` over ipc, the base port and `offset` over tcp."""
        socket = self.context.socket(kind)
        socket.setsockopt(zmq.LINGER, 0)
        socket.setsockopt(zmq.MAXMSGSIZE, MAX_BYTES)
        if kind == zmq.SUB:
            socket.setsockopt(zmq.CONFLATE, 1)  # the newest command of each sender, never an old queue
            socket.setsockopt(zmq.SUBSCRIBE, b"")
        if endpoint.startswith("ipc://"):
            socket.bind(f"{endpoint}.{stream}")
            return socket
        host, _, port = endpoint.rpartition(":")
        if host not in ("tcp://127.0.0.1", "tcp://[::1]", "tcp://localhost"):
            raise SystemExit(f"{endpoint}: other hosts can reach it; bind loopback or ipc")
        socket.bind(f"{host}:{int(port) + offset}")
        return socket

    # -- the hardware ------------------------------------------------------------------------------------

    def measure(self):
        """Joint positions, velocities and jaw opening as the encoders read them."""
        return self.q, self.qd, self.jaw

    def drive(self, q, qd):
        """Send a setpoint to the drives. This arm is ideal: it is there at once."""
        self.q, self.qd = q, qd

    # -- one tick ----------------------------------------------------------------------------------------

    def tick(self):
        before_s, self.now_s = self.now_s, time.monotonic()
        self.receive(self.requests, 8, self.on_request)
        self.receive(self.commands, 8, self.on_command)
        self.receive(self.estops, 8, self.on_estop)  # the last word
        self.watch()
        if self.now_s - before_s > HOLD_AFTER_S:  # we were suspended ourselves: the drives have long stopped
            self.stop = Stop(self.q, [0.0] * len(self.q), 0.0, self.now_s)
        self.move(self.now_s - before_s)
        self.publish()

    def receive(self, socket, most, handle):
        """Take a bounded number of messages, so that a flood cannot hold the loop."""
        for _ in range(most):
            try:
                frames = socket.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                return
            try:
                message = msgpack.unpackb(frames[-1])
                if not isinstance(message, dict):
                    raise TypeError("not a map")
                handle(message, frames)
            except Exception:  # whatever the bytes were, they are counted and nothing else
                self.rejected["malformed"] += 1

    def on_command(self, m, _frames):
        why = self.refuse(m)
        if why:
            self.rejected[why] += 1
            return
        self.last_seq, self.echo = m["seq"], (m["seq"], m["stamp_ns"])
        self.execute(m)

    def refuse(self, m):
        """Why a command is not executed, or None. Bytes of another shape raise and count as malformed."""
        if m["schema"] != 1 or m["stream"] != f"{self.name}/servo_jp":
            return "wrong_stream"
        for check in (self.check_lease, self.check_session, self.check_seq, self.check_age):
            if why := check(m):
                return why
        self.lease_s = self.now_s  # the holder lives, whatever its numbers are worth
        if m["mode"] not in ("SERVO", "HOLD", "DISABLED"):
            return "mode"
        for check in (self.check_shape, self.check_finite, self.check_limits, self.check_state):
            if why := check(m):
                return why
        return self.check_step(m)

    def check_lease(self, m):
        return None if self.lease and m["lease"] == self.lease else "lease"

    def check_session(self, m):
        return None if m["session"] == self.owner_session else "session"

    def check_seq(self, m):
        return None if m["seq"] > self.last_seq else "seq"

    def check_age(self, m):
        age_ms = 1e3 * self.clock.age_s(self.now_s, m["stamp_ns"] * 1e-9)
        return None if -1.0 <= age_ms < m["ttl_ms"] < math.inf else "age"

    def check_shape(self, m):
        return None if len(m["q"]) == len(m["qd"]) == len(JOINTS) else "shape"

    def check_finite(self, m):
        return (
            None if all(map(math.isfinite, [*m["q"], *m["qd"], m["stop_s"], m["jaw_rad"]])) else "not_finite"
        )

    def check_limits(self, m):
        if m["mode"] != "SERVO":
            return None
        end = [q + v * m["stop_s"] / 2 for q, v in zip(m["q"], m["qd"])]
        for low, high, fastest, q, v, e in zip(Q_MIN, Q_MAX, QD_MAX, m["q"], m["qd"], end):
            if not low - 1e-9 <= q <= high + 1e-9:
                return "position_limit"
            if abs(v) > fastest * (1 + 1e-6):
                return "velocity_limit"
            if not low - 1e-9 <= e <= high + 1e-9:
                return "stop"
        if not 0.0 <= m["stop_s"] <= STOP_MAX_S or (m["stop_s"] == 0.0 and any(m["qd"])):
            return "stop"
        return None if JAW_MIN - 1e-9 <= m["jaw_rad"] <= JAW_MAX + 1e-9 else "jaw_limit"

    def check_state(self, m):
        wrong = self.state in ("FAULT", "DISABLED") or (self.state == "PAUSED" and m["mode"] == "SERVO")
        return self.state.lower() if wrong else None

    def check_step(self, m):
        """Is it within reach of where the last command and its stop stand, at the velocity limit?"""
        reference, _ = self.stop.at(self.now_s)
        time_s = self.now_s - self.fed_s if self.streaming else 0.0
        far = [abs(q - r) > v * (time_s + 2 * PERIOD_S) for q, r, v in zip(m["q"], reference, QD_MAX)]
        return "step" if m["mode"] == "SERVO" and any(far) else None

    def execute(self, m):
        self.fed_s, self.streaming, self.reason = self.now_s, True, ""
        if m["mode"] == "SERVO":
            self.stop = Stop(m["q"], m["qd"], m["stop_s"] if any(m["qd"]) else 0.0, self.now_s)
            self.jaw = m["jaw_rad"]
        elif m["mode"] == "DISABLED":
            self.enter("DISABLED", "the controller commands DISABLED")
        elif self.state == "PAUSED" and self.at_rest():
            self.state = "ENABLED"

    def watch(self):
        """Silence: the stop runs by itself; 20 ms hold, 100 ms disable, then the lease lapses."""
        silent_s = self.now_s - self.fed_s
        if self.lease and self.now_s - self.lease_s >= LEASE_TTL_S:
            self.lease = b""
        if self.state in ("ENABLED", "PAUSED") and silent_s >= DISABLE_AFTER_S:
            self.enter("DISABLED", "no command for 100 ms; enable again")
        elif self.state == "ENABLED" and self.streaming and silent_s >= HOLD_AFTER_S:
            self.enter("PAUSED", "no command for 20 ms; engage again with HOLD or `enable`")

    def move(self, dt_s):
        """To the reference, but no joint faster than it may go; so whatever comes, nothing jumps."""
        reference, _ = self.stop.at(self.now_s)
        way = [r - q for r, q in zip(reference, self.q)]
        slow = max(1.0, *(abs(w) / (v * max(dt_s, 1e-6)) for w, v in zip(way, QD_MAX)))
        self.drive([q + w / slow for q, w in zip(self.q, way)], [w / slow / max(dt_s, 1e-6) for w in way])

    def at_rest(self):
        return self.now_s >= self.stop.begin_s + self.stop.stop_s

    def enter(self, state, reason):
        self.state, self.reason = state, reason

    def publish(self):
        q, qd, jaw = self.measure()
        self.states.send(msgpack.packb({
            "schema": 1, "stream": f"{self.name}/measured_js", "session": self.session, "seq": self.seq,
            "stamp_ns": round(self.now_s * 1e9), "q": q, "qd": qd, "jaw_rad": jaw, "state": self.state,
            "is_homed": True, "is_busy": self.state != "ENABLED" and not self.at_rest(),
            "reason": self.reason, "rejected": dict(self.rejected),
            "echo_seq": self.echo[0], "echo_stamp_ns": self.echo[1],
        }))  # fmt: skip
        self.seq += 1

    # -- requests and the emergency stop -----------------------------------------------------------------

    def on_estop(self, m, _frames):
        """Stop on the line of the last command, as fast as the arm can; a part of the certified way."""
        q, qd = self.stop.at(self.now_s)
        left_s = self.stop.begin_s + self.stop.stop_s - self.now_s
        quick_s = max(abs(v) / a for v, a in zip(qd, QDD_MAX))
        self.stop = Stop(q, qd, max(0.0, min(left_s, quick_s)), self.now_s)
        self.enter("FAULT", f"e-stop from {m.get('source')}: {m.get('why')}")

    def on_request(self, m, frames):
        try:
            reply = {"id": m["id"], "ok": True, "result": self.answer(m["op"], m.get("args", {}), frames[0])}
        except (ValueError, PermissionError) as error:
            reply = {"id": m["id"], "ok": False, "error": str(error)}
        with contextlib.suppress(zmq.Again):  # a client that does not read loses its answers, we lose no time
            self.requests.send_multipart([*frames[:-1], msgpack.packb(reply)], zmq.NOBLOCK)

    def answer(self, op, args, client):
        holder = self.holds(client, args)
        if op == "get_info":
            limits = {
                "q_min": Q_MIN,
                "q_max": Q_MAX,
                "qd_max": QD_MAX,
                "qdd_max": QDD_MAX,
                "jaw_rad": [JAW_MIN, JAW_MAX],
            }
            return {"name": self.name, "joints": JOINTS, "limits": limits, "rate_hz": RATE_HZ}
        if op == "acquire":
            return self.acquire(client, args, holder)
        if op == "disable" and args.get("reset_fault") is not True:  # anybody may stop an arm
            if self.state != "FAULT":
                self.enter("DISABLED", "disabled on request")
            return None
        if op not in ("release", "enable", "disable", "home", "reset_fault"):
            raise ValueError(
                f"no operation {op!r}; there are: get_info, acquire, release, enable, disable, home, "
                "reset_fault"
            )
        if not holder:
            raise PermissionError(f"`{op}` is for the holder of the lease; `acquire` it first")
        if op == "enable":
            self.enable()
        elif op == "release":
            if self.state != "FAULT":
                self.enter("DISABLED", "release on request")
            self.lease = b""
        elif op in ("disable", "reset_fault"):  # `disable` with reset_fault: true is the same
            self.enter("DISABLED", "the fault was reset")
        return None  # `home`: absolute encoders, nothing to do

    def holds(self, client, args):
        return bool(self.lease) and (client == self.owner or args.get("lease") == self.lease)

    def acquire(self, client, args, holder):
        session = args.get("session")
        if not isinstance(session, bytes) or len(session) != 16:
            raise ValueError("`acquire` needs `session`: the 16 bytes that your commands carry")
        if self.lease and not (holder and session == self.owner_session):
            raise PermissionError("another client holds the lease")
        if not self.lease:
            self.lease, self.owner_session, self.last_seq = os.urandom(16), session, -1
            self.clock = Quickest(self.shared_clock)
        self.owner, self.lease_s = client, self.now_s
        return {"lease": self.lease, "ttl_s": LEASE_TTL_S}

    def enable(self):
        if self.state == "FAULT":
            raise PermissionError(f"FAULT ({self.reason}): send `reset_fault` first")
        if not self.at_rest():
            raise PermissionError("the arm still runs out its stop; ask again when is_busy is false")
        if self.state != "ENABLED":
            q, _, _ = self.measure()
            self.stop = Stop(list(q), [0.0] * len(q), 0.0, self.now_s)
            self.state, self.reason, self.fed_s, self.streaming = "ENABLED", "", self.now_s, False

    def run(self):
        """A tick a period on absolute deadlines, until SIGTERM or Ctrl-C; then run out the stop."""
        ending = []
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: ending.append(True))
        with contextlib.suppress(OSError):  # real-time scheduling, where we may
            os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(30))
        deadline_s = time.monotonic()
        while not (ending and self.at_rest()):
            if ending and self.state != "FAULT":
                self.enter("DISABLED", "the driver is shutting down")
            deadline_s = max(deadline_s + PERIOD_S, time.monotonic() - PERIOD_S)
            time.sleep(max(0.0, deadline_s - time.monotonic()))
            self.tick()
        self.context.destroy(linger=0)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--endpoint", default="tcp://127.0.0.1:5610", help="base endpoint, ipc:// or tcp://")
    parser.add_argument("--name", default="example_arm", help="name of the arm on the wire")
    args = parser.parse_args()
    ArmDriver(args.name, args.endpoint).run()


if __name__ == "__main__":
    main()
