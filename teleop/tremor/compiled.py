"""The one way to compile a kernel in this package."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, cast

from numba import njit

F = TypeVar("F", bound=Callable[..., object])


def kernel(function: F) -> F:
    """Compile ``function`` at its first call and keep the machine code on disk.

    No ``fastmath``: a replay must give the same bits.
    """
    return cast(F, njit(cache=True, error_model="numpy")(function))
