"""Run the soak: chunks of seeded episodes over several processes, each chunk a line in a file.

    python -m tests.soak.run --ticks 10000000 --workers 2 --out soak.jsonl

Started again with the same file it goes on where it was. Exit status 1 if anything that must be zero is not.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import traceback
import zlib
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np

from .episode import play
from .judge import judge
from .scenes import KINDS, absent, draw
from .tally import Tally

EPISODE = 6000
"""Ticks of one scene."""


def episode(kind: str, seed: int, ticks: int = EPISODE) -> Tally:
    """One scene of a kind, attacked and judged; the same numbers give the same bits."""
    rng = np.random.default_rng([seed, zlib.crc32(kind.encode())])
    return judge(play(draw(kind, rng), rng, ticks), f"{kind} seed {seed} ticks {ticks}")


def schedule(kinds: Iterable[str]) -> Iterator[tuple[str, int]]:
    """Kinds of scenes by their share, for ever, each with a seed of its own."""
    share = {kind: KINDS[kind][2] or 1.0 for kind in kinds}
    due, seed = dict.fromkeys(share, 0.0), dict.fromkeys(share, 0)
    while True:
        kind = min(due, key=lambda name: due[name])
        due[kind] += 1.0 / share[kind]
        seed[kind] += 1
        yield kind, seed[kind]


def _job(job: tuple[str, int, int]) -> dict[str, object]:
    kind, seed, ticks = job
    began = time.process_time()
    try:
        figures = episode(kind, seed, ticks).plain()
    except Exception:
        # Its ticks count, so that a kind that always fails comes to an end.
        said = f"{kind} seed {seed}: {traceback.format_exc(limit=-6)}"
        figures = Tally(ticks=ticks, violations=1, worst=[said]).plain()
    return {"kind": kind, "seed": seed, "length": ticks, "cpu_s": time.process_time() - began, **figures}


def _tally(record: dict[str, object]) -> Tally:
    return Tally(**{k: v for k, v in record.items() if k not in ("kind", "seed", "length", "cpu_s")})  # type: ignore[arg-type]


def run(
    ticks: int,
    kinds: list[str],
    workers: int,
    out: Path | None = None,
    length: int = EPISODE,
    quiet: bool = False,
) -> dict[str, Tally]:
    """Attack until at least ``ticks`` arm ticks are judged; figures by kind of scene."""
    totals: dict[str, Tally] = {kind: Tally() for kind in kinds}
    have: set[tuple[object, object]] = set()
    done, spent = 0, 0.0
    if out is not None and out.exists():
        for line in out.read_text().splitlines():
            record = json.loads(line)
            if record["length"] == length and record["kind"] in totals:
                have.add((record["kind"], record["seed"]))
                totals[record["kind"]].merge(_tally(record))
                done += int(record["ticks"])
                spent += float(record["cpu_s"])
    jobs = ((kind, seed, length) for kind, seed in schedule(kinds) if (kind, seed) not in have)
    with ProcessPoolExecutor(workers) as pool:
        waiting = {pool.submit(_job, next(jobs)) for _ in range(workers + 1)} if done < ticks else set()
        while waiting:
            ready = {future for future in waiting if future.done()}
            if not ready:
                time.sleep(0.05)
                continue
            waiting -= ready
            for future in ready:
                record = future.result()
                tally = _tally(record)
                totals[str(record["kind"])].merge(tally)
                done += tally.ticks
                spent += float(record["cpu_s"])  # type: ignore[arg-type]
                if out is not None:
                    with out.open("a") as file:
                        file.write(json.dumps(record) + "\n")
                for said in tally.worst if not quiet else ():
                    print(said, flush=True)
            if done < ticks:
                while len(waiting) < workers + 1:
                    waiting.add(pool.submit(_job, next(jobs)))
    if not quiet:
        print(f"{done} ticks, {spent / max(done, 1) * 1e6:.0f} us of CPU each")
    return totals


def report(totals: dict[str, Tally]) -> str:
    """A table for people."""
    head = (
        f"{'scene':14}{'ticks':>10}{'follow':>7}{'contact':>9}{'viol':>5}{'deeper':>7}{'returns':>8}"
        f"{'limits':>7}{'apart':>6}{'walls':>6}{'recov':>7}{'alarm':>6}{'smallest':>10}{'inside':>9}{'driver':>9}{'rcm':>7}"
        f"{'presses':>8}{'p50':>7}{'max':>8}{'>0.1mm':>7}{'unexpl':>7}"
    )
    lines = [head]
    everything = Tally()
    for tally in totals.values():
        everything.merge(tally)
    for kind, t in [*totals.items(), ("all", everything)]:
        stops = np.array(t.stops_m) * 1e6
        p50, most = (np.median(stops), stops.max()) if len(stops) else (np.nan, np.nan)
        lines.append(
            f"{kind:14}{t.ticks:10}{t.following / max(t.ticks, 1):7.0%}"
            f"{t.contact:9}{t.violations:5}{t.deeper:7}{t.returns:8}{t.limits:7}{t.apart:6}{t.walls:6}"
            f"{t.recovery:7}{t.alarms:6}{1e6 * t.smallest_m:10.4f}"
            f"{1e6 * t.inside_m:9.2f}{1e6 * t.driver_m:9.2f}{1e6 * t.rcm_m:7.2f}"
            f"{t.presses:8}{p50:7.1f}{most:8.1f}{t.far_presses:7}{t.unexplained:7}"
        )
    return "\n".join([*lines, f"lengths in um; {everything.looked:.3g} exact distances"])


def main() -> int:
    """Run, print, and say by the exit status whether all that must be zero is."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--ticks", type=int, default=10_000_000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--kind", action="append", choices=sorted(KINDS))
    parser.add_argument("--seed", type=int, help="play one scene of --kind again, with this seed")
    parser.add_argument("--length", type=int, default=EPISODE)
    args = parser.parse_args()
    kinds = args.kind or [kind for kind, (_, _, share) in KINDS.items() if share]
    if args.seed is not None:
        tally = episode(kinds[0], args.seed, args.length)
        print("\n".join(tally.worst))
        print(report({kinds[0]: tally}))
        return int(tally.failures > 0)
    for kind in kinds:
        if why := absent(kind):
            print(f"without {kind}: {why}")
    totals = run(args.ticks, [k for k in kinds if not absent(k)], args.workers, args.out, args.length)
    print(report(totals))
    return int(any(t.failures for t in totals.values()))


if __name__ == "__main__":
    sys.exit(main())
