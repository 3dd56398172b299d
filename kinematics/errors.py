"""Errors of the kinematics package. Every one says what was wrong, what was expected and what exists."""

from __future__ import annotations

from collections.abc import Iterable


class KinematicsError(Exception):
    """Base of every error that this package raises on purpose."""


class ModelError(KinematicsError):
    """An arm description that contradicts itself or cannot be built."""


class UnknownFrameError(ModelError):
    """A frame that the arm does not have; the message lists the frames that it has."""

    def __init__(self, frame: str, *, where: str, known: Iterable[str]) -> None:
        """Say which frame was asked for, where, and which exist.

        Args:
            frame: the name that was not found.
            where: the place in the description that named it.
            known: the names that exist.
        """
        self.frame = frame
        self.known = tuple(known)
        super().__init__(f"{where}: there is no frame {frame!r}; the frames are: {', '.join(self.known)}")


class ShapeError(KinematicsError, ValueError):
    """An array of the wrong shape; the message states expected and got."""
