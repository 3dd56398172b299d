"""The table of devices in the documentation says what the profiles say, and what of it is assumed."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from teleop.haptics.device import DeviceSpec

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "devices.md").read_text(encoding="utf-8").splitlines()
PROFILES = sorted((ROOT / "configs" / "devices").glob("*.toml"))


@pytest.mark.parametrize("file", PROFILES, ids=lambda file: file.stem)
def test_every_number_is_that_of_the_profile_and_marked_where_it_is_assumed(file: Path) -> None:
    table = PAGE[next(k for k, line in enumerate(PAGE) if line.startswith("| profile | `max_force_n`")) :]
    keys = [cell.strip(" `") for cell in table[0].split("|")[2:-1]]
    row = next(line for line in table if line.startswith(f"| `{file.stem}` | "))
    device = DeviceSpec.model_validate(tomllib.loads(file.read_text(encoding="utf-8")))
    for key, cell in zip(keys, row.split("|")[2:-1], strict=True):
        number, *mark = cell.split()
        assert (0.0 if number == "-" else float(number)) == getattr(device, key), key
        if number != "-":
            assert (mark == ["a"]) == (key in device.assumed), key
            assert mark or "chai3d 7c76b1f" in device.sources[key], key
