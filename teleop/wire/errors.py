"""Errors of the wire."""

from __future__ import annotations

from teleop.errors import TrocarError


class WireError(TrocarError):
    """Base of what can go wrong with endpoints, sockets and requests."""


class EndpointError(WireError):
    """An address that cannot be used: malformed, too long, taken, or not allowed."""


class KeyFileError(WireError):
    """Keys that cannot be used.

    Attributes:
        mistakes: one line each.
    """

    def __init__(self, mistakes: list[str]) -> None:
        """Keep the lines; the message joins them."""
        self.mistakes = tuple(mistakes)
        count = "1 mistake" if len(mistakes) == 1 else f"{len(mistakes)} mistakes"
        super().__init__(f"{count} in the keys:\n" + "\n".join(f"  {line}" for line in mistakes))


class OversizedError(WireError):
    """A message of ours that no receiver would take."""


class RequestTimeoutError(WireError):
    """Nobody answered a request in time."""


class RequestRefusedError(WireError):
    """The other side answered a request with ``ok`` false; the text is its own."""
