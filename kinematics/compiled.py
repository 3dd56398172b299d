"""The one way to compile a kernel, and a cache of machine code that knows when it is out of date.

numba keeps machine code beside the file of a kernel and looks at that file alone: after a change of a
*called* kernel in another file it would go on running the old code. Here the cache lies in a folder named
after all sources that a package's kernels can call.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

import numba
from numba.core import config as _config

# numba sets the names of its configuration at run time.
config: Any = _config

F = TypeVar("F", bound=Callable[..., object])


def compiler_for(*packages: Path) -> Callable[[F], F]:
    """A decorator that compiles kernels whose callees all lie in ``packages``.

    Args:
        packages: folders of the packages; the cache lies in the first one's ``__pycache__``.
    """
    folder = _cache_folder(packages)

    def kernel(function: F) -> F:
        """Compile ``function`` to machine code on its first call and keep the result on disk.

        No ``fastmath``: a replay must give the same bits. ``error_model="numpy"``: a division by zero gives
        inf, and no branch is spent on it.
        """
        before = config.CACHE_DIR
        config.CACHE_DIR = str(folder)
        try:
            return cast(F, numba.njit(cache=True, error_model="numpy")(function))
        finally:
            config.CACHE_DIR = before

    return kernel


def _cache_folder(packages: tuple[Path, ...]) -> Path:
    digest = hashlib.sha256()
    for package in packages:
        for source in sorted(package.rglob("*.py")):
            digest.update(str(source.relative_to(package)).encode())
            digest.update(source.read_bytes())
    folder = packages[0] / "__pycache__" / f"kernels-{digest.hexdigest()[:16]}"
    for stale in folder.parent.glob("kernels-*"):
        if stale != folder:
            shutil.rmtree(stale, ignore_errors=True)
    return folder


kernel = compiler_for(Path(__file__).parent)
"""Compiles the kernels of this package."""
