"""The page that is shipped is the page that the source gives, and it speaks the console's messages."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from teleop.console.server import STATIC
from teleop.console.typescript import TARGET, typescript

WEB = TARGET.parents[1]


def test_the_message_types_are_those_of_the_structs() -> None:
    assert TARGET.read_text() == typescript(), "run python -m teleop.console.typescript"


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not on this machine")
@pytest.mark.skipif(not (WEB / "node_modules").is_dir(), reason="run `npm ci` in teleop/console/web first")
def test_the_built_page_is_what_is_shipped(tmp_path: Path) -> None:
    subprocess.run(["node", "build.mjs", str(tmp_path)], cwd=WEB, check=True, timeout=120)
    built = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    shipped = {path.name: path.read_bytes() for path in STATIC.iterdir()}
    assert built.keys() == shipped.keys()
    assert [name for name in built if built[name] != shipped[name]] == []
