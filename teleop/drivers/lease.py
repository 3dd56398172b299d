"""The right to command an arm: one client at a time, and never for longer than it keeps commanding."""

from __future__ import annotations

from collections.abc import Callable


class Lease:
    """A single-writer lease that lapses when no command came for ``ttl_s``.

    Attributes:
        ttl_s: time to live without a command, s.
        token: the lease in force, empty without one.
        session: session id of the holder; its commands must carry it.
    """

    def __init__(self, ttl_s: float, new_token: Callable[[], bytes]) -> None:
        """No holder. ``new_token`` gives bytes that nobody can guess, fresh at each call."""
        self.ttl_s = ttl_s
        self._new_token = new_token
        self._client = b""
        self._renewed_ns = 0
        self.token = b""
        self.session = b""

    @property
    def held(self) -> bool:
        """Whether somebody holds it."""
        return bool(self.token)

    def remaining_s(self, now_ns: int) -> float:
        """Time until it lapses if no command comes, s."""
        return max(0.0, self.ttl_s - (now_ns - self._renewed_ns) * 1e-9)

    def acquire(self, client: bytes, session: bytes, now_ns: int, proof: bytes = b"") -> bool:
        """Take the lease for ``session``, or confirm it to the one who holds it already.

        Args:
            client: identity of the connection that asks.
            session: session id under which it will command, 16 bytes.
            now_ns: the driver's clock.
            proof: the lease itself, if the holder asks again over a new connection.

        Returns:
            Whether ``client`` holds the lease now; ``False`` if another does.
        """
        if self.held and not (session == self.session and self.allows(client, proof)):
            return False
        if not self.held:
            self.token, self.session = self._new_token(), session
        self._client = client
        self._renewed_ns = now_ns
        return True

    def allows(self, client: bytes, proof: bytes = b"") -> bool:
        """Whether a request is the holder's: over the connection that acquired, or showing the lease."""
        return self.held and (client == self._client or proof == self.token)

    def renew(self, now_ns: int) -> None:
        """A command of the holder came."""
        self._renewed_ns = now_ns

    def lapse(self, now_ns: int) -> bool:
        """Let it go if no command came for ``ttl_s``; returns whether it lapsed just now."""
        if not self.held or now_ns - self._renewed_ns < self.ttl_s * 1e9:
            return False
        self.release()
        return True

    def release(self) -> None:
        """Free for the next one."""
        self.token = self.session = self._client = b""
