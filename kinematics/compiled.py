"""The one way to compile a kernel, and a cache of machine code that knows when it is out of date.

numba keeps machine code beside the file of a kernel and looks at that file alone: after a change of a
*called* kernel in another file it would go on running the old code. Here the cache lies in a folder named
after every source that a kernel's machine code can depend on: the files with kernels, and what they import.
"""

from __future__ import annotations

import hashlib
import re
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
    for source in _sources(packages):
        digest.update(source.name.encode())
        digest.update(source.read_bytes())
    folder = packages[0] / "__pycache__" / f"kernels-{digest.hexdigest()[:16]}"
    for stale in folder.parent.glob("kernels-*"):
        if stale != folder:
            shutil.rmtree(stale, ignore_errors=True)
    return folder


_KERNEL = re.compile(r"^@\w*kernel\b|\bcompiled import\b|\bcompiler_for\b", re.MULTILINE)
_FROM = re.compile(r"^\s*from ([\w.]+) import (\([^)]*\)|[^\n]*)", re.MULTILINE)
_IMPORT = re.compile(r"^\s*import ([\w.]+)", re.MULTILINE)


def _sources(packages: tuple[Path, ...]) -> list[Path]:
    """Files with kernels in the packages, and the packages' files that those import, sorted."""
    files = {_module(path, package): path for package in packages for path in package.rglob("*.py")}
    texts = {name: path.read_text(encoding="utf-8") for name, path in files.items()}
    todo = [name for name, text in texts.items() if _KERNEL.search(text)]
    found: set[str] = set()
    while todo:
        name = todo.pop()
        if name in found or name not in files:
            continue
        found.add(name)
        todo.extend(_IMPORT.findall(texts[name]))
        for module, names in _FROM.findall(texts[name]):
            # What is imported from a package may itself be a module.
            todo += [module, *(f"{module}.{word}" for word in re.findall(r"\w+", names))]
    return sorted(files[name] for name in found)


def _module(path: Path, package: Path) -> str:
    parts = path.relative_to(package.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


kernel = compiler_for(Path(__file__).parent)
"""Compiles the kernels of this package."""
