"""`make fuzz`: every target under atheris, guided by coverage, for a bounded time in its own process.

Usage: python -m tests.fuzz.run [SECONDS_EACH] [TARGET...]
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path


def _one(name: str, seconds: int) -> None:
    """Fuzz one target; ends the process."""
    import atheris

    with atheris.instrument_imports(include=["teleop"]):
        from tests.fuzz.targets import TARGETS, seeds

    with tempfile.TemporaryDirectory(prefix="trocar-fuzz-") as folder:
        for k, data in enumerate(seeds(name)):
            (Path(folder) / f"seed-{k}").write_bytes(data)
        target = TARGETS[name]
        options = [f"-max_total_time={seconds}", "-max_len=4096", "-rss_limit_mb=4096", "-timeout=10"]
        atheris.Setup([sys.argv[0], folder, *options], target)
        atheris.Fuzz()


def _last_words(written: str | bytes | None) -> str:
    """The end of what a target wrote; bytes where it was cut off."""
    text = written.decode(errors="replace") if isinstance(written, bytes) else written or ""
    return "\n".join(text.splitlines()[-40:])


def main() -> int:
    """Fuzz all targets, or those named."""
    if len(sys.argv) > 2 and sys.argv[1] == "--one":
        _one(sys.argv[2], int(sys.argv[3]))
        return 0
    from tests.fuzz.targets import TARGETS

    seconds = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    failed = []
    names = sys.argv[2:] or list(TARGETS)
    if unknown := [name for name in names if name not in TARGETS]:
        print(f"no target named {', '.join(unknown)}; there are: {', '.join(TARGETS)}")
        return 2
    for name in names:
        print(f"== {name}, {seconds} s", flush=True)
        command = [sys.executable, "-m", "tests.fuzz.run", "--one", name, str(seconds)]
        limit_s = 20 * seconds + 300
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=limit_s, check=False)
        except subprocess.TimeoutExpired as hung:
            failed.append(name)
            print(f"{name} did not end within {limit_s} s; its last words:\n{_last_words(hung.stderr)}")
            continue
        if done.returncode:
            failed.append(name)
            print(_last_words(done.stderr))
        else:
            lines = reversed(done.stderr.splitlines())
            print(next((line for line in lines if "DONE" in line or "Done" in line), "done"))
    print(f"{len(names)} targets; failed: {', '.join(failed) or 'none'}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
