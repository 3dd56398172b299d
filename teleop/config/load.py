"""Read a session's file and every profile that it names; report every mistake at once."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

from fixtures.spec import FixturesFile
from kinematics.spec import ArmSpec
from teleop.config.errors import ConfigError
from teleop.config.schema import MasterEntry, SessionSpec
from teleop.config.session import Session
from teleop.config.toml import apply_overrides, find_profile, read_toml, validate
from teleop.haptics.device import DeviceSpec
from teleop.haptics.stability import HapticsError, springs
from teleop.masters.spec import MasterSpec
from teleop.wire.endpoints import leaves_the_host


def _master_source(entry: MasterEntry, beside: Path) -> tuple[MasterSpec | None, Path]:
    if entry.profile is None:
        return entry.source, beside
    path = find_profile("masters", entry.profile, beside)
    source: MasterSpec = validate(MasterSpec, read_toml(path), path)
    return source, path.parent


def load_session(path: Path, overrides: tuple[str, ...] = ()) -> Session:
    """Read a session and every profile it names.

    Args:
        path: the session's TOML file, or the bare name of one that comes with Trocar.
        overrides: ``key=value`` settings that replace what the file says.

    Raises:
        ConfigError: with every mistake at once, of the session and of all its profiles.
    """
    if not path.suffix and not path.exists():
        path = find_profile("sessions", str(path), Path())
    table = apply_overrides(read_toml(path), overrides)
    if "pairs" not in table and "fixture" in table:
        raise ConfigError(
            [
                f"{path}: a file of fixtures is no session. `trocar check demo --fixtures {path}` looks at "
                "it on the demo's arm; a session names it in `fixtures`."
            ]
        )
    spec: SessionSpec = validate(SessionSpec, table, path)
    mistakes: list[str] = []
    arms: list[ArmSpec] = []
    sources: list[MasterSpec | None] = []
    dirs: list[Path] = []
    devices: list[DeviceSpec] = []
    for pair in spec.pairs:
        try:
            profile = find_profile("arms", pair.arm.profile, path.parent)
            arm: ArmSpec = validate(ArmSpec, read_toml(profile), profile)
            arms.append(arm.relative_to(profile.parent))
        except ConfigError as error:
            mistakes.extend(error.mistakes)
        try:
            source, beside = _master_source(pair.master, path.parent)
            sources.append(source)
            dirs.append(beside)
        except ConfigError as error:
            mistakes.extend(error.mistakes)
        try:
            profile = find_profile("devices", pair.haptics.device, path.parent)
            device: DeviceSpec = validate(DeviceSpec, read_toml(profile), profile)
            springs(pair.haptics, device)
            devices.append(device)
        except ConfigError as error:
            mistakes.extend(error.mistakes)
        except HapticsError as error:
            mistakes.append(f"{path}: pair {pair.name}: {error}")
    fixtures = [(fixture, path.parent) for fixture in spec.fixture]
    for name in spec.fixtures:
        try:
            profile = find_profile("fixtures", name, path.parent)
            file: FixturesFile = validate(FixturesFile, read_toml(profile), profile)
            fixtures += [(fixture, profile.parent) for fixture in file.fixture]
        except ConfigError as error:
            mistakes.extend(error.mistakes)
    if spec.security is None:
        mistakes += [
            f"{path}: {key}: {address} leaves this host, and without CURVE keys anyone there could drive the "
            f"arm. Make keys with `trocar keys {path}`, and add [security] with keys_dir to the session."
            for key, address in spec.endpoints()
            if leaves_the_host(address)
        ]
    if mistakes:
        raise ConfigError(list(dict.fromkeys(mistakes)))
    session = Session(
        spec, path, tuple(arms), tuple(sources), tuple(devices), tuple(dirs), tuple(fixtures), ""
    )
    for entry in spec.impair:
        role, _ = session.participant(entry.participant)
        mistakes += entry.unknown_streams(role, f"{path}: impair")
    if mistakes:
        raise ConfigError(mistakes)
    canonical = json.dumps(session.effective(), sort_keys=True, separators=(",", ":"))
    return replace(session, config_hash=hashlib.sha256(canonical.encode()).hexdigest())
