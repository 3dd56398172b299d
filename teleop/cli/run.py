"""``trocar run`` and ``trocar demo``: start everything, show what happens, say how it went."""

from __future__ import annotations

import json
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.live import Live

from teleop.cli.browser import BrowserWindow
from teleop.cli.compiling import Compiling
from teleop.cli.operator import Operator
from teleop.cli.status import live_view, pair_line, print_summary, recording_line
from teleop.config import Session, load_session
from teleop.recorder.sink import check_target
from teleop.supervisor import ChildSpec, Outcome, Supervisor
from teleop.wire.endpoints import Participant
from teleop.wire.keys import OPERATOR
from teleop.wire.messages import Telemetry
from teleop.wire.requests import RequestClient
from teleop.wire.runtime_dir import private_dir
from teleop.wire.sockets import Context, QueueSubscriber, open_context
from teleop.wire.streams import Role

_PLAIN_EVERY_S = 2.0
_WAITING_EVERY_S = 5.0
_NETWORK = "impair "
"""Begins the name of a child that is a bad network; what it says at its end is part of the summary."""
_RESTARTS = 5
# What compiles may take long at the first start on a slow machine; the others only have to be loaded.
_COMPILED_S = 900.0
_LOADED_S = 120.0


def _children(
    session: Session,
    path: Path,
    overrides: tuple[str, ...],
    seconds: float,
    summary_file: Path,
    record: Path | None,
    window: BrowserWindow | None,
) -> list[ChildSpec]:
    """The recorder, arms, masters, then the controller: they are stopped in the reverse of that order."""
    sets = tuple(word for override in overrides for word in ("--set", override))

    def command(*words: str) -> tuple[str, ...]:
        return (sys.executable, "-m", "teleop", *words, *sets)

    children = []
    if record is not None:
        tape = command("recorder", str(path), str(record), "--json", str(_recorder_file(summary_file)))
        tape = (*tape, "--status-file", str(_recorder_status(summary_file)))
        children.append(ChildSpec("recorder", tape, vital=False, ready_timeout_s=_LOADED_S))
    if window is not None:
        page = command("console", str(path), "--status-file", str(window.status_file))
        if record is not None:
            page = (*page, "--recorder-status", str(_recorder_status(summary_file)))
        children.append(
            ChildSpec("console", page, restarts=_RESTARTS, ready_timeout_s=_LOADED_S, optional=True)
        )
        seconds = 0.0  # the window says when it is over
    restarts = _RESTARTS if session.spec.operator.restart else 0
    for kind in ("arm", "master"):
        for pair in session.spec.pairs:
            entry = pair.arm if kind == "arm" else pair.master
            if not entry.external:
                alone = command(kind, str(path), "--name", entry.name)
                children.append(
                    ChildSpec(f"{kind} {entry.name}", alone, restarts=restarts, ready_timeout_s=_COMPILED_S)
                )
    for impaired in session.spec.impair:
        proxy = command("impair", str(path), "--name", impaired.participant)
        name = f"{_NETWORK}{impaired.participant}"
        children.append(ChildSpec(name, proxy, restarts=restarts, ready_timeout_s=_LOADED_S))
    lead = command("controller", str(path), "--json", str(summary_file), "--seconds", repr(seconds))
    if record is not None:
        lead = (*lead, "--record")
    children.append(ChildSpec("controller", lead, leads=True, ready_timeout_s=_COMPILED_S))
    return children


def _recorder_file(summary_file: Path) -> Path:
    return summary_file.with_name("recorder.json")


def _recorder_status(summary_file: Path) -> Path:
    return summary_file.with_name("recording.json")


class Watch:
    """Follows the controller's telemetry: feeds the operator and the screen."""

    def __init__(self, context: Context, session: Session, console: Console, live: Live | None) -> None:
        """Connect to the controller, which need not be there yet."""
        own = Participant(Role.CONTROLLER, "controller", session.controller_endpoint)
        self._telemetry = QueueSubscriber(context, own.channel("telemetry"), Telemetry)
        client = RequestClient(context, own.channel("request"))
        self._operator = Operator(client) if session.spec.operator.auto else None
        self._console = console
        self._live = live
        self._compiling = Compiling()
        self.newest: Telemetry | None = None
        self._rate_hz = 0.0
        self._counted = (time.monotonic(), 0)
        self._printed_s = time.monotonic()
        self._said: dict[str, str] = {}

    def look(self) -> None:
        """Catch up with the telemetry and show it."""
        while (message := self._telemetry.receive()) is not None:
            self.newest = message
            if self._operator is not None:
                self._operator.see(message)
        now_s = time.monotonic()
        if self.newest is None:
            self._wait(now_s)
            return
        since_s, tick = self._counted
        if now_s - since_s >= 1.0:
            self._rate_hz = (self.newest.tick - tick) / (now_s - since_s)
            self._counted = (now_s, self.newest.tick)
        if self._operator is not None:
            self._operator.look(self.newest, now_s)
        notice = self._operator.refusal if self._operator is not None else ""
        if self._live is not None:
            self._live.update(live_view(self.newest, self._rate_hz, notice))
        else:
            self._print_plainly(self.newest, now_s)

    def _wait(self, now_s: float) -> None:
        """Before the first telemetry: say what is being compiled, if anything is."""
        if not (line := self._compiling.line(now_s)):
            return
        if self._live is not None:
            self._live.update(line)
        elif now_s - self._printed_s >= _WAITING_EVERY_S:
            self._printed_s = now_s
            self._console.print(line, highlight=False)

    def _print_plainly(self, telemetry: Telemetry, now_s: float) -> None:
        """Without a terminal: a line when the state of a pair changes, and one every two seconds."""
        due = now_s - self._printed_s >= _PLAIN_EVERY_S
        for pair in telemetry.pairs:
            state = f"{pair.teleop_state} {pair.reason}"
            if due or self._said.get(pair.pair) != state:
                self._said[pair.pair] = state
                self._printed_s = now_s
                self._console.print(f"{pair.pair}: {pair_line(pair)}", highlight=False, soft_wrap=True)


def run_session(
    path: Path,
    *,
    overrides: tuple[str, ...],
    seconds: float,
    json_file: Path | None,
    record: Path | None = None,
    private_runtime_dir: bool = False,
    console: bool = False,
) -> int:
    """Run a session to its end.

    Args:
        path: the session's TOML file.
        overrides: ``key=value`` settings.
        seconds: how long the controller runs, s; 0 until Ctrl-C.
        json_file: where the summary goes as JSON.
        record: where every tick is recorded.
        private_runtime_dir: use sockets of its own, so that several may run on one machine.
        console: serve the browser console; the session then lasts on while a browser shows it.

    Returns:
        0 done, 1 a process or the recording failed, or a command was in a forbidden region.
    """
    screen = Console()
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="trocar-")))
        if private_runtime_dir:
            overrides = (*overrides, f"runtime_dir={json.dumps(str(scratch))}")
        session = load_session(path, overrides)
        private_dir(session.runtime_dir)
        if record is not None:
            record = record.resolve()
            check_target(record)
        summary_file = scratch / "summary.json"
        window = BrowserWindow(scratch / "console.json", screen, seconds) if console else None
        children = _children(session, path, overrides, seconds, summary_file, record, window)
        screen.print("starting; the first start on a machine compiles for about a minute", highlight=False)
        context = stack.enter_context(open_context(session.keyring(OPERATOR)))
        live = stack.enter_context(Live(console=screen, transient=True)) if screen.is_terminal else None
        watch = Watch(context, session, screen, live)
        supervisor = Supervisor(
            children, say=lambda text: screen.print(text, highlight=False, soft_wrap=True)
        )

        def look() -> None:
            watch.look()
            if window is not None and (over := window.look(watch.newest)):
                supervisor.stop(over)

        outcome = supervisor.run(on_tick=look, every_s=0.05)
        summary = _read_summary(summary_file)
        if summary is not None and record is not None:
            summary["recording"] = _recording(record, summary, _read_summary(_recorder_file(summary_file)))
        if live is not None:
            live.stop()
        return _close(screen, outcome, summary, watch.newest, json_file)


def _read_summary(path: Path) -> dict[str, Any] | None:
    try:
        loaded: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return loaded


def _recording(record: Path, summary: dict[str, Any], told: dict[str, Any] | None) -> dict[str, Any]:
    """What became of the recording; ticks that the recorder never saw are dropped ones."""
    if told is None:
        error = "the recorder was killed; what it wrote until then can be read"
        told = {"file": str(record), "ticks": None, "bytes": None, "error": error}
    ticks = told["ticks"]
    return told | {"dropped": None if ticks is None else summary["ticks"] - ticks}


def _close(
    console: Console,
    outcome: Outcome,
    summary: dict[str, Any] | None,
    last: Telemetry | None,
    json_file: Path | None,
) -> int:
    """Print and write the summary; the exit status."""
    if summary is None:
        console.print("The controller left no summary: it did not end by itself.", highlight=False)
        if last is not None:
            console.print(f"Its last word: tick {last.tick}, {last.state}", highlight=False)
            for pair in last.pairs:
                console.print(f"{pair.pair}: {pair_line(pair)}", highlight=False)
        return outcome.status or 1
    print_summary(console, summary)
    for death in outcome.deaths:
        if death.name.startswith(_NETWORK):
            for line in death.last_lines:
                console.print(f"{death.name}: {line}", highlight=False, soft_wrap=True)
    recording = summary["recording"]
    if recording is not None:
        console.print(recording_line(recording), highlight=False, soft_wrap=True)
        if recording["error"]:
            outcome.status = outcome.status or 1
    if json_file is not None:
        json_file.write_text(json.dumps(summary, indent=2) + "\n", encoding="utf-8")
        console.print(f"summary written to {json_file}", highlight=False)
    return 1 if outcome.status or summary["violations"] else 0
