"""Errors of the wire."""

from __future__ import annotations

from teleop.errors import TrocarError


class WireError(TrocarError):
    """Base of what can go wrong with endpoints, sockets and requests."""


class EndpointError(WireError):
    """An address that cannot be used: malformed, too long, taken, or not allowed."""


class OversizedError(WireError):
    """A message of ours that no receiver would take."""


class RequestTimeoutError(WireError):
    """Nobody answered a request in time."""


class RequestRefusedError(WireError):
    """The other side answered a request with ``ok`` false; the text is its own."""
