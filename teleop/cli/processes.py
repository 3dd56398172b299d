"""``trocar controller``, ``arm``, ``master`` and ``console``: one process of a session alone."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

from teleop.config import ConfigError, Session, load_session
from teleop.config.errors import suggest
from teleop.devices.spec import DeviceMasterSpec
from teleop.supervisor import announce_ready
from teleop.wire.runtime_dir import private_dir

T = TypeVar("T")


def _pick(what: str, name: str | None, entries: Sequence[tuple[str, T]]) -> T:
    """The entry called ``name``, or the only one.

    Raises:
        ConfigError: there is none of that name, or there are several and none was named.
    """
    names = [entry_name for entry_name, _ in entries]
    if name is None and len(entries) == 1:
        return entries[0][1]
    if name is None:
        raise ConfigError([f"this session has several {what}s; choose one with --name: {', '.join(names)}"])
    for entry_name, entry in entries:
        if entry_name == name:
            return entry
    raise ConfigError([f"there is no {what} {name!r}.{suggest(name, names)} It has: {', '.join(names)}"])


def _prepare(path: Path, overrides: tuple[str, ...]) -> Session:
    session = load_session(path, overrides)
    private_dir(session.runtime_dir)
    return session


def run_controller(
    path: Path,
    *,
    overrides: tuple[str, ...],
    seconds: float,
    json_file: Path | None,
    record: bool = False,
) -> int:
    """The controller; writes its summary when it ends."""
    from teleop.controller.process import run_controller_process

    summary = run_controller_process(
        _prepare(path, overrides), seconds=seconds, record=record, on_ready=announce_ready
    )
    text = json.dumps(summary, indent=2)
    if json_file is None:
        print(text)
    else:
        json_file.write_text(text + "\n", encoding="utf-8")
    return 0


def run_recorder_alone(
    path: Path, out: Path, *, overrides: tuple[str, ...], json_file: Path | None, status_file: Path | None
) -> int:
    """The recorder."""
    from teleop.recorder.process import run_recorder

    session = _prepare(path, overrides)
    return run_recorder(session, out, json_file=json_file, status_file=status_file, on_ready=announce_ready)


def run_arm(
    path: Path,
    *,
    name: str | None,
    overrides: tuple[str, ...],
    seconds: float,
) -> int:
    """One simulated arm driver."""
    from teleop.controller.build import place_arm
    from teleop.drivers.sim.process import run_sim_arm

    session = _prepare(path, overrides)
    entry, spec = _pick(
        "arm",
        name,
        [(p.arm.name, (p.arm, arm)) for p, arm in zip(session.spec.pairs, session.arms, strict=True)],
    )
    return run_sim_arm(
        name=entry.name,
        arm=place_arm(entry, spec),
        spec=entry.sim,
        endpoint=session.endpoint(entry.name, entry.endpoint),
        on_ready=announce_ready,
        seconds=seconds or None,
        keyring=session.keyring(entry.name),
        realtime=session.spec.loop.realtime,
    )


def run_one_master(
    path: Path,
    *,
    name: str | None,
    overrides: tuple[str, ...],
    seconds: float,
) -> int:
    """One master."""
    from teleop.masters.process import run_master
    from teleop.masters.spec import DEVICES, make_source

    session = _prepare(path, overrides)
    entry, source, beside, index = _pick(
        "master",
        name,
        [
            (p.master.name, (p.master, source, beside, index))
            for index, (p, source, beside) in enumerate(
                zip(session.spec.pairs, session.sources, session.source_dirs, strict=True)
            )
        ],
    )
    if source is None:
        print(f"trocar master: {entry.name} is external: somebody else starts it", file=sys.stderr)
        return 2
    if isinstance(source, DEVICES):
        return _run_device(session, index, source, seconds)
    return run_master(
        name=entry.name,
        source=make_source(source, beside),
        endpoint=session.endpoint(entry.name, entry.endpoint),
        start_timeout_s=source.start_timeout_s,
        on_ready=announce_ready,
        seconds=seconds or None,
        keyring=session.keyring(entry.name),
        realtime=session.spec.loop.realtime,
    )


def _run_device(session: Session, index: int, source: DeviceMasterSpec, seconds: float) -> int:
    """A master that is a device: read, and given force where it renders any."""
    from teleop.devices.process import run_device
    from teleop.devices.sim.device import HapticSimSpec, SimDevice
    from teleop.devices.spec import make_device
    from teleop.haptics.renderer import Renderer

    pair, profile = session.spec.pairs[index], session.devices[index]
    device = make_device(source, profile)
    local = source.local if isinstance(source, HapticSimSpec) else pair.haptics.planes
    return run_device(
        name=pair.master.name,
        device=device,
        renderer=Renderer(profile, pair.haptics, 1e-3, local=local),
        endpoint=session.endpoint(pair.master.name, pair.master.endpoint),
        on_ready=announce_ready,
        seconds=seconds or None,
        keyring=session.keyring(pair.master.name),
        realtime=session.spec.loop.realtime,
        start=device.start if isinstance(device, SimDevice) else None,
    )


def run_one_console(
    path: Path,
    *,
    overrides: tuple[str, ...],
    host: str,
    port: int | None,
    token_file: Path | None,
    certfile: Path | None,
    keyfile: Path | None,
    proxy: tuple[str, ...],
    status_file: Path | None,
    recorder_status: Path | None,
    recordings: Path | None,
    recordings_max_gb: float,
    seconds: float,
) -> int:
    """The browser console."""
    from teleop.console.process import read_token, run_console

    return run_console(
        _prepare(path, overrides),
        overrides=overrides,
        host=host,
        port=port,
        token=read_token(token_file),
        certfile=certfile,
        keyfile=keyfile,
        origins=proxy,
        status_file=status_file,
        recorder_status=recorder_status,
        recordings=recordings,
        recordings_max_bytes=round(recordings_max_gb * 1e9),
        on_ready=announce_ready,
        seconds=seconds,
    )
