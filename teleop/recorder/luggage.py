"""What a recording carries besides its ticks, so that it can be replayed elsewhere.

The configuration as it was in force, the texts of the TOML files it came from, every file that it names
(meshes, volumes, point clouds, URDF) under the hash of its content, and the machine and programs it ran on.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import zstandard
from pydantic import BaseModel
from pydantic_core import to_jsonable_python

from fixtures.fields.field import Field
from fixtures.fixture import Fixture
from fixtures.spec import AnyFixture
from kinematics.spec import ArmSpec
from teleop.config.schema import SessionSpec
from teleop.config.session import Session
from teleop.config.toml import apply_overrides, find_profile, validate
from teleop.haptics.device import DeviceSpec
from teleop.recorder.sink import RecordingError

SESSION_JSON, MACHINE_JSON, FIELDS_JSON = "session.json", "machine.json", "fields.json"
FILES, TOML = "files/", "toml/"
COMPRESSED = ".zst"

_PACKAGES = ("trocar", "daqp", "llvmlite", "msgspec", "numba", "numpy", "pin", "pydantic", "pyzmq", "scipy")
# What the core is made of; the rest of teleop cannot change a command.
_SOURCES = (
    "kinematics",
    "fixtures",
    *(
        f"teleop/{part}"
        for part in ("config", "controller", "haptics", "mapping", "safety", "tremor", "wire")
    ),
)


@dataclass(slots=True)
class Luggage:
    """Attachments by name.

    Attributes:
        session: the effective configuration, files replaced by their names among the attachments.
        files: content of each file by its name, ``files/<hash>/<name>``.
        toml: text of each TOML file by its name.
    """

    session: dict[str, Any] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)
    toml: dict[str, str] = field(default_factory=dict)

    def attachments(self) -> list[tuple[str, str, bytes]]:
        """Name, media type and content of each attachment."""
        packed = zstandard.ZstdCompressor(level=6)
        return [
            (SESSION_JSON, "application/json", _json(self.session)),
            (MACHINE_JSON, "application/json", _json(machine())),
            *((name, "application/toml", text.encode()) for name, text in self.toml.items()),
            *(
                (name + COMPRESSED, "application/zstd", packed.compress(data))
                for name, data in self.files.items()
            ),
        ]


def _json(value: Any) -> bytes:
    return json.dumps(value, indent=1, allow_nan=False).encode()


def pack(session: Session) -> Luggage:
    """Everything that the controller of a session was built from."""
    luggage = Luggage()
    luggage.session = {
        "config_hash": session.config_hash,
        "path": session.path.name,
        "spec": session.spec.model_dump(mode="json"),
        "arms": [_dump(arm, Path(), luggage.files) for arm in session.arms],
        "devices": [device.model_dump(mode="json") for device in session.devices],
        "fixtures": [_dump(spec, folder, luggage.files) for spec, folder in session.fixtures],
        "effective": session.effective(),
    }
    for path in _toml_files(session):
        name = f"{TOML}{path.parent.name}/{path.name}"
        luggage.toml[name] = path.read_text(encoding="utf-8", errors="replace")
    return luggage


def _toml_files(session: Session) -> list[Path]:
    """The session's file and the profiles it names."""
    beside = session.path.parent
    named = [("arms", pair.arm.profile) for pair in session.spec.pairs]
    named += [("masters", pair.master.profile) for pair in session.spec.pairs if pair.master.profile]
    named += [("devices", pair.haptics.device) for pair in session.spec.pairs]
    named += [("fixtures", name) for name in session.spec.fixtures]
    files = [session.path, *(find_profile(kind, name, beside) for kind, name in named)]
    return [path for path in dict.fromkeys(files) if path.is_file()]


def _dump(model: BaseModel, folder: Path, files: dict[str, bytes]) -> Any:
    """The model as JSON data; files it names are added to ``files`` and named as they are there."""

    def packed(value: Any) -> Any:
        if isinstance(value, Path):
            return _add(folder / value, files)
        if isinstance(value, dict):
            return {key: packed(inner) for key, inner in value.items()}
        if isinstance(value, list | tuple):
            return [packed(inner) for inner in value]
        return value

    return to_jsonable_python(packed(model.model_dump(mode="python")))


def _add(path: Path, files: dict[str, bytes]) -> str:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise RecordingError(f"cannot record {path}, which the session names: {error.strerror}") from error
    name = name_of(path, data)
    files[name] = data
    return name


def name_of(path: Path, data: bytes) -> str:
    """Under what a file goes in a recording: its name, in a folder named after its content."""
    return f"{FILES}{hashlib.sha256(data).hexdigest()[:16]}/{path.name}"


def unpack(
    session: dict[str, Any],
    attachments: dict[str, bytes],
    folder: Path,
    overrides: tuple[str, ...] = (),
) -> Session:
    """The session of a recording again.

    Args:
        session: the attachment ``session.json``.
        attachments: all attachments by name.
        folder: where the files are put.
        overrides: ``key=value`` settings that replace what was recorded; the fixtures are ``fixture[0]`` ...
    """
    unpack_files(attachments, folder)
    table = dict(session["spec"])
    fixtures = session["fixtures"]
    if overrides:
        table = apply_overrides({**table, "fixtures": [], "fixture": fixtures}, overrides)
        fixtures = table["fixture"]
    spec: SessionSpec = validate(SessionSpec, table, session["path"])
    n = len(spec.pairs)
    return Session(
        spec=spec,
        path=Path(session["path"]),
        arms=tuple(
            validate(ArmSpec, arm, f"arms[{k}]").relative_to(folder) for k, arm in enumerate(session["arms"])
        ),
        sources=(None,) * n,
        devices=tuple(
            validate(DeviceSpec, device, f"devices[{k}]") for k, device in enumerate(session["devices"])
        ),
        source_dirs=(folder,) * n,
        fixtures=tuple(
            (validate(AnyFixture, item, f"fixture[{k}]"), folder) for k, item in enumerate(fixtures)
        ),
        config_hash=session["config_hash"],
    )


def unpack_files(attachments: dict[str, bytes], folder: Path) -> None:
    """Put the files of a recording into ``folder``, each under the name of its attachment."""
    expand = zstandard.ZstdDecompressor()
    for name, data in attachments.items():
        if name.startswith(FILES) and name.endswith(COMPRESSED):
            target = (folder / name.removesuffix(COMPRESSED)).resolve()
            if not target.is_relative_to(folder.resolve()):
                continue  # a name made to write elsewhere
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(expand.decompress(data))


def field_hashes(fixtures: Iterable[Fixture]) -> dict[str, list[dict[str, Any]]]:
    """By fixture: each baked field's identity and a hash over its numbers."""
    found: dict[str, list[dict[str, Any]]] = {}
    for fixture in fixtures:
        owners = () if fixture.solid is None else getattr(fixture.solid, "owners", ())
        entries = [_field_hash(owner) for owner in owners if isinstance(owner, Field)]
        if entries:
            found[fixture.name] = entries
    return found


def _field_hash(baked: Field) -> dict[str, Any]:
    digest = hashlib.sha256()
    for array in (baked.origin, baked.lower, baked.upper):
        digest.update(np.ascontiguousarray(array).tobytes())
    for name, side in baked.sides.items():
        digest.update(name.encode())
        for value in vars(side).values():
            digest.update(np.ascontiguousarray(value).tobytes())
    return {
        "source": baked.report.source,
        "content_hash": baked.content_hash,
        "numbers_sha256": digest.hexdigest(),
    }


def machine() -> dict[str, Any]:
    """What this program runs on and of what it is made, as far as it can change the last bit of a number."""
    return {
        "python": sys.version.split()[0],
        "system": f"{platform.system()} {platform.release()}",
        "processor": _processor(),
        "processors": os.cpu_count(),
        "simd": _simd(),
        "packages": {name: _version(name) for name in _PACKAGES},
        "code": code_hash(),
    }


def code_hash() -> str:
    """SHA-256 over the sources of the core: tells two working copies of one version apart."""
    root = Path(__file__).parents[2]
    digest = hashlib.sha256()
    for package in _SOURCES:
        for path in sorted((root / package).rglob("*.py")):
            digest.update(str(path.relative_to(root)).encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _simd() -> list[str]:
    """The instruction sets that numpy found and uses."""
    try:
        found = np.show_config(mode="dicts")
        extensions = found["SIMD Extensions"] if isinstance(found, dict) else {}
        return [*extensions.get("baseline", []), *extensions.get("found", [])]
    except (KeyError, TypeError):
        return []


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"
