"""Fixtures as triangles for the screen: near enough to look right, never used to decide anything."""

from __future__ import annotations

import math
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fixtures.geometry.files import read_triangles
from fixtures.geometry.tubes import curve_through

Array = npt.NDArray[np.float64]
Faces = npt.NDArray[np.uint32]
Mesh = tuple[Array, Faces]

_AROUND = 48
_PLANE_M = 0.15
_THIN_M = 0.4e-3
EMPTY: Mesh = (np.zeros((0, 3)), np.zeros((0, 3), dtype=np.uint32))


def _grid(rings: Array, *, close: bool) -> Mesh:
    """Rings (k, n, 3) joined to a surface; ``close`` caps both ends with fans."""
    k, n, _ = rings.shape
    vertices = rings.reshape(-1, 3)
    row, col = np.meshgrid(np.arange(k - 1), np.arange(n), indexing="ij")
    a, b = row * n + col, row * n + (col + 1) % n
    faces = np.concatenate([np.stack([a, b, a + n], -1), np.stack([b, b + n, a + n], -1)]).reshape(-1, 3)
    if close:
        for ring, flip in ((0, True), (k - 1, False)):
            fan = [[ring * n, ring * n + i + flip, ring * n + i + (not flip)] for i in range(1, n - 1)]
            faces = np.concatenate([faces, fan])
    return vertices, faces.astype(np.uint32)


def _across(axis: Array) -> tuple[Array, Array]:
    """Two unit vectors across a unit axis (3,)."""
    x = np.cross(axis, np.eye(3)[int(np.argmin(np.abs(axis)))])
    x /= np.linalg.norm(x)
    return x, np.cross(axis, x)


def _turned(start: Array, end: Array, profile: list[tuple[float, float]]) -> Mesh:
    """A surface of revolution about start-end; the profile is (distance along from start, radius) in m."""
    along = end - start
    length = float(np.linalg.norm(along))
    axis = along / length if length > 0.0 else np.array([0.0, 0.0, 1.0])
    x, y = _across(axis)
    angle = np.linspace(0.0, 2.0 * math.pi, _AROUND, endpoint=False)
    circle = np.cos(angle)[:, None] * x + np.sin(angle)[:, None] * y
    rings = np.stack([start + s * axis + r * circle for s, r in profile])
    return _grid(rings, close=True)


def _frustum(start: Any, end: Any, r0: float, r1: float) -> Mesh:
    a, b = np.asarray(start, dtype=float), np.asarray(end, dtype=float)
    return _turned(a, b, [(0.0, r0), (float(np.linalg.norm(b - a)), r1)])


def _capsule(start: Any, end: Any, radius: float) -> Mesh:
    a, b = np.asarray(start, dtype=float), np.asarray(end, dtype=float)
    length = float(np.linalg.norm(b - a))
    bow = np.linspace(0.0, 0.5 * math.pi, 13)
    low = [(-radius * math.cos(t), radius * math.sin(t)) for t in bow]
    high = [(length + radius * math.sin(t), radius * math.cos(t)) for t in bow]
    return _turned(a, b, [*low, *high])


def _tube(points: Any, radius: float) -> Mesh:
    pieces, _ = curve_through(np.asarray(points, dtype=np.float64))
    t = np.linspace(0.0, 1.0, 24)
    power = np.stack([np.ones_like(t), t, t**2, t**3], -1)
    nodes = np.concatenate(
        [power[: -1 if i < len(pieces) - 1 else None] @ piece for i, piece in enumerate(pieces)]
    )
    tangents = np.gradient(nodes, axis=0)
    tangents /= np.linalg.norm(tangents, axis=1, keepdims=True)
    x, _ = _across(tangents[0])
    angle = np.linspace(0.0, 2.0 * math.pi, _AROUND // 2, endpoint=False)
    rings = []
    for node, tangent in zip(nodes, tangents, strict=True):
        x = x - (x @ tangent) * tangent
        x /= np.linalg.norm(x)
        y = np.cross(tangent, x)
        rings.append(node + radius * (np.cos(angle)[:, None] * x + np.sin(angle)[:, None] * y))
    return join([_grid(np.stack(rings), close=True), _ball(nodes[0], radius), _ball(nodes[-1], radius)])


def _ball(center: Any, radius: float) -> Mesh:
    c = np.asarray(center, dtype=float)
    return _capsule(c, c, radius)


def _box(size: Any, center: Any) -> Mesh:
    corners = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], dtype=float)
    faces = [
        *[[0, 1, 3], [0, 3, 2], [4, 6, 7], [4, 7, 5], [0, 4, 5], [0, 5, 1]],
        *[[2, 3, 7], [2, 7, 6], [0, 2, 6], [0, 6, 4], [1, 5, 7], [1, 7, 3]],
    ]
    return np.asarray(center) + 0.5 * np.asarray(size) * corners, np.array(faces, dtype=np.uint32)


def _plane(normal: Any, point: Any) -> Mesh:
    n = np.asarray(normal, dtype=float)
    n = n / np.linalg.norm(n)
    p = np.asarray(point, dtype=float)
    return _turned(p - _THIN_M * n, p, [(0.0, _PLANE_M), (_THIN_M, _PLANE_M)])


def join(meshes: list[Mesh]) -> Mesh:
    """Several meshes as one."""
    if not meshes:
        return EMPTY
    offsets = np.cumsum([0, *[len(v) for v, _ in meshes[:-1]]])
    vertices = np.concatenate([v for v, _ in meshes])
    return vertices, np.concatenate(
        [f.astype(np.uint32) + np.uint32(o) for (_, f), o in zip(meshes, offsets, strict=True)]
    )


def geometry_triangles(g: dict[str, Any], folder: Path) -> Mesh:
    """Triangles of a geometry as written in TOML; its solid's surface, in the fixture's frame.

    An intersection is shown as its parts.

    Raises:
        FixtureError: a mesh file cannot be read.
    """
    match g["shape"]:
        case "half_space":
            return _plane(g["normal"], g.get("point_m", (0, 0, 0)))
        case "sphere":
            return _ball(g.get("center_m", (0, 0, 0)), g["radius_m"])
        case "box":
            return _box(g["size_m"], g.get("center_m", (0, 0, 0)))
        case "cylinder":
            return _frustum(g["start_m"], g["end_m"], g["radius_m"], g["radius_m"])
        case "capsule":
            return _capsule(g["start_m"], g["end_m"], g["radius_m"])
        case "cone":
            return _frustum(g["apex_m"], g["base_m"], 0.0, g["radius_m"])
        case "frustum":
            return _frustum(g["start_m"], g["end_m"], g["start_radius_m"], g["end_radius_m"])
        case "tube":
            return _tube(g["points_m"], g["radius_m"])
        case "hull":
            from scipy.spatial import ConvexHull

            points = np.asarray(g["points_m"], dtype=float)
            return points, ConvexHull(points).simplices.astype(np.uint32)
        case "mesh":
            frame = g.get("frame", "own")
            mesh = read_triangles(folder / g["path"], g["units"], g.get("scale", 1.0), frame)
            return mesh.vertices, mesh.faces.astype(np.uint32)
        case "cloud" if g.get("points_m"):
            return join([_ball(p, g["radius_m"]) for p in g["points_m"][:500]])
        case "union" | "intersection":
            return join([geometry_triangles(part, folder) for part in g["of"]])
        case "complement":
            return geometry_triangles(g["of"], folder)
    return EMPTY


def _is_complement(g: dict[str, Any]) -> bool:
    return bool(g["shape"] == "complement") != (g["shape"] == "complement" and _is_complement(g["of"]))


def fixture_triangles(spec: dict[str, Any], folder: Path) -> tuple[Mesh, bool]:
    """What to show of a fixture, in its frame; and whether the arm belongs inside.

    Raises:
        FixtureError: a mesh file cannot be read.
    """
    kind = spec["kind"]
    if "geometry" in spec:
        mesh = geometry_triangles(spec["geometry"], folder)
        return mesh, (kind == "keep_in") != _is_complement(spec["geometry"])
    origin = np.zeros(3)
    match kind:
        case "camera_cone":
            depth = spec["depth_m"]
            return _frustum(origin, (0, 0, depth), 0.0, depth * math.tan(spec["half_angle_rad"])), True
        case "guide_curve":
            return _tube(spec["points_m"], spec.get("tube_m") or 0.5e-3), True
        case "guide_plane":
            return _plane((0, 0, 1), origin), True
        case "axis_lock":
            free = [k for k, axis in enumerate("xyz") if axis not in spec["locked"]]
            if len(free) == 2:
                return _plane(np.cross(np.eye(3)[free[0]], np.eye(3)[free[1]]), origin), True
            reach = 0.1 * np.eye(3)[free[0]] if free else origin
            return _capsule(-reach, reach, spec.get("tube_m") or 0.5e-3), True
        case "hold_point" | "look_at":
            return _ball(origin, spec.get("tube_m") or 1.5e-3), True
        case "orientation_cone":
            axis = np.asarray(spec["axis"], dtype=float)
            axis /= np.linalg.norm(axis)
            angle = min(spec["half_angle_rad"], 1.4)
            return _frustum(origin, 0.03 * math.cos(angle) * axis, 0.0, 0.03 * math.sin(angle)), True
        case "trocar":
            ring = [(0.006 * math.cos(t), 0.006 * math.sin(t), 0.0) for t in np.linspace(0, 2 * math.pi, 25)]
            return join([_capsule(a, b, 0.8e-3) for a, b in pairwise(ring)]), True
    return EMPTY, False


def pack(mesh: Mesh) -> bytes:
    """Number of vertices and of faces, then both, little-endian 32 bit; for the browser's typed arrays."""
    vertices, faces = mesh
    head = np.array([len(vertices), len(faces)], dtype="<u4")
    return head.tobytes() + vertices.astype("<f4").tobytes() + faces.astype("<u4").tobytes()
