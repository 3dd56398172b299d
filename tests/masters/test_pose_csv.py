"""Plain pose files: good ones play, bad ones are refused with file, line, column and what was expected."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from teleop.masters.pose_csv import POSE_COLUMNS, read_pose_csv
from teleop.masters.recording import PlaybackSpec
from teleop.masters.source import MasterError

AT_ONCE = PlaybackSpec(lead_in_s=0.0)
HEADER = ",".join(POSE_COLUMNS)
GOOD = ["0.0,0,0,0,0,0,0,1,0.5", "0.1,0.001,0,0,0,0,0,1,0.5", "0.2,0.002,0,0,0,0,0,1,0.5"]


def write(folder, *lines, end="\n"):
    path = folder / "hand.csv"
    path.write_text("\n".join(lines) + end)
    return path


def test_a_written_motion_is_read_back_exactly(tmp_path):
    rng = np.random.default_rng(0)
    t = np.cumsum(rng.uniform(0.005, 0.02, 200)) + 1000.0
    p = np.cumsum(rng.normal(0, 1e-4, (200, 3)), axis=0)
    quat = Rotation.random(200, random_state=0).as_quat()
    rows = np.column_stack([t, p, quat, rng.uniform(0, 1, 200)])
    path = write(tmp_path, HEADER, *(",".join(map(repr, row)) for row in rows.tolist()))
    recording = read_pose_csv(path, AT_ONCE)
    assert recording.notes == ()
    for i in (0, 17, 198):
        hand = recording.sample(float(recording.t_s[i]))
        assert np.array_equal(hand.p_m, p[i])
        turn = Rotation.from_quat(hand.quat_xyzw).inv() * Rotation.from_quat(quat[i])
        assert turn.magnitude() < 1e-7
    assert recording.duration_s == pytest.approx(t[-1] - t[0])


def test_columns_go_by_name_not_by_place(tmp_path):
    order = list(reversed(POSE_COLUMNS))
    rows = [",".join(reversed(line.split(","))) for line in GOOD]
    recording = read_pose_csv(write(tmp_path, ",".join(order), *rows), AT_ONCE)
    assert recording.sample(0.2).p_m[0] == 0.002


def test_buttons_keep_the_value_of_the_sample_before(tmp_path):
    rows = [f"{line},{buttons}" for line, buttons in zip(GOOD, ("1,0", "1,1", "0,0"), strict=True)]
    recording = read_pose_csv(write(tmp_path, HEADER + ",present,clutch", *rows), AT_ONCE)
    assert [recording.sample(t).clutch for t in (0.0, 0.099, 0.101, 0.199)] == [False, False, True, True]
    assert recording.sample(0.15).present
    assert not recording.sample(0.3).present


def test_a_quaternion_a_little_off_is_brought_to_unit_length(tmp_path):
    rows = [GOOD[0], "0.1,0,0,0,0,0,0,1.0008,0.5"]
    recording = read_pose_csv(write(tmp_path, HEADER, *rows), AT_ONCE)
    assert np.linalg.norm(recording.sample(0.1).quat_xyzw) == pytest.approx(1.0, abs=1e-12)


def test_unused_columns_and_wide_gaps_are_told(tmp_path):
    rows = [GOOD[0] + ",7", GOOD[1] + ",7", "2.0,0,0,0,0,0,0,1,0.5,7"]
    notes = read_pose_csv(write(tmp_path, HEADER + ",force_n", *rows), AT_ONCE).notes
    assert "force_n" in notes[0]
    assert "line 4" in notes[1]
    assert "1.9 s" in notes[1]


def test_a_byte_order_mark_blank_lines_and_carriage_returns_do_no_harm(tmp_path):
    path = tmp_path / "hand.csv"
    path.write_bytes(b"\xef\xbb\xbf" + "\r\n".join([HEADER, GOOD[0], "", *GOOD[1:], ""]).encode())
    assert read_pose_csv(path, AT_ONCE).sample(0.2).p_m[0] == 0.002


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ([], ["line 1", "header lacks", "t_s", "found nothing"]),
        ([HEADER], ["holds 0 samples"]),
        ([HEADER, GOOD[0]], ["holds 1 samples", "at least two"]),
        ([HEADER.replace("qw", "w"), *GOOD], ["line 1", "lacks qw", "expected t_s"]),
        ([HEADER + ",x_m", *(line + ",0" for line in GOOD)], ["line 1", "x_m more than once"]),
        ([HEADER, GOOD[0], GOOD[1], "0.2,0.002,0,0"], ["line 4", "ends mid-row", "4 of 9", "remove line 4"]),
        ([HEADER, GOOD[0], "0.1,0,0", GOOD[2]], ["line 3", "3 values, expected 9"]),
        ([HEADER, GOOD[0], GOOD[1] + ",1", GOOD[2]], ["line 3", "10 values, expected 9"]),
        ([HEADER, GOOD[0], "0.1,nan,0,0,0,0,0,1,0.5", GOOD[2]], ["line 3", "column x_m", "'nan'", "finite"]),
        ([HEADER, GOOD[0], "0.1,0,0,-inf,0,0,0,1,0.5", GOOD[2]], ["line 3", "column z_m", "'-inf'"]),
        (
            [HEADER, GOOD[0], "0.1,0,oops,0,0,0,0,1,0.5", GOOD[2]],
            ["line 3", "column y_m", "'oops'", "number"],
        ),
        ([HEADER, GOOD[0], "", "0.1,0,,0,0,0,0,1,0.5", GOOD[2]], ["line 4", "column y_m", "''"]),
        ([HEADER, GOOD[0], GOOD[2], GOOD[1]], ["line 4", "column t_s", "0.1 does not come after 0.2"]),
        ([HEADER, GOOD[0], GOOD[0]], ["line 3", "column t_s", "ascend"]),
        ([HEADER, GOOD[0], "0.1,0,0,0,0,0,0,2,0.5"], ["line 3", "qx qy qz qw", "length 2", "expected 1"]),
        ([HEADER, GOOD[0], "0.1,0,0,0,0,0,0,0,0.5"], ["line 3", "length 0"]),
        ([HEADER + ",clutch", *(line + ",2" for line in GOOD)], ["line 2", "column clutch", "got 2", "0"]),
    ],
)
def test_a_bad_file_is_refused_with_line_column_and_what_was_expected(tmp_path, lines, words):
    path = write(tmp_path, *lines, end="\n" if lines else "")
    with pytest.raises(MasterError) as caught:
        read_pose_csv(path, AT_ONCE)
    for word in [str(path), *words]:
        assert word in str(caught.value)


def test_a_missing_file_a_folder_and_a_picture_are_told_apart(tmp_path):
    (tmp_path / "picture.csv").write_bytes(b"\x89PNG\r\n\xff\xfe")
    for name, word in (("none.csv", "no such file"), (".", "folder"), ("picture.csv", "not a text file")):
        with pytest.raises(MasterError, match=word):
            read_pose_csv(tmp_path / name, AT_ONCE)
