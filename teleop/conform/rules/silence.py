"""What the driver does when commands fail to come: the stop, then HOLD, then DISABLED."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from teleop.conform.bench import STOP_S, Array, Bench
from teleop.conform.plot import Plot
from teleop.conform.probe import Message
from teleop.conform.rule import Finding, rule, skip, verdict
from teleop.conform.rules.motion import traces

HOLD_MS, DISABLE_MS = 20.0, 100.0
_EARLY_MS, _LATE_MS = 1.5, 5.0
_WIDE_MS = 10.0
_SHIFT_MS = 4.0


@dataclass(frozen=True, slots=True)
class Delay:
    """When a state began after the last command that was executed, bounded by what was published, ms.

    Attributes:
        least: it began after this.
        most: it began before this.
    """

    least: float
    most: float

    def finding(self, what: str, due: float) -> Finding:
        """Fails on a witness only: a state still old when it was too late, or new when it was too early."""
        text = f"{what} between {self.least:.1f} and {self.most:.1f} ms after the last command"
        if self.most - self.least > _WIDE_MS:
            return verdict(False, f"{text}: state came too seldom to tell")
        return verdict(self.most >= due - _EARLY_MS and self.least <= due + _LATE_MS, text)


def _delay(states: list[Message], last_seq: int, reached: Callable[[Message], bool]) -> Delay | None:
    executed = next((k for k, m in enumerate(states) if m.get("echo_seq") == last_seq), None)
    if not executed:
        return None
    began = next((k for k, m in enumerate(states) if k >= executed and reached(m)), None)
    if began is None:
        return None
    ms = [m["stamp_ns"] * 1e-6 for m in states]
    return Delay(ms[began - 1] - ms[executed], ms[began] - ms[executed - 1])


def _silence(
    bench: Bench, seconds: float, noise: Callable[[float], Message | None] | None = None
) -> tuple[list[Message], int]:
    """Stream SERVO at rest, then say nothing, or only ``noise``; the states, and the last good number."""
    bench.ready()
    probe = bench.probe
    probe.cut()
    probe.pump(0.1, lambda _: bench.command("SERVO"))
    # The last one sent may have been overtaken in a conflated slot; the last one executed is what counts.
    probe.pump(seconds, noise)
    states = [s.m for s in probe.log.states]
    return states, max((int(m.get("echo_seq", -1)) for m in states), default=-1)


def _held(m: Message) -> bool:
    return m.get("state") in ("PAUSED", "DISABLED")


@rule(
    "silence.hold",
    "after 20 ms without a command the arm holds and must be engaged again",
    demanded=f"PAUSED {HOLD_MS:g} ms after the last command (-{_EARLY_MS:g}, +{_LATE_MS:g})",
    why="A link that drops out and returns must not find the arm following a hand that has moved on.",
)
def hold(bench: Bench) -> Finding:
    """Timed between two published states, by the driver's stamps."""
    states, last = _silence(bench, 0.06)
    delay = _delay(states, last, _held)
    return delay.finding("PAUSED", HOLD_MS) if delay else verdict(False, "never PAUSED in 60 ms of silence")


@rule(
    "silence.disable",
    "after 100 ms without a command the arm disables",
    demanded=f"DISABLED {DISABLE_MS:g} ms after the last command (-{_EARLY_MS:g}, +{_LATE_MS:g})",
    why="Nobody is at the other end; power that nobody watches is off.",
)
def disable(bench: Bench) -> Finding:
    """As for the hold."""
    states, last = _silence(bench, 0.2)
    delay = _delay(states, last, lambda m: m.get("state") == "DISABLED")
    return (
        delay.finding("DISABLED", DISABLE_MS)
        if delay
        else verdict(False, "not DISABLED after 200 ms of silence")
    )


@rule(
    "silence.enable",
    "an arm that was enabled and hears nothing disables",
    demanded="DISABLED at most 150 ms after enable without a command",
    why="A controller that died between `enable` and its first command leaves a powered arm.",
)
def enable(bench: Bench) -> Finding:
    """Enable and say nothing."""
    bench.ready()
    bench.release()
    bench.probe.pump(0.05)
    bench.acquire()
    reply = bench.probe.ask("enable", {"lease": bench.lease})
    off = bench.probe.pump(0.15, until=lambda: bench.state.m.get("state") == "DISABLED")
    begun = bool(reply.get("ok"))
    bench.probe.pump(0.02)
    return verdict(begun and off, f"state {bench.state.m.get('state')}" if begun else f"enable: {reply}")


@rule(
    "silence.refused",
    "commands that are refused do not keep the arm alive",
    demanded="PAUSED although commands with a foreign lease, and expired ones, go on coming",
    why="A flood of somebody else's commands would keep an arm enabled that nobody drives.",
)
def refused(bench: Bench) -> Finding:
    """The silence of the holder is filled by others."""

    def noise(t: float) -> Message:
        message = bench.command("SERVO")
        if int(t * 1e3) % 2:
            return {**message, "lease": os.urandom(16)}
        return {**message, "ttl_ms": 5.0, "stamp_ns": message["stamp_ns"] - 100_000_000}

    states, last = _silence(bench, 0.06, noise)
    delay = _delay(states, last, _held)
    return (
        delay.finding("PAUSED", HOLD_MS)
        if delay
        else verdict(False, "still ENABLED after 60 ms of refused commands")
    )


@rule(
    "silence.paused",
    "an arm that holds executes nothing until it is engaged again",
    demanded="SERVO while PAUSED: no echo, still PAUSED or DISABLED; ENABLED again by enable or HOLD",
    why="The sender does not know that it was away; only engaging again takes new references.",
)
def paused(bench: Bench) -> Finding:
    """Wait for the hold, then go on as if nothing had been."""
    bench.ready()
    probe = bench.probe
    probe.pump(0.05, lambda _: bench.command("SERVO"))
    probe.pump(0.06, until=lambda: _held(bench.state.m))
    held, echo = bench.state.m.get("state"), bench.state.m.get("echo_seq")
    probe.pump(0.04, lambda _: bench.command("SERVO", bench.q_start + bench.nudge))
    after = bench.state.m
    moved = np.abs(bench.q - bench.q_start)
    stayed = bool((moved <= np.maximum(0.4 * bench.nudge, 1e-4)).all())
    probe.ask("enable", {"lease": bench.lease}, make=bench.hold)
    back = probe.pump(0.1, bench.hold, lambda: bench.state.m.get("state") == "ENABLED")
    good = held == "PAUSED" and _held(after) and after.get("echo_seq") == echo and stayed and back
    text = f"{held}, then SERVO: {after.get('state')}, echo {echo} -> {after.get('echo_seq')}, "
    text += f"moved {moved.max():.1e}; "
    return verdict(good, text + ("engaged again" if back else "NOT engaged again"))


@rule(
    "silence.stop",
    "from the first missing command the arm runs the stop that the last one fixed",
    demanded=f"straight to q + qd stop_s/2, falling linearly to rest, begun at most {_SHIFT_MS:g} ms late",
    why="This path, and no other, was certified against the forbidden regions.",
)
def stop(bench: Bench) -> Finding:
    """Run to speed, fall silent, compare with ``q + qd (s - s^2/(2 stop_s))``, later by the arm's own lag."""
    v = bench.cruise
    if not v.any():
        return skip("no joint may move")
    bench.ready()
    probe = bench.probe
    probe.cut()
    bench.run_to_speed(v)
    probe.pump(0.18)
    log = probe.log
    t, s = traces(bench, log, v)
    states = [m.m for m in log.states if m.m.get("q")]
    echoes = {m.m["seq"]: m for m in log.sent}
    done = [int(m["echo_seq"]) for m in states if m.get("echo_seq") in echoes]
    if not done:
        return verdict(False, "no command was executed")
    last = echoes[max(done)]
    t_last = probe.to_driver_ns(last.at_ns) * 1e-9
    s_last = float((np.array(last.m["q"]) - bench.q_start) @ v / (v @ v))
    speed = float(np.array(last.m["qd"]) @ v / (v @ v))
    way = 0.5 * speed * STOP_S
    end = float(np.median(s[-20:]))
    cruising = (t > t_last - 0.05) & (t < t_last)
    after = t > t_last
    if cruising.sum() < 5 or after.sum() < 30:
        return verdict(False, "too little state came")
    lag = float(np.median(t[cruising] - (t_last + (s[cruising] - s_last) / speed)))

    def reference(at: Array, begun: float) -> Array:
        """The command, held on at its speed for ``begun``, then its stop."""
        u = at - t_last - lag
        coast = np.minimum(u, begun)
        x = np.clip(u - begun, 0.0, STOP_S)
        return np.asarray(s_last + speed * (coast + x - x * x / (2.0 * STOP_S)))

    shifts = np.arange(-0.01, 0.06, 0.0005)
    errors = [float(np.sqrt(np.mean((reference(t[after], d) - s[after]) ** 2))) for d in shifts]
    best = int(np.argmin(errors))
    shift_ms, fit = 1e3 * float(shifts[best]), errors[best] / way
    off_end, over = (end - s_last - way) / way, (float(s.max()) - s_last - way) / way
    q = np.array([m["q"] for m in states], dtype=float) - bench.q_start
    aside = float(np.max(np.abs(q - np.outer(s, v)))) / float(np.max(np.abs(v)) * 0.5 * STOP_S)
    state = states[-1].get("state")
    plot = Plot(
        "the stop that the last command fixed",
        "ms after the last command",
        "way / (speed of the last command), ms",
        (
            ("measured", (1e3 * (t - t_last)).tolist(), (1e3 * (s - s_last) / speed).tolist()),
            (
                "fixed by the command",
                (1e3 * (t - t_last)).tolist(),
                (1e3 * (reference(t, 0.0) - s_last) / speed).tolist(),
            ),
        ),
        (("last command", 0.0), ("20 ms", 20.0), ("100 ms", 100.0)),
    )
    good = abs(shift_ms) <= _SHIFT_MS and fit < 0.1 and abs(off_end) < 0.1 and over < 0.15 and aside < 0.3
    text = (
        f"begun {shift_ms:+.1f} ms after it was due, end off by {100 * off_end:+.1f} % of the way, "
        f"path off by {100 * fit:.1f} % rms, aside {100 * aside:.0f} %; then {state}"
    )
    return verdict(good and _held(states[-1]), text, plot)


@rule(
    "silence.resume",
    "after a few missing commands a fresh one takes over without a jump",
    demanded="6 commands missing at speed: still ENABLED, never backwards, never above 1.3 qd_max",
    why="Networks lose packets in bursts; each would be a jerk at the tool tip.",
)
def resume(bench: Bench) -> Finding:
    """A gap in a run at constant speed."""
    v = bench.cruise
    if not v.any():
        return skip("no joint may move")
    bench.ready()
    probe = bench.probe
    gap = range(130, 136)

    def make(t: float) -> Message | None:
        q, qd = bench.along(v, min(t, 0.2))
        message = bench.command("SERVO", q, qd=qd.tolist(), stop_s=STOP_S)
        return None if int(t * 1e3) in gap else message

    probe.cut()
    probe.pump(0.2, make)
    states = [m.m for m in probe.log.states if m.m.get("q")]
    seen = {m.get("state") for m in states}
    t, s = traces(bench, probe.log, v)
    q = np.array([m["q"] for m in states], dtype=float)
    dt = np.diff(t)
    inside = t[1:] - t[0] > 0.06
    noise = 1e-4  # rad or m between two readings
    fastest = float(
        np.max((np.abs(np.diff(q, axis=0)) - noise) / (bench.qd_max * np.maximum(dt, 1e-3)[:, None]))
    )
    slowest = float(np.min((np.diff(s) + noise / np.max(v))[inside] / dt[inside], initial=1.0))
    plot = Plot(
        "six commands missing at 130 ms",
        "s",
        "speed / commanded",
        (("measured", (t[1:] - t[0]).tolist(), (np.diff(s) / dt).tolist()),),
    )
    text = f"{'/'.join(sorted(map(str, seen)))}; {fastest:.2f} of qd_max, down to {slowest:.2f} of cruise"
    return verdict(seen == {"ENABLED"} and fastest <= 1.3 and slowest >= -0.05, text, plot)


RULES = (hold, disable, enable, refused, paused, stop, resume)
