"""JIGSAWS kinematics text, on files written here in that format: the data set is not ours to carry."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from teleop.masters.jigsaws import ARMS, COLUMNS, RATE_HZ, read_jigsaws
from teleop.masters.recording import PlaybackSpec
from teleop.masters.source import MasterError

AT_ONCE = PlaybackSpec(lead_in_s=0.0)
TURN_RATES = np.array([[0.5, 0, 0], [0, -0.8, 0], [0, 0, 1.1], [0.3, 0.4, -0.5]])


def trial(count=90):
    """Values (count, 76): arm k circles with radius (k + 1) cm and turns at a constant TURN_RATES[k]."""
    t = np.arange(count) / RATE_HZ
    blocks = []
    for k in range(4):
        radius = 0.01 * (k + 1)
        p = radius * np.column_stack([np.cos(t), np.sin(t), 0 * t])
        v = radius * np.column_stack([-np.sin(t), np.cos(t), 0 * t])
        R = Rotation.from_rotvec(t[:, None] * TURN_RATES[k]).as_matrix().reshape(count, 9)
        w = np.tile(TURN_RATES[k], (count, 1))
        blocks.append(np.column_stack([p, R, v, w, np.full(count, 0.1 * k)]))
    return np.column_stack(blocks)


def write(folder, values, end="\n"):
    """As the data set: right-aligned, eight decimals, a leading blank."""
    path = folder / "Suturing_B001.txt"
    path.write_text("\n".join("".join(f"{x:16.8f}" for x in row) for row in values) + end)
    return path


def test_the_76_columns_are_four_arms_of_19():
    assert len(COLUMNS) == 76
    # 1-based places from the data set's description: position, R, velocities and gripper of each arm.
    places = {
        "master_left.x": 1,
        "master_left.R11": 4,
        "master_left.R12": 5,
        "master_left.vx": 13,
        "master_left.wx": 16,
        "master_left.gripper": 19,
        "master_right.x": 20,
        "slave_left.x": 39,
        "slave_left.R11": 42,
        "slave_left.gripper": 57,
        "slave_right.gripper": 76,
    }
    for name, place in places.items():
        assert COLUMNS[place - 1] == name


@pytest.mark.parametrize("k", range(4))
def test_each_arm_plays_its_own_path_and_turn_between_the_samples(tmp_path, k):
    recording = read_jigsaws(write(tmp_path, trial()), ARMS[k], AT_ONCE)
    assert recording.duration_s == pytest.approx(89 / 30)
    for t in np.linspace(0.05, 2.9, 200):
        hand = recording.sample(t)
        circle = 0.01 * (k + 1) * np.array([np.cos(t), np.sin(t), 0.0])
        np.testing.assert_allclose(hand.p_m, circle, atol=1e-5)
        turn = Rotation.from_quat(hand.quat_xyzw) * Rotation.from_rotvec(t * TURN_RATES[k]).inv()
        assert turn.magnitude() < 1e-6
        assert hand.gripper_rad == pytest.approx(0.1 * k)


def test_orientations_turn_at_a_constant_angular_rate_not_in_steps_of_30_hz(tmp_path):
    recording = read_jigsaws(write(tmp_path, trial()), "master_right", AT_ONCE)
    quats = Rotation.from_quat([recording.sample(t).quat_xyzw for t in np.arange(0.0, 2.9, 1e-3)])
    rates = (quats[:-1].inv() * quats[1:]).magnitude() * 1e3
    np.testing.assert_allclose(rates, 0.8, rtol=1e-3)


def test_matrices_rounded_to_three_decimals_give_unit_quaternions_and_the_nearest_rotation(tmp_path):
    values = trial()
    values[:, 3:12] = np.round(values[:, 3:12], 3)
    recording = read_jigsaws(write(tmp_path, values), "master_left", AT_ONCE)
    for i in (0, 30, 89):
        assert np.linalg.norm(recording.quat_xyzw[i]) == pytest.approx(1.0, abs=1e-12)
        true = Rotation.from_rotvec(i / RATE_HZ * TURN_RATES[0])
        assert (Rotation.from_quat(recording.quat_xyzw[i]) * true.inv()).magnitude() < 1.5e-3


def test_bad_files_are_refused_with_line_and_column(tmp_path):
    good = trial(5)
    nan, mirror, squeezed, zero = (good.copy() for _ in range(4))
    nan[3, 26] = np.nan
    mirror[2, 22:25] *= -1.0
    squeezed[2, 22:31] *= 0.9
    zero[2, 22:31] = 0.0
    cases = [
        (good[:, :75], ["line 1", "75 values, expected 76"]),
        (nan, ["line 4", "column master_right.R22", "'nan'"]),
        (mirror, ["line 3", "master_right.R11 to master_right.R33", "not a rotation", "determinant -1"]),
        (squeezed, ["line 3", "not a rotation"]),
        (zero, ["line 3", "not a rotation"]),
        (good[:1], ["holds 1 samples"]),
    ]
    for values, words in cases:
        path = write(tmp_path, values)
        with pytest.raises(MasterError) as caught:
            read_jigsaws(path, "master_right", AT_ONCE)
        for word in [str(path), *words]:
            assert word in str(caught.value)


def test_a_trial_that_ends_mid_row_is_refused_at_its_last_line(tmp_path):
    path = write(tmp_path, trial(5))
    path.write_text(path.read_text()[:-300])
    with pytest.raises(MasterError, match=r"line 5: the recording ends mid-row, after \d+ of 76 values"):
        read_jigsaws(path, "master_left", AT_ONCE)
