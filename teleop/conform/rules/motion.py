"""What an arm does that is commanded rightly: enable, follow, echo, hold, disable."""

from __future__ import annotations

import itertools
import math

import numpy as np

from teleop.conform.bench import Array, Bench
from teleop.conform.plot import Plot
from teleop.conform.probe import Log, Message
from teleop.conform.rule import Finding, rule, skip, verdict

_PERIOD_S = 0.8


def traces(bench: Bench, log: Log, along: Array) -> tuple[Array, Array]:
    """Stamps (s, the driver's clock) and measured way (in units of ``along``) of the states of a log."""
    states = [s.m for s in log.states if s.m.get("q")]
    t = np.array([m["stamp_ns"] for m in states]) * 1e-9
    q = np.array([m["q"] for m in states], dtype=float)
    return t, np.asarray((q - bench.q_start) @ along / (along @ along))


@rule(
    "motion.enable",
    "enabling moves nothing",
    demanded="ENABLED within 0.3 s, and no joint further than 1 mrad or 1 mm from where it stood",
    why="An arm that jumps when it is powered hits whatever is beside it.",
)
def enable(bench: Bench) -> Finding:
    """From DISABLED, with HOLD behind it."""
    bench.ready()
    bench.release()
    bench.probe.pump(0.1)
    before = bench.q
    bench.acquire()
    bench.probe.cut()
    reply = bench.probe.ask("enable", {"lease": bench.lease})
    enabled = bench.probe.pump(0.3, bench.hold, lambda: bench.state.m.get("state") == "ENABLED")
    bench.probe.pump(0.2, bench.hold)
    moved = max(float(np.max(np.abs(np.array(s.m["q"]) - before))) for s in bench.probe.log.states)
    return verdict(enabled and moved <= 1e-3, f"{'ENABLED' if enabled else reply}, moved {moved:.1e}")


@rule(
    "motion.follow",
    "the arm goes where it is commanded, evenly",
    demanded="measured motion is the commanded one, later: rms difference below 5 % of the way once shifted",
    why="Fixtures are certified for the commanded path; an arm elsewhere is outside the proof.",
)
def follow(bench: Bench) -> Finding:
    """A raised cosine with all joints that may move; the lag is the shift that fits best."""
    v = bench.cruise
    bench.ready()
    way = v * _PERIOD_S / math.pi
    way = np.minimum(way, 0.8 * np.array(bench.bounds.excursion)) if bench.bounds else way

    def make(t: float) -> Message:
        w = 2.0 * math.pi / _PERIOD_S
        q = bench.q_start + way * 0.5 * (1.0 - math.cos(w * t))
        return bench.command("SERVO", q, qd=(way * 0.5 * w * math.sin(w * t)).tolist(), stop_s=0.1)

    bench.probe.cut()
    bench.probe.pump(2.0 * _PERIOD_S, make)
    log = bench.probe.log
    t, s = traces(bench, log, way)
    sent = [m for m in log.sent if m.m["mode"] == "SERVO"]
    at = np.array([bench.probe.to_driver_ns(m.at_ns) for m in sent]) * 1e-9
    asked = np.array([(np.array(m.m["q"]) - bench.q_start) @ way / (way @ way) for m in sent])
    inside = (t > at[0] + 0.2) & (t < at[-1])
    if inside.sum() < 50:
        return verdict(False, "too little state came")
    lags = np.arange(-0.005, 0.150, 0.0005)
    error = [float(np.sqrt(np.mean((np.interp(t[inside] - d, at, asked) - s[inside]) ** 2))) for d in lags]
    best = int(np.argmin(error))
    plot = Plot(
        "commanded and measured",
        "s",
        "way (1 = all of it)",
        (
            ("commanded", (at - at[0]).tolist(), asked.tolist()),
            ("measured", (t - at[0]).tolist(), s.tolist()),
        ),
    )
    return verdict(
        error[best] < 0.05, f"lag {1e3 * lags[best]:.1f} ms, rms difference {100 * error[best]:.2f} %", plot
    )


@rule(
    "motion.echo",
    "the echo names the command that was executed last",
    demanded="number and stamp of a command that was sent, never going back, newest within 20 ms (median 5)",
    why="The controller measures the round trip with it, and slows down or holds by that figure.",
)
def echo(bench: Bench) -> Finding:
    """Stream SERVO at rest and compare what comes back."""
    bench.ready()
    bench.probe.cut()
    bench.probe.pump(0.4, lambda _: bench.command("SERVO"))
    stamps = {s.m["seq"]: (s.m["stamp_ns"], s.at_ns) for s in bench.probe.log.sent}
    states = [s for s in bench.probe.log.states if s.m.get("echo_seq") in stamps]
    if len(states) < 20:
        return verdict(False, "echo_seq names none of the commands sent")
    seqs = [s.m["echo_seq"] for s in states]
    wrong = sum(s.m.get("echo_stamp_ns") != stamps[s.m["echo_seq"]][0] for s in states)
    back = sum(b < a for a, b in itertools.pairwise(seqs))
    age = np.array(
        [(s.m["stamp_ns"] - bench.probe.to_driver_ns(stamps[s.m["echo_seq"]][1])) * 1e-6 for s in states]
    )
    median, worst = float(np.median(age)), float(np.max(age))
    # One stall of this machine or that one makes a worst case; the median is the driver's.
    good = not wrong and not back and median <= 5.0 and worst <= 20.0
    return verdict(
        good, f"{wrong} wrong stamps, {back} going back; age median {median:.2f}, worst {worst:.1f} ms"
    )


@rule(
    "motion.hold",
    "HOLD moves nothing, whatever numbers it carries",
    demanded="HOLD with another q: the arm stays, and stays ENABLED",
    why="HOLD is what a controller says when it is not sure of its numbers.",
)
def hold(bench: Bench) -> Finding:
    """HOLD for a place beside the arm."""
    if not bench.nudge.any():
        return skip("no joint may move")
    bench.ready()
    before = bench.q
    bench.probe.pump(0.15, lambda _: bench.command("HOLD", bench.q_start + bench.nudge))
    moved = np.abs(bench.q - before)
    state = bench.state.m.get("state")
    good = bool((moved <= np.maximum(0.4 * bench.nudge, 1e-4)).all()) and state == "ENABLED"
    return verdict(good, f"moved {moved.max():.1e}, state {state}")


@rule(
    "motion.disable",
    "mode DISABLED disables",
    demanded="DISABLED within 50 ms, sooner than by silence",
    why="It is how a controller lets go while its requests may be waiting behind others.",
)
def mode_disabled(bench: Bench) -> Finding:
    """From ENABLED at rest."""
    bench.ready()
    done = bench.probe.pump(
        0.05, lambda _: bench.command("DISABLED"), lambda: bench.state.m.get("state") == "DISABLED"
    )
    return verdict(done, f"state {bench.state.m.get('state')}")


@rule(
    "motion.unknown_keys",
    "unknown keys in a command are ignored",
    demanded="a command with a key of a later version is executed",
    why="A controller that is newer by one key must not be without an arm.",
)
def unknown_keys(bench: Bench) -> Finding:
    """SERVO at rest with a key that there is not."""
    bench.ready()
    bench.probe.cut()
    bench.probe.pump(0.1, lambda _: {**bench.command("SERVO"), "colour": "red"})
    sent = {s.m["seq"] for s in bench.probe.log.sent}
    executed = bench.state.m.get("echo_seq") in sent
    return verdict(executed, "executed" if executed else f"refused: {bench.state.m.get('rejected')}")


RULES = (enable, follow, echo, hold, mode_disabled, unknown_keys)
