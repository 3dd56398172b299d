"""With real processes. Bounds are generous: they only catch what would hang or be left behind."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from teleop.supervisor import ChildSpec, Outcome, Supervisor

pytestmark = pytest.mark.process

IMPORTS = "import os, sys, signal, time; from teleop.supervisor.ready import announce_ready\n"
READY = IMPORTS + "announce_ready()\n"
LOOP = "announce_ready()\nwhile True: time.sleep(0.05)"
FOREVER = IMPORTS + "signal.signal(signal.SIGINT, lambda *_: sys.exit(0))\n" + LOOP
DEAF = IMPORTS + "for s in (signal.SIGINT, signal.SIGTERM): signal.signal(s, lambda *_: None)\n" + LOOP
TELL_PID = "import os, sys; print(os.getpid(), file=sys.stderr)\n"


def child(
    name: str, code: str, *, leads: bool = False, restarts: int = 0, ready_s: float = 30.0
) -> ChildSpec:
    command = (sys.executable, "-c", code)
    return ChildSpec(name, command, leads=leads, restarts=restarts, ready_timeout_s=ready_s)


class Session:
    """A supervisor and what it said."""

    def __init__(
        self, *children: ChildSpec, interrupt_s: float = 5.0, terminate_s: float = 2.0, lines: bool = False
    ) -> None:
        self.said: list[str] = []
        self.lines: list[tuple[str, str]] = []
        self.supervisor = Supervisor(
            children,
            say=self.said.append,
            on_line=(lambda name, line: self.lines.append((name, line))) if lines else None,
            interrupt_s=interrupt_s,
            terminate_s=terminate_s,
        )

    def run(self, on_ready: Callable[[], None] | None = None) -> Outcome:
        return self.supervisor.run(on_ready=on_ready, every_s=0.02)

    @property
    def text(self) -> str:
        return "\n".join(self.said)


def interrupt() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def gone(pid: int, within_s: float = 10.0) -> bool:
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return True
        if state == "Z":  # dead, and nobody of ours to reap it
            return True
        time.sleep(0.02)
    return False


def test_when_the_leader_ends_the_others_are_asked_to_and_it_counts_as_done() -> None:
    session = Session(child("arm", FOREVER), child("controller", READY + "time.sleep(0.3)", leads=True))
    outcome = session.run()
    assert outcome.status == 0
    assert outcome.reason.startswith("controller ended after")
    assert [(d.name, d.code) for d in outcome.deaths] == [("controller", 0), ("arm", 0)]


def test_the_leaders_exit_status_is_the_sessions() -> None:
    outcome = Session(child("arm", FOREVER), child("controller", READY + "sys.exit(2)", leads=True)).run()
    assert outcome.status == 2


def test_on_ready_comes_once_and_only_when_everybody_is() -> None:
    calls: list[float] = []

    def ready() -> None:
        calls.append(time.monotonic())
        interrupt()

    begin = time.monotonic()
    outcome = Session(child("a", "import time; time.sleep(0.5)\n" + FOREVER), child("b", FOREVER)).run(ready)
    assert len(calls) == 1
    assert calls[0] - begin >= 0.5
    assert (outcome.status, outcome.reason) == (0, "stopped by SIGINT")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_stop_signal_reaches_each_child_as_one_sigint_in_reverse_order(
    number: signal.Signals, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    note = f"open({str(log)!r}, 'a').write"
    code = IMPORTS + (
        f"signal.signal(signal.SIGTERM, lambda *_: {note}('TERM '))\n"
        f"signal.signal(signal.SIGINT, lambda *_: ({note}(NAME), time.sleep(0.3), sys.exit(0)))\n" + LOOP
    )
    session = Session(
        child("arm", "NAME = 'arm '\n" + code), child("controller", "NAME = 'controller '\n" + code)
    )
    outcome = session.run(lambda: os.kill(os.getpid(), number))
    assert log.read_text() == "controller arm "
    assert outcome.reason == f"stopped by {number.name}"
    assert outcome.status == 0


def test_the_handlers_of_before_come_back() -> None:
    before = [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]
    Session(child("a", FOREVER)).run(interrupt)
    assert [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)] == before
    assert signal.set_wakeup_fd(-1) == -1


def test_a_child_that_ignores_everything_is_killed_within_the_bounds() -> None:
    session = Session(child("deaf", DEAF), interrupt_s=0.3, terminate_s=0.3)
    begin = time.monotonic()
    outcome = session.run(
        lambda: (time.sleep(0.3), interrupt())[1]
    )  # it may not be deaf the moment it is ready
    print(f"took {time.monotonic() - begin:.2f} s")
    assert outcome.deaths[0].code == -signal.SIGKILL
    assert "sending SIGTERM" in session.text
    assert "sending SIGKILL" in session.text
    assert time.monotonic() - begin < 10.0


def test_a_stopped_child_is_killed_too() -> None:
    code = IMPORTS + "signal.signal(signal.SIGINT, signal.SIG_IGN); announce_ready()\n"
    code += "os.kill(os.getpid(), signal.SIGSTOP)"
    outcome = Session(child("frozen", code), interrupt_s=0.2, terminate_s=0.2).run(interrupt)
    assert outcome.deaths[0].code == -signal.SIGKILL


def test_a_second_ctrl_c_does_not_wait_for_the_bounds() -> None:
    session = Session(child("deaf", DEAF), interrupt_s=60.0, terminate_s=60.0)

    def impatient() -> None:
        for delay_s in (0.3, 0.6, 0.9):
            threading.Timer(delay_s, interrupt).start()

    begin = time.monotonic()
    assert session.run(impatient).deaths[0].code == -signal.SIGKILL
    assert time.monotonic() - begin < 20.0


def test_a_killed_child_is_named_with_its_signal_and_ends_the_session() -> None:
    session = Session(
        child("arm", READY + "time.sleep(0.2); os.kill(os.getpid(), signal.SIGKILL)"),
        child("master", FOREVER),
    )
    outcome = session.run()
    assert outcome.status == 1
    assert re.match(r"arm was killed by SIGKILL after \d", outcome.reason)
    assert outcome.deaths[-1].name == "master"


def test_a_child_that_raises_leaves_its_last_lines_in_the_report() -> None:
    session = Session(
        child("arm", READY + "print('x' * 900, file=sys.stderr)\nraise ValueError('no such joint')")
    )
    outcome = session.run()
    assert outcome.status == 1
    assert outcome.deaths[0].code == 1
    assert outcome.deaths[0].last_lines[-1] == "ValueError: no such joint"
    assert "ValueError: no such joint" in session.text


def test_a_crash_in_compiled_code_still_says_where() -> None:
    code = READY + "import ctypes\ndef crash_here(): ctypes.string_at(0)\ncrash_here()"
    outcome = Session(child("arm", code)).run()
    assert outcome.deaths[0].code == -signal.SIGSEGV
    assert any("crash_here" in line for line in outcome.deaths[0].last_lines)


def test_lines_are_handed_on_as_they_come_with_the_name_of_the_child() -> None:
    code = (
        READY
        + "print('one', file=sys.stderr); print('tw', end='', file=sys.stderr)\nprint('o', file=sys.stderr)"
    )
    session = Session(child("arm", code), lines=True)
    session.run()
    assert session.lines == [("arm", "one"), ("arm", "two")]


def test_a_child_that_writes_a_lot_is_not_blocked_and_not_all_remembered() -> None:
    code = READY + "for n in range(100_000): print('line', n, file=sys.stderr)\nsys.exit(3)"
    outcome = Session(child("chatty", code)).run()
    assert len(outcome.deaths[0].last_lines) == 20
    assert outcome.deaths[0].last_lines[-1] == "line 99999"


def test_a_child_that_fails_is_started_again_as_often_as_allowed(tmp_path: Path) -> None:
    code = READY + f"open({str(tmp_path / 'starts')!r}, 'a').write('x'); sys.exit(4)"
    session = Session(child("arm", code, restarts=2), child("master", FOREVER))
    outcome = session.run()
    assert (tmp_path / "starts").read_text() == "xxx"
    assert outcome.restarts == 2
    assert outcome.status == 1
    assert session.text.count("starting arm again") == 2


def test_a_killed_child_that_may_restart_does_not_disturb_the_others() -> None:
    first_pids: list[int] = []
    session = Session(
        child("arm", TELL_PID + FOREVER, restarts=1),
        child("controller", FOREVER, leads=True),
        lines=True,
    )

    def kill_the_arm() -> None:
        threading.Timer(0.3, lambda: os.kill(int(session.lines[0][1]), signal.SIGKILL)).start()
        threading.Timer(2.0, interrupt).start()

    outcome = session.run(kill_the_arm)
    first_pids = [int(line) for name, line in session.lines if name == "arm" and line.isdigit()]
    assert len(first_pids) == 2
    assert outcome.restarts == 1
    assert [d.name for d in outcome.deaths] == ["arm", "controller", "arm"]
    assert outcome.status == 0


def test_a_child_that_fails_before_it_is_ready_is_not_tried_again() -> None:
    session = Session(child("arm", "raise SystemExit('cannot bind')", restarts=5), child("b", FOREVER))
    outcome = session.run()
    assert outcome.restarts == 0
    assert outcome.status == 1
    assert "before it was ready" in outcome.reason
    assert "cannot bind" in session.text


def test_a_child_that_never_becomes_ready_is_said_so_with_the_time_it_had() -> None:
    outcome = Session(child("slow", "import time; time.sleep(60)", ready_s=0.3), interrupt_s=1.0).run()
    assert outcome.status == 1
    assert outcome.reason == "slow was not ready within 0.3 s"


def test_an_optional_child_that_never_becomes_ready_is_ended_and_the_session_goes_on() -> None:
    late = ChildSpec(
        "page", (sys.executable, "-c", "import time; time.sleep(60)"), ready_timeout_s=0.2, optional=True
    )
    session = Session(child("controller", READY + "time.sleep(1.0)", leads=True), late)
    outcome = session.run()
    assert outcome.status == 0
    assert session.text.count("page was not ready within 0.2 s; the session goes on without it") == 1
    assert "page was killed by SIGKILL" in session.text


def test_a_command_that_does_not_exist_is_an_error_of_that_child() -> None:
    session = Session(ChildSpec("ghost", ("/no/such/program",)))
    assert session.run().status == 1
    assert "cannot start /no/such/program: No such file" in session.text


def test_a_child_that_ends_well_and_does_not_lead_ends_nothing() -> None:
    session = Session(child("recording", READY), child("controller", READY + "time.sleep(0.5)", leads=True))
    outcome = session.run()
    assert [(d.name, d.code) for d in outcome.deaths] == [("recording", 0), ("controller", 0)]
    assert outcome.reason.startswith("controller ended")


def test_what_a_child_started_goes_with_it() -> None:
    start = "import subprocess; p = subprocess.Popen(['sleep', '1000']); print(p.pid, file=sys.stderr)\n"
    session = Session(child("arm", READY + start + "time.sleep(0.2)"), lines=True)
    session.run()
    assert gone(int(session.lines[0][1]))


def test_an_exception_in_a_callback_leaves_no_child() -> None:
    session = Session(child("a", TELL_PID + FOREVER), lines=True)

    def fail() -> None:
        if session.lines:
            raise RuntimeError("bug in the live status")

    with pytest.raises(RuntimeError, match="bug"):
        session.supervisor.run(on_tick=fail, every_s=0.02)
    assert gone(int(session.lines[0][1]))


def test_standard_output_of_a_child_is_its_own() -> None:
    code = (
        "import sys; from teleop.supervisor import ChildSpec, Supervisor\n"
        f"Supervisor([ChildSpec('a', (sys.executable, '-c', {READY + 'print(42)'!r}))]).run()"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert run.stdout == "42\n"


def test_announcing_ready_without_a_supervisor_does_nothing() -> None:
    run = subprocess.run(
        [sys.executable, "-c", READY], capture_output=True, text=True, timeout=60, check=True
    )
    assert (run.stdout, run.stderr) == ("", "")


def test_two_children_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="two children of one name"):
        Supervisor([child("a", ""), child("a", "")])


SUPERVISE = (
    "import sys; from teleop.supervisor import ChildSpec, Supervisor\n"
    "code = sys.argv[1]\n"
    "Supervisor([ChildSpec(n, (sys.executable, '-c', code)) for n in ('a', 'b')],"
    " on_line=lambda n, line: print(line, flush=True), interrupt_s=0.3, terminate_s=0.3)"
    ".run(on_ready=lambda: print('ready', flush=True))"
)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM, signal.SIGSEGV])
@pytest.mark.parametrize("deaf", [False, True], ids=["well-behaved", "deaf"])
def test_however_the_supervisor_ends_no_process_is_left(number: signal.Signals, deaf: bool) -> None:
    code = TELL_PID + (DEAF if deaf else FOREVER)
    with subprocess.Popen(
        [sys.executable, "-c", SUPERVISE, code], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        said = {process.stdout.readline().strip() for _ in range(3)}
        pids = [int(line) for line in said - {"ready"}]
        assert len(pids) == 2
        process.send_signal(number)
        process.wait(30)
    assert all(gone(pid) for pid in pids)
