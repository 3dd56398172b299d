"""Attack the same obstacles with the same arm under this project, pink, mink and dqrobotics.

    python benchmarks/peers.py [--rounds N]

One PSM with a guarded ball of 2 mm at its tip; a plane, a sphere, a wall of 0.2 mm and a mesh 5 mm below it;
a hand that dives at 400 mm/s 15 mm past the surface, holds, slides, and comes back. All solvers are stepped
tick by tick in turn. The violation is judged by closed formulas or by VTK on the triangles, at the ticks and
half way between. Then one row for each defect that was measured or reported of a peer.

What differs and cannot be made equal: this project also keeps acceleration and jerk limits, certifies the
way and the stop, and spends its time on that; the peers get their own barrier or limit, with a gain of 100/s
(mink: its default 0.85 per tick), position and speed limits. Peers that are not installed say so.
"""

from __future__ import annotations

import argparse
import importlib
import time
from collections.abc import Callable
from typing import Any

import daqp
import numpy as np
from peer_rigs.scene import PERIOD_S, TIP, LacksError, Scene, scene

from kinematics.relax import solve_qp

RIGS = (
    ("trocar", "trocar_rig", "TrocarRig"),
    ("pink", "pink_rig", "PinkRig"),
    ("mink", "mink_rig", "MinkRig"),
    ("dqrobotics", "dq_rig", "DqRig"),
)
Maker = Callable[..., Any]


def makers() -> dict[str, Maker | str]:
    """How to build each rig, or why it cannot be built."""
    found: dict[str, Maker | str] = {}
    for name, module, rig in RIGS:
        try:
            found[name] = getattr(importlib.import_module(f"peer_rigs.{module}"), rig)
        except ImportError as error:
            found[name] = f"not installed ({error})"
    return found


def hand(rounds: int) -> np.ndarray:
    """Desired tip positions (k, 3): dive, hold, slide there and back, return."""
    down = np.linspace(0, 1, 51)[1:, None] * [0, 0, -0.02]
    side = np.linspace(0, 1, 101)[1:, None] * [0.01, 0, 0]
    there = np.concatenate([down, np.tile(down[-1], (100, 1)), down[-1] + side, down[-1] + side[::-1]])
    one = np.concatenate([there, down[::-1], np.zeros((150, 3))])
    return TIP + np.tile(one, (rounds, 1))


def run(rig: Any, where: Scene, way: np.ndarray) -> tuple[np.ndarray, list[int], str]:
    """Tips (k, 3), times [ns], and what it raised."""
    tips, times = [rig.tip.copy()], []
    for p in way:
        began = time.perf_counter_ns()
        try:
            rig.step(p)
        except Exception as error:  # every solver raises its own
            return np.array(tips), times, f"{type(error).__name__}: {error}".split("\n")[0][:60]
        times.append(time.perf_counter_ns() - began)
        tips.append(rig.tip.copy())
    return np.array(tips), times, ""


def worst_um(where: Scene, tips: np.ndarray) -> float:
    """Deepest violation at and half way between ticks [um]; 0 if there is none."""
    way = np.concatenate([tips, 0.5 * (tips[1:] + tips[:-1])])
    return max(0.0, -1e6 * float(where.clearance(way).min()))


def scenes(found: dict[str, Maker | str], rounds: int) -> None:
    """The table of scenes."""
    print(
        f"{'scene':11}{'solver':12}{'violation um':>13}{'peak m/s2':>11}{'p50 us':>8}{'p99':>8}{'p99.9':>8}"
    )
    for name in ("plane", "sphere", "thin wall", "mesh"):
        where, rigs = scene(name), {}
        for title, make in found.items():
            try:
                if isinstance(make, str):
                    raise LacksError(make)
                rigs[title] = make(where)
            except LacksError as lacks:
                print(f"{name:11}{title:12}{lacks}")
        for rig in rigs.values():
            run(rig, where, hand(1)[:20])
        way = hand(rounds)
        tips: dict[str, list[np.ndarray]] = {title: [rig.tip.copy()] for title, rig in rigs.items()}
        times: dict[str, list[int]] = {title: [] for title in rigs}
        said: dict[str, str] = {}
        for p in way:
            for title, rig in rigs.items():
                began = time.perf_counter_ns()
                try:
                    rig.step(p)
                except Exception as error:  # every solver raises its own; it then stands still
                    text = f"{type(error).__name__}: {error}".split("\n")[0]
                    said.setdefault(title, f"raised at tick {len(times[title])}: {text[:50]}")
                times[title].append(time.perf_counter_ns() - began)
                tips[title].append(rig.tip.copy())
        for title in rigs:
            path = np.array(tips[title])
            peak = np.linalg.norm(np.diff(path, 2, axis=0), axis=1).max() / PERIOD_S**2
            spread = np.percentile(times[title], [50, 99, 99.9]) / 1e3
            print(
                f"{name:11}{title:12}{worst_um(where, path):13.3f}{peak:11.1f}"
                + "".join(f"{x:8.0f}" for x in spread)
                + f"  {said.get(title, '')}",
                flush=True,
            )


def each(found: dict[str, Maker | str], title: str, ask: Callable[[Maker], str]) -> None:
    """A row: the answer of every solver."""
    print(f"\n{title}")
    for name, make in found.items():
        try:
            answer = make if isinstance(make, str) else ask(make)
        except LacksError as lacks:
            answer = str(lacks)
        except Exception as error:  # a peer that breaks is a row, not the end of the benchmark
            answer = f"{type(error).__name__}: {error}".split("\n")[0][:90]
        print(f"    {name:12}{answer}", flush=True)


def overshoot(period_s: float) -> Callable[[Maker], str]:
    """Dive at the plane as fast as the joints allow."""

    def ask(make: Maker) -> str:
        if period_s != PERIOD_S and make.title == "trocar":  # type: ignore[attr-defined]
            raise LacksError("its period is 1 ms")
        where = scene("plane")
        rig = make(where, period_s)
        steps = np.minimum(np.arange(1, 200) * 0.5 * period_s, 0.02)
        tips, _, said = run(rig, where, TIP - steps[:, None] * [0, 0, 1])
        full = np.abs(np.diff(tips[:, 2])).max()
        return f"violation {worst_um(where, tips):.3f} um, a full step is {1e6 * full:.0f} um {said}"

    return ask


def deceleration(make: Maker) -> str:
    """Straight at the plane at 100 mm/s."""
    where = scene("plane")
    rig = make(where)
    tips, _, said = run(rig, where, TIP - np.minimum(np.arange(1, 300) * 1e-4, 0.02)[:, None] * [0, 0, 1])
    v = np.diff(tips[:, 2]) / PERIOD_S
    return f"{np.diff(v[20:]).max() / PERIOD_S:.1f} m/s2, violation {worst_um(where, tips):.3f} um {said}"


def moving_wall(make: Maker) -> str:
    """A plane rises by 10 mm at 50 mm/s under a tool that is asked to stand still 5 mm above it."""
    where = scene("plane")
    rig, top, worst = make(where), 0.0, np.inf
    for k in range(400):
        speed = 0.05 if k < 200 else 0.0
        rig.step(TIP, speed)
        rig.raise_wall(speed * PERIOD_S)
        top += speed * PERIOD_S
        worst = min(worst, float(where.clearance(rig.tip[None] - [0, 0, top])[0]))
    left = where.clearance(rig.tip[None] - [0, 0, top])[0]
    return f"violation {max(0.0, -1e6 * worst):.1f} um, in the end {max(0.0, -1e6 * float(left)):.1f} um"


def out_again(name: str, depth_m: float) -> Callable[[Maker], str]:
    """Start inside and ask for 5 mm out, then 5 mm sideways."""

    def ask(make: Maker) -> str:
        where = scene(name, -depth_m)
        rig = make(where)
        start = float(where.clearance(rig.tip[None])[0])
        out = np.linspace(0, 1, 101)[1:, None] * [0, 0, 0.005]
        way = TIP + np.concatenate(
            [np.zeros((20, 3)), out, out[-1] + out[:, [2, 0, 1]], out[-1:] * 0 + out[-1]]
        )
        tips, _, said = run(rig, where, np.concatenate([way, np.tile(way[-1], (200, 1))]))
        c = where.clearance(tips)
        deeper = 1e6 * max(0.0, start - float(c.min()))
        return f"deeper by {deeper:.1f} um on the way, ends {1e3 * float(c[-1]):+.2f} mm clear {said}"

    return ask


def tolerance() -> None:
    """A row forbids a wish by less than a micrometre: what DAQP calls optimal, and what is used here."""
    n = 7
    H, rows, sense = np.eye(n), np.eye(n)[:1], np.zeros(n + 1, dtype=np.int32)
    up, low = np.append(np.full(n, 1.0), 0.1), np.append(np.full(n, -1.0), -1e30)
    f = np.zeros(n)
    f[0] = -(0.1 + 9e-7)
    x, _, flag, _ = daqp.solve(H, f, rows, up, low, sense.copy())
    found = solve_qp(H, f, rows, up, low, sense.copy(), 500)
    print(
        "\nDAQP: a row x <= 0.1 and the wish x = 0.1 + 9e-7; by how much the optimal answer is beyond the row"
    )
    print(f"    {'its default':12}{x[0] - 0.1:.2e}, exit flag {flag}")
    print(f"    {'trocar':12}{(found[0][0] - 0.1 if found is not None else np.nan):.2e}")


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=8)
    args = parser.parse_args()
    found = makers()
    scenes(found, args.rounds)
    each(found, "bound applied to dq (mink): dive at the plane, 1 kHz", overshoot(1e-3))
    each(found, "the same, 500 Hz", overshoot(2e-3))
    each(
        found,
        "deceleration that the barrier asks for at 100 mm/s (a linear one: gain times speed)",
        deceleration,
    )
    each(
        found, "barrier cache keyed on q (pink): a plane comes at 50 mm/s to a tool that stands", moving_wall
    )
    each(found, "locking: start 0.1 mm inside the plane, ask to leave", out_again("plane", 1e-4))
    each(found, "normals that flip: start 0.1 mm inside the sphere, ask to leave", out_again("sphere", 1e-4))
    each(found, "infeasible: a plane appears 10 mm deep about the tool", out_again("plane", 1e-2))
    if not isinstance(found["mink"], str):
        from peer_rigs.mink_rig import pairs_with_the_world

        kept = pairs_with_the_world()
        print(f"\nmink: of one pair asked for, a ball on slides and a wall of the world, it keeps {kept}")
    tolerance()


if __name__ == "__main__":
    main()
