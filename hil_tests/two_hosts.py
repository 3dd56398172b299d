"""Two hosts on one machine: network namespaces, a cable between them, and clocks that are far apart."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

AHEAD_S = 100_000
"""The monotonic clock of the second host, ahead of the first: two machines never booted together."""
FIRST, SECOND = "10.213.7.1", "10.213.7.2"


def refusal() -> str:
    """Why this machine does not permit it, or an empty string."""
    for tool in ("ip", "unshare"):
        if shutil.which(tool) is None:
            return f"there is no command `{tool}`"
    for words in (
        ["unshare", "--net", "true"],
        ["unshare", "--time", "--monotonic", "1", "true"],
        ["ip", "netns", "list"],
    ):
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        if done.returncode:
            return f"`{' '.join(words)}`: {done.stderr.strip()}; it needs administrator's rights"
    return ""


class Cable:
    """The link between the two hosts."""

    def __init__(self, tag: str) -> None:
        self.hosts = f"trocar-a-{tag}", f"trocar-b-{tag}"
        self._ends = f"va{tag}", f"vb{tag}"

    def lay(self) -> None:
        """Make both hosts and connect them."""
        for host in self.hosts:
            _ip("netns", "add", host)
        _ip("link", "add", self._ends[0], "type", "veth", "peer", "name", self._ends[1])
        for host, end, address in zip(self.hosts, self._ends, (FIRST, SECOND), strict=True):
            _ip("link", "set", end, "netns", host)
            _ip("-n", host, "addr", "add", f"{address}/24", "dev", end)
            _ip("-n", host, "link", "set", end, "up")
            _ip("-n", host, "link", "set", "lo", "up")

    def pull(self) -> None:
        """Take the plug out of the second host."""
        _ip("-n", self.hosts[1], "link", "set", self._ends[1], "down")

    def plug_in(self) -> None:
        """Put it back."""
        _ip("-n", self.hosts[1], "link", "set", self._ends[1], "up")

    def on_first(self, words: list[str]) -> list[str]:
        """A command line that runs on the first host."""
        return ["ip", "netns", "exec", self.hosts[0], *words]

    def on_second(self, words: list[str]) -> list[str]:
        """A command line that runs on the second host, by its own clock."""
        clock = ["unshare", "--time", "--monotonic", str(AHEAD_S), "--kill-child"]
        return ["ip", "netns", "exec", self.hosts[1], *clock, *words]

    def remove(self) -> None:
        """Both hosts, and with them the cable."""
        for host in self.hosts:
            subprocess.run(["ip", "netns", "del", host], capture_output=True, check=False)


@contextmanager
def two_hosts() -> Iterator[Cable]:
    """A cable between two hosts, for as long as it is used."""
    cable = Cable(f"{os.getpid() % 100_000}")
    try:
        cable.lay()
        yield cable
    finally:
        cable.remove()


def _ip(*words: str) -> None:
    done = subprocess.run(["ip", *words], capture_output=True, text=True, check=False)
    if done.returncode:
        raise OSError(f"`ip {' '.join(words)}`: {done.stderr.strip()}")
