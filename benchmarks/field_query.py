"""Time a field's query and a scene of geometries, and what a bake proves.

Run: ``python benchmarks/field_query.py [--tooth PATH]``. Prints p50/p99/p99.9/max in microseconds of single
calls from Python for one point and for 64, over fields of a small and a large mesh (the figures should not
differ), beside VTK's exact distance on the same triangles; then eight geometries at 64 points in one call.
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import trimesh

from fixtures.fields.bake import BakeOptions, bake
from fixtures.fields.field import Field
from fixtures.fields.sample import MeshSampler
from fixtures.geometry import GeometryPack, box, capsule, cone, half_space, sphere, tube, warm_up
from fixtures.geometry.files import Triangles, read_triangles, tidy

CALLS = 20_000


def timed(what: str, call: Callable[[int], object], calls: int = CALLS) -> None:
    """Print quantiles of the time of ``call(i)`` for i in range(calls), after a tenth as many to warm up."""
    for i in range(calls // 10):
        call(i)
    spent = np.empty(calls)
    for i in range(calls):
        start = time.perf_counter_ns()
        call(i)
        spent[i] = time.perf_counter_ns() - start
    p50, p99, p999, most = np.percentile(spent, [50, 99, 99.9, 100]) / 1e3
    print(f"  {what:44s} p50 {p50:8.2f}  p99 {p99:8.2f}  p99.9 {p999:8.2f}  max {most:9.2f} us")


def organ(subdivisions: int) -> Triangles:
    ball = trimesh.creation.icosphere(subdivisions, radius=1.0)
    v = np.array(ball.vertices)
    r = 0.02 * (1 + 0.12 * np.sin(4 * v[:, 0]) * np.cos(3 * v[:, 1]) + 0.08 * np.sin(5 * v[:, 2]))
    return tidy(v * r[:, None], np.array(ball.faces, dtype=np.int64), "organ", "m")


def vtk_query(mesh: Triangles) -> Callable[[np.ndarray], object]:
    from vtkmodules.util.numpy_support import numpy_to_vtk, numpy_to_vtkIdTypeArray
    from vtkmodules.vtkCommonCore import vtkPoints
    from vtkmodules.vtkCommonDataModel import vtkCellArray, vtkPolyData
    from vtkmodules.vtkFiltersCore import vtkImplicitPolyDataDistance

    data, corners, cells = vtkPolyData(), vtkPoints(), vtkCellArray()
    corners.SetData(numpy_to_vtk(mesh.vertices, deep=True))
    rows = np.column_stack([np.full(len(mesh.faces), 3), mesh.faces]).ravel()
    cells.ImportLegacyFormat(numpy_to_vtkIdTypeArray(rows.astype(np.int64), deep=True))
    data.SetPoints(corners)
    data.SetPolys(cells)
    exact = vtkImplicitPolyDataDistance()
    exact.SetInput(data)
    return lambda p: (exact.EvaluateFunction(p), exact.EvaluateGradient(p, [0.0, 0.0, 0.0]))


def field_times(name: str, mesh: Triangles, spacing_m: float, band_m: float) -> Field:
    field = bake(MeshSampler(mesh.vertices, mesh.faces), BakeOptions(spacing_m, band_m), source=name)
    print(f"{name}, {len(mesh.faces)} triangles\n{field.report}")
    solid = field.solid()
    rng = np.random.default_rng(0)
    p = rng.uniform(field.lower - band_m, field.upper + band_m, (200_000, 3))
    p = p[np.abs(solid.distance(p)[0]) < band_m]
    for m in (1, 64):
        sets = p[: len(p) // m * m].reshape(-1, m, 3)
        d, n = np.empty(m), np.empty((m, 3))
        timed(
            f"field, {m} points with gradient",
            lambda i, s=sets, d=d, n=n: solid.evaluate(s[i % len(s)], d, n),
        )
    exact = vtk_query(mesh)
    timed("VTK exact, 1 point with gradient", lambda i: exact(p[i % len(p)]), 2000)
    return field


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--tooth", type=Path, default=Path("../shared/data/tooth.obj"), help="an OBJ, read in 0.04 mm"
    )
    args = parser.parse_args()
    warm_up()
    small = field_times("organ", organ(4), 0.5e-3, 4e-3)
    large = field_times("organ", organ(7), 0.5e-3, 4e-3)
    if args.tooth.is_file():
        for spacing in (0.5e-3, 0.25e-3):
            field_times("tooth", read_triangles(args.tooth, "mm", 0.04), spacing, 4e-3)
    curve = np.column_stack([np.linspace(0, 0.06, 7), 0.01 * np.sin(np.arange(7)), np.zeros(7)])
    solids = [
        large.solid(), small.solid(), half_space([0, 0, 1]), sphere(0.02), box([0.1, 0.1, 0.1]),
        capsule([0, 0, 0], [0, 0, 0.1], 0.01), ~tube(curve, 0.005), ~cone([0, 0, 0], [0, 0, 0.1], 0.05),
    ]  # fmt: skip
    g, m = len(solids), 64
    points = np.random.default_rng(0).uniform(-0.03, 0.03, (500, m, 3))
    poses, mask = np.repeat(np.eye(4)[None], g, axis=0), np.ones((g, m), dtype=np.bool_)
    d, n, bend, reach = np.empty((g, m)), np.empty((g, m, 3)), np.empty((g, m)), np.empty((g, m))
    pack = GeometryPack(solids)
    print("scene")
    timed(
        "8 geometries (2 fields) x 64 points, one call",
        lambda i: pack.evaluate(points[i % 500], poses, mask, np.inf, d, n, bend, reach),
    )


if __name__ == "__main__":
    main()
