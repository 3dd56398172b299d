"""Machine code on disk is never older than any source it was made from."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

CALLEE = """
from pathlib import Path
from kinematics.compiled import compiler_for
kernel = compiler_for(Path(__file__).parent)

@kernel
def callee(x):
    return x + {added}
"""
CALLER = """
from pack.callee import callee, kernel
from pack.constants import (
    SCALE,
)

@kernel
def caller(x):
    return callee(x) * SCALE
"""


def _run(folder: Path) -> str:
    code = "from pack.caller import caller; print(caller(1.0))"
    return subprocess.run(
        [sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=True
    ).stdout.strip()


def _caches(folder: Path) -> list[str]:
    return sorted(
        p.name for p in (folder / "pack" / "__pycache__").glob("kernels-*") if any(p.rglob("*.nbc"))
    )


def test_a_change_of_what_a_kernel_depends_on_is_seen_and_no_other_change(tmp_path: Path) -> None:
    pack = tmp_path / "pack"
    pack.mkdir()
    (pack / "__init__.py").write_text("")
    (pack / "caller.py").write_text(CALLER)
    (pack / "callee.py").write_text(CALLEE.format(added=1.0))
    (pack / "constants.py").write_text("SCALE = 2.0")
    (pack / "bystander.py").write_text("SOMETHING = 1")
    assert _run(tmp_path) == "4.0"
    first = _caches(tmp_path)
    assert _run(tmp_path) == "4.0"
    assert _caches(tmp_path) == first
    (pack / "callee.py").write_text(CALLEE.format(added=5.0))
    assert _run(tmp_path) == "12.0"
    assert len(_caches(tmp_path)) == 1
    assert _caches(tmp_path) != first

    second = _caches(tmp_path)
    (pack / "bystander.py").write_text("SOMETHING = 2")
    assert _run(tmp_path) == "12.0"
    assert _caches(tmp_path) == second
    (pack / "constants.py").write_text("SCALE = 3.0")
    assert _run(tmp_path) == "18.0"
    assert _caches(tmp_path) != second
