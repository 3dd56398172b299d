"""The import names are ordinary words, and PyPI has packages of the same names: ours must be found."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("name", ["teleop", "fixtures", "kinematics"])
def test_the_import_name_resolves_to_this_project_from_any_folder(name: str, tmp_path: Path) -> None:
    code = f"import {name}; print({name}.__file__)"
    found = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    ).stdout
    assert Path(found.strip()) == ROOT / name / "__init__.py"


@pytest.mark.parametrize("name", ["teleop", "fixtures", "kinematics"])
def test_the_package_says_that_it_is_typed_and_is_in_the_wheel(name: str) -> None:
    assert (ROOT / name / "py.typed").is_file()
    wheel = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert name in wheel["packages"]


def test_the_readme_opens_with_the_two_commands() -> None:
    head = (ROOT / "README.md").read_text().splitlines()[:20]
    assert "make demo" in " ".join(head)
    assert "make test" in " ".join(head)
