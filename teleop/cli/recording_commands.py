"""Commands that read what was recorded."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from cyclopts.validators import Number

from teleop.cli.options import JsonFile, Overrides, app


@app.command
def replay(
    recording: Path,
    *,
    config: Path | None = None,
    tolerance: Annotated[float, Parameter(validator=Number(gte=0.0))] = 0.0,
    json: JsonFile = None,
    overrides: Overrides = (),
) -> int:
    """Put the inputs of a recording through the controller's core again and compare every bit it gives out.

    With --config or --set: the same hands under another configuration, then and now side by side.

    Parameters
    ----------
    recording: Path
        The MCAP file.
    config: Path
        Another session's TOML file, with other fixtures, scale or filter.
    tolerance: float
        Exit with 0 if no command differs by more than this, rad or m; 0 asks for every bit.
    """
    from teleop.recorder.replay.command import run as run_replay

    return run_replay(recording, config=config, overrides=overrides, tolerance=tolerance, json_file=json)


@app.command
def report(
    recording: Path,
    *,
    out: Annotated[Path | None, Parameter(name=["--out", "-o"])] = None,
    json: JsonFile = None,
    compare: Path | None = None,
    thresholds: Path | None = None,
    max_violations: int | None = None,
    min_clearance_m: float | None = None,
    max_skipped: int | None = None,
    max_overruns: int | None = None,
    max_missing: int | None = None,
    max_compute_us: float | None = None,
    max_latency_us: float | None = None,
    max_tracking_error_m: float | None = None,
    max_fault_s: float | None = None,
    min_following_s: float | None = None,
) -> int:
    """Turn a recording into one page of HTML that needs no network, or into figures for a machine.

    The exit status is 1 where a threshold is broken; that no tick was inside a region is always asked.

    Parameters
    ----------
    recording: Path
        The MCAP file.
    out: Path
        The page; beside the recording when left out. With --json alone no page is written.
    compare: Path
        Another recording to show beside it.
    thresholds: Path
        TOML file with the thresholds below as keys; a flag goes before the file.
    max_violations: int
        Most ticks inside a forbidden region or its margin; 0 when left out.
    min_clearance_m: float
        Least clearance beyond any margin, m.
    max_skipped: int
        Most deadlines passed over.
    max_overruns: int
        Most ticks that lasted beyond the next deadline.
    max_missing: int
        Most ticks missing in the recording.
    max_compute_us: float
        Most for the 99.9th percentile of a tick's time, us.
    max_latency_us: float
        Most for the 99th percentile from the hand's stamp to the command, us.
    max_tracking_error_m: float
        Most for the 99.9th percentile of the distance between commanded and measured tip, m.
    max_fault_s: float
        Most time in FAULT, s.
    min_following_s: float
        Least time of following, s.
    """
    from teleop.recorder.report.checks import read_thresholds
    from teleop.recorder.report.command import run as run_report

    flags = {
        "max_violations": max_violations,
        "min_clearance_m": min_clearance_m,
        "max_skipped": max_skipped,
        "max_overruns": max_overruns,
        "max_missing": max_missing,
        "max_compute_us": max_compute_us,
        "max_latency_us": max_latency_us,
        "max_tracking_error_m": max_tracking_error_m,
        "max_fault_s": max_fault_s,
        "min_following_s": min_following_s,
    }
    asked = read_thresholds(thresholds, flags)
    return run_report(recording, out=out, json_file=json, compare=compare, thresholds=asked)


@app.command
def export(recording: Path, *, out: Annotated[Path | None, Parameter(name=["--out", "-o"])] = None) -> int:
    """Write a recording as one wide table, a row a tick.

    Parameters
    ----------
    recording: Path
        The MCAP file.
    out: Path
        The table, .csv or .parquet (needs pyarrow); a .csv beside the recording when left out.
    """
    from teleop.recorder.exchange.export import export as export_recording

    target = out or recording.with_suffix(".csv")
    n_rows, n_columns = export_recording(recording, target)
    print(f"{n_rows} rows of {n_columns} columns written to {target}")
    return 0


@app.command(name="import")
def import_(file: Path, *, out: Annotated[Path | None, Parameter(name=["--out", "-o"])] = None) -> int:
    """Turn a hand recorded elsewhere (JIGSAWS, console CSV, pose CSV) into an MCAP file.

    Parameters
    ----------
    file: Path
        The recording; what it is is told by its first line.
    out: Path
        The MCAP file; beside the recording when left out.
    """
    from teleop.recorder.exchange.importing import import_file

    target = out or file.with_suffix(".mcap")
    for hand, samples in import_file(file, target).items():
        print(f"{hand}: {samples} samples")
    print(f"written to {target}")
    return 0


@app.command
def tremor(
    recording: Path,
    *,
    filter: str = "kalman_bank",
    hand: str = "right",
    json: Annotated[Path | None, Parameter(name="--json")] = None,
    picture: Path | None = None,
) -> int:
    """Filter a recorded hand, and say what the filter did to it.

    Parameters
    ----------
    recording: Path
        A pose CSV, or a console CSV; told apart by their headers.
    filter: str
        none, butterworth, one_euro, notch, wflc, bmflc, bmflc_kf or kalman_bank.
    hand: str
        left or right, of a console recording.
    json: Path
        Write the figures to this file as JSON.
    picture: Path
        Draw the spectra before and after, .svg, .png or .pdf. Needs matplotlib: pip install trocar[plot].
    """
    from teleop.tremor.command import run as run_tremor

    return run_tremor(recording, filter=filter, hand=hand, json=json, picture=picture)
