"""Denavit-Hartenberg tables, standard and modified, as serial chains.

Standard (distal; Denavit and Hartenberg 1955): ``T_(i-1)_i = Rz(theta_i) Tz(d_i) Tx(a_i) Rx(alpha_i)``.
Modified (proximal; Craig, Introduction to Robotics): ``T_(i-1)_i = Rx(alpha_i) Tx(a_i) Rz(theta_i) Tz(d_i)``,
with alpha and a in the row of the joint that they precede, as dVRK and Raven print their tables.

A revolute joint has ``theta_i = q_i + theta``, a prismatic one ``d_i = q_i + d``: the table's own theta and d
are the offsets of the joint variable.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from kinematics.pose import Array
from kinematics.serial import SerialChain, make_chain


@dataclass(frozen=True)
class DhRow:
    """One row [m, rad]; ``theta`` and ``d`` are offsets of the joint variable."""

    name: str
    prismatic: bool
    alpha: float
    a: float
    theta: float
    d: float


def _screw_x(angle: float, shift: float) -> Array:
    c, s = _cos_sin(angle)
    return np.array([[1.0, 0.0, 0.0, shift], [0.0, c, -s, 0.0], [0.0, s, c, 0.0], [0.0, 0.0, 0.0, 1.0]])


def _screw_z(angle: float, shift: float) -> Array:
    c, s = _cos_sin(angle)
    return np.array([[c, -s, 0.0, 0.0], [s, c, 0.0, 0.0], [0.0, 0.0, 1.0, shift], [0.0, 0.0, 0.0, 1.0]])


def _cos_sin(angle: float) -> tuple[float, float]:
    """Cosine and sine, exact at whole quarter turns (``cos(pi / 2)`` is 6e-17 in floating point)."""
    quarter = angle / (0.5 * math.pi)
    if quarter == round(quarter):
        return ((1.0, 0.0), (0.0, 1.0), (-1.0, 0.0), (0.0, -1.0))[int(quarter) % 4]
    return math.cos(angle), math.sin(angle)


def dh_chain(rows: Sequence[DhRow], convention: Literal["standard", "modified"]) -> SerialChain:
    """The serial chain of a DH table.

    Frames: ``base``, the DH frame of each row under its joint's name, and ``flange`` (the last DH frame).
    """
    placements = []
    frames: dict[str, tuple[int, Array]] = {"base": (0, np.eye(4))}
    link = np.eye(
        4
    )  # from the frame after the joint to the row's DH frame: not identity in the standard form
    for j, row in enumerate(rows):
        if convention == "modified":
            placements.append(_screw_x(row.alpha, row.a) @ _screw_z(row.theta, row.d))
        else:
            placements.append(link @ _screw_z(row.theta, row.d))
            link = _screw_x(row.alpha, row.a)
        frames[row.name] = (j + 1, link)
    frames["flange"] = (len(rows), link)
    return make_chain([r.name for r in rows], [r.prismatic for r in rows], placements, frames)
