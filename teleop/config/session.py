"""A session: which masters drive which arms, how, under which fixtures."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from fixtures.spec import AnyFixture, FixturesFile
from kinematics.spec import ArmSpec
from teleop.config.errors import ConfigError, suggest
from teleop.config.toml import apply_overrides, find_profile, read_toml, validate
from teleop.controller.arm_link import ArmLinkSpec
from teleop.controller.hand import HandSpec
from teleop.drivers.sim.spec import SimArmSpec
from teleop.haptics.device import DeviceSpec
from teleop.haptics.spec import HapticsSpec
from teleop.haptics.stability import HapticsError, springs
from teleop.impair.spec import ImpairSpec
from teleop.mapping import MappingSpec
from teleop.masters.spec import MasterSpec
from teleop.safety.round_trip import RoundTripSpec
from teleop.tremor import FilterSpec, KalmanBankSpec
from teleop.wire.endpoints import leaves_the_host
from teleop.wire.keys import CONTROLLER, OPERATOR, RECORDER, Keyring, load_keyring
from teleop.wire.streams import Role

_CONFIG = ConfigDict(extra="forbid", allow_inf_nan=False, frozen=True)

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,31}$")]
Vec3 = tuple[float, float, float]
Quat = tuple[float, float, float, float]

RATE_HZ = 1000.0


class LoopSpec(BaseModel):
    """How the processes keep time.

    Attributes:
        realtime: ask the system for SCHED_FIFO, locked memory and pinning; what it refuses is said once.
        controller_cpu: processor the controller is pinned to; ``None`` leaves it to the system.
        spin_us: the last part of each wait is spent spinning, us.
    """

    model_config = _CONFIG

    realtime: bool = True
    controller_cpu: Annotated[int, Field(ge=0, le=1023)] | None = None
    spin_us: Annotated[float, Field(ge=0.0, le=150.0)] = 100.0


class MasterEntry(BaseModel):
    """One master: its name on the wire and where its motion comes from.

    Attributes:
        name: first part of its streams' names, ``<name>/measured_cp``.
        profile: name or file of a profile under ``configs/masters``; or say ``source``.
        source: the motion itself, see ``docs/masters.md``.
        endpoint: base endpoint; by default an ipc address in the session's runtime folder.
        external: a driver that somebody else starts; ``trocar run`` then starts none.
    """

    model_config = _CONFIG

    name: Name
    profile: str | None = None
    source: MasterSpec | None = None
    endpoint: str | None = None
    external: bool = False

    @model_validator(mode="after")
    def _one_source(self) -> MasterEntry:
        if self.external == (self.profile is not None or self.source is not None):
            raise ValueError(
                "give `profile` or `source`, or `external = true` for a driver started elsewhere"
            )
        if self.profile is not None and self.source is not None:
            raise ValueError("give `profile` or `source`, not both")
        return self


class ArmEntry(BaseModel):
    """One arm: its name on the wire, its model, where it stands, and the simulated driver's parameters.

    Attributes:
        name: first part of its streams' names, ``<name>/servo_jp``.
        profile: name or file of a profile under ``configs/arms``.
        p_world_base_m: position of the base in the world, m.
        quat_world_base_xyzw: orientation of the base in the world.
        endpoint: base endpoint; by default an ipc address in the session's runtime folder.
        external: a driver that somebody else starts; ``trocar run`` then starts none.
        sim: parameters of the simulated driver.
    """

    model_config = _CONFIG

    name: Name
    profile: str
    p_world_base_m: Vec3 = (0.0, 0.0, 0.0)
    quat_world_base_xyzw: Quat = (0.0, 0.0, 0.0, 1.0)
    endpoint: str | None = None
    external: bool = False
    sim: SimArmSpec = SimArmSpec()


class PairSpec(BaseModel):
    """One master-arm pair.

    Attributes:
        name: name of the pair.
        master: the master.
        arm: the arm.
        mapping: hand to tip.
        filter: tremor filter.
        hand: what is accepted from the master.
        link: what is accepted from the arm driver.
        round_trip: from when on a long round trip slows and stops the pair.
        haptics: what the hand feels.
    """

    model_config = _CONFIG

    name: Name
    master: MasterEntry
    arm: ArmEntry
    mapping: MappingSpec = MappingSpec()
    filter: FilterSpec = KalmanBankSpec()
    hand: HandSpec = HandSpec()
    link: ArmLinkSpec = ArmLinkSpec()
    round_trip: RoundTripSpec = RoundTripSpec()
    haptics: HapticsSpec = HapticsSpec()


class OperatorSpec(BaseModel):
    """What ``trocar run`` does in the operator's place.

    Attributes:
        auto: enable, home and engage as soon as that is possible, and again after a loss.
        restart: start a driver again that ended by itself.
    """

    model_config = _CONFIG

    auto: bool = True
    restart: bool = True


class ImpairEntry(ImpairSpec):
    """A bad network between the controller and one participant; ``trocar run`` starts the proxy.

    Attributes:
        participant: name of a master or an arm of this session.
    """

    participant: Name


class SecuritySpec(BaseModel):
    """Keys for tcp, see ``docs/security.md``. Secrets are in files of their own and never in a session.

    Attributes:
        keys_dir: folder of the key files, as `trocar keys` makes them; relative to the session's file.
        operators: names of keys that may give orders to the controller and stop everything.
        viewers: names of keys that may look on.
    """

    model_config = _CONFIG

    keys_dir: Annotated[str, Field(min_length=1)] = "keys"
    operators: tuple[Name, ...] = (OPERATOR,)
    viewers: tuple[Name, ...] = ()


class SessionSpec(BaseModel):
    """A whole session as its TOML file says it.

    Attributes:
        name: name of the session; its runtime folder is named after it.
        pairs: the master-arm pairs.
        loop: how the processes keep time.
        operator: what is done in the operator's place.
        fixtures: names or files of fixture profiles under ``configs/fixtures``.
        fixture: further fixtures, written in the session itself.
        impair: bad networks, for tests, between the controller and masters or arms.
        controller_endpoint: base endpoint of the controller; by default an ipc address in the runtime folder.
        recorder_endpoint: base endpoint of the recorder; likewise.
        runtime_dir: folder of the ipc sockets; by default one per user and session.
        security: keys for tcp; needed as soon as an endpoint leaves this host.
    """

    model_config = _CONFIG

    name: Name
    pairs: Annotated[tuple[PairSpec, ...], Field(min_length=1, max_length=8)]
    loop: LoopSpec = LoopSpec()
    operator: OperatorSpec = OperatorSpec()
    fixtures: tuple[str, ...] = ()
    fixture: tuple[AnyFixture, ...] = ()
    impair: tuple[ImpairEntry, ...] = ()
    controller_endpoint: str | None = None
    recorder_endpoint: str | None = None
    runtime_dir: str | None = None
    security: SecuritySpec | None = None

    @model_validator(mode="after")
    def _names_differ(self) -> SessionSpec:
        for what, names in (
            ("pairs", [p.name for p in self.pairs]),
            ("masters and arms", [n for p in self.pairs for n in (p.master.name, p.arm.name)]),
            ("impaired participants", [entry.participant for entry in self.impair]),
        ):
            twice = sorted({name for name in names if names.count(name) > 1})
            if twice:
                raise ValueError(f"names of {what} must differ; used more than once: {', '.join(twice)}")
        ours = sorted(
            {CONTROLLER, RECORDER, OPERATOR} & {n for p in self.pairs for n in (p.master.name, p.arm.name)}
        )
        if ours:
            raise ValueError(
                f"no master or arm can be called {', '.join(ours)}: that is one of our own programs"
            )
        return self

    def key_names(self) -> list[str]:
        """Everybody who needs keys, if anybody does."""
        security = self.security or SecuritySpec()
        names = [CONTROLLER, RECORDER, *security.operators, *security.viewers]
        names += [name for pair in self.pairs for name in (pair.master.name, pair.arm.name)]
        return list(dict.fromkeys(names))

    def endpoints(self) -> list[tuple[str, str]]:
        """Key and value of every endpoint that the session declares."""
        declared = [
            ("controller_endpoint", self.controller_endpoint),
            ("recorder_endpoint", self.recorder_endpoint),
        ]
        for k, pair in enumerate(self.pairs):
            declared.append((f"pairs[{k}].master.endpoint", pair.master.endpoint))
            declared.append((f"pairs[{k}].arm.endpoint", pair.arm.endpoint))
        return [(key, value) for key, value in declared if value is not None]


@dataclass(frozen=True, slots=True)
class Session:
    """A session with every profile read.

    Attributes:
        spec: what the file says.
        path: that file.
        arms: arm profile of each pair.
        sources: motion source of each pair; ``None`` for an external master.
        devices: haptic device of each pair.
        source_dirs: folder against which each source's relative paths are read.
        fixtures: each fixture, and the folder against which its relative paths are read.
        config_hash: SHA-256 over everything above, hex.
    """

    spec: SessionSpec
    path: Path
    arms: tuple[ArmSpec, ...]
    sources: tuple[MasterSpec | None, ...]
    devices: tuple[DeviceSpec, ...]
    source_dirs: tuple[Path, ...]
    fixtures: tuple[tuple[AnyFixture, Path], ...]
    config_hash: str

    def effective(self) -> dict[str, Any]:
        """The whole configuration as plain data, defaults and profiles filled in."""
        table = self.spec.model_dump(mode="json")
        for pair, arm, source, device in zip(
            table["pairs"], self.arms, self.sources, self.devices, strict=True
        ):
            pair["haptics"]["model"] = device.model_dump(mode="json")
            pair["arm"]["model"] = arm.model_dump(mode="json")
            pair["master"]["source"] = None if source is None else source.model_dump(mode="json")
        table["fixture"] = [fixture.model_dump(mode="json") for fixture, _ in self.fixtures]
        return table

    @property
    def runtime_dir(self) -> Path:
        """Folder of the session's ipc sockets."""
        if self.spec.runtime_dir is not None:
            return Path(self.spec.runtime_dir)
        base = os.environ.get("XDG_RUNTIME_DIR")
        root = Path(base) / "trocar" if base else Path(tempfile.gettempdir()) / f"trocar-{os.getuid()}"
        return root / self.spec.name

    def endpoint(self, name: str, declared: str | None) -> str:
        """Base endpoint of a participant: the one declared, else an ipc address in the runtime folder."""
        return declared or f"ipc://{self.runtime_dir / name}"

    def participant(self, name: str) -> tuple[Role, str]:
        """Role and base endpoint of the master or arm ``name``.

        Raises:
            ConfigError: there is none; the message lists those there are.
        """
        names = []
        for pair in self.spec.pairs:
            for role, entry in ((Role.MASTER, pair.master), (Role.ARM, pair.arm)):
                if entry.name == name:
                    return role, self.endpoint(entry.name, entry.endpoint)
                names.append(entry.name)
        has = f"{suggest(name, names)} It has: {', '.join(names)}"
        raise ConfigError([f"{self.path}: there is no master or arm {name!r}.{has}"])

    def seen_endpoint(self, name: str, declared: str | None) -> str:
        """Where the controller connects to a participant: the proxy, if its network is impaired."""
        if any(entry.participant == name for entry in self.spec.impair):
            return f"ipc://{self.runtime_dir / name}-impaired"
        return self.endpoint(name, declared)

    @property
    def controller_endpoint(self) -> str:
        """Base endpoint of the controller."""
        return self.endpoint("controller", self.spec.controller_endpoint)

    @property
    def recorder_endpoint(self) -> str:
        """Base endpoint of the recorder."""
        return self.endpoint("recorder", self.spec.recorder_endpoint)

    @property
    def keys_dir(self) -> Path | None:
        """Folder of the key files; ``None`` where the session needs none, because all is on ipc."""
        if self.spec.security is None or not any(v.startswith("tcp://") for _, v in self.spec.endpoints()):
            return None
        return self.path.parent / self.spec.security.keys_dir

    def keyring(self, name: str) -> Keyring | None:
        """The keys under which the program ``name`` takes part; ``None`` where it needs none.

        Raises:
            KeyFileError: with every key that is missing, unreadable, or open to others.
        """
        folder, security = self.keys_dir, self.spec.security
        if folder is None or security is None:
            return None
        return load_keyring(
            folder, name, self.spec.key_names(), operators=security.operators, viewers=security.viewers
        )


def _master_source(entry: MasterEntry, beside: Path) -> tuple[MasterSpec | None, Path]:
    if entry.profile is None:
        return entry.source, beside
    path = find_profile("masters", entry.profile, beside)
    source: MasterSpec = validate(MasterSpec, read_toml(path), path)
    return source, path.parent


def load_session(path: Path, overrides: tuple[str, ...] = ()) -> Session:
    """Read a session and every profile it names.

    Args:
        path: the session's TOML file.
        overrides: ``key=value`` settings that replace what the file says.

    Raises:
        ConfigError: with every mistake at once, of the session and of all its profiles.
    """
    table = apply_overrides(read_toml(path), overrides)
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
