"""Console recordings: increments of both hands, as a dV-Trainer console sends them (UVA-DSA dataset).

Header ``time_stamp, sequence_number, pos0_x .. pos0_z, rot0_x .. rot0_z, pos1_*, rot1_*, grasper0, grasper1,
pedal``; hand 0 is the left one. What the numbers mean is not written down with the data. Here, from the
recording itself and from the program that received it (``Console.py`` of that project):

* **Position**: integer increments per packet; the path is their running sum. Read as micrometres; the unit is
  not stated, so ``position_m_per_count`` is a choice.
* **Rotation**: integer increments about the console's three axes, coarse (-2 .. 2, non-zero in 1 to 5 % of
  packets). The receiver adds them up axis by axis and scales them freely. A right hand that goes 262 counts
  about one axis cannot have counts of a degree; 0.005 rad keeps every excursion of the sample recording
  inside 75 degrees. Smoothed (:func:`between_counts`, then a symmetric blur of 15 ms) and composed in order,
  each about the fixed axes of the master's frame.
* **Grasper**: absolute, in steps of 30, 0 open to about 2458 closed (the receiver maps 0 .. 2458 to
  1 .. -1).
* **Pedal**: 1 while the arm is to follow. In the sample recording neither hand has a single increment while
  it is 0, and it is 1 for 98 % of the time: it is the follow pedal of the console's protocol
  (``surgeon_mode``), the opposite of a clutch pedal. ``pedal = "clutch"`` reads 1 as clutch pressed instead.
* **Stamps** are when the receiver read a packet. They come in bursts, mostly up to 17 ms apart.

**Timeline.** The console sends at a steady rate, so time is taken from the sequence number:
``t = (sequence - first) * period``, with the period the median of ``(stamp[k + n/2] - stamp[k]) /
(sequence[k + n/2] - sequence[k])`` over all k: a quarter of the stamps may be wrong without moving it. Lost
numbers leave a gap of their length; what the hand did in lost packets is lost too, and reported.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field
from scipy.interpolate import PchipInterpolator
from scipy.ndimage import gaussian_filter1d
from scipy.spatial.transform import Rotation

from teleop.masters.recording import PlaybackSpec, Recording
from teleop.masters.source import Array, MasterError
from teleop.masters.table import Table, read_csv

HANDS = {"left": "0", "right": "1"}
REQUIRED = (
    *("time_stamp", "sequence_number"),
    *(f"{kind}{hand}_{axis}" for hand in "01" for kind in ("pos", "rot") for axis in "xyz"),
    *("grasper0", "grasper1", "pedal"),
)
GRASPER_CLOSED = 2458.0
SETTLE_S = 0.05
"""A coarse count that has not changed for longer than this rested, and moved only at the end."""

ROTATION_BLUR_S = 0.015
"""Standard deviation of the symmetric blur of the rotation counts: they come too unevenly to be the rate of a
hand. It delays nothing and takes 2 % off a turn at 2 Hz."""

REORDER_MAX = 1000
"""Packets of one recording arrive within this many places of their order."""

Index = npt.NDArray[np.int64]


class ConsoleCsvSpec(PlaybackSpec):
    """A master that plays one hand of a console recording.

    Attributes:
        path: the file; a relative one is looked for beside the TOML file that names it.
        hand: which hand.
        position_m_per_count: length of one position increment.
        rotation_rad_per_count: angle of one rotation increment; 0 leaves the orientation fixed.
        jaw_open_rad: gripper angle when the grasper reads 0.
        pedal: what a pressed pedal means.
    """

    kind: Literal["console_csv"]
    path: Path
    hand: Literal["left", "right"] = "right"
    position_m_per_count: Annotated[float, Field(gt=0.0, le=1e-2)] = 1e-6
    rotation_rad_per_count: Annotated[float, Field(ge=0.0, le=0.1)] = 0.005
    jaw_open_rad: Annotated[float, Field(gt=0.0, le=3.2)] = 1.0
    pedal: Literal["follow", "clutch"] = "follow"


@dataclass(frozen=True, slots=True, eq=False)
class Timeline:
    """Which rows to use, in which order, and when each was sent.

    Attributes:
        rows: row numbers in the order of their sequence numbers, each number once, shape (n,).
        t_s: times from 0, shape (n,).
        rate_hz: the console's rate.
        lost: sequence numbers that are missing.
        reordered: rows that came after a higher sequence number.
        duplicates: rows that repeat a sequence number.
        early_s: the most a stamp is before its time here (the two timelines agree in the median).
        late_s: the most a stamp is after it.
    """

    rows: Index
    t_s: Array
    rate_hz: float
    lost: int
    reordered: int
    duplicates: int
    early_s: float
    late_s: float


def read_console_csv(path: Path, spec: ConsoleCsvSpec) -> Recording:
    """One hand of the recording in ``path``, integrated from the origin with no rotation.

    At every sample the position is exactly the sum of the increments so far.

    Raises:
        MasterError: damaged file, or stamps and sequence numbers that fit no steady rate; with line and
            column.
    """
    table = read_csv(path, REQUIRED)
    line = timeline(table)
    hand = HANDS[spec.hand]
    rows = table.values[line.rows]

    def of(*names: str) -> Array:
        return np.asarray(rows[:, [table.names.index(name) for name in names]])

    position = spec.position_m_per_count * np.cumsum(of(*(f"pos{hand}_{axis}" for axis in "xyz")), axis=0)
    turned = np.cumsum(of(*(f"rot{hand}_{axis}" for axis in "xyz")), axis=0)
    smooth = np.stack([between_counts(line.t_s, turned[:, axis]) for axis in range(3)], axis=1)
    smooth = gaussian_filter1d(smooth, ROTATION_BLUR_S * line.rate_hz, axis=0, mode="nearest")
    grasper = between_counts(line.t_s, of(f"grasper{hand}")[:, 0])
    pressed = of("pedal")[:, 0] != 0.0
    return Recording(
        line.t_s,
        position,
        compose(spec.rotation_rad_per_count * np.diff(smooth, axis=0, prepend=0.0)),
        spec.jaw_open_rad * np.clip(1.0 - grasper / GRASPER_CLOSED, 0.0, 1.0),
        spec,
        clutch=~pressed if spec.pedal == "follow" else pressed,
        notes=_notes(table, line),
    )


def timeline(table: Table) -> Timeline:
    """Send times from sequence numbers; the method is in the module's description.

    Raises:
        MasterError: sequence numbers that are not whole, that start over, or stamps that do not advance.
    """
    sequence, stamp = table.column("sequence_number"), table.column("time_stamp")
    broken = np.flatnonzero(sequence != np.round(sequence))
    if broken.size:
        table.fail(int(broken[0]), "sequence_number", f"got {sequence[broken[0]]!r}, expected a whole number")
    behind = np.maximum.accumulate(sequence) - sequence
    restarts = np.flatnonzero(behind > REORDER_MAX)
    if restarts.size:
        table.fail(
            int(restarts[0]),
            "sequence_number",
            f"{sequence[restarts[0]]:.0f} is {behind[restarts[0]]:.0f} behind: two recordings in one file; "
            "split it here",
        )
    rows = np.argsort(sequence, kind="stable")
    rows = rows[np.concatenate([[True], np.diff(sequence[rows]) > 0.0])]
    if rows.size < 2:
        raise MasterError(f"{table.path}: all rows have the same sequence number; nothing moves")
    s, stamps = sequence[rows] - sequence[rows[0]], stamp[rows]
    lag = max(1, rows.size // 2)
    period = float(np.median((stamps[lag:] - stamps[:-lag]) / (s[lag:] - s[:-lag])))
    if not period > 0.0:
        raise MasterError(
            f"{table.path}, column time_stamp: the stamps do not advance with the sequence numbers "
            f"({period:g} s a packet in the median); expected seconds"
        )
    error = stamps - s * period
    error -= np.median(error)
    return Timeline(
        rows=rows,
        t_s=s * period,
        rate_hz=1.0 / period,
        lost=int(s[-1]) + 1 - rows.size,
        reordered=int(np.count_nonzero(behind > 0.0)),
        duplicates=int(sequence.size - rows.size),
        early_s=-float(error.min()),
        late_s=float(error.max()),
    )


def between_counts(t: Array, count: Array) -> Array:
    """The smooth course behind a coarse count: through each change, at rest when nothing changes for long.

    Between two changes the quantity was somewhere on its way; a monotone cubic through the changes is within
    one step of the count everywhere and equal to it at every change, so that nothing jumps. Before a change
    that comes after a rest, the motion is given ``SETTLE_S``.

    Args:
        t: sample times, s, ascending, shape (n,).
        count: piecewise constant signal, shape (n,).

    Returns:
        shape (n,).
    """
    changes = np.flatnonzero(np.diff(count)) + 1
    knots = np.concatenate([[0], changes])
    rested = np.flatnonzero(t[knots[1:]] - SETTLE_S > t[knots[:-1]])
    times = np.concatenate([t[knots], t[knots[rested + 1]] - SETTLE_S, t[-1:] + SETTLE_S])
    values = np.concatenate([count[knots], count[knots[rested]], count[-1:]])
    order = np.argsort(times, kind="stable")
    return np.asarray(PchipInterpolator(times[order], values[order])(t))


def compose(steps: Array) -> Array:
    """Orientations after each small rotation about fixed axes, in order: ``q_k = exp(step_k) q_{k-1}``.

    Args:
        steps: rotation vectors, rad, shape (n, 3).

    Returns:
        quaternions xyzw, shape (n, 4). A running product by doubling: pass m joins runs of 2^m steps.
    """
    product = Rotation.from_rotvec(steps).as_quat()
    shift = 1
    while shift < product.shape[0]:
        later, earlier = Rotation.from_quat(product[shift:]), Rotation.from_quat(product[:-shift])
        product[shift:] = (later * earlier).as_quat()
        shift *= 2
    return np.asarray(product)


def _notes(table: Table, line: Timeline) -> tuple[str, ...]:
    notes = [
        f"{table.path}: {line.rows.size} samples at {line.rate_hz:.1f} Hz by their sequence numbers; stamps "
        f"up to {1e3 * line.early_s:.0f} ms before and {1e3 * line.late_s:.0f} ms after that steady rate"
    ]
    if line.lost or line.duplicates or line.reordered:
        notes.append(
            f"{table.path}: {line.lost} sequence numbers lost (their motion is missing), "
            f"{line.duplicates} repeated (used once), {line.reordered} out of order (put in order)"
        )
    return tuple(notes)
