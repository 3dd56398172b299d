"""``trocar impair``: the proxy as a process, for a participant of a session or for any two endpoints."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

from teleop.config import ConfigError, load_session
from teleop.config.toml import read_toml, validate
from teleop.impair.proxy import Proxy
from teleop.impair.spec import ImpairSpec
from teleop.loop.realtime import FIFO_PRIORITY, make_realtime
from teleop.loop.signals import stop_on_signals
from teleop.wire.sockets import open_context
from teleop.wire.streams import Role


def format_statistics(statistics: dict[str, dict[str, float]]) -> str:
    """A line for each direction."""
    lines = []
    for name, counts in statistics.items():
        what = ", ".join(
            f"{key} {counts[key]:.0f}" for key in counts if key not in ("mean_delay_ms", "bytes")
        )
        lines.append(f"impair {name}: {what}; mean delay {counts['mean_delay_ms']:.2f} ms")
    return "\n".join(lines) or "impair: nothing passed"


def run_proxy(
    role: Role,
    real: str,
    shown: str,
    spec: ImpairSpec,
    *,
    control: str | None = None,
    seconds: float | None = None,
    json_file: Path | None = None,
    realtime: bool = True,
    on_ready: Callable[[], None] | None = None,
) -> int:
    """Run until SIGINT, SIGTERM or ``seconds``; then say what was done to how many messages."""
    with open_context() as context, stop_on_signals() as stop:
        proxy = Proxy(context, role, real, shown, spec, control)
        if on_ready is not None:
            on_ready()
        if realtime:
            make_realtime(priority=FIFO_PRIORITY - 1)
        try:
            proxy.run(stop, seconds)
        finally:
            statistics = proxy.statistics()
            print(format_statistics(statistics), file=sys.stderr, flush=True)
            if json_file is not None:
                json_file.write_text(json.dumps(statistics, indent=2) + "\n", encoding="utf-8")
    return 0


def run_alone(
    file: Path | None,
    *,
    preset: str | None,
    role: str,
    real: str,
    shown: str,
    control: str | None,
    seconds: float | None,
    json_file: Path | None,
) -> int:
    """The stand-alone command.

    Raises:
        ConfigError: the script, the preset or a stream is not right.
    """
    if role not in [known.value for known in Role] or not real or not shown:
        raise ConfigError(
            ["say what is behind the proxy, --role arm, master or controller, and where: --real, --shown"]
        )
    table = {} if file is None else read_toml(file)
    if preset is not None:
        table["preset"] = preset
    path = file or Path("--preset")
    spec: ImpairSpec = validate(ImpairSpec, table, path)
    chosen = Role(role)
    if mistakes := spec.unknown_streams(chosen, str(path)):
        raise ConfigError(mistakes)
    return run_proxy(chosen, real, shown, spec, control=control, seconds=seconds, json_file=json_file)


def run_of_session(path: Path, name: str, *, overrides: tuple[str, ...], on_ready: Callable[[], None]) -> int:
    """The proxy before one participant of a session, as ``trocar run`` starts it.

    Raises:
        ConfigError: the session has no impairment of that name.
    """
    session = load_session(path, overrides)
    session.runtime_dir.mkdir(parents=True, exist_ok=True)
    for entry in session.spec.impair:
        if entry.participant == name:
            role, real = session.participant(name)
            shown, realtime = session.seen_endpoint(name, None), session.spec.loop.realtime
            return run_proxy(role, real, shown, entry, on_ready=on_ready, realtime=realtime)
    raise ConfigError([f"{path}: no [[impair]] of participant {name!r}"])
