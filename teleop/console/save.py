"""The session as it is now, as the TOML that ``trocar run`` takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import tomli_w

from fixtures.spec import AnyFixture
from teleop.config.toml import apply_overrides, read_toml


def fixture_table(fixture: AnyFixture) -> dict[str, Any]:
    """A fixture with its defaults left out."""
    table: dict[str, Any] = fixture.model_dump(mode="json", exclude_defaults=True, exclude_none=True)
    return {"name": fixture.name, "kind": fixture.kind, **table}


def session_toml(
    path: Path,
    overrides: tuple[str, ...],
    fixtures: Sequence[AnyFixture],
    scales: Mapping[str, float],
) -> str:
    """The session's file with its fixtures and scales as they are now.

    Args:
        path: the file the session was started from.
        overrides: the ``--set`` it was started with.
        fixtures: the fixtures in force, their files' paths absolute.
        scales: translation scale in force by pair.

    Raises:
        ConfigError: the file is gone or damaged.
    """
    # The folder of the sockets is of this run, not of the session.
    kept = tuple(o for o in overrides if o.partition("=")[0].strip() != "runtime_dir")
    table = apply_overrides(read_toml(path), kept)
    table.pop("fixtures", None)
    table.pop("fixture", None)
    folder = path.parent.resolve()
    for pair in table["pairs"]:
        _anchor(pair, folder)
        if pair["name"] in scales:
            pair.setdefault("mapping", {})["scale"] = scales[pair["name"]]
    security = table.get("security")
    if security is not None:
        security["keys_dir"] = str(folder / security.get("keys_dir", "keys"))
    if fixtures:
        table["fixture"] = [fixture_table(fixture) for fixture in fixtures]
    head = f"# Saved by the console from {path.name}. Run it with: trocar run FILE\n"
    return head + tomli_w.dumps(table)


def _anchor(pair: dict[str, Any], folder: Path) -> None:
    """Files named beside the session's own are named in full: the copy may lie elsewhere."""
    device = str(pair.get("haptics", {}).get("device", ""))
    if device.endswith(".toml"):
        pair["haptics"]["device"] = str(folder / device)
    for entry in (pair.get("master", {}), pair.get("arm", {})):
        if str(entry.get("profile", "")).endswith(".toml"):
            entry["profile"] = str(folder / entry["profile"])
        source = entry.get("source", {})
        if "path" in source:
            source["path"] = str(folder / source["path"])
