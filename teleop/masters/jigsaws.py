"""JIGSAWS kinematics text: 76 columns at 30 Hz, from a da Vinci at Johns Hopkins (Gao et al., M2CAI 2014).

Four arms of 19 columns: master left, master right, slave left, slave right. Per arm: tip position (3, m),
rotation matrix (9, row by row), linear velocity (3, m/s), angular velocity (3, rad/s), gripper (1, rad). No
header, no time column. The file does not say that the nine numbers run row by row: read so, the turn from one
sample to the next agrees with the recorded angular velocity in the fixed frame; read by columns it does not.

The recorded velocities are noisy and are not used. There is no pedal: when the surgeon clutched, the master
columns move and the slave columns rest, but nothing says so.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
from scipy.spatial.transform import Rotation

from teleop.masters.recording import PlaybackSpec, Recording
from teleop.masters.source import Array
from teleop.masters.table import Table, read_columns

RATE_HZ = 30.0
ARMS = ("master_left", "master_right", "slave_left", "slave_right")
_QUANTITIES = (
    *("x", "y", "z"),
    *(f"R{row}{column}" for row in "123" for column in "123"),
    *("vx", "vy", "vz", "wx", "wy", "wz", "gripper"),
)
COLUMNS = tuple(f"{arm}.{quantity}" for arm in ARMS for quantity in _QUANTITIES)
ORTHONORMAL_TOLERANCE = 0.05
"""Largest entry of ``R R^T - 1`` accepted. The six decimals of the files leave about 2e-3."""


class JigsawsSpec(PlaybackSpec):
    """A master that plays one arm of a JIGSAWS trial.

    Attributes:
        path: the kinematics text file; a relative one is looked for beside the TOML file that names it.
        arm: which of the four arms moves the hand.
    """

    kind: Literal["jigsaws"]
    path: Path
    arm: Literal["master_left", "master_right", "slave_left", "slave_right"] = "master_right"


def read_jigsaws(path: Path, arm: str, playback: PlaybackSpec) -> Recording:
    """One arm of a trial.

    Raises:
        MasterError: damaged file, not 76 columns, or nine numbers that are no rotation; with line and column.
    """
    table = read_columns(path, COLUMNS)
    return Recording(
        np.arange(table.values.shape[0]) / RATE_HZ,
        table.columns(*(f"{arm}.{axis}" for axis in "xyz")),
        _orientations(table, arm),
        table.column(f"{arm}.gripper"),
        playback,
    )


def _orientations(table: Table, arm: str) -> Array:
    """Quaternions (n, 4) of the nearest rotations ``U V^T`` to the matrices ``U S V^T`` of the file."""
    matrices = table.columns(*(f"{arm}.{name}" for name in _QUANTITIES[3:12])).reshape(-1, 3, 3)
    errors = np.abs(matrices @ matrices.transpose(0, 2, 1) - np.eye(3)).max(axis=(1, 2))
    wrong = np.flatnonzero((errors > ORTHONORMAL_TOLERANCE) | (np.linalg.det(matrices) <= 0.0))
    if wrong.size:
        row = int(wrong[0])
        table.fail(
            row,
            f"{arm}.R11 to {arm}.R33",
            f"not a rotation matrix (largest entry of R R^T - 1 is {errors[row]:.3g}, "
            f"determinant {np.linalg.det(matrices[row]):.3g}; expected 0 and 1)",
        )
    u, _, vt = np.linalg.svd(matrices)
    return np.asarray(Rotation.from_matrix(u @ vt).as_quat())
