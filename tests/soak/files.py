"""Files that the scenes need, made once in the folder of generated files."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np


def generated(name: str, write: Callable[[Path], None]) -> Path:
    """The path of a file that is there from now on, whole, whoever made it."""
    path = Path(tempfile.gettempdir()) / f"trocar-soak-{os.getuid()}" / name
    path.parent.mkdir(exist_ok=True)
    if not path.exists():
        scratch = path.with_suffix(f".{os.getpid()}")
        write(scratch)
        scratch.replace(path)
    return path


def organ_file() -> Path:
    """A bumpy closed organ of 1280 triangles, OBJ in mm."""
    return generated("organ.obj", _write_organ)


def _write_organ(path: Path) -> None:
    import trimesh

    ball = trimesh.creation.icosphere(3, radius=1.0)
    v = np.array(ball.vertices)
    r = 9.0 * (1 + 0.12 * np.sin(4 * v[:, 0]) * np.cos(3 * v[:, 1]) + 0.08 * np.sin(5 * v[:, 2]))
    v = v * r[:, None]
    lines = ["v {:.17g} {:.17g} {:.17g}".format(*p) for p in v]
    lines += ["f {} {} {}".format(*(f + 1)) for f in np.asarray(ball.faces)]
    path.write_text("\n".join(lines))
