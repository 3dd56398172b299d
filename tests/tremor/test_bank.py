"""The bank removes tremor, keeps motion, follows the peaks, steps aside, and survives bad clocks."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from teleop.masters.surgeon import SurgeonSpec, synthesise
from teleop.tremor import KalmanBankSpec, make_axis_filter
from teleop.tremor.kalman_bank.kernel import observe
from teleop.tremor.pose import coordinate_change

SETTLED = 4000


def filtered(spec, x, dts=None):
    axis = make_axis_filter(spec, 1000.0, x.shape[1])
    out = np.empty_like(x)
    for i in range(len(x)):
        axis.step(x[i], 1e-3 if dts is None else dts[i], out[i])
    return out, axis.core


def rms(x):
    return np.sqrt(np.mean(x * x, axis=0))


def tone(frequency_hz, amplitude, seconds=20.0):
    return amplitude * np.sin(2.0 * np.pi * frequency_hz * np.arange(0.0, seconds, 1e-3))[:, None]


@pytest.mark.parametrize("moving", [False, True])
@pytest.mark.parametrize("f0_hz", [7.0, 10.0, 14.0])
def test_fifty_micrometres_of_tremor_leave_less_than_fifteen(f0_hz, moving):
    trace = synthesise(16.0, 1000.0, 3, SurgeonSpec(f0_hz=f0_hz, moving=moving))
    out, _ = filtered(KalmanBankSpec(), np.ascontiguousarray(trace.measured[:, :3]))
    assert np.all(rms((out - trace.voluntary[:, :3])[SETTLED:]) < 15e-6)


def test_following_the_peaks_beats_the_static_bank():
    trace = synthesise(16.0, 1000.0, 3, SurgeonSpec(f0_hz=8.0, moving=False))
    x = np.ascontiguousarray(trace.measured[:, :2])
    errors = [
        rms((filtered(KalmanBankSpec(tracks=tracks), x)[0] - trace.voluntary[:, :2])[SETTLED:])
        for tracks in (True, False)
    ]
    assert np.all(errors[0] < 0.75 * errors[1])


@pytest.mark.parametrize("f0_hz", [6.5, 9.0, 13.0])
def test_tracker_finds_both_peaks(f0_hz):
    trace = synthesise(16.0, 1000.0, 1, SurgeonSpec(f0_hz=f0_hz))
    _, core = filtered(KalmanBankSpec(), np.ascontiguousarray(trace.measured[:, :2]))
    assert core.followed[:, 0] == pytest.approx([f0_hz] * 2, abs=0.6)
    assert core.followed[:, 1] == pytest.approx([1.7] * 2, abs=0.6)


@pytest.mark.parametrize("f0_hz", [3.5, 4.0, 4.5, 5.0, 5.5])
def test_shaking_below_six_hertz_is_not_amplified(f0_hz):
    trace = synthesise(16.0, 1000.0, 2, SurgeonSpec(f0_hz=f0_hz, moving=False, noise_rms_m=0.0))
    out, core = filtered(KalmanBankSpec(), np.ascontiguousarray(trace.measured[:, :2]))
    # Up to 4 Hz by letting it pass; nearer to the tremor the filter takes part of it.
    assert np.all(core.blend > 0.2) or f0_hz > 4.0
    assert np.all(rms((out - trace.voluntary[:, :2])[SETTLED:]) < 1.05 * rms(trace.tremor[:, :2]))


@pytest.mark.parametrize("speed", [0.05, 0.25])
def test_a_hand_without_tremor_is_left_alone(speed):
    spec = SurgeonSpec(tremor_rms_m=0.0, noise_rms_m=0.0, reach_speed_m_s=(speed, speed))
    trace = synthesise(20.0, 1000.0, 8, spec)
    out, _ = filtered(KalmanBankSpec(), np.ascontiguousarray(trace.measured[:, :3]))
    assert np.all(rms((out - trace.voluntary[:, :3])[1000:]) < 2e-6)


@pytest.mark.parametrize("frequency_hz", [0.5, 2.0, 9.0, 25.0])
def test_a_sinusoid_comes_out_as_the_transfer_function_says(frequency_hz):
    seconds = 20.0
    out, core = filtered(KalmanBankSpec(tracks=False), tone(frequency_hz, 1e-3, seconds))
    last = slice(-10_000, None)
    t = np.arange(0.0, seconds, 1e-3)[last]
    basis = np.stack([np.sin(2 * np.pi * frequency_hz * t), np.cos(2 * np.pi * frequency_hz * t)], axis=1)
    (re, im), *_ = np.linalg.lstsq(basis, out[last, 0], rcond=None)
    expected = core.table.response(core.table.wide, np.array([frequency_hz]))[0]
    assert 1e3 * (re + 1j * im) == pytest.approx(expected, abs=2e-3)


def test_a_steady_tone_nearly_vanishes():
    out, _ = filtered(KalmanBankSpec(), tone(10.0, 70e-6))
    assert rms(out[-4000:])[0] < 0.08 * 50e-6


@pytest.mark.parametrize("vibration_hz", [18.0, 20.0, 25.0, 30.0])
def test_where_a_vibration_outweighs_the_tremor_the_filter_steps_aside(vibration_hz):
    trace = synthesise(16.0, 1000.0, 2, SurgeonSpec(f0_hz=9.0, moving=False))
    shake = tone(vibration_hz, 50e-6 * np.sqrt(2.0), 16.0)[: len(trace.t)]
    x = np.ascontiguousarray(trace.measured[: len(shake), :2] + shake)
    out, core = filtered(KalmanBankSpec(), x)
    raw, kept = (rms((y - trace.voluntary[: len(shake), :2])[SETTLED:]) for y in (x, out))
    assert np.all(core.blend > 0.8)
    assert np.all(kept < 1.3 * raw)


def test_constant_acceleration_is_followed_without_error():
    t = np.arange(0.0, 4.0, 1e-3)
    x = (0.01 + 0.02 * t + 0.05 * t * t)[:, None]
    out, _ = filtered(KalmanBankSpec(tracks=False), x)
    assert np.max(np.abs(out - x)[3000:]) < 1e-6


def test_first_sample_passes_exactly_and_the_output_leaves_it_smoothly():
    trace = synthesise(6.0, 1000.0, 4, SurgeonSpec(f0_hz=9.0))
    x = np.ascontiguousarray(trace.measured[2000:, :3])
    out, _ = filtered(KalmanBankSpec(), x)
    np.testing.assert_array_equal(out[0], x[0])
    # No faster than the hand itself: reaches of 80 mm/s, tremor and noise.
    assert np.max(np.abs(np.diff(out[:1000], axis=0))) < 1.5 * np.max(np.abs(np.diff(x[:1000], axis=0)))


def test_a_moving_hand_is_followed_from_the_first_samples_on():
    t = np.arange(0.0, 1.0, 1e-3)
    x = (0.1 * t)[:, None]
    out, _ = filtered(KalmanBankSpec(), x)
    assert np.max(np.abs(out - x)[5:]) < 30e-6


@pytest.mark.parametrize("periods", [0.5, 1.0, 3.0, 40.0])
def test_a_longer_wait_shrinks_the_innovation_as_often_as_samples_were_lost(periods):
    axis = make_axis_filter(KalmanBankSpec(), 1000.0, 1)
    table = axis.core.table
    turns = np.zeros((len(table.model.frequencies_hz), 2))
    state = np.zeros((1, table.model.size))
    observe(state, table.wide[None], turns, 0.0, np.array([1.0]), 1e-3 * periods, periods)
    row = table.model.observation()
    assert 1.0 - row @ state[0] == pytest.approx((1.0 - row @ table.wide) ** periods, rel=1e-9)


def test_new_coordinates_carry_position_velocity_and_acceleration_over():
    rng = np.random.default_rng(2)
    r, v, a = rng.uniform(-0.2, 0.2, 3), rng.uniform(-2.0, 2.0, 3), rng.uniform(-5.0, 5.0, 3)
    core = make_axis_filter(KalmanBankSpec(), 1000.0, 3).core
    core.start(r)
    core.state[:, 1], core.state[:, 2] = v, a
    jacobian, curvature = np.empty((3, 3)), np.empty((3, 3, 3))
    coordinate_change(r, jacobian, curvature)
    core.transport(jacobian, r, np.zeros(3), curvature)

    def new(t):
        path = Rotation.from_rotvec(r + v * t + 0.5 * a * t * t)
        return (Rotation.from_rotvec(r).inv() * path).as_rotvec()

    h = 1e-3
    np.testing.assert_allclose(core.state[:, 0], new(0.0), atol=1e-15)
    np.testing.assert_allclose(core.state[:, 1], (new(h) - new(-h)) / (2 * h), atol=1e-4)
    np.testing.assert_allclose(core.state[:, 2], (new(h) - 2 * new(0.0) + new(-h)) / h**2, atol=1e-3)


@pytest.mark.parametrize("keep", [0.95, 0.7])
def test_lost_samples_are_bridged(keep):
    trace = synthesise(16.0, 1000.0, 3, SurgeonSpec(f0_hz=9.0))
    kept = np.flatnonzero(np.random.default_rng(0).random(trace.t.size) < keep)
    x = np.ascontiguousarray(trace.measured[kept, :2])
    out, core = filtered(KalmanBankSpec(), x, np.diff(trace.t[kept], prepend=0.0))
    settled = kept > SETTLED
    assert np.all(rms((out - trace.voluntary[kept, :2])[settled]) < 15e-6)
    assert core.followed[0, 0] == pytest.approx(9.0, abs=0.6)


def test_jittered_but_honest_intervals_do_not_matter():
    rng = np.random.default_rng(1)
    trace = synthesise(16.0, 10_000.0, 3, SurgeonSpec(f0_hz=9.0))
    at = 10 * np.arange(1, 15_900) + rng.integers(-4, 5, 15_899)
    x = np.ascontiguousarray(trace.measured[at, :2])
    out, _ = filtered(KalmanBankSpec(), x, np.diff(trace.t[at], prepend=0.0))
    assert np.all(rms((out - trace.voluntary[at, :2])[SETTLED:]) < 15e-6)


def test_same_samples_give_the_same_bits():
    x = np.ascontiguousarray(synthesise(5.0, 1000.0, 3).measured[:, :3])
    np.testing.assert_array_equal(filtered(KalmanBankSpec(), x)[0], filtered(KalmanBankSpec(), x)[0])


def test_scaling_the_hand_scales_the_output():
    x = np.ascontiguousarray(synthesise(5.0, 1000.0, 3).measured[:, :2])
    out, _ = filtered(KalmanBankSpec(), x)
    np.testing.assert_allclose(filtered(KalmanBankSpec(), 8.0 * x)[0], 8.0 * out, rtol=1e-9, atol=1e-12)


def test_works_at_another_rate():
    trace = synthesise(16.0, 500.0, 3, SurgeonSpec(f0_hz=9.0))
    axis = make_axis_filter(KalmanBankSpec(), 500.0, 2)
    out = np.array([axis.step(x, 2e-3, np.empty(2)) for x in np.ascontiguousarray(trace.measured[:, :2])])
    assert np.all(rms((out - trace.voluntary[:, :2])[2000:]) < 15e-6)
