"""Recordings to and from other forms."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pyarrow.parquet
import pytest

from teleop.errors import TrocarError
from teleop.masters.mcap import McapSpec
from teleop.masters.spec import make_source
from teleop.recorder.exchange.export import export
from teleop.recorder.exchange.hand import read_hand
from teleop.recorder.exchange.importing import import_file
from teleop.tremor.command import run as tremor

from .theatre import Theatre, floor_toml, nan_hand, theatre


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Theatre:
    made = theatre(tmp_path_factory.mktemp("exchange"), pairs=1, extra=floor_toml())
    made.disturb = nan_hand
    made.bring_up()
    made.run(900)
    return made


def test_the_table_has_every_number_of_every_tick(played: Theatre, tmp_path: Path) -> None:
    path = played.save(tmp_path / "a.mcap")
    assert export(path, tmp_path / "a.csv")[0] == 900
    with (tmp_path / "a.csv").open() as file:
        table = list(csv.DictReader(file))
    parquet = tmp_path / "a.parquet"
    export(path, parquet)
    columns = pyarrow.parquet.read_table(parquet).to_pydict()
    for k, record in enumerate(played.ticks()):
        told = record.telemetry
        assert told is not None
        pair = told.pairs[0]
        assert [float(table[k][f"pair0.p_command_m.{a}"]) for a in "xyz"] == pair.p_command_m
        assert [columns[f"pair0.q_command.{j}"][k] for j in range(6)] == pair.q_command
        assert float(table[k]["pair0.clearance_m.floor"]) == pair.clearance_m["floor"]
        command = record.pairs[0].command
        assert (table[k]["pair0.command.mode"] == "SERVO") == (command is not None)
    assert any(np.isnan(float(row["pair0.master.p_m.x"] or 0)) for row in table)


def test_an_ending_that_is_no_table_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TrocarError, match=r"must be \.csv or \.parquet"):
        export(tmp_path / "a.mcap", tmp_path / "a.xlsx")


def test_the_hand_of_a_recording_can_be_played_again(played: Theatre, tmp_path: Path) -> None:
    path = played.save(tmp_path / "a.mcap")
    hand = read_hand(path, "hand0", McapSpec(kind="mcap", path=path, lead_in_s=0.5))
    assert hand.notes
    source = make_source(McapSpec(kind="mcap", path=Path("a.mcap"), lead_in_s=0.5), tmp_path)
    good = [r.pairs[0].master for r in played.ticks() if r.pairs[0].master is not None]
    good = [s for s in good if np.isfinite(s.p_m).all() and s.quat_xyzw[0] != 0.5]
    t0 = good[0].stamp_ns
    for sample in good[::37]:
        at = source.sample(0.5 + (sample.stamp_ns - t0) * 1e-9)
        assert np.allclose(at.p_m, sample.p_m, atol=1e-9)
    with pytest.raises(TrocarError, match="hands in it: hand0"):
        read_hand(path, "nobody", McapSpec(kind="mcap", path=path))


def test_imported_files_give_the_samples_that_were_in_them(tmp_path: Path) -> None:
    lines = ["t_s,x_m,y_m,z_m,qx,qy,qz,qw,gripper_rad,clutch"]
    lines += [
        f"{0.01 * k!r},{0.1 / 3 * k!r},-0.0,{1e-9 * k!r},0,0,0,1,{0.3 * k!r},{k % 2}" for k in range(50)
    ]
    source = tmp_path / "pose.csv"
    source.write_text("\n".join(lines) + "\n")
    out = tmp_path / "pose.mcap"
    assert import_file(source, out) == {"hand": 50}
    hand = read_hand(out, None, McapSpec(kind="mcap", path=out))
    assert hand.p_m[:, 0].tolist() == [0.1 / 3 * k for k in range(50)]
    assert hand.t_s == pytest.approx(0.01 * np.arange(50), abs=1e-9)
    with pytest.raises(TrocarError, match="it exists and holds"):
        import_file(source, out)


def test_jigsaws_has_four_hands(tmp_path: Path) -> None:
    row = "0.1 0.2 0.3 1 0 0 0 1 0 0 0 1 0 0 0 0 0 0 0.5 "
    source = tmp_path / "Suturing_B001.txt"
    source.write_text("\n".join(row.replace("0.1", f"0.{k}1") * 4 for k in range(1, 9)) + "\n")
    out = tmp_path / "s.mcap"
    assert import_file(source, out) == dict.fromkeys(
        ("master_left", "master_right", "slave_left", "slave_right"), 8
    )
    hand = read_hand(out, "master_left", McapSpec(kind="mcap", path=out))
    assert hand.p_m[:, 0] == pytest.approx([float(f"0.{k}1") for k in range(1, 9)])
    with pytest.raises(TrocarError, match="which hand is meant; hands in it: master_left"):
        read_hand(out, None, McapSpec(kind="mcap", path=out))


def test_what_is_neither_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.txt").write_text("hello\n")
    with pytest.raises(TrocarError, match="neither a CSV"):
        import_file(tmp_path / "x.txt", tmp_path / "x.mcap")


def test_a_filter_can_be_tried_on_a_recording(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = theatre(tmp_path, pairs=1, name="long")
    made.run(4200)
    assert tremor(made.save(tmp_path / "long.mcap"), filter="butterworth") == 0
    assert "butterworth" in capsys.readouterr().out
