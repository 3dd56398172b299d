"""``trocar export``: a recording as one wide table, a row a tick, in CSV or Parquet."""

from __future__ import annotations

import csv
import importlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from teleop.errors import TrocarError
from teleop.recorder.read import read_recording
from teleop.recorder.replay.exact import complete_ticks
from teleop.wire.record import TickRecord

_AXES = {3: "xyz", 4: "xyzw"}
_VECTORS = ("p_", "quat_", "force_", "torque_")


def rows(ticks: Iterable[TickRecord]) -> list[dict[str, Any]]:
    """One flat row a tick: keys ``tick``, ``t_s``, ``state``, ... and ``<pair>.<field>[.<part>]``.

    Vectors have a column a component (``right.p_command_m.x``), joints one by number
    (``right.q_command.0``), clearances one a fixture (``right.clearance_m.carotid``), the ledger one a
    limiter (``right.ledger_m.carotid``: the tip motion that it took away). What the hand sent is under
    ``<pair>.master.``, what the arm was sent under ``<pair>.command.``.
    """
    table = []
    first_ns: int | None = None
    for tick in ticks:
        first_ns = tick.now_ns if first_ns is None else first_ns
        row: dict[str, Any] = {
            "tick": tick.tick,
            "t_s": (tick.now_ns - first_ns) * 1e-9,
            "now_ns": tick.now_ns,
            "dt_s": tick.dt_s,
        }
        told = tick.telemetry
        if told is not None:
            row |= {
                "state": told.state,
                "skipped": told.skipped,
                "overruns": told.overruns,
                "lateness_us": told.lateness_us,
            }
        for k, pair in enumerate(tick.pairs):
            prefix = f"{pair.pair}."
            if pair.master is not None:
                fields = ("stamp_ns", "seq", "p_m", "quat_xyzw", "gripper_rad")
                _put(row, prefix + "master", pair.master, fields)
                row[prefix + "master.present"] = pair.master.present.value
                row[prefix + "master.clutch"] = pair.master.clutch.value
                row[prefix + "master.valid"] = pair.master.valid
            if told is not None:
                left_out = ("pair", "ledger", "rejected")
                names = [n for n in told.pairs[k].__struct_fields__ if n not in left_out]
                _put(row, pair.pair, told.pairs[k], names)
                for line in told.pairs[k].ledger:
                    row[f"{prefix}ledger_m.{line.who}"] = line.by_m
            if pair.command is not None:
                _put(row, prefix + "command", pair.command, ("mode", "q", "qd", "stop_s", "jaw_rad"))
        table.append(row)
    return table


def _put(row: dict[str, Any], prefix: str, holder: Any, names: Iterable[str]) -> None:
    for name in names:
        value = getattr(holder, name)
        key = f"{prefix}.{name}"
        if isinstance(value, list):
            vector = name.startswith(_VECTORS) and len(value) in _AXES
            parts = _AXES[len(value)] if vector else range(len(value))
            for part, number in zip(parts, value, strict=True):
                row[f"{key}.{part}"] = number
        elif isinstance(value, dict):
            for part, number in value.items():
                row[f"{key}.{part}"] = number
        else:
            row[key] = value


def export(path: Path, out: Path) -> tuple[int, int]:
    """Write a recording as a table; the ending of ``out`` says which: ``.csv`` or ``.parquet``.

    Returns:
        Rows and columns.

    Raises:
        TrocarError: the recording cannot be read, the ending is another one, or pyarrow is missing.
    """
    if out.suffix not in (".csv", ".parquet"):
        raise TrocarError(f"{out}: the ending must be .csv or .parquet")
    table = rows(complete_ticks(read_recording(path)))
    columns = list(dict.fromkeys(key for row in table for key in row))
    try:
        if out.suffix == ".csv":
            with out.open("w", newline="", encoding="utf-8") as file:
                writer = csv.DictWriter(file, columns, restval="")
                writer.writeheader()
                writer.writerows(table)
        else:
            _parquet(table, columns, out)
    except OSError as error:
        raise TrocarError(f"cannot write {out}: {error.strerror or error}") from error
    return len(table), len(columns)


def _parquet(table: list[dict[str, Any]], columns: list[str], out: Path) -> None:
    try:
        pyarrow = importlib.import_module("pyarrow")
        parquet = importlib.import_module("pyarrow.parquet")
    except ImportError as error:
        raise TrocarError("Parquet needs pyarrow: pip install 'trocar[parquet]'") from error
    data = {name: [row.get(name) for row in table] for name in columns}
    parquet.write_table(pyarrow.table(data), out, compression="zstd")
