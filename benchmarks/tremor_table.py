"""Every tremor filter on both surgeons and on a real recording, in the tables of docs/tremor.md.

    python benchmarks/tremor_table.py [--recording console_peg_transfer.csv] [--seconds 20] [--json F]
    python benchmarks/tremor_table.py --fresh

Prints Markdown. Errors are rms against the voluntary truth of the two axes that shake most; the first 4 s,
while the filters settle, do not count. ``cut`` is what is missing of the tremor's rms in the error between 5
and 18 Hz, so sensor noise in that band counts against the filter. Times are one call for three axes.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
from scipy import signal

from teleop.masters.surgeon import SurgeonSpec, synthesise, synthesise_held_out
from teleop.tremor import (
    BmflcKfSpec,
    BmflcSpec,
    ButterworthSpec,
    FilterSpec,
    KalmanBankSpec,
    NoFilterSpec,
    NotchSpec,
    OneEuroSpec,
    WflcSpec,
    make_axis_filter,
)
from teleop.tremor.analysis import best_shift, group_delays
from teleop.tremor.command import read_recording, resample

RATE = 1000.0
SETTLED = 4000
F0_HZ = (6, 7, 8, 9, 10, 11, 12, 13, 14)
FRESH_SEED = 5000
"""Of traces that were drawn after the filter's last change; draw others after the next one."""

JUDGED_HZ = (7, 8, 9, 10, 11, 12, 13, 14)
FILTERS: dict[str, FilterSpec] = {
    "none": NoFilterSpec(),
    "Butterworth 6 Hz": ButterworthSpec(),
    "one-euro": OneEuroSpec(),
    "notch 8.5 + 11 Hz": NotchSpec(),
    "WFLC": WflcSpec(),
    "BMFLC (LMS)": BmflcSpec(),
    "BMFLC (Kalman)": BmflcKfSpec(),
    "Kalman bank, static": KalmanBankSpec(tracks=False),
    "**Kalman bank**": KalmanBankSpec(),
}
GENERATORS: dict[str, Callable[..., object]] = {"recipe": synthesise, "held out": synthesise_held_out}
BAND = signal.butter(4, (5.0, 18.0), "bandpass", fs=RATE, output="sos")

Figures = dict[str, float]


def filtered(spec: FilterSpec, x: np.ndarray, times_us: list[float] | None = None) -> np.ndarray:
    axis = make_axis_filter(spec, RATE, x.shape[1])
    out = np.empty_like(x)
    clock = time.perf_counter
    for i in range(len(x)):
        start = clock()
        axis.step(x[i], 1e-3, out[i])
        if times_us is not None:
            times_us.append(1e6 * (clock() - start))
    return out


def figures(out: np.ndarray, truth: np.ndarray, tremor: np.ndarray, axes: Iterable[int] = (0, 1)) -> Figures:
    """Cut (%), error and aligned error (um), shift (ms), averaged over the axes."""
    rows = []
    for axis in axes:
        o, v, w = (signals[SETTLED:, axis] for signals in (out, truth, tremor))
        aligned, shift = best_shift(v, o, RATE)
        left = signal.sosfiltfilt(BAND, o - v)
        rows.append((100.0 * (1.0 - rms(left) / rms(w)), 1e6 * rms(o - v), 1e6 * aligned, 1e3 * shift))
    return dict(zip(("cut", "error", "aligned", "shift"), np.mean(rows, axis=0).tolist(), strict=True))


def rms(x: np.ndarray) -> float:
    return float(np.sqrt(np.mean(x * x)))


def trace(
    generator: str, seconds: float, f0_hz: float, moving: bool, tremor_um: float = 50.0, seed: int = 1000
):
    spec = SurgeonSpec(f0_hz=f0_hz, moving=moving, tremor_rms_m=1e-6 * tremor_um)
    return GENERATORS[generator](seconds, RATE, seed + int(f0_hz), spec)


def judge(spec: FilterSpec, made, times_us: list[float] | None = None) -> Figures:
    x = np.ascontiguousarray(made.measured[:, :3])
    return figures(filtered(spec, x, times_us), made.voluntary, made.tremor)


def all_filters(generator: str, seconds: float) -> dict[str, dict[str, list[Figures]]]:
    made = {(f0, m): trace(generator, seconds, f0, m) for f0 in F0_HZ for m in (False, True)}
    results = {}
    for name, spec in FILTERS.items():
        results[name] = {
            kind: [judge(spec, made[f0, moving]) for f0 in F0_HZ]
            for kind, moving in (("still", False), ("moving", True))
        }
    return results


def print_all(generator: str, results: dict[str, dict[str, list[Figures]]]) -> None:
    print(f"\n### {generator}: 50 um of tremor, f0 7 to 14 Hz, mean (worst, at f0)\n")
    print(
        "| filter | still: cut % | still: error um | moving: cut % | moving: error um | aligned | shift ms |"
    )
    print("|---|---|---|---|---|---|---|")
    judged = [F0_HZ.index(f0) for f0 in JUDGED_HZ]
    for name, kinds in results.items():
        cells = [name]
        for kind in ("still", "moving"):
            for key, worst in (("cut", min), ("error", max)):
                values = {F0_HZ[i]: kinds[kind][i][key] for i in judged}
                at = worst(values, key=values.__getitem__)
                cells.append(f"{np.mean(list(values.values())):.1f} ({values[at]:.1f}, {at} Hz)")
        for key in ("aligned", "shift"):
            cells.append(f"{np.mean([kinds['moving'][i][key] for i in judged]):.1f}")
        print("| " + " | ".join(cells) + " |")


def print_by_frequency(results: dict[str, dict[str, dict[str, list[Figures]]]]) -> None:
    print("\n### Kalman bank by frequency: cut % / error um\n")
    print("| f0 Hz | " + " | ".join(f"{g}, {k}" for g in results for k in ("still", "moving")) + " |")
    print("|---|" + "---|" * (2 * len(results)))
    for i, f0 in enumerate(F0_HZ):
        cells = [
            f"{r['**Kalman bank**'][kind][i]['cut']:.1f} / {r['**Kalman bank**'][kind][i]['error']:.1f}"
            for r in results.values()
            for kind in ("still", "moving")
        ]
        print(f"| {f0} | " + " | ".join(cells) + " |")


def amplitudes(seconds: float) -> dict[str, dict[str, Figures]]:
    chosen = ("WFLC", "BMFLC (Kalman)", "**Kalman bank**")
    print("\n### By amplitude, moving, mean over f0 7, 9, 12 Hz: cut % / error um\n")
    print("| tremor um | " + " | ".join(f"{g}: {n}" for g in GENERATORS for n in chosen) + " |")
    print("|---|" + "---|" * (2 * len(chosen)))
    table: dict[str, dict[str, Figures]] = {}
    for tremor_um in (30.0, 50.0, 100.0, 200.0, 300.0):
        cells = []
        for generator in GENERATORS:
            made = [trace(generator, seconds, f0, True, tremor_um) for f0 in (7, 9, 12)]
            for name in chosen:
                rows = [judge(FILTERS[name], m) for m in made]
                mean = {key: float(np.mean([row[key] for row in rows])) for key in rows[0]}
                table.setdefault(f"{tremor_um:g}", {})[f"{generator}: {name}"] = mean
                cells.append(f"{mean['cut']:.1f} / {mean['error']:.1f}")
        print(f"| {tremor_um:g} | " + " | ".join(cells) + " |", flush=True)
    return table


def fresh(seconds: float) -> None:
    print(f"\n### Held out, seeds from {FRESH_SEED}: cut % / error um\n")
    print("| f0 Hz | " + " | ".join(map(str, JUDGED_HZ)) + " |\n|---|" + "---|" * len(JUDGED_HZ))
    for kind, moving in (("still", False), ("moving", True)):
        rows = [
            judge(FILTERS["**Kalman bank**"], trace("held out", seconds, f0, moving, seed=FRESH_SEED))
            for f0 in JUDGED_HZ
        ]
        print(
            f"| {kind} | " + " | ".join(f"{r['cut']:.1f} / {r['error']:.1f}" for r in rows) + " |", flush=True
        )


def below_the_band(seconds: float) -> dict[str, Figures]:
    print("\n### Below the band, still: error um of 50 um\n\n| f0 Hz | static | Kalman bank |\n|---|---|---|")
    table = {}
    for f0 in (3.5, 4.0, 4.5, 5.0, 5.5, 6.0, 6.5):
        made = trace("recipe", seconds, f0, False)
        pair = {
            name: judge(FILTERS[name], made)["error"] for name in ("Kalman bank, static", "**Kalman bank**")
        }
        table[f"{f0:g}"] = pair
        print(f"| {f0:g} | " + " | ".join(f"{v:.1f}" for v in pair.values()) + " |")
    return table


def delays(seconds: float) -> dict[str, tuple[float | None, ...]]:
    print("\n### Group delay from the recipe's moving hand, f0 9 Hz, ms at 0.5 / 1 / 2 Hz; time a call, us\n")
    print("| filter | delay ms | p50 us | p99 us |\n|---|---|---|---|")
    made = trace("recipe", max(seconds, 60.0), 9, True)
    x = np.ascontiguousarray(made.measured[:, :3])
    table = {}
    for name, spec in FILTERS.items():
        times: list[float] = []
        out = filtered(spec, x, times)
        each = [group_delays(x[SETTLED:, axis], out[SETTLED:, axis], RATE) for axis in range(3)]
        mean = [
            None if None in column else 1e3 * float(np.mean(column)) for column in zip(*each, strict=True)
        ]
        table[name] = tuple(mean)
        text = " / ".join("-" if d is None else f"{d:.1f}" for d in mean)
        p50, p99 = np.percentile(times[100:], (50, 99))
        print(f"| {name} | {text} | {p50:.1f} | {p99:.1f} |")
    return table


def recording(path: Path) -> dict[str, dict[str, Figures]]:
    print("\n### Real console recording: alone (rms change, um) and with 50 um of tremor added, f0 9 Hz\n")
    print(
        "| filter | left alone | right alone | left: cut / error / shift ms | right: cut / error / shift ms |"
    )
    print("|---|---|---|---|---|")
    hands = {hand: resample(read_recording(path, hand), RATE)[1] for hand in ("left", "right")}
    table: dict[str, dict[str, Figures]] = {}
    for name, spec in FILTERS.items():
        cells, added = [], []
        for hand, truth in hands.items():
            change = 1e6 * rms((filtered(spec, truth) - truth)[SETTLED:])
            spec_9 = SurgeonSpec(f0_hz=9.0)
            made = synthesise((len(truth) - 1) / RATE, RATE, 77, spec_9)
            x = truth + made.tremor[: len(truth), :3] + made.noise[: len(truth), :3]
            row = figures(filtered(spec, x), truth, made.tremor)
            table.setdefault(name, {})[hand] = row | {"change": change}
            cells.append(f"{change:.2f}")
            added.append(f"{row['cut']:.1f} / {row['error']:.1f} / {row['shift']:.1f}")
        print(f"| {name} | " + " | ".join(cells + added) + " |", flush=True)
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--recording", type=Path, help="console recording (CSV)")
    parser.add_argument("--seconds", type=float, default=20.0, help="length of each synthetic trace")
    parser.add_argument("--json", type=Path, help="write all figures here")
    parser.add_argument("--fresh", action="store_true", help="only the held-out hand, on other seeds")
    given = parser.parse_args()
    if given.fresh:
        fresh(given.seconds)
        return
    results = {generator: all_filters(generator, given.seconds) for generator in GENERATORS}
    for generator, result in results.items():
        print_all(generator, result)
    print_by_frequency(results)
    figures_out: dict[str, object] = {"by_frequency": results}
    figures_out["amplitudes"] = amplitudes(given.seconds)
    figures_out["below_the_band"] = below_the_band(given.seconds)
    figures_out["delays_ms"] = delays(given.seconds)
    if given.recording is not None:
        figures_out["recording"] = recording(given.recording)
    if given.json is not None:
        given.json.write_text(json.dumps(figures_out, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
