"""How well could a filter do that is told the truth? A Kalman filter that knows the held-out tremor.

    python benchmarks/tremor_bound.py

For every main peak it is given what no filter can know: the course of both frequencies, their widths and
ratio, and (*envelope told*) the course of the bursts. Its voluntary motion is the project's own (white jerk).
Where the project's filter comes close to it, a missed goal is the tremor's and not the filter's. Prints
Markdown: cut % / error um, moving hand, 50 um of tremor.
"""

from __future__ import annotations

import numpy as np
from scipy.linalg import block_diag
from tremor_table import FILTERS, JUDGED_HZ, RATE, figures, judge

from teleop.masters.surgeon import SurgeonSpec, held_out, synthesise_held_out
from teleop.masters.surgeon.trace import streams
from teleop.masters.surgeon.tremor import draw_f0
from teleop.tremor import KalmanBankSpec
from teleop.tremor.kalman_bank.design import HandModel

SECONDS = 20.0
NOISE_M2 = (4e-6) ** 2 + held_out.ENCODER_STEP_M**2 / 12.0


def told(seed: int, spec: SurgeonSpec, count: int):
    """Phases of both resonances, their ratio, and widths and envelope of each axis, as they were drawn."""
    rng = streams(seed, "strokes", "restless", "drift", "tremor", "noise")["tremor"]
    f0 = draw_f0(spec, rng)
    jumps = rng.random(count) < 1.0 / (held_out.JUMP_EVERY_S * RATE)
    levels = rng.uniform(-held_out.JUMP_HZ, held_out.JUMP_HZ, int(np.count_nonzero(jumps)) + 1)
    frequency = f0 + levels[np.cumsum(jumps)]
    second = float(rng.uniform(*held_out.SECOND_PEAK_HZ))
    ratio = float(rng.uniform(*held_out.SECOND_PEAK_RATIO))
    axes = []
    for _ in range(2):
        narrow, wide = rng.uniform(*held_out.PEAK_WIDTH_HZ, 2)
        shake = held_out._resonance(frequency, RATE, narrow, rng)
        shake += ratio * held_out._resonance(frequency + second, RATE, wide, rng)
        bursts = np.exp(
            held_out.BURST_SIGMA * held_out._smooth_noise(count, RATE, held_out.BURST_TIME_S, rng)
        )
        scale = spec.tremor_rms_m / np.sqrt(np.mean((bursts * shake) ** 2))
        axes.append((narrow, wide, scale * bursts, scale * bursts * shake))
    phases = [2.0 * np.pi * np.cumsum(f) / RATE for f in (frequency, frequency + second)]
    return phases, ratio, axes


def section(width_hz: float) -> tuple[np.ndarray, float]:
    """Transition and noise of the envelope ``u[k] = 2 r u[k-1] - r^2 u[k-2] + e`` of unit variance."""
    r = np.exp(-np.pi * width_hz / RATE)
    a1, a2 = 2.0 * r, -r * r
    variance = (1.0 - a2) / ((1.0 + a2) * ((1.0 - a2) ** 2 - a1**2))
    return np.array([[a1, a2], [1.0, 0.0]]), 1.0 / variance


def estimate(y: np.ndarray, phases, ratio: float, widths, envelope: np.ndarray) -> np.ndarray:
    """The voluntary position by the time-varying Kalman filter of that model."""
    hand = HandModel(1.0 / RATE, (), 1.0)
    A, Q = [hand.transition()], [hand.process_noise(KalmanBankSpec().jerk_density_m2_s5, np.empty(0))]
    for width in widths:
        M, q = section(width)
        A += [M, M]
        Q += [np.diag([q, 0.0])] * 2
    A, Q = block_diag(*A), block_diag(*Q)
    C = np.zeros((y.size, len(A)))
    C[:, 0] = 1.0
    for column, phase, size in ((3, phases[0], 1.0), (7, phases[1], ratio)):
        C[:, column] = size * envelope * np.cos(phase)
        C[:, column + 2] = -size * envelope * np.sin(phase)
    x, P = np.zeros(len(A)), np.eye(len(A))
    x[0] = y[0]
    P[0, 0], P[1, 1] = 1e-6, 1e-2
    out = np.empty(y.size)
    for k, row in enumerate(C):
        x, P = A @ x, A @ P @ A.T + Q
        PC = P @ row
        K = PC / (row @ PC + NOISE_M2)
        x = x + K * (y[k] - row @ x)
        P = P - np.outer(K, PC)
        P = 0.5 * (P + P.T)
        out[k] = x[0]
    return out


def main() -> None:
    print("| f0 Hz | envelope told | steady envelope | Kalman bank |\n|---|---|---|---|")
    for f0 in JUDGED_HZ:
        spec = SurgeonSpec(f0_hz=f0, tremor_rms_m=50e-6)
        made = synthesise_held_out(SECONDS, RATE, 1000 + f0, spec)
        phases, ratio, axes = told(1000 + f0, spec, made.t.size)
        cells = []
        for knows in (True, False):
            out = np.zeros((made.t.size, 2))
            for axis, (narrow, wide, envelope, tremor) in enumerate(axes):
                np.testing.assert_allclose(tremor, made.tremor[:, axis], rtol=1e-9, atol=1e-15)
                steady = np.full(made.t.size, np.sqrt(np.mean(envelope**2)))
                given = envelope if knows else steady
                out[:, axis] = estimate(made.measured[:, axis], phases, ratio, (narrow, wide), given)
            cells.append(figures(out, made.voluntary, made.tremor))
        cells.append(judge(FILTERS["**Kalman bank**"], made))
        print(
            f"| {f0} | " + " | ".join(f"{c['cut']:.1f} / {c['error']:.1f}" for c in cells) + " |", flush=True
        )


if __name__ == "__main__":
    main()
