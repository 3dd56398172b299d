"""Reads TOML files, finds profiles by name, and applies ``--set key=value``."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any, TypeVar, cast

from pydantic import TypeAdapter, ValidationError

from teleop.config.errors import ConfigError, describe, suggest

T = TypeVar("T")


def profiles_dir() -> Path:
    """The folder of the profiles that come with Trocar: inside the package, or in a checkout beside it."""
    packaged = Path(__file__).parent.parent / "configs"
    return packaged if packaged.is_dir() else Path(__file__).parents[2] / "configs"


def read_toml(path: Path) -> dict[str, Any]:
    """The table of a file.

    Raises:
        ConfigError: no such file, not UTF-8, or not TOML (with line and column).
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError([f"{path}: there is no such file"]) from None
    except IsADirectoryError:
        raise ConfigError([f"{path}: this is a folder, a TOML file was expected"]) from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError([f"{path}: not valid TOML: {error}"]) from None
    except OSError as error:
        raise ConfigError([f"{path}: cannot be read: {error.strerror}"]) from None


def find_profile(kind: str, name: str, beside: Path) -> Path:
    """The file of a profile: a path beside the file that names it, or one that comes with Trocar.

    Args:
        kind: subfolder of the profiles, e.g. ``"arms"``.
        name: ``"psm_lnd_400006"`` or a path to a TOML file.
        beside: folder against which a relative path is read.

    Raises:
        ConfigError: neither exists; the message lists what there is.
    """
    if name.endswith(".toml"):
        return beside / name
    path = profiles_dir() / kind / f"{name}.toml"
    if path.is_file():
        return path
    known = sorted(p.stem for p in (profiles_dir() / kind).glob("*.toml"))
    raise ConfigError(
        [
            f"{kind}: there is no profile {name!r}.{suggest(name, known)} "
            f"Known: {', '.join(known) or 'none'}. A file of your own is named with its .toml ending."
        ]
    )


def validate(kind: type[T] | Any, table: dict[str, Any], file: Path | str) -> T:
    """``table`` as ``kind``, a model or a union of models.

    Raises:
        ConfigError: with every mistake at once.
    """
    try:
        return cast(T, TypeAdapter(kind).validate_python(table))
    except ValidationError as error:
        raise ConfigError(describe(error, kind, file)) from None


def apply_overrides(table: dict[str, Any], overrides: tuple[str, ...]) -> dict[str, Any]:
    """``table`` with each ``a.b[0].c=value`` set; the value is read as TOML, or else as a string.

    Raises:
        ConfigError: an override without ``=``, or one that steps into something that is no table.
    """
    mistakes = []
    for text in overrides:
        key, equals, raw = text.partition("=")
        if not equals or not key.strip():
            mistakes.append(f"--set {text}: expected key=value, for instance pairs[0].mapping.scale=0.2")
            continue
        problem = _set(table, key.strip(), _value(raw.strip()))
        if problem:
            mistakes.append(f"--set {text}: {problem}")
    if mistakes:
        raise ConfigError(mistakes)
    return table


def _value(raw: str) -> Any:
    try:
        return tomllib.loads(f"value = {raw}")["value"]
    except tomllib.TOMLDecodeError:
        return raw


def _set(table: dict[str, Any], key: str, value: Any) -> str:
    node: Any = table
    parts = key.replace("[", ".[").split(".")
    for part, last in zip(parts, [False] * (len(parts) - 1) + [True], strict=True):
        index: str | int = part
        if part.startswith("[") and part.endswith("]") and part[1:-1].isdigit():
            index = int(part[1:-1])
            if not isinstance(node, list) or index >= len(node):
                return f"there is no {part} here"
        elif not isinstance(node, dict):
            return f"`{part}` steps into something that is not a table"
        if last:
            node[index] = value
        else:
            node = node.setdefault(index, {}) if isinstance(node, dict) else node[index]
    return ""
