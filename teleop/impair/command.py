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
from teleop.wire.keys import CONTROLLER, OPERATOR, Keyring, load_keyring, names_with_keys
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
    name: str = "any",
    inward: Keyring | None = None,
    outward: Keyring | None = None,
    control: str | None = None,
    seconds: float | None = None,
    json_file: Path | None = None,
    realtime: bool = True,
    on_ready: Callable[[], None] | None = None,
) -> int:
    """Run until SIGINT, SIGTERM or ``seconds``; then say what was done to how many messages.

    Args:
        role: what the participant behind the proxy is.
        real: base endpoint that it binds.
        shown: base endpoint that the others connect to.
        spec: what happens in between.
        name: the participant's name, by which its keys go.
        inward: keys of who connects to it, usually the controller's.
        outward: the participant's own keys, shown to those who connect.
        control: see :class:`Proxy`.
        seconds: how long, s; ``None`` until a signal.
        json_file: gets the statistics.
        realtime: be punctual, where the system permits.
        on_ready: called once when every socket is open.
    """
    with open_context(outward) as context, stop_on_signals() as stop:
        proxy = Proxy(context, role, real, shown, spec, control, name=name, inward=inward)
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
    keys_dir: Path | None,
    participant: str | None,
    seconds: float | None,
    json_file: Path | None,
) -> int:
    """The stand-alone command.

    Raises:
        ConfigError: the script, the preset or a stream is not right, or keys lack a name.
        KeyFileError: keys are missing, unreadable, or open to others.
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
    inward = outward = None
    if keys_dir is not None or participant is not None:
        if keys_dir is None or participant is None:
            raise ConfigError(
                ["--keys and --participant belong together: a folder of keys, and the name of who is behind"]
            )
        everybody = names_with_keys(keys_dir)
        inward = load_keyring(keys_dir, connects_to(chosen), everybody)
        outward = load_keyring(keys_dir, participant, everybody) if shown.startswith("tcp://") else None
    return run_proxy(
        chosen,
        real,
        shown,
        spec,
        name=participant or "any",
        inward=inward,
        outward=outward,
        control=control,
        seconds=seconds,
        json_file=json_file,
    )


def connects_to(role: Role) -> str:
    """Who connects to a participant of this role, and whose keys the proxy therefore needs."""
    return OPERATOR if role is Role.CONTROLLER else CONTROLLER


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
            inward = session.keyring(connects_to(role))  # what is shown is on ipc and needs none
            return run_proxy(
                role, real, shown, entry, name=name, inward=inward, on_ready=on_ready, realtime=realtime
            )
    raise ConfigError([f"{path}: no [[impair]] of participant {name!r}"])
