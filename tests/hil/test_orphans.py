"""A suite that is killed leaves no real-time process behind."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

_SUITE = """
import sys, time
from pathlib import Path
from hil_tests.under_test import DriverProcess
driver = DriverProcess([sys.executable, "-c", "import time; time.sleep(600)"], Path(sys.argv[1]))
print(driver.process.pid, flush=True)
time.sleep(600)
"""


def test_a_driver_ends_with_the_suite_that_started_it_however_that_ends(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", _SUITE, str(tmp_path / "log")], stdout=subprocess.PIPE
    ) as suite:
        assert suite.stdout is not None
        driver = int(suite.stdout.readline())
        while b"time.sleep" not in Path(f"/proc/{driver}/cmdline").read_bytes():
            time.sleep(0.01)  # the tether has not become the driver yet
        suite.kill()
    end = time.monotonic() + 10.0
    while time.monotonic() < end and _runs(driver):
        time.sleep(0.01)
    assert not _runs(driver)


def test_every_process_of_the_suite_is_started_tied_to_it() -> None:
    for file in Path("hil_tests").rglob("*.py"):
        lines = file.read_text().splitlines()
        for k, line in enumerate(lines):
            if "Popen(" in line and not line.lstrip().startswith(("#", '"')):
                text = "\n".join(lines[max(0, k - 2) : k + 2])
                assert "tethered(" in text, f"{file}:{k + 1} starts a process that could outlive the suite"


def _runs(pid: int) -> bool:
    """Whether it does; a zombie has ended."""
    try:
        os.kill(pid, 0)
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except (ProcessLookupError, FileNotFoundError):
        return False
