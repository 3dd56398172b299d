"""Who may open the console: addresses, hosts, origins, token, and how much one browser may send."""

from __future__ import annotations

import hmac
import ipaddress
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from teleop.errors import TrocarError

MAX_MESSAGE_BYTES = 65_536
MESSAGES_PER_S = 240.0
BURST = 480.0
MAX_VIEWERS = 16
COOKIE = "trocar_console"


class ConsoleError(TrocarError):
    """The console cannot be opened as asked."""


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach ``host``."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


@dataclass(frozen=True, slots=True)
class Door:
    """Where the console listens and whom it lets in.

    Attributes:
        host: address to bind.
        port: port to bind.
        token: secret of the address; empty for none.
        tls: whether the console itself speaks TLS.
        origins: further origins, those of a proxy in front: ``https://console.hospital.example``.

    Raises:
        ConsoleError: at construction, when other hosts could reach it without token and encryption.
    """

    host: str
    port: int
    token: str = ""
    tls: bool = False
    origins: tuple[str, ...] = ()
    hosts: frozenset[str] = field(init=False)
    allowed: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        """Refuse an open door."""
        for origin in self.origins:
            parts = urlsplit(origin)
            if parts.scheme not in ("http", "https") or not parts.netloc or parts.path not in ("", "/"):
                raise ConsoleError(
                    f"--proxy {origin}: expected an origin such as https://console.example.org"
                )
        if not is_loopback(self.host):
            if self.host in ("0.0.0.0", "::", "*") and not self.origins:
                raise ConsoleError(
                    f"--host {self.host} means every interface, and then no browser's address can be "
                    "checked; name the one address, or the proxy's origin with --proxy"
                )
            if not self.token or not self.tls:
                lacks = [] if self.token else ["a token (--token-file)"]
                lacks += [] if self.tls else ["TLS (--certfile and --keyfile)"]
                missing = " and ".join(lacks)
                raise ConsoleError(
                    f"refused to open the console at {self.host}: whoever reaches it could drive the "
                    f"arm, and {missing} is missing. Or keep --host 127.0.0.1 and put a proxy in front, see "
                    "docs/console.md"
                )
        if any(not is_loopback(urlsplit(o).hostname or "") for o in self.origins) and not self.token:
            raise ConsoleError("--proxy lets other hosts in, so a token is needed as well (--token-file)")
        own = {self._netloc(self.host)}
        if is_loopback(self.host):
            own |= {self._netloc(h) for h in ("127.0.0.1", "localhost", "::1")}
        scheme = "https" if self.tls else "http"
        outside = {o.rstrip("/").lower() for o in self.origins}
        object.__setattr__(self, "hosts", frozenset(own | {urlsplit(o).netloc for o in outside}))
        object.__setattr__(self, "allowed", frozenset({f"{scheme}://{h}" for h in own} | outside))

    def _netloc(self, host: str) -> str:
        shown = f"[{host}]" if ":" in host else host
        return f"{shown}:{self.port}"

    @property
    def url(self) -> str:
        """The address for a person's browser, token included."""
        base = f"{'https' if self.tls else 'http'}://{self._netloc(self.host)}/"
        return f"{base}?token={self.token}" if self.token else base

    def refuse_host(self, host: str | None) -> str:
        """Why a request's Host header is not ours, or empty: DNS can give our address to any name."""
        return "" if (host or "").lower() in self.hosts else f"this console is not {host or 'nameless'}"

    def refuse_origin(self, origin: str | None) -> str:
        """Why a page of this Origin may not talk to us, or empty."""
        if (origin or "").lower() in self.allowed:
            return ""
        return f"a page from {origin or 'an unknown origin'} may not use this console"

    def refuse_token(self, given: str | None) -> str:
        """Why the token is not ours, or empty. Takes the same time for every wrong one."""
        if not self.token or hmac.compare_digest((given or "").encode(), self.token.encode()):
            return ""
        return "open the console by the address that was printed when it started: it carries the token"


class Bucket:
    """A token bucket: so many messages a second, a burst more."""

    def __init__(self, rate: float = MESSAGES_PER_S, burst: float = BURST) -> None:
        """Full."""
        self._rate, self._burst, self._left, self._at_s = rate, burst, burst, 0.0

    def take(self, now_s: float) -> bool:
        """Whether one more is allowed now."""
        self._left = min(self._burst, self._left + (now_s - self._at_s) * self._rate)
        self._at_s = now_s
        if self._left < 1.0:
            return False
        self._left -= 1.0
        return True
