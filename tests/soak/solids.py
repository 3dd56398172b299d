"""Exact signed distances to what a scene forbids: closed formulas, and VTK on the original triangles.

The product's own distances are not used: primitives are evaluated by a compiled stack machine there, meshes
by a baked spline. Every function maps points (k, 3) in the solid's frame [m] to distances (k,) [m], > 0 where
the body may be.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation

Array = np.ndarray
Distance = Callable[[Array], Array]


def _segment(p: Array, a: Array, b: Array) -> tuple[Array, Array, float]:
    """Along and across coordinates of points relative to the segment a-b, and its length."""
    length = float(np.linalg.norm(b - a))
    axis = (b - a) / length
    along = (p - a) @ axis
    return along, np.linalg.norm(p - a - along[:, None] * axis, axis=1), length


def _capsule(p: Array, a: Array, b: Array, r: float) -> Array:
    t = np.clip((p - a) @ (b - a) / ((b - a) @ (b - a)), 0, 1)
    return np.linalg.norm(p - a - t[:, None] * (b - a), axis=1) - r


def _frustum(p: Array, a: Array, b: Array, ra: float, rb: float) -> Array:
    """Signed distance to the trapezoid (0, 0), (0, ra), (length, rb), (length, 0) in (along, across)."""
    z, r, length = _segment(p, a, b)
    corners = np.array([[0.0, 0.0], [0.0, ra], [length, rb], [length, 0.0]])
    best = np.full(len(p), np.inf)
    x = np.stack([z, r], axis=1)
    for s, e in itertools.pairwise(corners):
        w = e - s
        t = np.clip((x - s) @ w / max(w @ w, 1e-30), 0, 1)
        best = np.minimum(best, np.linalg.norm(x - s - t[:, None] * w, axis=1))
    inside = (z > 0) & (z < length) & (r * length < ra * length + (rb - ra) * z)
    return np.where(inside, -best, best)


def exact(spec: dict[str, Any], mesh: Mesh | None = None) -> Distance:
    """The distance to a geometry written as in TOML.

    Raises:
        KeyError: this oracle has no formula for the shape.
    """
    shape = spec["shape"]
    at = {k: np.array(v, dtype=float) for k, v in spec.items() if k.endswith("_m") and np.ndim(v) == 1}
    if shape == "half_space":
        n = np.array(spec["normal"], dtype=float)
        n /= np.linalg.norm(n)
        return lambda p: (p - at["point_m"]) @ n
    if shape == "sphere":
        return lambda p: np.linalg.norm(p - at["center_m"], axis=1) - spec["radius_m"]
    if shape == "box":
        half = at["size_m"] / 2

        def box(p: Array) -> Array:
            w = np.abs(p - at["center_m"]) - half
            return np.linalg.norm(np.maximum(w, 0), axis=1) + np.minimum(w.max(axis=1), 0)

        return box
    if shape == "capsule":
        return lambda p: _capsule(p, at["start_m"], at["end_m"], spec["radius_m"])
    if shape == "cylinder":
        return lambda p: _frustum(p, at["start_m"], at["end_m"], spec["radius_m"], spec["radius_m"])
    if shape == "frustum":
        radii = spec["start_radius_m"], spec["end_radius_m"]
        return lambda p: _frustum(p, at["start_m"], at["end_m"], *radii)
    if shape == "union":
        parts = [exact(s) for s in spec["of"]]
        return lambda p: np.min([d(p) for d in parts], axis=0)
    if shape == "cloud":
        points, radius = np.array(spec["points_m"]), spec["radius_m"]

        def cloud(p: Array) -> Array:
            parts = np.array_split(p, len(p) // 2000 + 1)
            near = [np.linalg.norm(part[:, None] - points, axis=2).min(axis=1) for part in parts]
            return np.concatenate(near) - radius

        return cloud
    if shape in ("mesh", "volume"):
        assert mesh is not None
        return mesh.distance
    raise KeyError(shape)


@dataclass(eq=False)
class Mesh:
    """The original triangles in metres, asked by VTK; a shell is the sheet thickened by half on each side.

    What is grown is the solid and all that is nearer to it than ``grown_m``.
    """

    vertices: Array
    faces: Array
    shell_m: float = 0.0
    grown_m: float = 0.0

    @functools.cached_property
    def _implicit(self) -> Any:
        import vtk
        from vtkmodules.util.numpy_support import numpy_to_vtk, numpy_to_vtkIdTypeArray

        data, points, cells = vtk.vtkPolyData(), vtk.vtkPoints(), vtk.vtkCellArray()
        points.SetDataTypeToDouble()
        points.SetData(numpy_to_vtk(np.ascontiguousarray(self.vertices), deep=True))
        cells.SetData(
            numpy_to_vtkIdTypeArray(np.arange(0, 3 * len(self.faces) + 1, 3), deep=True),
            numpy_to_vtkIdTypeArray(self.faces.ravel().astype(np.int64), deep=True),
        )
        data.SetPoints(points)
        data.SetPolys(cells)
        implicit = vtk.vtkImplicitPolyDataDistance()
        implicit.SetInput(data)
        return implicit

    def distance(self, p: Array) -> Array:
        """Exact distance to the nearest triangle, less half the wall of a shell, or what it was grown by."""
        import vtk
        from vtkmodules.util.numpy_support import numpy_to_vtk, vtk_to_numpy

        out = vtk.vtkDoubleArray()
        self._implicit.FunctionValue(numpy_to_vtk(np.ascontiguousarray(p), deep=True), out)
        d: Array = vtk_to_numpy(out).copy()
        return np.abs(d) - 0.5 * self.shell_m if self.shell_m else d - self.grown_m


@functools.cache
def load_mesh(path: Path, scale: float, shell_m: float = 0.0) -> Mesh:
    """Triangles of an OBJ file times ``scale`` [m per file unit]; polygons fanned, equal corners merged."""
    corners: list[list[float]] = []
    faces: list[tuple[int, int, int]] = []
    for line in path.read_text(errors="replace").splitlines():
        kind, *words = line.split() or [""]
        if kind == "v":
            corners.append([float(w) for w in words[:3]])
        elif kind == "f":
            ring = [int(w.split("/")[0]) for w in words]
            ring = [i - 1 if i > 0 else len(corners) + i for i in ring]
            faces += [(ring[0], ring[k], ring[k + 1]) for k in range(1, len(ring) - 1)]
    vertices, merged = np.unique(np.array(corners), axis=0, return_inverse=True)
    f = merged.ravel()[np.array(faces)]
    f = f[(f[:, 0] != f[:, 1]) & (f[:, 1] != f[:, 2]) & (f[:, 2] != f[:, 0])]
    return Mesh(vertices * scale, f, shell_m)


def _imaged(
    first: dict[str, Any], deforms: dict[str, Any]
) -> tuple[dict[str, Any], tuple[tuple[float, float, float], ...]]:
    """The body that was imaged at even times of its beat: its mean, and the sine of its radius."""
    frames = [{"at_s": 0.0, "geometry": first}, *deforms["frames"]]
    rate = 1.0 / deforms["period_s"]
    assert np.allclose([f["at_s"] for f in frames], np.arange(len(frames)) / len(frames) / rate)
    harmonic = np.fft.rfft([f["geometry"]["radius_m"] for f in frames]) / len(frames)
    assert np.all(np.abs(harmonic[2:]) < 1e-12), "the radius must be a sine"
    sine = 2j * harmonic[1]
    return {**first, "radius_m": float(harmonic[0].real)}, ((float(abs(sine)), rate, float(np.angle(sine))),)


def _radius(shape: dict[str, Any]) -> float:
    """Of a ball about the origin of its frame that holds a body."""
    grown = max(shape.get(key, 0.0) for key in ("radius_m", "start_radius_m", "end_radius_m"))
    ends = [float(np.linalg.norm(shape[key])) for key in ("center_m", "start_m", "end_m") if key in shape]
    return max(ends) + grown + 0.5 * float(np.linalg.norm(shape.get("size_m", 0.0)))


@dataclass(frozen=True, eq=False)
class Turn:
    """A body that turns to and fro about the origin of its frame, by ``angle sin(2 pi rate t + phase)``.

    Attributes:
        axis: (3,) in world, of unit length.
        angle: greatest [rad].
        rate: [Hz].
        phase: [rad].
        radius: of a ball about the origin that holds the body [m].
    """

    axis: Array
    angle: float
    rate: float
    phase: float
    radius: float

    @property
    def speed(self) -> float:
        """Greatest speed that turning gives a point of the surface [m/s]."""
        return 2 * np.pi * self.rate * self.angle * self.radius

    def rotvec(self, t: Array) -> Array:
        """(k, 3) by which it has turned at times t (k,) [rad]."""
        out: Array = self.angle * np.sin(2 * np.pi * self.rate * t + self.phase)[:, None] * self.axis
        return out

    def velocity(self, t: Array) -> Array:
        """Angular velocity (k, 3) at times t (k,) [rad/s], world."""
        w = 2 * np.pi * self.rate
        out: Array = w * self.angle * np.cos(w * t + self.phase)[:, None] * self.axis
        return out


@dataclass(eq=False)
class Region:
    """One hard region as the oracle sees it.

    Attributes:
        name: of its fixture.
        local: exact distance in its frame.
        keep_in: the bodies belong inside.
        bodies: names of the bodies it guards; ("all",) is every one.
        margin: distance kept [m].
        T: (4, 4) rest pose.
        waves: (amplitude (3,) [m], rate [Hz], phase [rad]) of its motion.
        turn: how it turns about its origin besides, or None.
        swell: (amplitude [m], rate [Hz], phase [rad]) by which its surface moves outwards.
        unseen_m: most by which it may be farther than is known: until the next frame its surface may draw
            back as far as it is taken to grow.
        since_s: acts from this time on.
        until_s: until then.
    """

    name: str
    local: Distance
    keep_in: bool = False
    bodies: tuple[str, ...] = ("all",)
    margin: float = 0.0
    T: Array = field(default_factory=lambda: np.eye(4))
    waves: tuple[tuple[Array, float, float], ...] = ()
    turn: Turn | None = None
    swell: tuple[tuple[float, float, float], ...] = ()
    unseen_m: float = 0.0
    since_s: float = -np.inf
    until_s: float = np.inf

    @classmethod
    def of(cls, fixture: dict[str, Any], mesh: Mesh | None = None) -> Region:
        """The region of a fixture written as in TOML."""
        pose, motion = fixture.get("pose", {}), fixture.get("motion", {})
        T = np.eye(4)
        T[:3, :3] = Rotation.from_quat(pose.get("quat_xyzw", [0, 0, 0, 1])).as_matrix()
        T[:3, 3] = pose.get("position_m", [0, 0, 0])
        waves = tuple(
            (np.array(w["amplitude_m"]), w["rate_hz"], w.get("phase_rad", 0.0))
            for w in motion.get("waves", ())
        )
        geometry, swell, unseen = fixture["geometry"], (), 0.0
        turn = None
        if "turn" in motion:
            turn = Turn(radius=_radius(geometry), **motion["turn"])
        if "deforms" in fixture:
            deforms = fixture["deforms"]
            geometry, swell = _imaged(geometry, deforms)
            unseen = 2.0 * deforms["speed_m_s"] * deforms["period_s"] / (len(deforms["frames"]) + 1)
        return cls(
            fixture["name"],
            exact(geometry, mesh),
            fixture["kind"] == "keep_in",
            tuple(fixture.get("bodies", ("all",))),
            sum(fixture.get("margin", {}).values()),
            T,
            waves,
            turn,
            swell,
            unseen,
        )

    def shift(self, t: Array) -> Array:
        """Displacement (k, 3) of its frame at times t (k,)."""
        out = np.zeros((len(t), 3))
        for amplitude, rate, phase in self.waves:
            out += np.sin(2 * np.pi * rate * t + phase)[:, None] * amplitude
        return out

    def velocity(self, t: Array) -> Array:
        """Velocity (k, 3) of its frame at times t (k,)."""
        out = np.zeros((len(t), 3))
        for amplitude, rate, phase in self.waves:
            w = 2 * np.pi * rate
            out += w * np.cos(w * t + phase)[:, None] * amplitude
        return out

    def attitude(self, t: float) -> Rotation:
        """How its frame is turned at time t."""
        rest = Rotation.from_matrix(self.T[:3, :3])
        turn = self.turn
        return rest if turn is None else Rotation.from_rotvec(turn.rotvec(np.array([t]))[0]) * rest

    @property
    def moves(self) -> bool:
        """Whether it is ever elsewhere."""
        return bool(self.waves or self.swell)

    @property
    def speed(self) -> float:
        """Greatest speed of its surface [m/s]."""
        waves = (*self.waves, *self.swell)
        moving = float(sum(2 * np.pi * rate * np.linalg.norm(a) for a, rate, _ in waves))
        return moving + (self.turn.speed if self.turn else 0.0)

    def distance(self, p: Array, t: Array) -> Array:
        """Distance (k,) of world points (k, 3) at times t (k,), the margin taken off."""
        moved = p - self.T[:3, 3] if not self.waves else p - self.T[:3, 3] - self.shift(t)
        if self.turn is not None:
            moved = Rotation.from_rotvec(-self.turn.rotvec(t)).apply(moved)
        d = self.local(moved @ self.T[:3, :3])
        for amplitude, rate, phase in self.swell:
            d = d - amplitude * np.sin(2 * np.pi * rate * t + phase)
        return (-d if self.keep_in else d) - self.margin
