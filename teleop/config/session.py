"""A session: which masters drive which arms, how, under which fixtures."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fixtures.spec import AnyFixture
from kinematics.spec import ArmSpec
from teleop.config.errors import ConfigError, suggest
from teleop.config.schema import SessionSpec
from teleop.haptics.device import DeviceSpec
from teleop.masters.spec import MasterSpec
from teleop.wire.keys import Keyring, load_keyring
from teleop.wire.streams import Role


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
