"""Capsules covered by spheres: what the fixtures see of an arm, with a stated bound on the excess.

A capsule of radius r and axis length L is covered by N equal spheres of radius R = r + c on its axis, the
outermost moved inwards by c, so that they touch the capsule's ends exactly:

- a point of the capsule's wall lies at most half a spacing s along the axis from a centre, so it is inside
  when ``R^2 >= r^2 + (s / 2)^2``;
- the half-ball at an end is within ``r + c = R`` of a centre moved inwards by c;
- every sphere is within R of the axis, so the union sticks out by at most c, and by nothing at the two ends.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinematics.pose import Array

IntArray = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Capsule:
    """All points within ``radius`` [m] of the segment ``start`` to ``end``, ``(3,)`` in frame ``link``."""

    link: int
    start: Array
    end: Array
    radius: float


@dataclass(frozen=True, eq=False)
class Bodies:
    """The m spheres that cover an arm, body by body.

    Attributes:
        body_names: names of the bodies, in the order of the description.
        body_of: ``(m,)`` index into ``body_names`` of each sphere.
        link: ``(m,)`` frame that carries each sphere: 0 the base, j + 1 the frame after joint j.
        local: ``(m, 3)`` centres in their carrying frames [m].
        radii: ``(m,)`` radii [m], over-approximation included.
        cover_m: how far any sphere sticks out of the capsules at most [m].
        sphere_cover_m: ``(m,)`` the same for each sphere.
    """

    body_names: tuple[str, ...]
    body_of: IntArray
    link: IntArray
    local: Array
    radii: Array
    cover_m: float
    sphere_cover_m: Array

    @property
    def count(self) -> int:
        """Number of spheres, m."""
        return len(self.radii)


def cover_capsule(start: Array, end: Array, radius: float, cover_m: float) -> tuple[Array, float]:
    """Cover a capsule with the fewest equal spheres that stick out by at most ``cover_m``.

    Args:
        start: ``(3,)`` one end of the axis.
        end: ``(3,)`` the other end.
        radius: of the capsule [m].
        cover_m: greatest excess allowed [m], > 0.

    Returns:
        The centres ``(N, 3)`` and the excess c <= cover_m that N spheres need; their radius is ``radius +
        c``.
    """
    length = float(np.linalg.norm(end - start))
    if length == 0.0:
        return start[None, :].copy(), 0.0
    if length <= 2.0 * cover_m:  # one sphere in the middle reaches both ends
        return 0.5 * (start + end)[None, :], 0.5 * length
    count = 1 + math.ceil((length - 2.0 * cover_m) / _spacing(radius, cover_m))
    excess = _least_excess(length, radius, count, cover_m)
    inset = excess / length
    t = np.linspace(inset, 1.0 - inset, count)
    return start + t[:, None] * (end - start), excess


def _spacing(radius: float, excess: float) -> float:
    """Greatest distance of neighbours: ``2 sqrt(R^2 - r^2)`` with R = r + c."""
    return 2.0 * math.sqrt(excess * (2.0 * radius + excess))


def _least_excess(length: float, radius: float, count: int, enough: float) -> float:
    """Smallest excess with which ``count`` spheres cover the capsule, by bisection below one that does."""
    low, high = 0.0, enough
    for _ in range(60):
        middle = 0.5 * (low + high)
        if 2.0 * middle + (count - 1) * _spacing(radius, middle) >= length:
            high = middle
        else:
            low = middle
    return high


def cover_bodies(bodies: Sequence[tuple[str, float, Sequence[Capsule]]]) -> Bodies:
    """Cover named bodies, each given as ``(name, cover_m, capsules)``, sphere after sphere in order."""
    body_of: list[int] = []
    link: list[int] = []
    local: list[Array] = []
    radii: list[float] = []
    covers: list[float] = []
    for index, (_, cover_m, capsules) in enumerate(bodies):
        for capsule in capsules:
            centers, excess = cover_capsule(capsule.start, capsule.end, capsule.radius, cover_m)
            for center in centers:
                body_of.append(index)
                link.append(capsule.link)
                local.append(center)
                radii.append(capsule.radius + excess)
                covers.append(excess)
    return Bodies(
        tuple(name for name, _, _ in bodies),
        _read_only(np.array(body_of, dtype=np.int64)),
        _read_only(np.array(link, dtype=np.int64)),
        _read_only(np.array(local, dtype=np.float64).reshape(-1, 3)),
        _read_only(np.array(radii, dtype=np.float64)),
        max(covers, default=0.0),
        _read_only(np.array(covers, dtype=np.float64)),
    )


def _read_only(values: Any) -> Any:
    values.setflags(write=False)
    return values
