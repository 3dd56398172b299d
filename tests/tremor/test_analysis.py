"""The analysis finds what was done to a signal on purpose."""

import json
import subprocess
import sys

import numpy as np
import pytest
from scipy import signal

from teleop.errors import TrocarError
from teleop.masters.surgeon import synthesise
from teleop.tremor import ButterworthSpec, make_axis_filter
from teleop.tremor.analysis import analyse, best_shift, group_delays, step_overshoot, to_json
from teleop.tremor.command import run
from teleop.tremor.picture import draw_spectra
from teleop.tremor.table_text import format_table

RATE = 1000.0
T = np.arange(0.0, 40.0, 1e-3)
SLOW = signal.sosfiltfilt(
    signal.butter(6, 3.0, fs=RATE, output="sos"), np.random.default_rng(0).standard_normal(T.size)
)
TREMOR = 50e-6 * np.sqrt(2.0) * np.sin(2.0 * np.pi * 9.0 * T)


def column(x):
    return np.ascontiguousarray(x[:, None])


def test_halving_the_tremor_reads_as_half_and_six_decibels():
    truth = 1e-3 * SLOW / SLOW.std()
    report = analyse(T, column(truth + TREMOR), column(truth + 0.5 * TREMOR), column(truth))
    axis = report.axes[0]
    assert axis.tremor_rms_in == pytest.approx(50e-6, rel=0.05)
    assert axis.cut == pytest.approx(0.5, abs=0.03)
    assert axis.core_db == pytest.approx(-6.02, abs=0.1)
    assert axis.error_raw_rms == pytest.approx(50e-6, rel=1e-3)
    assert axis.error_rms == pytest.approx(25e-6, rel=1e-3)


@pytest.mark.parametrize("late_ms", [-7, 0, 23])
def test_a_pure_delay_is_found_by_both_ways_and_aligned_away(late_ms):
    late = np.roll(SLOW, late_ms)
    assert group_delays(SLOW, late, RATE) == pytest.approx((1e-3 * late_ms,) * 3, rel=0.06, abs=1e-4)
    error, shift = best_shift(SLOW[100:-100], late[100:-100], RATE)
    assert shift == pytest.approx(1e-3 * late_ms, abs=1e-5)
    assert error < 1e-9 * SLOW.std() + 1e-12


def test_delay_of_a_low_pass_is_what_its_transfer_function_says():
    out = signal.sosfilt(signal.butter(2, 6.0, fs=RATE, output="sos"), SLOW)
    b, a = signal.butter(2, 6.0, fs=RATE)
    _, samples = signal.group_delay((b, a), w=[0.5, 1.0, 2.0], fs=RATE)
    assert group_delays(SLOW, out, RATE) == pytest.approx(samples / RATE, abs=2.5e-3)


def test_no_delay_is_claimed_where_nothing_coherent_moves():
    rng = np.random.default_rng(1)
    assert group_delays(rng.standard_normal(T.size), rng.standard_normal(T.size), RATE) == (None, None, None)


def test_overshoot_of_a_second_order_low_pass():
    def low_pass(x):
        axis = make_axis_filter(ButterworthSpec(), RATE, 1)
        return np.array([axis.step(value, 1e-3, np.empty(1)) for value in x])

    assert step_overshoot(low_pass, RATE) == pytest.approx(np.exp(-np.pi), rel=0.02)


def test_table_and_json_carry_the_figures():
    report = analyse(T, column(TREMOR), column(0.5 * TREMOR), overshoot=0.25)
    text = format_table(report, ["x"])
    assert "50 %" in text
    assert "step overshoot 25 %" in text
    figures = json.loads(to_json(report))
    assert figures["axes"][0]["cut"] == pytest.approx(0.5, abs=1e-6)
    assert figures["axes"][0]["error_rms"] is None


def test_a_silent_axis_has_no_ratio():
    report = analyse(T, np.zeros((T.size, 1)), np.zeros((T.size, 1)))
    assert report.axes[0].band_db is None
    assert report.axes[0].cut is None
    to_json(report)


@pytest.mark.parametrize(
    ("t", "raw", "words"),
    [
        (T, np.zeros((5, 1)), "has shape"),
        (T, np.full((T.size, 1), np.nan), "not finite"),
        (T**1.1, np.zeros((T.size, 1)), "evenly spaced"),
        (T[:100], np.zeros((100, 1)), "too short"),
    ],
)
def test_records_that_cannot_be_analysed_are_refused_with_a_reason(t, raw, words):
    with pytest.raises(TrocarError, match=words):
        analyse(t, raw, raw)


def test_picture_is_drawn(tmp_path):
    pytest.importorskip("matplotlib")
    draw_spectra(analyse(T, column(TREMOR), column(0.5 * TREMOR)), ["x"], tmp_path / "a.png")
    assert (tmp_path / "a.png").stat().st_size > 1000


def test_matplotlib_is_not_loaded_before_a_picture_is_asked_for():
    code = "import sys, teleop.tremor.command; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.fixture
def pose_csv(tmp_path):
    made = synthesise(6.0, 250.0, 1)
    rows = ["t_s,x_m,y_m,z_m,qx,qy,qz,qw,gripper_rad"]
    rows += [f"{t},{x},{y},{z},0,0,0,1,0" for t, (x, y, z, *_) in zip(made.t, made.measured, strict=True)]
    path = tmp_path / "hand.csv"
    path.write_text("\n".join(rows) + "\n")
    return path


def test_command_prints_a_row_an_axis_and_writes_json(pose_csv, tmp_path, capsys):
    assert run(pose_csv, json=tmp_path / "r.json") == 0
    text = capsys.readouterr().out
    assert "filter kalman_bank" in text
    assert len(json.loads((tmp_path / "r.json").read_text())["axes"]) == 6


def test_command_names_the_filters_there_are(pose_csv, capsys):
    assert run(pose_csv, filter="buterworth") == 2
    assert "'butterworth'" in capsys.readouterr().err


def test_command_says_when_the_file_is_missing(tmp_path, capsys):
    assert run(tmp_path / "none.csv") == 2
    assert "none.csv" in capsys.readouterr().err
