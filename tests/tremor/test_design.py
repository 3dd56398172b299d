"""The gains are optimal, stable, and have the delay they promise, by other routes than the code's own."""

import numpy as np
import pytest
from scipy.linalg import solve_discrete_are

from teleop.errors import TrocarError
from teleop.tremor import KalmanBankSpec
from teleop.tremor.kalman_bank.design import HandModel, riccati, starting_gains, steady_gain
from teleop.tremor.kalman_bank.table import gain_table
from teleop.tremor.kalman_bank.tracker import cell, look_up

PERIOD = 1e-3
SMALL = HandModel(PERIOD, (7.0, 9.0, 11.0), 0.8)
LEVELS = np.array([4e-10, 8e-10, 4e-10])
JERK, NOISE = 6e-3, 2.9e-11


@pytest.fixture(scope="module")
def table():
    return gain_table(KalmanBankSpec(), 1000.0)


def modal_response(model, gain, frequency_hz):
    """From y to the position estimate, as a sum over the observer's modes: r_i / (1 - lambda_i / z)."""
    closed = (np.eye(model.size) - np.outer(gain, model.observation())) @ model.transition()
    poles, modes = np.linalg.eig(closed)
    residues = modes[0] * np.linalg.solve(modes, gain.astype(complex))
    z = np.exp(2j * np.pi * np.asarray(frequency_hz) * PERIOD)
    return (residues / (1.0 - poles / z[:, None])).sum(axis=1)


def delay_and_level(model, gain, frequency_hz):
    step = 1e-3
    H = modal_response(model, gain, np.array([frequency_hz - step, frequency_hz, frequency_hz + step]))
    return -(np.angle(H[2]) - np.angle(H[0])) / (4.0 * np.pi * step), 20.0 * np.log10(np.abs(H[1]))


def radius(model, gain):
    closed = (np.eye(model.size) - np.outer(gain, model.observation())) @ model.transition()
    return np.abs(np.linalg.eigvals(closed)).max()


def looked_up(table, followed):
    gain = np.empty((1, table.model.size))
    look_up(
        np.array([followed], dtype=float),
        table.main_hz, table.offset_hz, table.single, table.pair, table.wide, gain,
    )  # fmt: skip
    return gain[0]


def test_covariance_is_the_one_scipy_finds():
    A, C, Q = SMALL.transition(), SMALL.observation(), SMALL.process_noise(JERK, LEVELS)
    oracle = solve_discrete_are(A.T, C[:, None], Q, np.array([[NOISE]]))
    np.testing.assert_allclose(riccati(A, C, Q, NOISE), oracle, rtol=1e-6, atol=1e-9 * np.abs(oracle).max())


def test_covariance_balances_the_riccati_equation_of_the_full_bank(table):
    model = table.model
    levels = np.full(len(model.frequencies_hz), 2.5e-9 / len(model.frequencies_hz))
    A, C, Q = model.transition(), model.observation(), model.process_noise(JERK, levels)
    P = riccati(A, C, Q, NOISE)
    after = P - np.outer(P @ C, C @ P) / (C @ P @ C + NOISE)
    scale = np.sqrt(np.outer(np.diag(P), np.diag(P)))
    assert np.max(np.abs(A @ after @ A.T + Q - P) / scale) < 1e-9


def test_iterating_the_filter_long_enough_gives_the_steady_gain():
    gains = starting_gains(SMALL, JERK, LEVELS, NOISE, (1e-2, 1e-2, 1.0), 30_000)
    steady = steady_gain(SMALL, JERK, LEVELS, NOISE)
    np.testing.assert_allclose(gains[-1], steady, rtol=1e-6, atol=1e-8 * np.abs(steady).max())


def test_first_gain_takes_the_position_from_the_measurement(table):
    assert table.starting[0, 0] == pytest.approx(1.0, abs=1e-6)


def test_transition_is_the_matrix_exponential_of_the_hand():
    from scipy.linalg import block_diag, expm

    blocks = [np.array([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [0.0, 0.0, 0.0]])]
    for f in SMALL.frequencies_hz:
        w, decay = 2.0 * np.pi * f, np.pi * 0.8
        turn = np.array([[-decay, w], [-w, -decay]])
        blocks.append(np.block([[turn, np.zeros((2, 2))], [np.sqrt(2.0) * decay * np.eye(2), turn]]))
    np.testing.assert_allclose(SMALL.transition(), expm(PERIOD * block_diag(*blocks)), atol=1e-14)


def test_process_noise_of_the_voluntary_motion_is_the_integral_of_white_jerk():
    from scipy.integrate import quad

    # What jerk at time s before the sample does to [p, v, a]: (s^2 / 2, s, 1).
    response = (lambda s: 0.5 * s * s, lambda s: s, lambda s: 1.0)
    expected = [
        [quad(lambda s, f=f, g=g: JERK * f(s) * g(s), 0.0, PERIOD, epsabs=0.0)[0] for g in response]
        for f in response
    ]
    np.testing.assert_allclose(SMALL.process_noise(JERK, LEVELS)[:3, :3], expected, rtol=1e-9)


def test_process_noise_of_a_resonance_is_what_white_noise_leaves_in_its_two_sections():
    from scipy.integrate import quad

    # A kick at time s before the sample is worth exp(-decay s) in the first section, c s exp(-decay s) in the
    # second; both turn by the same angle, so that the phase drops out of the covariance.
    decay, coupling = np.pi * 0.8, np.sqrt(2.0) * np.pi * 0.8
    response = (lambda s: np.exp(-decay * s), lambda s: coupling * s * np.exp(-decay * s))
    shared = np.array(
        [
            [quad(lambda s, f=f, g=g: f(s) * g(s), 0.0, PERIOD, epsabs=0.0)[0] for g in response]
            for f in response
        ]
    )
    Q = SMALL.process_noise(JERK, LEVELS)
    for i, level in enumerate(LEVELS):
        block = Q[3 + 4 * i : 7 + 4 * i, 3 + 4 * i : 7 + 4 * i]
        expected = 2.0 * decay * level * np.kron(shared, np.eye(2))
        np.testing.assert_allclose(block, expected, rtol=1e-6, atol=1e-9 * level)


def test_each_section_of_a_resonance_has_the_variance_it_was_given():
    from scipy.linalg import solve_discrete_lyapunov

    A, Q = SMALL.transition()[3:, 3:], SMALL.process_noise(JERK, LEVELS)[3:, 3:]
    covariance = solve_discrete_lyapunov(A, Q)
    np.testing.assert_allclose(np.diag(covariance), np.repeat(LEVELS, 4), rtol=1e-6)


@pytest.mark.parametrize("second", [0.0, 1.0])
@pytest.mark.parametrize("main_hz", [7.0, 8.5, 10.25, 12.0, 14.0])
def test_voluntary_motion_passes_at_its_level_and_without_lag(table, main_hz, second):
    gain = looked_up(table, (main_hz, 1.7, second))
    for frequency_hz, most in ((0.5, 3e-3), (1.0, 3e-3), (2.0, 6e-3)):
        delay, level = delay_and_level(table.model, gain, frequency_hz)
        assert abs(delay) <= most
        assert abs(level) <= 0.5


def test_response_of_the_table_is_the_sum_of_its_modes(table):
    gain = looked_up(table, (9.0, 1.5, 1.0))
    frequency = np.array([0.3, 2.0, 5.0, 9.0, 30.0, 200.0])
    H = modal_response(table.model, gain, frequency)
    np.testing.assert_allclose(table.response(gain, frequency), H, rtol=1e-6, atol=1e-8)


def test_every_gain_between_the_nodes_is_stable(table):
    rng = np.random.default_rng(5)
    for _ in range(80):
        gain = looked_up(table, (rng.uniform(5.0, 16.0), rng.uniform(-3.5, 3.5), rng.uniform()))
        assert radius(table.model, gain) < 1.0


def test_half_way_between_distant_gains_is_not_stable(table):
    # The reason why the bank slides through the table instead of blending gains.
    assert radius(table.model, 0.5 * (table.pair[15, 4] + table.pair[18, 1])) > 1.0


def test_look_up_at_a_node_is_the_node(table):
    np.testing.assert_allclose(looked_up(table, (table.main_hz[3], 1.5, 0.0)), table.single[3], rtol=1e-12)
    np.testing.assert_allclose(
        looked_up(table, (table.main_hz[3], -table.offset_hz[2], 1.0)),
        table.pair[3, table.offset_hz.size + 2],
        rtol=1e-12,
    )
    np.testing.assert_array_equal(looked_up(table, (0.0, 0.0, 0.0)), table.wide)


def test_cell_clips_to_the_grid():
    nodes = np.array([6.0, 6.5, 7.0])
    assert cell(nodes, 6.25) == (0, 0.5)
    assert cell(nodes, 3.0) == (0, 0.0)
    assert cell(nodes, 9.0) == (1, 1.0)


def test_a_model_whose_covariance_grows_for_ever_is_refused():
    # The second state wanders and is never seen.
    with pytest.raises(TrocarError, match="did not settle"):
        riccati(np.eye(2), np.array([1.0, 0.0]), np.eye(2), 1.0)
