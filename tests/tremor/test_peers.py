"""The published filters do what their papers (or scipy) say."""

import numpy as np
import pytest
from scipy import signal

from teleop.tremor import (
    BmflcKfSpec,
    BmflcSpec,
    ButterworthSpec,
    NoFilterSpec,
    NotchSpec,
    OneEuroSpec,
    WflcSpec,
    make_axis_filter,
)

RATE = 1000.0
T = np.arange(0.0, 12.0, 1.0 / RATE)


def filtered(spec, x, dt=1.0 / RATE):
    axis = make_axis_filter(spec, RATE, x.shape[1])
    return np.array([axis.step(value, dt, np.empty(x.shape[1])) for value in x]), axis.core


def rms(x):
    return float(np.sqrt(np.mean(x * x)))


def tone(frequency_hz):
    return 70e-6 * np.sin(2.0 * np.pi * frequency_hz * T)[:, None]


def test_nothing_changes_nothing():
    x = np.random.default_rng(0).standard_normal((50, 3))
    np.testing.assert_array_equal(filtered(NoFilterSpec(), x)[0], x)


@pytest.mark.parametrize("order", [1, 2, 5])
def test_butterworth_is_lfilter(order):
    x = 0.3 + np.random.default_rng(1).standard_normal((400, 2))
    b, a = signal.butter(order, 6.0, fs=RATE)
    rest = signal.lfilter_zi(b, a)[:, None] * x[0]
    expected, _ = signal.lfilter(b, a, x, axis=0, zi=rest)
    np.testing.assert_allclose(filtered(ButterworthSpec(order=order), x)[0], expected, atol=1e-6)


def test_notches_are_lfilters_in_a_row():
    x = -0.2 + np.random.default_rng(2).standard_normal((400, 2))
    expected = x
    for f in (8.5, 11.0):
        b, a = signal.iirnotch(f, 1.5, fs=RATE)
        expected, _ = signal.lfilter(
            b, a, expected, axis=0, zi=signal.lfilter_zi(b, a)[:, None] * expected[0]
        )
    out, _ = filtered(NotchSpec(frequencies_hz=(8.5, 11.0), quality=1.5), x)
    np.testing.assert_allclose(out, expected, atol=1e-9)


def test_lost_samples_of_a_linear_filter_are_filled_by_a_straight_line():
    x = 0.01 * np.cumsum(np.random.default_rng(3).standard_normal((300, 1)), axis=0)
    line = np.interp(np.arange(3 * 299 + 1) / 3.0, np.arange(300), x[:, 0])[:, None]
    thrice, _ = filtered(ButterworthSpec(), x, dt=3.0 / RATE)
    np.testing.assert_allclose(thrice, filtered(ButterworthSpec(), line)[0][::3], atol=1e-12)


def test_one_euro_at_rest_is_a_first_order_low_pass():
    x = np.vstack([np.zeros((1, 1)), np.ones((200, 1))])
    out, _ = filtered(OneEuroSpec(min_cutoff_hz=2.0, beta_hz_s_m=0.0), x)
    alpha = 1.0 / (1.0 + RATE / (2.0 * np.pi * 2.0))
    np.testing.assert_allclose(out[:, 0], 1.0 - (1.0 - alpha) ** np.arange(201), atol=1e-12)


def test_one_euro_opens_with_speed():
    x = (0.2 * T[:3000])[:, None]
    lags = [rms((filtered(OneEuroSpec(beta_hz_s_m=beta), x)[0] - x)[2000:]) for beta in (0.0, 1000.0)]
    assert lags[1] < 0.02 * lags[0]


def test_one_euro_means_the_same_for_a_rotation_at_its_lever():
    spec = OneEuroSpec(lever_m=0.1)
    x = 0.01 * np.sin(5.0 * T[:500])[:, None]
    turns = make_axis_filter(spec, RATE, 1, turns=True)
    out = np.array([turns.step(value / 0.1, 1e-3, np.empty(1)) for value in x])
    np.testing.assert_allclose(0.1 * out, filtered(spec, x)[0], rtol=1e-9, atol=1e-15)


@pytest.mark.parametrize("frequency_hz", [7.3, 9.0, 12.4])
def test_wflc_finds_the_frequency_of_a_tone_and_cancels_it(frequency_hz):
    x = tone(frequency_hz)
    out, core = filtered(WflcSpec(), x)
    assert core.omega[0] / (2.0 * np.pi) == pytest.approx(frequency_hz, abs=0.05)
    assert rms(out[-2000:]) < 0.1 * rms(x)


def test_wflc_weights_hold_the_amplitude_of_the_tone():
    _, core = filtered(WflcSpec(), tone(10.0))
    assert np.hypot(*core.cancelled[0]) == pytest.approx(70e-6, rel=0.05)


def test_wflc_stays_in_its_band():
    _, core = filtered(WflcSpec(band_hz=(6.0, 15.0)), tone(3.0))
    assert 6.0 <= core.omega[0] / (2.0 * np.pi) <= 15.0


@pytest.mark.parametrize("spec", [BmflcSpec(high_pass_hz=0.05), BmflcKfSpec(high_pass_hz=0.05)])
@pytest.mark.parametrize("frequency_hz", [8.0, 9.5])
def test_bmflc_cancels_a_tone_on_its_grid(spec, frequency_hz):
    # With the high-pass out of the way: its phase is what spoils the method.
    x = tone(frequency_hz)
    out, _ = filtered(spec, x)
    assert rms(out[-3000:]) < 0.15 * rms(x)


def test_bmflc_kalman_is_the_textbook_filter():
    spec = BmflcKfSpec(band_hz=(7.0, 9.0), spacing_hz=1.0, high_pass_hz=0.05, walk_ratio=0.5)
    x = tone(8.2)[:400]
    out, core = filtered(spec, x)
    b, a = signal.butter(2, 0.05, "highpass", fs=RATE)
    passed, _ = signal.lfilter(b, a, x[:, 0], zi=signal.lfilter_zi(b, a) * x[0, 0])
    P, w, expected = np.eye(6), np.zeros(6), [x[0, 0]]
    for k in range(1, 400):
        phase = 2.0 * np.pi * np.array([7.0, 8.0, 9.0]) * k / RATE
        h = np.concatenate([np.sin(phase), np.cos(phase)])
        P = P + 0.5 / RATE * np.eye(6)
        K = P @ h / (h @ P @ h + 1.0)
        w = w + K * (passed[k] - w @ h)
        P = P - np.outer(K, h @ P)
        expected.append(x[k, 0] - w @ h)
    np.testing.assert_allclose(out[:, 0], expected, atol=1e-12)
    np.testing.assert_allclose(core.covariance, core.covariance.T, atol=0.0)
