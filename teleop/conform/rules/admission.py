"""Commands that must not be executed. Each is sent among good ones, to an enabled arm that stands still.

A bad command asks for a place beside the arm that one step can reach, so a driver that executes it gives
itself away by the echo and by moving, and moves no further than that.
"""

from __future__ import annotations

import os
from collections.abc import Callable

import numpy as np

from teleop.conform.bench import Array, Bench
from teleop.conform.probe import DISTURBED_S, PERIOD_S, Commander, Message
from teleop.conform.rule import Finding, Needs, Rule, rule, skip, verdict

_TIMES = 8
_FAR_S, _LEAST_FAR_S = 0.030, 0.012
_BEYOND_S = 0.5 * PERIOD_S


def _count(m: Message) -> int:
    counts = m.get("rejected")
    return sum(c for c in counts.values() if isinstance(c, int)) if isinstance(counts, dict) else 0


def refused_among_good(
    bench: Bench,
    bad: Callable[[int], Message],
    *,
    at: Array | None = None,
    away: Array | None = None,
    sender: Commander | None = None,
    same_seq: bool = False,
) -> Finding:
    """Send bad commands among HOLDs and see whether one was executed.

    Args:
        bench: ENABLED, at rest at ``at``.
        bad: makes the k-th bad command.
        at: where the arm stands, shape (n,); the start if left out.
        away: from there, what the bad commands ask for, shape (n,); shows motion.
        sender: sends them; our own commander if left out.
        same_seq: they carry numbers of good commands, so the echo tells nothing.
    """
    probe = bench.probe
    at = bench.q_start if at is None else at
    away = bench.nudge if away is None else away
    probe.cut()
    probe.pump(0.08, lambda _: bench.command("HOLD", at))
    still = np.array([s.m["q"] for s in probe.log.states], dtype=float)
    rest, noise = still.mean(axis=0), still.std(axis=0)
    seqs: set[int] = set()
    before = _count(bench.state.m)
    if bench.state.m.get("state") != "ENABLED":
        return verdict(False, f"could not be tried: it left ENABLED ({bench.state.m.get('reason')})")
    probe.cut()
    for k in range(_TIMES):
        probe.pump(2 * PERIOD_S, lambda _: bench.command("HOLD", at))
        probe.pump(2 * PERIOD_S)  # of two messages in one tick a conflated socket keeps only the last
        message = bad(k)
        seqs.add(message["seq"])
        (sender or probe.commander).send(message)
        probe.pump(3 * PERIOD_S)
    probe.pump(0.06, lambda _: bench.command("HOLD", at))
    states = [s.m for s in probe.log.states]
    q = np.array([m["q"] for m in states], dtype=float)
    if not np.isfinite(q).all():
        return verdict(False, "executed: the measured position is not finite")
    shows = (np.abs(away) > 0.0) & (
        np.abs(q - rest).max(axis=0) > np.maximum(0.4 * np.abs(away), 8.0 * noise + 1e-6)
    )
    echoed = not same_seq and any(m.get("echo_seq") in seqs for m in states)
    counted = _count(states[-1]) - before
    state = bench.state.m.get("state")
    moved = f"moved {np.abs(q - rest).max():.1e}"
    if echoed or shows.any():
        return verdict(False, f"executed: {moved}{', echoed' if echoed else ''}")
    tail = "" if state == "ENABLED" else f"; the driver went to {state}"
    if tail and probe.gap_s > DISTURBED_S:
        return verdict(False, f"could not be tried: this machine stood still{tail}")
    if not counted:
        return verdict(False, f"not executed, but not counted in `rejected` either{tail}")
    return verdict(True, f"{counted} refused, {moved}{tail}")


def _beside(bench: Bench, **keys: object) -> Message:
    message = bench.command("SERVO", bench.q_start + bench.nudge)
    return {**message, **keys}


def _executed(bench: Bench) -> int:
    """Number of the command executed last, by the echo."""
    return int(bench.state.m["echo_seq"])


def _bad(
    id: str, title: str, why: str, make: Callable[[Bench, int], Message], *, same_seq: bool = False
) -> Rule:
    """A rule that one kind of command, asking for a place beside the arm, is refused."""

    @rule(id, title, demanded="no echo, no motion, counted in `rejected`", why=why)
    def check(bench: Bench) -> Finding:
        if not bench.nudge.any():
            return skip("no joint may move")
        bench.ready()
        return refused_among_good(bench, lambda k: make(bench, k), same_seq=same_seq)

    return check


foreign_lease = _bad(
    "admission.lease",
    "a command with another lease, or none, is refused",
    "A controller whose lease lapsed goes on sending; two hands on one arm.",
    lambda b, k: _beside(b, lease=(b"", os.urandom(16), b.lease[:-1] + bytes([b.lease[-1] ^ 1]))[k % 3]),
)


@rule(
    "admission.session",
    "a command of another session is refused, even with the right lease",
    demanded="no echo, no motion, counted in `rejected`",
    why="A controller that restarted knows nothing of where the arm was led.",
)
def session(bench: Bench) -> Finding:
    """A second sender that got hold of the lease."""
    if not bench.nudge.any():
        return skip("no joint may move")
    bench.ready()
    stranger = bench.probe.new_commander()
    bench.probe.pump(0.1, bench.hold)  # until it is connected
    stranger.seq = bench.probe.commander.seq + 10_000  # above all of ours: the number is not what refuses it

    def make(_: int) -> Message:
        return _beside(bench, **stranger.header())

    return refused_among_good(bench, make, sender=stranger)


old_seq = _bad(
    "admission.old",
    "a command older than one executed is refused",
    "Networks reorder: an old command sends the arm back to where it was.",
    lambda b, k: _beside(b, seq=max(0, _executed(b) - 10 - k)),
    same_seq=True,
)
duplicate = _bad(
    "admission.duplicate",
    "a command with a number already executed is refused",
    "Networks duplicate; and a number used twice is a sender that restarted without saying so.",
    lambda b, k: _beside(b, seq=_executed(b)),
    same_seq=True,
)


def _expired(b: Bench, _: int) -> Message:
    message = _beside(b, ttl_ms=5.0)
    return {**message, "stamp_ns": message["stamp_ns"] - 100_000_000}


expired = _bad(
    "admission.expired",
    "a command older than its ttl_ms is refused",
    "After a stall of the network, old commands come in a burst; the hand is elsewhere by then.",
    _expired,
)
no_ttl = _bad(
    "admission.ttl",
    "a command without time to live is refused",
    "A ttl of zero, or none at all, has expired; executing it would make expiry optional.",
    lambda b, k: _beside(b, ttl_ms=(0.0, -5.0, float("nan"))[k % 3]),
)
mode = _bad(
    "admission.mode",
    "a command with an unknown mode is refused",
    "A mode of a later version may mean anything; guessing SERVO is the worst guess.",
    lambda b, k: _beside(b, mode=("FLY", "servo", "")[k % 3]),
)


def _lengths(b: Bench, k: int) -> Message:
    message = _beside(b)
    q, qd = message["q"], message["qd"]
    shapes: tuple[tuple[list[float], list[float]], ...] = (
        (q[:-1], qd[:-1]),
        ([*q, 0.0], [*qd, 0.0]),
        (q, qd[:-1]),
        ([], []),
    )
    return {**message, "q": shapes[k % 4][0], "qd": shapes[k % 4][1]}


shape = _bad(
    "admission.shape",
    "a command with the wrong number of joints is refused",
    "Commands for another arm, or joints shifted by one: each number is legal, the whole is not.",
    _lengths,
)


@rule(
    "admission.step",
    "a step that the arm cannot make at its velocity limit is refused",
    demanded=f"no echo, no motion for a step of {1e3 * _FAR_S:.0f} ms of travel at qd_max",
    why="One wrong number in a good stream; the arm would go there as fast as its drives can.",
)
def step(bench: Bench) -> Finding:
    """A jump of several periods of travel, inside the bounds."""
    room = np.array(bench.bounds.excursion) if bench.bounds else np.zeros(bench.n)
    room = np.minimum(room, np.maximum(bench.q_max - bench.q_start, 0.0))
    far = np.minimum(0.9 * room, _FAR_S * bench.qd_max)
    far = np.where(far >= _LEAST_FAR_S * bench.qd_max, far, 0.0)
    if not far.any():
        need = ", ".join(f"{v:.3g}" for v in _LEAST_FAR_S * bench.qd_max / 0.9)
        return skip(f"the bounds leave no room for a step too long: a joint needs an excursion of {need}")
    bench.ready()

    def make(_: int) -> Message:
        return {**bench.command("SERVO"), "q": (bench.q_start + far).tolist()}

    return refused_among_good(bench, make, away=far)


@rule(
    "admission.velocity",
    "a command faster than the velocity limit is refused",
    demanded="no echo, no motion for qd of 1.4 times the limit",
    why="The stop that the driver runs alone begins with this velocity.",
    needs=Needs.FREE,
)
def velocity(bench: Bench) -> Finding:
    """At the place where the arm stands, but too fast."""
    bench.ready()
    fast = (1.4 * bench.qd_max).tolist()
    return refused_among_good(
        bench, lambda _: bench.command("SERVO", qd=fast, stop_s=PERIOD_S), away=0.5e-3 * bench.qd_max
    )


def _at_the_limit(bench: Bench) -> tuple[Array, Array]:
    """Lead the joint that is soonest there to just inside its upper limit; where, and one step beyond."""
    joint = int(np.argmin((bench.q_max - bench.q_start) / bench.qd_max))
    beyond = np.zeros(bench.n)
    beyond[joint] = 2.0 * _BEYOND_S * bench.qd_max[joint]
    there = bench.q_start.copy()
    there[joint] = bench.q_max[joint] - 0.5 * beyond[joint]
    seconds = 1.875 * float(there[joint] - bench.q_start[joint]) / (0.2 * bench.qd_max[joint])

    def make(t: float) -> Message:
        s = min(t / seconds, 1.0)
        return bench.command(
            "SERVO", bench.q_start + (there - bench.q_start) * (s**3 * (10 - 15 * s + 6 * s * s))
        )

    bench.ready()
    bench.probe.pump(seconds + 0.1, make)
    return there, beyond


@rule(
    "admission.position",
    "a position beyond the limits is refused",
    demanded="no echo, no motion for a step from just inside a limit to just outside",
    why="The driver is the last one who knows where the joint ends.",
    needs=Needs.FREE,
)
def position(bench: Bench) -> Finding:
    """One short step across the limit: not refused for its length."""
    there, beyond = _at_the_limit(bench)
    return refused_among_good(bench, lambda _: bench.command("SERVO", there + beyond), at=there, away=beyond)


@rule(
    "admission.stop",
    "a command whose stop ends beyond the limits is refused",
    demanded="no echo for q inside and q + qd stop_s/2 outside a limit; none for a negative stop_s",
    why="If nothing else comes the driver runs that stop, into the end of the joint.",
    needs=Needs.FREE,
)
def stop(bench: Bench) -> Finding:
    """Inside, but on the way out."""
    there, beyond = _at_the_limit(bench)
    joint = int(np.argmax(beyond))
    qd = np.zeros(bench.n)
    qd[joint] = 0.5 * bench.qd_max[joint]

    def make(k: int) -> Message:
        if k % 2:
            return bench.command("SERVO", there, qd=(-qd).tolist(), stop_s=-0.1)
        return bench.command("SERVO", there, qd=qd.tolist(), stop_s=0.1)

    return refused_among_good(bench, make, at=there, away=0.05 * qd)


@rule(
    "admission.not_finite",
    "NaN and infinity are refused by an enabled arm",
    demanded="no echo, no motion, counted in `rejected`",
    why="A NaN passes every comparison that is written the wrong way round.",
    needs=Needs.FREE,
)
def not_finite(bench: Bench) -> Finding:
    """In each number of a command, one at a time."""
    bench.ready()
    bad = [float("nan"), float("inf"), -float("inf")]

    def make(k: int) -> Message:
        message = bench.command("SERVO")
        key = ("q", "qd", "stop_s", "jaw_rad")[k % 4]
        value = bad[k // 4 % 3]
        if key in ("q", "qd"):
            numbers = list(message[key])
            numbers[k % bench.n] = value
            return {**message, key: numbers}
        return {**message, key: value}

    return refused_among_good(bench, make)


RULES = (
    foreign_lease,
    session,
    old_seq,
    duplicate,
    expired,
    no_ttl,
    mode,
    shape,
    step,
    velocity,
    position,
    stop,
    not_finite,
)
