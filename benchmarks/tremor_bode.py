"""Bode curves of the tremor filters: gain and group delay, drawn for docs/tremor.md.

    python benchmarks/tremor_bode.py docs/tremor_bode.svg

The Kalman bank is shown for gains it actually uses: static, and following a main peak at 7, 9 and 12 Hz with
a second one 1.7 Hz above. The curves come from the transfer function of the fixed gain, those of the fixed
filters from scipy. Also prints the numbers of the table in the docs.
"""

from __future__ import annotations

import sys
from pathlib import Path

import matplotlib
import numpy as np
from scipy import signal

from teleop.tremor import ButterworthSpec, KalmanBankSpec, NotchSpec
from teleop.tremor.kalman_bank import gain_table
from teleop.tremor.kalman_bank.tracker import look_up
from teleop.tremor.lti import butterworth, notch

RATE = 1000.0
FREQUENCY = np.geomspace(0.2, 100.0, 1600)


def curves() -> dict[str, np.ndarray]:
    table = gain_table(KalmanBankSpec(), RATE)
    drawn = {
        "Butterworth 6 Hz": sections(butterworth(ButterworthSpec(), 1, RATE).sections),
        "notch 8.5 + 11 Hz": sections(notch(NotchSpec(), 1, RATE).sections),
        "Kalman bank, static": table.response(table.wide, FREQUENCY),
    }
    for main in (7.0, 9.0, 12.0):
        gain = np.empty((1, table.model.size))
        followed = np.array([[main, 1.7, 1.0]])
        look_up(followed, table.main_hz, table.offset_hz, table.single, table.pair, table.wide, gain)
        drawn[f"Kalman bank at {main:g} Hz"] = table.response(gain[0], FREQUENCY)
    return drawn


def sections(sos: np.ndarray) -> np.ndarray:
    return signal.sosfreqz(sos, FREQUENCY, fs=RATE)[1]


def delay_ms(response: np.ndarray) -> np.ndarray:
    return -1e3 * np.gradient(np.unwrap(np.angle(response)), 2.0 * np.pi * FREQUENCY)


def draw(drawn: dict[str, np.ndarray], path: Path) -> None:
    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    figure, (gain, delay) = plt.subplots(2, 1, figsize=(8.0, 7.0), sharex=True, layout="constrained")
    for name, response in drawn.items():
        style = "--" if "bank" not in name else "-"
        gain.semilogx(FREQUENCY, 20.0 * np.log10(np.abs(response)), style, lw=1.3, label=name)
        near = FREQUENCY <= 4.0
        delay.semilogx(FREQUENCY[near], delay_ms(response)[near], style, lw=1.3)
    gain.axvspan(6.0, 14.0, color="0.92", lw=0)
    gain.set(ylim=(-40.0, 12.0), ylabel="gain, dB", title="Hand to filtered hand")
    gain.legend(fontsize=8, loc="lower left")
    delay.set(ylim=(-15.0, 60.0), xlabel="Hz", ylabel="group delay, ms")
    for axes in (gain, delay):
        axes.grid(True, which="both", lw=0.3)
    figure.savefig(path)


def main() -> None:
    drawn = curves()
    print(
        "| filter | delay ms at 0.5 / 1 / 2 Hz | gain to 2 Hz | 3 to 6 Hz | anywhere |\n|---|---|---|---|---|"
    )
    for name, response in drawn.items():
        level = 20.0 * np.log10(np.abs(response))
        at = " / ".join(f"{np.interp(f, FREQUENCY, delay_ms(response)):.1f}" for f in (0.5, 1.0, 2.0))
        low = level[FREQUENCY <= 2.0]
        bump = level[(FREQUENCY >= 3.0) & (FREQUENCY <= 6.0)].max()
        top = level.argmax()
        print(
            f"| {name} | {at} | {low[np.abs(low).argmax()]:+.2f} dB | {bump:+.1f} dB | "
            f"{level[top]:+.1f} dB at {FREQUENCY[top]:.1f} Hz |"
        )
    draw(drawn, Path(sys.argv[1]))


if __name__ == "__main__":
    main()
