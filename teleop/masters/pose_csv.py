"""Poses over time as plain CSV: what any program can write.

The header names the columns ``t_s, x_m, y_m, z_m, qx, qy, qz, qw, gripper_rad``, in any order; ``present``
and ``clutch`` (0 or 1) may be there too. Times ascend strictly and need not be uniform; the first is 0.
Quaternions have unit length within 1e-3, as on the wire, and are normalised.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np

from teleop.masters.recording import Flags, PlaybackSpec, Recording
from teleop.masters.table import Table, read_csv

POSE_COLUMNS = ("t_s", "x_m", "y_m", "z_m", "qx", "qy", "qz", "qw", "gripper_rad")
OPTIONAL_COLUMNS = ("present", "clutch")
UNIT_TOLERANCE = 1e-3
WIDE_GAP_S = 0.1


class PoseCsvSpec(PlaybackSpec):
    """A master that plays poses from a CSV file.

    Attributes:
        path: the file; a relative one is looked for beside the TOML file that names it.
    """

    kind: Literal["pose_csv"]
    path: Path


def read_pose_csv(path: Path, playback: PlaybackSpec) -> Recording:
    """The recording in ``path``.

    Raises:
        MasterError: damaged file, times that do not ascend, a quaternion that is not of unit length, a button
            that is neither 0 nor 1, fewer than two rows; with line and column.
    """
    table = read_csv(path, POSE_COLUMNS)
    t = table.column("t_s")
    backwards = np.flatnonzero(np.diff(t) <= 0.0)
    if backwards.size:
        row = int(backwards[0]) + 1
        table.fail(row, "t_s", f"{t[row]:.9g} does not come after {t[row - 1]:.9g}; times must ascend")
    quat = table.columns("qx", "qy", "qz", "qw")
    norms = np.linalg.norm(quat, axis=1)
    wrong = np.flatnonzero(np.abs(norms - 1.0) > UNIT_TOLERANCE)
    if wrong.size:
        row = int(wrong[0])
        table.fail(row, "qx qy qz qw", f"quaternion of length {norms[row]:.6g}, expected 1 (within 1e-3)")
    return Recording(
        t,
        table.columns("x_m", "y_m", "z_m"),
        quat / norms[:, None],
        table.column("gripper_rad"),
        playback,
        present=_button(table, "present"),
        clutch=_button(table, "clutch"),
        notes=_notes(table),
    )


def _button(table: Table, name: str) -> Flags | None:
    if name not in table.names:
        return None
    values = table.column(name)
    wrong = np.flatnonzero((values != 0.0) & (values != 1.0))
    if wrong.size:
        row = int(wrong[0])
        table.fail(row, name, f"got {values[row]:g}, expected 0 (released) or 1 (pressed)")
    return np.asarray(values == 1.0)


def _notes(table: Table) -> tuple[str, ...]:
    notes = []
    unused = [name for name in table.names if name not in (*POSE_COLUMNS, *OPTIONAL_COLUMNS)]
    if unused:
        notes.append(f"{table.path}: columns not used: {', '.join(unused)}")
    steps = np.diff(table.column("t_s"))
    widest = int(np.argmax(steps))
    if steps[widest] > WIDE_GAP_S:
        notes.append(
            f"{table.path}, line {table.lines[widest + 1]}: no pose for {steps[widest]:.3g} s before it; "
            "the hand moves across on a smooth line"
        )
    return tuple(notes)
