"""The good driver, and the list of bad ones made from it."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any


def _example() -> ModuleType:
    """The example driver; it is a script beside this folder, not a package."""
    path = Path(__file__).parents[2] / "examples" / "arm_driver.py"
    spec = importlib.util.spec_from_file_location("example_arm_driver", path)
    if spec is None or spec.loader is None:
        raise ImportError(f"no {path}")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


example = _example()
Good = example.ArmDriver
BAD: dict[str, tuple[type[Any], tuple[str, ...]]] = {"good": (Good, ())}
"""By name: the driver, and the rules that must catch it."""


def caught_by(*rules: str) -> Any:
    def note(driver: type[Any]) -> type[Any]:
        name = "".join(f"_{c.lower()}" if c.isupper() else c for c in driver.__name__).lstrip("_")
        BAD[name] = (driver, rules)
        return driver

    return note


def never(_self: Any, _m: Any) -> None:
    """A check that is not made."""
