"""The two generators of surgeon motion: their physics, their truth, and that they differ."""

from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError
from scipy.signal import welch
from scipy.stats import kurtosis

from teleop.errors import TrocarError
from teleop.masters.surgeon import SurgeonSpec, synthesise, synthesise_held_out
from teleop.masters.surgeon.trace import plan
from teleop.masters.surgeon.voluntary import minimum_jerk

GENERATORS = pytest.mark.parametrize("generate", [synthesise, synthesise_held_out])
RATE_HZ = 1000.0


def band_power(signal, low_hz, high_hz):
    """Power in a band by Welch's method, summed over axes; signal**2 units."""
    f, psd = welch(signal, RATE_HZ, nperseg=8000, axis=0)
    return float(psd[(f >= low_hz) & (f < high_hz)].sum() * f[1])


@GENERATORS
def test_the_same_seed_gives_the_same_bits_and_another_seed_another_motion(generate):
    a, b, c = generate(8.0, RATE_HZ, 7), generate(8.0, RATE_HZ, 7), generate(8.0, RATE_HZ, 8)
    for name in ("t", "voluntary", "tremor", "noise", "measured"):
        assert np.array_equal(getattr(a, name), getattr(b, name))
    assert not np.array_equal(a.tremor, c.tremor)
    assert not np.array_equal(a.voluntary, c.voluntary)


@GENERATORS
def test_measured_is_the_sum_of_its_parts_to_the_last_bit(generate):
    trace = generate(4.0, RATE_HZ, 1)
    assert np.array_equal(trace.measured, trace.voluntary + trace.tremor + trace.noise)
    assert trace.t.shape == (4001,)
    assert trace.measured.shape == (4001, 6)


@GENERATORS
@pytest.mark.parametrize("rms_um", [30.0, 100.0])
def test_tremor_has_the_asked_rms_on_each_axis(generate, rms_um):
    spec = SurgeonSpec(tremor_rms_m=rms_um * 1e-6, axis_ratio=(1.0, 0.5, 0.1), lever_m=0.1)
    rms = np.sqrt(np.mean(generate(20.0, RATE_HZ, 3, spec).tremor ** 2, axis=0))
    np.testing.assert_allclose(rms[:3] * 1e6, [rms_um, 0.5 * rms_um, 0.1 * rms_um], rtol=1e-9)
    # 100 mm from the pivot: a micrometre at the tip is ten microradians.
    np.testing.assert_allclose(np.sort(rms[3:]), np.sort(rms[:3]) / 0.1, rtol=1e-9)


@GENERATORS
@pytest.mark.parametrize("f0_hz", [6.0, 9.0, 12.0])
def test_tremor_power_lies_around_the_asked_frequency_and_not_below_4_hz(generate, f0_hz):
    tremor = generate(60.0, RATE_HZ, 5, SurgeonSpec(f0_hz=f0_hz)).tremor
    total = band_power(tremor, 0.0, 500.0)
    assert band_power(tremor, 5.0, 15.5) / total > 0.97
    assert band_power(tremor, 0.0, 4.0) / total < 0.005
    f, psd = welch(tremor[:, 0], RATE_HZ, nperseg=8000)
    assert abs(f[np.argmax(psd)] - f0_hz) < 1.0


@GENERATORS
def test_without_an_asked_frequency_seeds_spread_over_the_surgeons_band(generate):
    peaks = []
    for seed in range(12):
        f, psd = welch(generate(20.0, 200.0, seed).tremor[:, 0], 200.0, nperseg=1000)
        peaks.append(f[np.argmax(psd)])
    assert min(peaks) > 6.0
    assert max(peaks) < 14.5
    assert max(peaks) - min(peaks) > 2.0


@GENERATORS
def test_at_least_98_9_percent_of_voluntary_power_is_below_2_hz(generate):
    for seed in range(4):
        voluntary = generate(60.0, RATE_HZ, seed).voluntary
        for axis in range(6):
            low = band_power(voluntary[:, axis], 0.0, 2.0)
            assert low / band_power(voluntary[:, axis], 0.0, 500.0) > 0.989


@GENERATORS
def test_a_still_surgeon_only_drifts_slowly_at_the_asked_rms(generate):
    voluntary = generate(120.0, 250.0, 2, SurgeonSpec(moving=False, drift_rms_m=70e-6)).voluntary
    np.testing.assert_allclose(np.sqrt(np.mean(voluntary[:, :3] ** 2, axis=0)), 70e-6, rtol=0.05)
    f, psd = welch(voluntary[:, 0], 250.0, nperseg=10000)
    assert psd[f <= 0.6].sum() / psd.sum() > 0.95


@GENERATORS
def test_sensor_noise_is_white_and_of_the_asked_size(generate):
    noise = generate(60.0, RATE_HZ, 4, SurgeonSpec(noise_rms_m=4e-6)).noise[:, 0]
    assert 3.8e-6 < noise.std() < 4.8e-6
    _, psd = welch(noise, RATE_HZ, nperseg=512, detrend=False)
    assert psd[1:-1].max() / psd[1:-1].min() < 4.0
    assert not generate(1.0, RATE_HZ, 4, SurgeonSpec(noise_rms_m=0.0, noise_rms_rad=0.0)).noise.any()


@GENERATORS
def test_reaches_stay_in_the_workspace_and_near_the_speed_asked(generate):
    spec = SurgeonSpec(workspace_m=(0.04, 0.02, 0.01), reach_speed_m_s=(0.01, 0.05), drift_rms_m=0.0)
    voluntary = generate(60.0, RATE_HZ, 6, spec).voluntary
    assert np.all(np.abs(voluntary[:, :3]) <= np.array([0.02, 0.01, 0.005]) + 2e-3)
    speed = np.linalg.norm(np.diff(voluntary[:, :3], axis=0), axis=1) * RATE_HZ
    assert 0.01 < speed.max() < 0.07
    assert np.ptp(voluntary[:, 0]) > 0.02


def test_a_minimum_jerk_reach_peaks_at_1_875_times_its_mean_speed_half_way():
    spec = SurgeonSpec(drift_rms_m=0.0, tremor_rms_m=0.0, noise_rms_m=0.0, noise_rms_rad=0.0)
    trace = synthesise(30.0, RATE_HZ, 9, spec)
    reaches = plan(30.0, 9, spec)
    velocity = np.gradient(trace.measured[:, :3], trace.t, axis=0)
    for start, duration, a, b in zip(
        reaches.start_s, reaches.duration_s, reaches.targets[:-1], reaches.targets[1:], strict=True
    ):
        inside = (trace.t > start) & (trace.t < start + duration)
        speed = np.linalg.norm(velocity[inside], axis=1)
        distance = np.linalg.norm(b[:3] - a[:3])
        assert speed.max() == pytest.approx(1.875 * distance / duration, rel=1e-3)
        assert trace.t[inside][speed.argmax()] == pytest.approx(start + 0.5 * duration, abs=2e-3)


def test_a_minimum_jerk_reach_starts_and_ends_at_rest_with_no_acceleration():
    # Independent oracle: exact derivatives of the polynomial at both ends.
    s = np.polynomial.Polynomial([0, 0, 0, 10, -15, 6])
    u = np.linspace(0.0, 1.0, 101)
    np.testing.assert_allclose(minimum_jerk(u), s(u), atol=1e-15)
    for end in (0.0, 1.0):
        assert s.deriv(1)(end) == pytest.approx(0.0, abs=1e-12)
        assert s.deriv(2)(end) == pytest.approx(0.0, abs=1e-12)
    assert minimum_jerk(np.array([-1.0, 2.0])).tolist() == [0.0, 1.0]


def test_the_last_reach_brings_the_hand_home_so_that_a_loop_closes():
    spec = SurgeonSpec(drift_rms_m=0.0)
    for seed in range(5):
        voluntary = synthesise(20.0, RATE_HZ, seed, spec).voluntary
        np.testing.assert_allclose(voluntary[-1], 0.0, atol=1e-12)


def test_tremor_turns_the_tool_about_the_pivot_behind_the_tip():
    # theta x (lever z) must be the tip displacement: d = theta x r, by numpy's cross product.
    tremor = synthesise(2.0, RATE_HZ, 0, SurgeonSpec(lever_m=0.2)).tremor
    swing = np.cross(tremor[:, 3:], [0.0, 0.0, 0.2])
    np.testing.assert_allclose(swing[:, :2], tremor[:, :2], atol=1e-18)


def test_changing_the_tremor_leaves_the_reaches_alone():
    a = synthesise(10.0, RATE_HZ, 3, SurgeonSpec(f0_hz=7.0))
    b = synthesise(10.0, RATE_HZ, 3, SurgeonSpec(f0_hz=12.0, tremor_rms_m=1e-4))
    assert np.array_equal(a.voluntary, b.voluntary)
    assert np.array_equal(a.noise, b.noise)
    assert not np.array_equal(a.tremor, b.tremor)


def test_the_two_generators_differ_in_spectrum_and_in_envelope():
    """One has tapered lines and a bounded envelope, the other broad resonances and bursts."""
    lines, tails = {}, {}
    for generate in (synthesise, synthesise_held_out):
        line, tail = [], []
        for seed in range(6):
            x = generate(120.0, 250.0, seed, SurgeonSpec(f0_hz=9.0)).tremor[:, 0]
            f, psd = welch(x, 250.0, nperseg=4000)
            band = psd[(f > 5.0) & (f < 14.0)]
            # Spectral flatness: geometric over arithmetic mean.
            line.append(np.exp(np.mean(np.log(band))) / band.mean())
            tail.append(kurtosis(x))
        lines[generate.__name__] = np.mean(line)
        tails[generate.__name__] = np.mean(tail)
    assert tails["synthesise"] < 0.0 < 0.5 < tails["synthesise_held_out"]
    assert abs(np.log(lines["synthesise"] / lines["synthesise_held_out"])) > 0.3


@GENERATORS
@pytest.mark.parametrize(
    ("duration_s", "rate_hz", "word"),
    [(0.0, 1000.0, "duration"), (np.nan, 1000.0, "duration"), (5.0, 10.0, "rate"), (5.0, np.inf, "rate")],
)
def test_an_impossible_trace_is_refused_in_a_sentence(generate, duration_s, rate_hz, word):
    with pytest.raises(TrocarError, match=word):
        generate(duration_s, rate_hz, 0)


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"reach_speed_m_s": (0.1, 0.02)}, "swap the two"),
        ({"reach_speed_m_s": (0.0, 0.02)}, "never arrives"),
        ({"tremor_rms_m": float("nan")}, "finite"),
        ({"tremor_rms": 1e-5}, "Extra inputs"),
    ],
)
def test_a_surgeon_that_cannot_be_is_refused(keys, words):
    with pytest.raises(ValidationError, match=words):
        SurgeonSpec(**keys)


@GENERATORS
def test_the_shortest_traces_are_whole_and_finite(generate):
    for duration_s in (0.001, 0.3, 1.0):
        assert np.isfinite(generate(duration_s, RATE_HZ, 0).measured).all()
