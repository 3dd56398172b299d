"""A labelled volume for the scenes, and its surface extracted another way than the product does it."""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from .files import generated
from .solids import Array, Mesh

LABEL = 3
SPACING_MM = np.array([0.5, 0.6, 0.7])
ORIGIN_MM = np.array([-9.0, 4.0, 2.0])
AXES = Rotation.from_rotvec([0.3, -0.2, 0.5]).as_matrix()
"""Columns: where the rows, columns and slices of the volume lead."""
SIGMA = 0.8
"""Voxels, as `docs/geometry.md` says."""
_PAD = 4


def voxels() -> Array:
    """A bumpy organ of label 3 in tissue of label 1, in a volume with an edge of background."""
    n = np.array([46, 40, 36])
    at = (np.stack(np.meshgrid(*map(np.arange, n), indexing="ij"), axis=-1) - (n - 1) / 2) * SPACING_MM
    r = np.linalg.norm(at, axis=-1) + 1e-9
    x, y, z = np.moveaxis(at / r[..., None], -1, 0)
    organ = r < 8.0 * (1 + 0.12 * np.sin(4 * x) * np.cos(3 * y) + 0.08 * np.sin(5 * z))
    out = np.zeros(n, dtype=np.uint8)
    out[1:-1, 1:-1, 1:-1] = 1
    out[organ] = LABEL
    return out


def volume_file() -> Path:
    """The volume as NRRD, written by the format's description; its rows are askew in the patient's frame."""
    return generated("organ.nrrd", _write)


def _write(path: Path) -> None:
    values = voxels()
    lead = " ".join("({:.17g},{:.17g},{:.17g})".format(*v) for v in (AXES * SPACING_MM).T)
    header = (
        f"NRRD0004\ntype: uint8\ndimension: 3\nspace: left-posterior-superior\n"
        f"sizes: {' '.join(map(str, values.shape))}\nspace directions: {lead}\nkinds: domain domain domain\n"
        f"encoding: raw\nspace origin: ({','.join(f'{x:.17g}' for x in ORIGIN_MM)})\n\n"
    )
    path.write_bytes(header.encode() + values.tobytes(order="F"))


def _smooth(mask: Array) -> Array:
    """The Gaussian, axis by axis, to four standard deviations."""
    k = np.arange(-round(4 * SIGMA), round(4 * SIGMA) + 1)
    weights = np.exp(-0.5 * (k / SIGMA) ** 2)
    weights /= weights.sum()
    for axis in range(3):
        mask = np.apply_along_axis(np.convolve, axis, mask, weights, mode="same")
    return mask


@functools.cache
def surface() -> Mesh:
    """The half level by marching cubes in metres, grown until it holds the centre of every labelled voxel."""
    import vtk
    from vtkmodules.util.numpy_support import numpy_to_vtk, vtk_to_numpy

    mask = voxels() == LABEL
    smooth = _smooth(np.pad(mask.astype(float), _PAD))
    image = vtk.vtkImageData()
    image.SetDimensions(*smooth.shape)
    image.GetPointData().SetScalars(numpy_to_vtk(smooth.ravel(order="F"), deep=True))
    cubes = vtk.vtkMarchingCubes()
    cubes.SetInputData(image)
    cubes.SetValue(0, 0.5)
    cubes.Update()
    found = cubes.GetOutput()

    def placed(index: Array) -> Array:
        out: Array = 1e-3 * ((index * SPACING_MM) @ AXES.T + ORIGIN_MM)
        return out

    vertices = placed(vtk_to_numpy(found.GetPoints().GetData()).astype(float) - _PAD)
    faces = vtk_to_numpy(found.GetPolys().GetConnectivityArray()).reshape(-1, 3).astype(np.int64)
    a, b, c = np.moveaxis(vertices[faces], 1, 0)
    if np.sum(a * np.cross(b, c)) < 0.0:
        faces = faces[:, ::-1]
    mesh = Mesh(vertices, faces)
    miss = float(mesh.distance(placed(np.argwhere(mask).astype(float))).max())
    return Mesh(vertices, faces, grown_m=max(0.0, miss))
