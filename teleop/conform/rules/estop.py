"""The emergency stop: soon, on the certified way, and for good."""

from __future__ import annotations

import numpy as np

from teleop.conform.bench import STOP_S, Bench
from teleop.conform.plot import Plot
from teleop.conform.probe import Message
from teleop.conform.rule import Finding, Needs, rule, skip, verdict
from teleop.conform.rules.motion import traces

LATENCY_MS = 10.0
_SLACK_MS = 1.0


def _latency(bench: Bench, sent_ns: int) -> tuple[float, float] | None:
    """Bounds on the time from sending to FAULT, ms."""
    states = [s.m for s in bench.probe.log.states]
    k = next((k for k, m in enumerate(states) if m.get("state") == "FAULT"), None)
    if k is None:
        return None
    ms = [(m["stamp_ns"] - bench.probe.to_driver_ns(sent_ns)) * 1e-6 for m in states]
    return max(ms[k - 1] if k else 0.0, 0.0), ms[k]


def _unheard(bench: Bench, why: str) -> Finding | None:
    """Send an emergency stop; what is wrong if it does not show within 200 ms."""
    bench.probe.estop(why)
    if bench.probe.pump(0.2, until=lambda: bench.state.m.get("state") == "FAULT"):
        return None
    return verdict(False, f"state {bench.state.m.get('state')} 200 ms after an e-stop")


@rule(
    "estop.latch",
    "an emergency stop latches until it is cleared on purpose",
    demanded="FAULT; enable, plain disable and a new lease change nothing; reset_fault, then enable, do",
    why="Whoever pressed it wants the arm to stay as it is until they say otherwise.",
    needs=Needs.WIRE,
)
def latch(bench: Bench) -> Finding:
    """With the drives off: everything that might clear it by mistake is tried."""
    probe = bench.probe
    bench.acquire()
    if (unheard := _unheard(bench, "conformance test, drives off")) is not None:
        return unheard
    enabled = probe.ask("enable", {"lease": bench.lease}).get("ok")
    probe.ask("disable", {})
    probe.ask("disable", {"lease": bench.lease})
    probe.ask("release", {"lease": bench.lease})
    bench.acquire()
    enabled = enabled or probe.ask("enable", {"lease": bench.lease}).get("ok")
    stranger = probe.ask("disable", {"reset_fault": True}, client=probe.new_client()).get("ok")
    probe.pump(0.05)
    latched = bench.state.m.get("state") == "FAULT"
    cleared = bench.reset_fault() if latched else False
    bench.release()
    good = latched and cleared and not enabled and not stranger
    text = "latched, " if latched else "NOT latched, "
    text += "cleared by the holder" if cleared else "NOT cleared by reset_fault"
    return verdict(
        good,
        text + (", ENABLED in FAULT" if enabled else "") + (", A STRANGER cleared it" if stranger else ""),
    )


@rule(
    "estop.reset_fault",
    "where the driver offers `reset_fault`, only the holder of the lease may use it, and it enables nothing",
    demanded="refused to a stranger and answered to the holder; FAULT, then DISABLED. Skipped if not offered",
    why="Who clears an emergency stop must be the one who will then move the arm, and must ask for that too.",
    needs=Needs.WIRE,
)
def reset_fault(bench: Bench) -> Finding:
    """An addition to the protocol: a driver without it clears a fault by `disable` with reset_fault alone."""
    probe = bench.probe
    bench.acquire()
    if (unheard := _unheard(bench, "conformance test of reset_fault")) is not None:
        return unheard
    probe.pump(2.0, until=lambda: not bench.state.m.get("is_busy"))
    stranger = probe.ask("reset_fault", {}, client=probe.new_client()).get("ok")
    probe.pump(0.05)
    kept = bench.state.m.get("state") == "FAULT"
    reply = probe.ask("reset_fault", {"lease": bench.lease})
    probe.pump(0.3, until=lambda: bench.state.m.get("state") != "FAULT")
    state = bench.state.m.get("state")
    bench.release()
    if not reply.get("ok") and kept and not stranger:
        return skip(f"not offered ({reply.get('error')}); `disable` with reset_fault is used instead")
    text = f"{state} by the holder" + (", A STRANGER was answered with ok" if stranger else "")
    text += "" if kept else ", A STRANGER cleared it"
    return verdict(state == "DISABLED" and kept and not stranger, text)


@rule(
    "estop.motion",
    "an emergency stop at speed takes effect within 10 ms and stays on the certified way",
    demanded=f"FAULT within {LATENCY_MS:g} ms; at rest not beyond q + qd stop_s/2; later commands ignored",
    why="It is the last thing that can stop the arm, and the path of its stop must be a certified one.",
)
def motion(bench: Bench) -> Finding:
    """Run to speed, stop, and go on commanding as a controller would that did not hear it."""
    v = bench.cruise
    if not v.any():
        return skip("no joint may move")
    bench.ready()
    probe = bench.probe
    probe.cut()
    bench.run_to_speed(v)
    q, qd = bench.along(v, 0.2)
    sent_ns = probe.estop("conformance test at speed")
    begin = [0.0]

    def deaf(t: float) -> Message | None:
        begin[0] = t
        # What a deaf controller would go on asking for, but only as far as the bounds reach.
        return bench.command(
            "SERVO",
            q + qd * min(t, 0.5 * STOP_S),
            qd=qd.tolist() if t < 0.01 else [0.0] * bench.n,
            stop_s=STOP_S,
        )

    def safe(t: float) -> Message | None:
        try:
            return deaf(t)
        except Exception:
            return None

    probe.pump(0.25, safe)
    latency = _latency(bench, sent_ns)
    t, s = traces(bench, probe.log, v)
    t_sent = probe.to_driver_ns(sent_ns) * 1e-9
    end = float(np.median(s[-10:]))
    s_sent = float((q - bench.q_start) @ v / (v @ v))
    certified = s_sent + 0.5 * STOP_S + LATENCY_MS * 1e-3  # of the last command executed before it arrived
    plot = Plot(
        "emergency stop at speed",
        "ms after it was sent",
        "way / speed, ms",
        (("measured", (1e3 * (t - t_sent)).tolist(), (1e3 * (s - s_sent)).tolist()),),
        (("sent", 0.0), ("10 ms", LATENCY_MS)),
    )
    if latency is None:
        bench.release()
        return verdict(False, "no FAULT within 250 ms", plot)
    probe.pump(0.05)
    latched = bench.state.m.get("state") == "FAULT"
    bench.release()
    good = (
        latency[0] <= LATENCY_MS + _SLACK_MS
        and end <= certified * 1.02
        and float(s.max()) <= certified * 1.03
        and latched
    )
    text = (
        f"FAULT between {latency[0]:.1f} and {latency[1]:.1f} ms, stopped after "
        f"{1e3 * (end - s_sent):.1f} ms of travel "
        f"(certified {1e3 * (certified - s_sent):.0f}){'' if latched else ', NOT latched'}"
    )
    return verdict(good, text, plot)


RULES = (latch, reset_fault, motion)
