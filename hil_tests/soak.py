"""Two arms at 1 kHz for a long time: memory, skips, punctuality and drift, minute by minute.

python -m hil_tests.soak --minutes 30 --html soak-hil.html --json soak-hil.json
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import zmq

from hil_tests.under_test import ROOT
from teleop.conform.page import Section, page
from teleop.conform.plot import Plot
from teleop.supervisor.child import tethered

_FLAT_KB = 2048
"""Memory that a process may gain between the first minute and the last; allocators settle, leaks do not."""
_DRIFT_M = 0.5e-3

_PAIR = """
[[pairs]]
name = "{name}"
[pairs.master]
name = "hand_{name}"
source = {{ kind = "synthetic", seed = {seed}, motion_s = 60.0 }}
[pairs.arm]
name = "arm_{name}"
profile = "psm_lnd_400006"
p_world_base_m = [{x}, 0.0, 0.0]
[pairs.mapping]
scale = 0.3
"""


@contextmanager
def session(folder: Path, realtime: bool) -> Iterator[subprocess.Popen[bytes]]:
    text = f'name = "soak"\n[loop]\nrealtime = {str(realtime).lower()}\n' + "".join(
        _PAIR.format(name=name, seed=seed, x=x) for name, seed, x in (("left", 1, -0.1), ("right", 2, 0.1))
    )
    (folder / "soak.toml").write_text(text)
    command = [
        sys.executable,
        "-m",
        "teleop",
        "run",
        str(folder / "soak.toml"),
        "--json",
        str(folder / "s.json"),
    ]
    with (folder / "log.txt").open("wb") as log:
        process = subprocess.Popen(
            tethered([*command, "--set", f'runtime_dir="{folder}"']),
            stdout=log,
            stderr=log,
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
        )
        try:
            yield process
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait(30)


def resident_kb(pid: int) -> int:
    """Resident memory of a process; 0 if it is gone."""
    try:
        text = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in text.splitlines() if line.startswith("VmRSS")), 0)


def children(pid: int) -> dict[str, int]:
    """Process ids of a session by kind and name."""
    found = {}
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        words = Path(f"/proc/{child}/cmdline").read_bytes().decode().split("\0")
        kind = next((k for k in ("controller", "arm", "master") if k in words), "?")
        name = words[words.index("--name") + 1] if "--name" in words else ""
        found[f"{kind} {name}".strip()] = int(child)
    return found


class Minute:
    """What happened in a slice of time."""

    def __init__(self, memory: dict[str, int]) -> None:
        self.memory = memory
        self.compute: list[float] = []
        self.lateness: list[float] = []
        self.trip: list[float] = []
        self.tracking: list[float] = []
        self.following = self.ticks = self.violations = 0
        self.held: Counter[str] = Counter()
        self.skipped = 0

    def take(self, m: dict[str, Any]) -> None:
        self.ticks += 1
        self.compute.append(m["compute_us"])
        self.lateness.append(m["lateness_us"])
        self.skipped = m["skipped"]
        for pair in m["pairs"]:
            if pair["teleop_state"] == "FOLLOWING":
                self.following += 1
                self.tracking.append(pair["tracking_error_m"])
            else:
                self.held[pair["reason"]] += 1
            self.violations += bool(pair.get("violation", False))
            if pair["round_trip_us"] >= 0.0:
                self.trip.append(pair["round_trip_us"])

    def row(self, skipped_before: int) -> dict[str, float]:
        def top(values: list[float], share: float) -> float:
            return float(np.percentile(values, share)) if values else float("nan")

        return {
            "ticks": self.ticks,
            "skipped": self.skipped - skipped_before,
            "following_share": self.following / max(1, 2 * self.ticks),
            "compute_p50_us": top(self.compute, 50),
            "compute_p99_9_us": top(self.compute, 99.9),
            "lateness_p99_9_us": top(self.lateness, 99.9),
            "round_trip_p99_9_us": top(self.trip, 99.9),
            "tracking_p50_m": top(self.tracking, 50),
            "violations": self.violations,
            **{f"share {reason}": n / max(1, 2 * self.ticks) for reason, n in self.held.most_common(4)},
            **{f"kB {name}": kb for name, kb in self.memory.items()},
        }


def soak(minutes: float, folder: Path, slice_s: float, realtime: bool = True) -> list[dict[str, float]]:
    """Run and take notes; a line for each slice."""
    rows: list[dict[str, float]] = []
    context = zmq.Context()
    with session(folder, realtime) as process:
        telemetry = context.socket(zmq.SUB)
        telemetry.setsockopt(zmq.LINGER, 0)
        telemetry.setsockopt(zmq.RCVHWM, 100_000)
        telemetry.subscribe(b"")
        telemetry.connect(f"ipc://{folder}/controller.telemetry")
        decode = msgspec.msgpack.Decoder().decode
        begun, end = False, time.monotonic() + 600.0
        while time.monotonic() < end and not begun:
            if telemetry.poll(200):
                m = decode(telemetry.recv())
                begun = all(p["teleop_state"] == "FOLLOWING" for p in m["pairs"])
            if process.poll() is not None:
                raise SystemExit((folder / "log.txt").read_text()[-2000:])
        if not begun:
            raise SystemExit("it did not follow within 10 minutes")
        end = time.monotonic() + 60.0 * minutes
        skipped = m["skipped"]
        while time.monotonic() < end and process.poll() is None:
            pids = children(process.pid)
            minute = Minute({name: resident_kb(pid) for name, pid in sorted(pids.items())})
            until = min(end, time.monotonic() + slice_s)
            while time.monotonic() < until:
                if telemetry.poll(100):
                    while telemetry.poll(0):
                        minute.take(decode(telemetry.recv()))
                time.sleep(0.02)
            rows.append(minute.row(skipped))
            skipped = minute.skipped
            print(json.dumps({k: round(v, 6) for k, v in rows[-1].items()}), flush=True)
    context.destroy(linger=0)
    return rows


def verdicts(rows: list[dict[str, float]]) -> list[tuple[str, str, str, str]]:
    """What must hold over the whole run."""
    # Not the last slice: it may be a short one.
    first, last = rows[min(1, len(rows) - 1)], rows[max(0, len(rows) - 2)]
    out = []
    for name in (k for k in first if k.startswith("kB ")):
        gained = last.get(name, 0) - first[name]
        ok = gained <= _FLAT_KB
        out.append(
            (
                "pass" if ok else "fail",
                f"memory of {name[3:]}",
                f"{first[name]:.0f} kB, {gained:+.0f} kB",
                "flat within 2 MB",
            )
        )
    violations = sum(r["violations"] for r in rows)
    out.append(("pass" if not violations else "fail", "violations", f"{violations:.0f}", "none"))
    drift = last["tracking_p50_m"] - first["tracking_p50_m"]
    out.append(
        (
            "pass" if abs(drift) < _DRIFT_M else "fail",
            "drift of the tracking error",
            f"{1e6 * drift:+.1f} um",
            "below 500 um",
        )
    )
    ticks, skipped = sum(r["ticks"] for r in rows), sum(r["skipped"] for r in rows)
    out.append(("pass", "skipped deadlines", f"{skipped:.0f} of {ticks + skipped:.0f}", "counted"))
    return out


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--slice-s", type=float, default=60.0)
    parser.add_argument("--html", type=Path, default=Path("soak-hil.html"))
    parser.add_argument("--json", type=Path)
    parser.add_argument(
        "--ordinary", action="store_true", help="no real-time priority: for a machine that others use as well"
    )
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="trocar-soak-") as folder:
        rows = soak(args.minutes, Path(folder), args.slice_s, realtime=not args.ordinary)
    found = verdicts(rows)
    t = [k * args.slice_s / 60.0 for k in range(len(rows))]

    def curves(keys: list[str], scale: float = 1.0, cut: int = 0) -> Any:
        return tuple((key[cut:], t, [scale * r[key] for r in rows]) for key in keys)

    memory = [k for k in rows[0] if k.startswith("kB ")]
    tails = [k for k in rows[0] if "p99_9" in k]
    plots = (
        Plot("Resident memory", "min", "MB", curves(memory, 1.0 / 1024.0, cut=3)),
        Plot("p99.9 over time", "min", "us", curves(tails)),
        Plot("Skipped deadlines", "min", "a slice", curves(["skipped"])),
        Plot("Arm behind its command, median", "min", "um", curves(["tracking_p50_m"], 1e6)),
    )
    title = f"{len(rows) * args.slice_s / 60.0:.0f} minutes, two arms at 1 kHz"
    title += ", without real-time priority, beside the work of others" if args.ordinary else ""
    sections = [Section("Verdicts", ("", "what", "measured", "demanded"), tuple(found), plots)]
    args.html.write_text(page("Soak", title, sections), encoding="utf-8")
    if args.json:
        args.json.write_text(json.dumps({"rows": rows, "verdicts": found}, indent=1))
    print("\n".join(" | ".join(v) for v in found))
    return 1 if any(v[0] == "fail" for v in found) else 0


if __name__ == "__main__":
    sys.exit(main())
