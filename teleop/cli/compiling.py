"""How far the first start on a machine is with compiling, from what lies on disk."""

from __future__ import annotations

import time
from pathlib import Path

import fixtures
import kinematics
import teleop

KERNELS = 120
"""How many a session compiles, about: files of a cache after a first start."""

_PACKAGES = tuple(Path(str(package.__file__)).parent for package in (kinematics, fixtures, teleop))


def count_kernels(packages: tuple[Path, ...] = _PACKAGES) -> int:
    """How many kernels of the packages are compiled; every process of a session writes to the same cache."""
    return sum(1 for package in packages for _ in package.glob("__pycache__/kernels-*/**/*.nbi"))


class Compiling:
    """Says what a start waits for. Silent where nothing has to be compiled."""

    def __init__(self, packages: tuple[Path, ...] = _PACKAGES, every_s: float = 1.0) -> None:
        """Note what is there already.

        Args:
            packages: whose kernels count.
            every_s: how often to look.
        """
        self._packages = packages
        self._every_s = every_s
        self._began_s = self._looked_s = time.monotonic()
        self._done = count_kernels(packages)

    def line(self, now_s: float) -> str:
        """A line with what is done, if that has grown since the last one; else an empty string."""
        if now_s - self._looked_s < self._every_s:
            return ""
        self._looked_s = now_s
        done = count_kernels(self._packages)
        if done == self._done:
            return ""
        self._done = done
        return (
            f"compiling, once on a machine: {done} of about {max(done, KERNELS)} kernels "
            f"after {now_s - self._began_s:.0f} s"
        )
