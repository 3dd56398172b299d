"""A file that grows by whole records only, so that it is readable up to its last one whatever happens."""

from __future__ import annotations

import os
from pathlib import Path

from teleop.errors import TrocarError


class RecordingError(TrocarError):
    """A recording cannot be written."""


class Sink:
    """Collects what a writer writes and puts it into the file on :meth:`commit`, all of it or nothing.

    Attributes:
        committed: bytes in the file.
    """

    def __init__(self, path: Path) -> None:
        """Create the file.

        Raises:
            RecordingError: it cannot be created, or holds something already.
        """
        self.path = path
        try:
            self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)
            size = os.fstat(self._fd).st_size
        except OSError as error:
            raise RecordingError(f"cannot record to {path}: {error.strerror}") from error
        if size:
            os.close(self._fd)
            raise RecordingError(
                f"cannot record to {path}: it exists and holds {size} bytes; choose another name or remove it"
            )
        self.committed = 0
        self._waiting = bytearray()

    def write(self, data: bytes) -> int:
        """Take ``data``; it is in the file after the next commit."""
        self._waiting += data
        return len(data)

    def tell(self) -> int:
        """Where the next byte goes."""
        return self.committed + len(self._waiting)

    def flush(self) -> None:
        """Nothing: see :meth:`commit`."""

    def commit(self) -> None:
        """Put what was taken into the file.

        Raises:
            OSError: the system refuses; the file is then as it was after the last commit.
        """
        data = memoryview(self._waiting)
        try:
            while data:
                data = data[os.write(self._fd, data) :]
        except OSError:
            self.rollback()
            raise
        finally:
            data.release()
        self.committed += len(self._waiting)
        self._waiting.clear()

    def rollback(self) -> None:
        """Forget what was taken since the last commit."""
        os.ftruncate(self._fd, self.committed)
        os.lseek(self._fd, self.committed, os.SEEK_SET)
        self._waiting = bytearray()

    def sync(self) -> None:
        """Wait until the disk has it."""
        os.fsync(self._fd)

    def close(self) -> None:
        """Close the file."""
        os.close(self._fd)


def check_target(path: Path) -> None:
    """Refuse early what :class:`Sink` would refuse.

    Raises:
        RecordingError: the file cannot be created, or holds something already.
    """
    there = path.exists()
    Sink(path).close()
    if not there:
        path.unlink()
