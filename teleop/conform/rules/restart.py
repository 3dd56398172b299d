"""A driver that ends and starts again: a new session, disabled, without a lease."""

from __future__ import annotations

import time

from teleop.conform.bench import Bench
from teleop.conform.probe import SilentError
from teleop.conform.rule import Finding, Needs, rule, skip, verdict


@rule(
    "restart.fresh",
    "a driver that restarted is another session, DISABLED, and honours no old lease",
    demanded="a new session id, state DISABLED, the old lease refused, a new one given at once",
    why="It does not know what was certified before; nor does the controller know where the arm is now.",
    needs=Needs.RESTART,
)
def fresh(bench: Bench) -> Finding:
    """Restart it while a lease is out."""
    if bench.restart is None:
        return skip("no way to restart the driver was given (--restart)")
    probe = bench.probe
    bench.acquire()
    before, old = bench.state.m["session"], bench.lease
    bench.restart()
    begin_s = time.monotonic()
    if not probe.pump(30.0, until=lambda: bench.state.m.get("session") != before):
        return verdict(False, "no new session within 30 s of the restart")
    back_s = time.monotonic() - begin_s
    probe.pump(0.1)
    probe.cut()
    state = bench.state.m.get("state")
    probe.pump(0.1, lambda _: bench.command("SERVO", lease=old))
    executed = bench.state.m.get("echo_seq") in {s.m["seq"] for s in probe.log.sent}
    probe.client = probe.new_client()
    try:
        reply = probe.ask("acquire", {"session": probe.commander.session})
    except SilentError as error:
        return verdict(False, str(error))
    lease = (reply.get("result") or {}).get("lease")
    bench.lease = lease if isinstance(lease, bytes) else b""
    bench.release()
    good = state == "DISABLED" and not executed and bool(lease) and lease != old
    text = f"back after {back_s:.2f} s, {state}, old lease {'EXECUTED' if executed else 'refused'}, "
    return verdict(good, text + ("a new lease" if lease and lease != old else f"no new lease: {reply}"))


RULES = (fresh,)
