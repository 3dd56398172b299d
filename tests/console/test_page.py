"""The page that is shipped is the page that the source gives, and it speaks the console's messages."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from teleop.console.server import STATIC
from teleop.console.typescript import TARGET, typescript

WEB = TARGET.parents[1]
NPM_S = 60
NO_NETWORK = ("ENOTFOUND", "EAI_AGAIN", "ECONN", "ETIMEDOUT", "ENETUNREACH", "E401", "E403", "E50")


def test_the_message_types_are_those_of_the_structs() -> None:
    assert TARGET.read_text() == typescript(), "run python -m teleop.console.typescript"


@pytest.fixture
def npm_packages() -> None:
    """What builds the page, by the lock file; installed once where npm and its registry can be reached."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("node and npm are not on this machine")
    packages = WEB / "node_modules"
    if (packages / ".package-lock.json").is_file():
        return
    try:
        words = ["npm", "ci", "--no-audit", "--no-fund", "--fetch-retries=0"]
        subprocess.run(words, cwd=WEB, check=True, timeout=NPM_S, capture_output=True, text=True)
    except subprocess.TimeoutExpired:
        shutil.rmtree(packages, ignore_errors=True)
        pytest.skip(f"`npm ci` took more than {NPM_S} s; run `make page`")
    except subprocess.CalledProcessError as error:
        shutil.rmtree(packages, ignore_errors=True)
        if not any(code in error.stderr for code in NO_NETWORK):
            pytest.fail(f"npm ci: {error.stderr}")
        said = error.stderr.strip()[:200]
        pytest.skip(f"`npm ci` did not reach its registry; run `make page` where it can: {said}")


@pytest.mark.slow
def test_the_built_page_is_what_is_shipped(npm_packages: None, tmp_path: Path) -> None:
    subprocess.run(["node", "build.mjs", str(tmp_path)], cwd=WEB, check=True, timeout=120)
    built = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    shipped = {path.name: path.read_bytes() for path in STATIC.iterdir()}
    assert built.keys() == shipped.keys()
    assert [name for name in built if built[name] != shipped[name]] == [], "run make page"
