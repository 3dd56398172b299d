"""Who the driver says it is, and what it publishes while nobody asks anything of it."""

from __future__ import annotations

import itertools

import numpy as np

from teleop.conform.bench import STATES, Bench
from teleop.conform.plot import Plot
from teleop.conform.rule import Finding, Needs, rule, verdict

_WATCH_S = 1.5


@rule(
    "identity.info",
    "get_info names the arm, its joints, limits and rate",
    demanded="name, joints, rate_hz > 0 and limits q_min < q_max, qd_max > 0, one number a joint",
    why="A controller that believes other limits than the driver asks for motion that is refused in mid-air.",
    needs=Needs.WIRE,
)
def info(bench: Bench) -> Finding:
    """Look at the answer."""
    told, n = bench.probe.info, bench.n
    wrong = []
    if not isinstance(told.get("name"), str) or not told["name"]:
        wrong.append("no name")
    joints = told.get("joints")
    if not isinstance(joints, list) or len(joints) != n:
        wrong.append(f"joints {joints!r} do not fit the {n} numbers in q")
    rate = told.get("rate_hz")
    if not isinstance(rate, int | float) or not 0.0 < rate <= 1e5:
        wrong.append(f"rate_hz {rate!r}")
    if not (bench.q_min < bench.q_max).all() or not np.isfinite([bench.q_min, bench.q_max]).all():
        wrong.append("q_min and q_max are missing or not in order")
    if not ((bench.qd_max > 0.0) & np.isfinite(bench.qd_max)).all():
        wrong.append("qd_max is missing or not positive")
    return verdict(not wrong, "; ".join(wrong) or f"{told['name']}: {n} joints at {rate:g} Hz")


@rule(
    "state.message",
    "every measured_js is whole and numbered",
    demanded="schema 1, stream <name>/measured_js, one session, seq +1, stamps rising, finite q and qd",
    why="Gaps, repeats and restarts can only be told apart by a header that is right.",
    needs=Needs.WIRE,
)
def message(bench: Bench) -> Finding:
    """Watch for a while and list what is wrong."""
    probe = bench.probe
    probe.cut()
    probe.pump(0.5)
    states = [s.m for s in probe.log.states]
    wrong: dict[str, int] = {}

    def note(bad: bool, what: str) -> None:
        if bad:
            wrong[what] = wrong.get(what, 0) + 1

    for m in states:
        note(m.get("schema") != 1, "schema is not 1")
        note(m.get("stream") != f"{probe.name}/measured_js", f"stream {m.get('stream')!r}")
        note(not isinstance(m.get("session"), bytes) or len(m["session"]) != 16, "session is not 16 bytes")
        note(m.get("state") not in STATES, f"state {m.get('state')!r}")
        for key in ("q", "qd"):
            good = isinstance(m.get(key), list) and len(m[key]) == bench.n
            note(
                not good or not np.isfinite(np.array(m[key], dtype=float)).all(),
                f"{key} is not {bench.n} finite numbers",
            )
        for key in ("is_homed", "is_busy"):
            note(not isinstance(m.get(key), bool), f"{key} is not a bool")
        for key in ("seq", "stamp_ns"):
            note(not isinstance(m.get(key), int), f"{key} is not an integer")
    if not any("integer" in what for what in wrong):
        for a, b in itertools.pairwise(states):
            note(b["seq"] != a["seq"] + 1, "seq does not grow by one")
            note(b["stamp_ns"] <= a["stamp_ns"], "stamp_ns does not rise")
            note(b.get("session") != a.get("session"), "the session changes")
    note(probe.log.garbage > 0, "bytes that are no map")
    text = "; ".join(f"{what} ({count} of {len(states)})" for what, count in wrong.items())
    return verdict(bool(states) and not wrong, text or f"{len(states)} messages, none wrong")


@rule(
    "state.rate",
    "state comes at the rate that the driver declares",
    demanded="within 5 % of rate_hz by the driver's own stamps and numbers",
    why="The controller judges silence by time: a driver at half the rate is held for dead twice as soon.",
    needs=Needs.WIRE,
)
def rate(bench: Bench) -> Finding:
    """Messages sent, by ``seq``, per second, by ``stamp_ns``; those lost on the way to us do not count."""
    probe = bench.probe
    probe.cut()
    probe.pump(_WATCH_S)
    states = [s.m for s in probe.log.states]
    if len(states) < 10:
        return verdict(False, f"{len(states)} messages in {_WATCH_S} s")
    sent = states[-1]["seq"] - states[0]["seq"]
    measured = sent / ((states[-1]["stamp_ns"] - states[0]["stamp_ns"]) * 1e-9)
    declared = float(probe.info.get("rate_hz") or 1000.0)
    return verdict(abs(measured / declared - 1.0) <= 0.05, f"{measured:.1f} Hz, declared {declared:g} Hz")


@rule(
    "state.jitter",
    "the loop of the driver is regular",
    demanded="99 of 100 intervals between stamps below 3 periods, the longest below 20 ms",
    why="A driver that sleeps for 20 ms cannot hold after 20 ms, nor stop within 10.",
    needs=Needs.WIRE,
)
def jitter(bench: Bench) -> Finding:
    """Percentiles of the intervals between stamps of consecutive messages."""
    probe = bench.probe
    probe.cut()
    probe.pump(_WATCH_S)
    pairs = list(zip(probe.log.states, probe.log.states[1:], strict=False))
    ms = np.array(
        [(b.m["stamp_ns"] - a.m["stamp_ns"]) * 1e-6 for a, b in pairs if b.m["seq"] == a.m["seq"] + 1]
    )
    if ms.size < 10:
        return verdict(False, f"{ms.size} intervals")
    p50, p99, top = np.percentile(ms, [50, 99, 100])
    period = 1e3 / float(probe.info.get("rate_hz") or 1000.0)
    plot = Plot(
        "intervals between stamps, sorted",
        "share of intervals",
        "ms",
        (("interval", np.linspace(0.0, 1.0, ms.size).tolist(), np.sort(ms).tolist()),),
    )
    text = f"p50 {p50:.2f}, p99 {p99:.2f}, longest {top:.2f} ms"
    return verdict(bool(p99 <= 3.0 * period and top < 20.0), text, plot)


RULES = (info, message, rate, jitter)
