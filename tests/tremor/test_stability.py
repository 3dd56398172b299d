"""Long runs stay as accurate as short ones."""

import numpy as np
import pytest
from numba import njit

from teleop.tremor import KalmanBankSpec
from teleop.tremor.kalman_bank import KalmanBank, gain_table
from teleop.tremor.kalman_bank import tracker as tracking
from teleop.tremor.kalman_bank.kernel import advance

RATE = 1000


@njit(error_model="numpy")
def long_run(
    state, shadow, gain, timid, blend, wide, starting, tones, energy, turns, coupling, bin_turns,
    rates, reading, followed, bins, weight, share, main_hz, offset_hz, single, pair, seconds, worst, noise,
):  # fmt: skip
    """Feed a hand whose tremor comes and goes for ``seconds``; ``worst`` gets each part's error rms."""
    out, y, truth = np.zeros(3), np.zeros(3), np.zeros(3)
    phase, total = 0.0, 0.0
    age = 0
    hour = 0
    for second in range(seconds):
        f0 = 9.5 + 2.5 * np.sin(2.0 * np.pi * second / 1800.0)
        amplitude = 70e-6 * (1.0 + 0.5 * np.sin(2.0 * np.pi * second / 407.0))
        for sample in range(1000):
            age += 1
            t = second + sample * 1e-3
            phase = (phase + 2.0 * np.pi * f0 * 1e-3) % (2.0 * np.pi)
            for axis in range(3):
                truth[axis] = 0.03 * np.sin(2.0 * np.pi * (0.31 + 0.07 * axis) * t)
                y[axis] = truth[axis] + amplitude * np.sin(phase + axis) + noise[age % noise.size]
            advance(
                state, shadow, gain, timid, blend, wide, starting, tones, energy, turns, coupling, bin_turns,
                y, 1e-3, 1.0, age, rates, out,
            )  # fmt: skip
            if age % 16 == 0 and age >= starting.shape[0]:
                tracking.read_spectrum(energy, bins, weight, reading)
                tracking.follow(reading, share, followed, timid)
                tracking.look_up(followed, main_hz, offset_hz, single, pair, wide, gain)
            if second >= 5:
                for axis in range(3):
                    total += (out[axis] - truth[axis]) ** 2 / 3.0
        if (second + 1) % (seconds // worst.size) == 0:
            worst[hour] = np.sqrt(total / (seconds // worst.size * 1000.0))
            total = 0.0
            hour += 1


def errors_over(seconds, parts):
    bank = KalmanBank(gain_table(KalmanBankSpec(), float(RATE)), 3, True)
    bank.start(np.zeros(3))
    table, worst = bank.table, np.zeros(parts)
    turns, bin_turns = bank._nominal
    noise = 4e-6 * np.random.default_rng(0).standard_normal(999_983)
    long_run(
        bank.state, bank.shadow, bank.gain, bank.timid, bank.blend, bank._wide, table.starting, bank.tones,
        bank.energy, turns, bank._coupling, bin_turns, bank._rates, bank.reading, bank.followed, bank._bins,
        bank._weight, bank._share, table.main_hz, table.offset_hz, table.single, table.pair, seconds, worst,
        noise,
    )  # fmt: skip
    assert np.all(np.isfinite(bank.state))
    return worst


def test_ten_minutes_are_as_good_at_the_end_as_at_the_start():
    worst = errors_over(600, 4)
    assert np.all(worst < 15e-6)


@pytest.mark.soak
def test_a_day_of_samples_stays_as_good_as_its_first_hour():
    worst = errors_over(86_400, 24)
    print("error rms of each hour, um:", np.round(1e6 * worst, 2))
    assert np.all(worst < 15e-6)
    assert worst.max() < 1.2 * worst[0]
