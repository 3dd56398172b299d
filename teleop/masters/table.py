"""Tables of numbers from text files: fast when the file is good, exact about the place when it is not."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import numpy as np

from teleop.masters.source import Array, MasterError


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """Named columns of finite numbers.

    Attributes:
        path: where they come from.
        names: column names in the order of the file.
        values: shape (n, len(names)), finite.
        lines: line number in the file of each row, from 1, length n.
    """

    path: Path
    names: tuple[str, ...]
    values: Array
    lines: Sequence[int]

    def columns(self, *names: str) -> Array:
        """The named columns, shape (n, len(names)), in the order asked for."""
        return np.ascontiguousarray(self.values[:, [self.names.index(name) for name in names]])

    def column(self, name: str) -> Array:
        """One column, shape (n,)."""
        return np.ascontiguousarray(self.values[:, self.names.index(name)])

    def fail(self, row: int, column: str, problem: str) -> NoReturn:
        """Refuse the file because of what row ``row`` (from 0) holds in ``column``.

        Raises:
            MasterError: always; says file, line, column and problem.
        """
        raise MasterError(f"{self.path}, line {self.lines[row]}, column {column}: {problem}")


def read_csv(path: Path, required: Sequence[str]) -> Table:
    """A comma-separated file whose first line names its columns.

    Args:
        path: the file.
        required: columns that must be there, in any order; others may be.

    Raises:
        MasterError: missing or unreadable file, missing or repeated column, fewer than two rows, a row of the
            wrong length, a cell that is not a finite number; with line and column.
    """
    lines = _read_lines(path)
    names = tuple(cell.strip() for cell in lines[0].split(",")) if lines else ()
    missing = [name for name in required if name not in names]
    if missing:
        found = ", ".join(names) if any(names) else "nothing"
        raise MasterError(
            f"{path}, line 1: the header lacks {', '.join(missing)}; expected {', '.join(required)}; "
            f"found {found[:300]}"
        )
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise MasterError(f"{path}, line 1: the header names {', '.join(repeated)} more than once")
    return _parse(path, lines, 1, names, ",")


def read_columns(path: Path, names: tuple[str, ...]) -> Table:
    """A file without a header: columns separated by blanks, in the order of ``names``.

    Raises:
        MasterError: as :func:`read_csv`.
    """
    return _parse(path, _read_lines(path), 0, names, None)


def _read_lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8-sig").splitlines()
    except FileNotFoundError:
        raise MasterError(f"{path}: there is no such file; check `path` of this master") from None
    except IsADirectoryError:
        raise MasterError(f"{path}: this is a folder; `path` must name the recording itself") from None
    except UnicodeDecodeError as error:
        raise MasterError(f"{path}: not a text file (byte {error.start} is not UTF-8)") from None
    except OSError as error:
        raise MasterError(f"{path}: cannot be read: {error.strerror}") from None


def _parse(path: Path, lines: list[str], skip: int, names: tuple[str, ...], separator: str | None) -> Table:
    numbers = [number for number, line in enumerate(lines[skip:], skip + 1) if line.strip()]
    if len(numbers) < 2:
        raise MasterError(f"{path}: holds {len(numbers)} samples; at least two are needed to move between")
    try:
        rows = [lines[number - 1] for number in numbers]
        values = np.loadtxt(rows, delimiter=separator, comments=None, ndmin=2)
    except ValueError:
        values = None
    if values is None or values.shape[1] != len(names) or not np.isfinite(values).all():
        _explain(path, lines, numbers, names, separator)
    return Table(path, names, values, numbers)


def _explain(
    path: Path, lines: list[str], numbers: list[int], names: tuple[str, ...], separator: str | None
) -> NoReturn:
    """Find the first row that is wrong, and say how."""
    for number in numbers:
        cells = lines[number - 1].split(separator)
        where = f"{path}, line {number}"
        if len(cells) < len(names) and number == numbers[-1]:
            raise MasterError(
                f"{where}: the recording ends mid-row, after {len(cells)} of {len(names)} values; "
                f"it was cut off while it was written: remove line {number} to use the rest"
            )
        if len(cells) != len(names):
            raise MasterError(f"{where}: {len(cells)} values, expected {len(names)}")
        for name, cell in zip(names, cells, strict=True):
            try:
                finite = math.isfinite(float(cell))
            except ValueError:
                finite = False
            if not finite:
                raise MasterError(
                    f"{where}, column {name}: got {cell.strip()[:40]!r}, expected a finite number"
                )
    raise MasterError(f"{path}: cannot be read as a table of {len(names)} columns of numbers")
