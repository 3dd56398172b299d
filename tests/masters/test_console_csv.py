"""Console recordings: integrated increments, an even timeline from bursty stamps, buttons, losses."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.signal import welch
from scipy.spatial.transform import Rotation

from teleop.masters.console_csv import REQUIRED, ConsoleCsvSpec, between_counts, compose, read_console_csv
from teleop.masters.source import MasterError

REAL = Path(__file__).parents[2] / ".." / "shared" / "data" / "console_peg_transfer.csv"
needs_recording = pytest.mark.skipif(
    not REAL.is_file(), reason="the recording ../shared/data/console_peg_transfer.csv is not on this machine"
)
RATE_HZ = 500.0


def spec(**keys):
    return ConsoleCsvSpec(kind="console_csv", path="unused", lead_in_s=0.0, **keys)


def packets(count=1000, seed=0):
    """Columns of an invented recording: integer increments, stamps read in bursts of about 20 ms."""
    rng = np.random.default_rng(seed)
    sequence = 500 + np.arange(count)
    sent = np.arange(count) / RATE_HZ
    flush = np.ceil(sent / 0.02) * 0.02 + 1e-3
    columns = {"time_stamp": 1.7e9 + flush + 2e-5 * (np.arange(count) % 10), "sequence_number": sequence}
    for hand in "01":
        for axis in "xyz":
            columns[f"pos{hand}_{axis}"] = np.round(6 * np.sin(sent * 3 + rng.uniform(0, 6)))
            columns[f"rot{hand}_{axis}"] = rng.integers(0, 20, count) == 0
        columns[f"grasper{hand}"] = 30 * np.round(40 + 40 * np.sin(sent))
    columns["pedal"] = (sent < 0.8) | (sent > 1.2)
    return {name: np.asarray(columns[name], float) for name in REQUIRED}


def write(folder, columns, rows=None):
    path = folder / "console.csv"
    table = np.column_stack(list(columns.values()))
    table = table if rows is None else table[rows]
    lines = [",".join(columns)] + [",".join(f"{x:.10g}" if x < 1e6 else f"{x:.7f}" for x in r) for r in table]
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.mark.parametrize(("hand", "number"), [("left", "0"), ("right", "1")])
def test_the_path_is_the_running_sum_of_the_increments_at_every_sample(tmp_path, hand, number):
    columns = packets()
    recording = read_console_csv(write(tmp_path, columns), spec(hand=hand, position_m_per_count=1e-6))
    total = np.cumsum(np.column_stack([columns[f"pos{number}_{axis}"] for axis in "xyz"]), axis=0)
    for i in range(0, 999, 37):
        np.testing.assert_allclose(
            recording.sample(float(recording.t_s[i])).p_m, 1e-6 * total[i], rtol=0, atol=1e-18
        )


def test_bursts_become_an_even_timeline_at_the_senders_rate(tmp_path):
    recording = read_console_csv(write(tmp_path, packets()), spec())
    np.testing.assert_allclose(np.diff(recording.t_s), 1 / RATE_HZ, rtol=2e-3)
    assert "1000 samples at 500" in recording.notes[0]


def test_a_first_packet_that_came_late_does_not_bend_the_timeline(tmp_path):
    columns = packets()
    columns["time_stamp"][:100] += 0.35
    recording = read_console_csv(write(tmp_path, columns), spec())
    np.testing.assert_allclose(np.diff(recording.t_s), 1 / RATE_HZ, rtol=2e-3)
    assert "after that steady rate" in recording.notes[0]


def test_a_steady_hand_moves_at_a_steady_speed_between_bursty_samples(tmp_path):
    columns = packets()
    columns["pos1_x"][:] = 4.0
    recording = read_console_csv(write(tmp_path, columns), spec())
    x = np.array([recording.sample(t).p_m[0] for t in np.arange(0.1, 1.9, 1e-3)])
    np.testing.assert_allclose(np.diff(x), 4e-6 * RATE_HZ * 1e-3, rtol=5e-3)


def test_lost_packets_leave_a_gap_of_their_length_and_are_reported(tmp_path):
    columns = packets()
    keep = np.delete(np.arange(1000), np.arange(400, 450))
    recording = read_console_csv(write(tmp_path, columns, keep), spec())
    assert recording.t_s[400] - recording.t_s[399] == pytest.approx(51 / RATE_HZ, rel=0.01)
    assert "50 sequence numbers lost" in recording.notes[1]
    total = np.cumsum(columns["pos1_x"][keep])
    assert recording.p_m[-1, 0] == pytest.approx(1e-6 * total[-1], abs=1e-15)


def test_packets_out_of_order_or_repeated_give_the_same_path_and_are_reported(tmp_path):
    columns = packets()
    plain = read_console_csv(write(tmp_path, columns), spec())
    order = np.arange(1000)
    order[[100, 101]] = order[[101, 100]]
    order = np.insert(order, 600, [598, 599])
    mixed = read_console_csv(write(tmp_path, columns, order), spec())
    assert np.array_equal(mixed.p_m, plain.p_m)
    assert np.array_equal(mixed.gripper_rad, plain.gripper_rad)
    assert "0 sequence numbers lost" in mixed.notes[1]
    assert "2 repeated" in mixed.notes[1]


def test_a_released_follow_pedal_is_a_pressed_clutch_and_the_other_way_round_on_request(tmp_path):
    path = write(tmp_path, packets())
    follow = read_console_csv(path, spec())
    clutch = read_console_csv(path, spec(pedal="clutch"))
    for t, pressed in ((0.5, True), (1.0, False), (1.5, True)):
        assert follow.sample(t).clutch is not pressed
        assert clutch.sample(t).clutch is pressed


def test_the_jaw_is_open_at_grasper_0_closed_at_2458_and_stays_in_range(tmp_path):
    columns = packets()
    columns["grasper0"][:] = np.repeat([0.0, 1229.0, 2458.0, 2700.0, -60.0], 200)
    recording = read_console_csv(write(tmp_path, columns), spec(hand="left", jaw_open_rad=0.8))
    jaw = [recording.sample(t).gripper_rad for t in (0.2, 0.6, 1.0, 1.4, 1.9)]
    np.testing.assert_allclose(jaw, [0.8, 0.4, 0.0, 0.0, 0.8], atol=1e-9)


def test_rotation_about_one_axis_ends_at_the_sum_of_the_increments_times_the_scale(tmp_path):
    columns = packets()
    for axis in "xz":
        columns[f"rot1_{axis}"][:] = 0.0
    columns["rot1_y"][-200:] = 0.0  # at rest in the end, so that the blur has settled
    recording = read_console_csv(write(tmp_path, columns), spec(rotation_rad_per_count=0.004))
    total = 0.004 * columns["rot1_y"].sum()
    end = Rotation.from_quat(recording.quat_xyzw[-1]).as_rotvec()
    np.testing.assert_allclose(end, [0.0, total, 0.0], atol=1e-9)


def test_rotation_scale_zero_keeps_the_orientation(tmp_path):
    recording = read_console_csv(write(tmp_path, packets()), spec(rotation_rad_per_count=0.0))
    np.testing.assert_array_equal(np.abs(recording.quat_xyzw), np.tile([0.0, 0, 0, 1], (1000, 1)))


def test_a_coarse_count_becomes_a_smooth_course_within_one_step_of_it():
    t = np.arange(3000) / 500.0
    true = 6.0 * np.sin(1.5 * t)
    count = np.round(true)
    smooth = between_counts(t, count)
    assert np.abs(smooth - count).max() <= 1.0
    changes = np.flatnonzero(np.diff(count)) + 1
    np.testing.assert_allclose(smooth[changes], count[changes], atol=1e-9)
    # A whole count in one 2 ms sample is 500 counts a second; the hand itself never passes 9.
    assert np.abs(np.diff(smooth)).max() * 500.0 < 40.0
    assert np.array_equal(between_counts(t, np.full(3000, 7.0)), np.full(3000, 7.0))


def test_a_single_count_after_a_rest_takes_50_ms_and_leaves_the_rest_at_rest():
    t = np.arange(1000) / 500.0
    count = (np.arange(1000) >= 500).astype(float)
    smooth = between_counts(t, count)
    assert not smooth[t < 0.949].any()
    assert np.all(smooth[500:] == 1.0)
    assert 0.2 < smooth[t.searchsorted(0.975)] < 0.8


def test_composing_by_doubling_equals_one_rotation_after_the_other():
    steps = np.random.default_rng(3).normal(0, 0.05, (333, 3))
    product = Rotation.identity()
    for i, quat in enumerate(compose(steps)):
        product = Rotation.from_rotvec(steps[i]) * product
        assert (Rotation.from_quat(quat).inv() * product).magnitude() < 1e-12


def test_bad_recordings_are_refused_with_line_column_and_what_was_expected(tmp_path):
    def changed(name, row, value):
        columns = packets()
        columns[name][row] = value
        return columns

    backwards, together = packets(), packets()
    backwards["time_stamp"] = backwards["time_stamp"][::-1]
    together["sequence_number"][:] = 7
    cases = [
        (changed("pos0_y", 41, np.nan), ["line 43", "column pos0_y", "'nan'", "finite number"]),
        (changed("sequence_number", 9, 508.5), ["line 11", "sequence_number", "whole number"]),
        (changed("sequence_number", 10, 99999), ["line 13", "sequence_number", "two recordings"]),
        (backwards, ["column time_stamp", "do not advance"]),
        (together, ["same sequence number"]),
        ({k: v for k, v in packets().items() if k != "pedal"}, ["line 1", "lacks pedal"]),
    ]
    for columns, words in cases:
        path = write(tmp_path, columns)
        with pytest.raises(MasterError) as caught:
            read_console_csv(path, spec())
        for word in [str(path), *words]:
            assert word in str(caught.value)


def test_a_recording_that_ends_mid_row_is_refused_at_its_last_line(tmp_path):
    path = write(tmp_path, packets())
    path.write_text(path.read_text()[:-12])
    with pytest.raises(MasterError, match=r"line 1001: the recording ends mid-row, after 1[0-9] of 17"):
        read_console_csv(path, spec())


@needs_recording
@pytest.mark.parametrize(("hand", "number"), [("left", 0), ("right", 1)])
def test_the_real_recording_plays_the_sum_of_its_increments(hand, number):
    raw = np.genfromtxt(REAL, delimiter=",", names=True)
    recording = read_console_csv(REAL, spec(hand=hand))
    total = np.cumsum(np.column_stack([raw[f"pos{number}_{axis}"] for axis in "xyz"]), axis=0)
    assert np.array_equal(recording.p_m, 1e-6 * total)
    assert recording.duration_s == pytest.approx(raw["time_stamp"][-1] - raw["time_stamp"][0], abs=0.4)
    assert "25000 samples at 490.5 Hz" in recording.notes[0]
    assert len(recording.notes) == 1  # nothing lost, repeated or out of order
    still = raw["pedal"] == 0
    assert still.sum() == 529
    assert not np.diff(recording.p_m[still], axis=0).any()


@needs_recording
@pytest.mark.parametrize("hand", ["left", "right"])
def test_the_real_recording_is_a_slow_smooth_hand(hand):
    recording = read_console_csv(REAL, spec(hand=hand))
    hands = [recording.sample(t) for t in np.arange(0.0, 50.9, 1e-3)]
    p = np.array([hand.p_m for hand in hands])
    for axis in range(3):
        f, psd = welch(p[:, axis], 1000.0, nperseg=8000, detrend="linear")
        assert psd[f > 2.0].sum() / psd.sum() < 0.005
    assert np.linalg.norm(np.diff(p, axis=0), axis=1).max() < 0.03e-3
    turn = Rotation.from_quat([hand.quat_xyzw for hand in hands])
    rate = (turn[1:] * turn[:-1].inv()).as_rotvec() * 1e3
    assert np.linalg.norm(rate, axis=1).max() < 4.0
    assert np.linalg.norm(np.diff(rate, axis=0), axis=1).max() * 1e3 < 150.0
    clutched = np.array([hand.clutch for hand in hands])
    assert np.count_nonzero(np.diff(clutched)) == 2
    assert 0.01 < clutched.mean() < 0.03
