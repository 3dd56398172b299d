"""One writer at a time: who gets the lease, who does not, and when it lapses."""

from __future__ import annotations

import os
import time

from teleop.conform.bench import Bench
from teleop.conform.rule import Finding, Needs, rule, verdict

_LATE_S = 0.1


@rule(
    "lease.acquire",
    "acquire gives a lease and says how long it lives",
    demanded="lease: at least 8 bytes; ttl_s > 0; refused without a session of 16 bytes",
    why="The lease is what keeps a second controller, or a stale one, from moving the arm.",
    needs=Needs.WIRE,
)
def acquire(bench: Bench) -> Finding:
    """Ask rightly, and wrongly."""
    probe = bench.probe
    wrong = probe.ask("acquire", {"session": b"short"})
    if wrong.get("ok"):
        probe.ask("release", {"lease": (wrong.get("result") or {}).get("lease", b"")})
        return verdict(False, "a session of 5 bytes was given the lease")
    bench.acquire()
    reply = probe.ask("acquire", {"session": probe.commander.session, "lease": bench.lease})
    ttl = (reply.get("result") or {}).get("ttl_s")
    good = len(bench.lease) >= 8 and isinstance(ttl, int | float) and 0.0 < ttl < 60.0
    again = "the same" if reply.get("ok") else "refused"
    text = f"a lease of {len(bench.lease)} bytes, ttl_s {ttl}; asked again: {again}"
    bench.release()
    return verdict(bool(good and wrong.get("error")), text)


@rule(
    "lease.single",
    "a second client is refused",
    demanded="acquire by another client refused with a sentence while the first one holds the lease",
    why="Two controllers that both believe they hold the arm tear it between them.",
    needs=Needs.WIRE,
)
def single(bench: Bench) -> Finding:
    """Two clients ask, one after the other."""
    bench.acquire()
    other = bench.probe.new_client()
    reply = bench.probe.ask("acquire", {"session": os.urandom(16)}, client=other)
    bench.release()
    refused = reply.get("ok") is False and bool(reply.get("error"))
    return verdict(
        refused, f"refused: {reply['error']}" if refused else "the second client got the lease too"
    )


@rule(
    "lease.stranger",
    "who does not hold the lease can neither enable nor release",
    demanded="enable and release by a client without the lease refused; the arm stays DISABLED",
    why="Whoever can enable an arm can have it powered under somebody's hands.",
    needs=Needs.WIRE,
)
def stranger(bench: Bench) -> Finding:
    """A client that acquired nothing tries."""
    probe = bench.probe
    other = probe.new_client()
    bench.acquire()
    granted = []
    for op in ("enable", "home", "release"):
        if probe.ask(op, {}, client=other).get("ok"):
            granted.append(op)
        if probe.ask(op, {"lease": os.urandom(16)}, client=other).get("ok"):
            granted.append(f"{op} with a made-up lease")
    probe.pump(0.05)
    state = bench.state.m.get("state")
    bench.release()
    good = not granted and state == "DISABLED"
    return verdict(good, f"granted: {', '.join(granted) or 'nothing'}; state {state}")


@rule(
    "lease.lapse",
    "the lease of a silent holder lapses",
    demanded="free after ttl_s, not before, at most 0.1 s later; the next lease is another one",
    why="A controller that died must not keep the arm for ever; one that lives must not lose it.",
    needs=Needs.WIRE,
)
def lapse(bench: Bench) -> Finding:
    """Acquire, say nothing, and let another client ask again and again."""
    probe = bench.probe
    bench.acquire()
    reply = probe.ask("acquire", {"session": probe.commander.session, "lease": bench.lease})
    begin_s = time.monotonic()
    ttl_s = float((reply.get("result") or {}).get("ttl_s", 1.0))
    first, session, other = bench.lease, os.urandom(16), probe.new_client()
    while (taken_s := time.monotonic() - begin_s) < ttl_s + 1.0:
        asked_s = time.monotonic() - begin_s
        reply = probe.ask("acquire", {"session": session}, client=other)
        if reply.get("ok"):
            break
        probe.pump(0.01)
    taken_s = time.monotonic() - begin_s
    second = (reply.get("result") or {}).get("lease", b"")
    probe.ask("release", {"lease": second}, client=other)
    bench.lease = b""
    # The lease was renewed a little before our clock began, and taken a little before the answer came.
    in_time = bool(reply.get("ok")) and taken_s >= ttl_s - 0.02 and asked_s <= ttl_s + _LATE_S
    return verdict(
        in_time and second != first,
        f"free after {taken_s:.3f} s, ttl_s {ttl_s:g}; {'another' if second != first else 'THE SAME'} lease",
    )


@rule(
    "lease.disable",
    "anybody may disable the arm",
    demanded="disable by a client without the lease answered with ok",
    why="Stopping must never need a permission.",
    needs=Needs.WIRE,
)
def disable(bench: Bench) -> Finding:
    """A stranger asks; the arm is disabled anyway."""
    reply = bench.probe.ask("disable", {}, client=bench.probe.new_client())
    return verdict(bool(reply.get("ok")), "ok" if reply.get("ok") else f"refused: {reply.get('error')}")


RULES = (acquire, single, stranger, lapse, disable)
