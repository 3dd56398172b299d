"""What the supervisor decides, without the system calls: deaths in words, restarts, the order of stopping."""

from __future__ import annotations

import signal
from collections import deque
from collections.abc import Collection, Sequence
from dataclasses import dataclass

RESTART_WINDOW_S = 60.0


@dataclass(frozen=True, slots=True)
class ChildSpec:
    """A process to run.

    Attributes:
        name: for people, e.g. ``"arm psm"``.
        command: program and arguments.
        leads: when this child ends by itself, the session ends.
        vital: when it failed for good the session ends; otherwise that is said, and the session goes on.
        restarts: how often it is started again within a minute after it failed; 0 ends the session.
        ready_timeout_s: how long it may take to say that it is ready; then the session ends, or an optional
            child does.
        optional: its failure is said and changes nothing else, not even the exit status.
    """

    name: str
    command: tuple[str, ...]
    leads: bool = False
    vital: bool = True
    restarts: int = 0
    ready_timeout_s: float = 180.0
    optional: bool = False


@dataclass(frozen=True, slots=True)
class Death:
    """The end of a child.

    Attributes:
        name: whose.
        code: exit status as ``subprocess`` gives it: negative is the signal that killed it.
        lived_s: for how long.
        ready: whether it had said that it is ready.
        last_lines: the end of what it wrote to standard error.
    """

    name: str
    code: int
    lived_s: float
    ready: bool
    last_lines: tuple[str, ...]

    def sentence(self) -> str:
        """Who, how and when."""
        if self.code < 0:
            how = f"was killed by {_signal_name(-self.code)}"
        elif self.code:
            how = f"ended with exit status {self.code}"
        else:
            how = "ended"
        when = f"after {self.lived_s:.1f} s" + ("" if self.ready else ", before it was ready")
        return f"{self.name} {how} {when}"

    def report(self) -> str:
        """The sentence, and under it the last lines the child wrote."""
        return "\n".join([self.sentence(), *(f"    {line}" for line in self.last_lines)])


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


class RestartBook:
    """Allows a bounded number of restarts within a sliding minute."""

    def __init__(self, most: int) -> None:
        """Allow ``most`` restarts within ``RESTART_WINDOW_S``."""
        self._most = most
        self._at_s: deque[float] = deque()

    def allow(self, now_s: float) -> bool:
        """Whether to restart now; if so it is noted."""
        while self._at_s and now_s - self._at_s[0] > RESTART_WINDOW_S:
            self._at_s.popleft()
        if len(self._at_s) >= self._most:
            return False
        self._at_s.append(now_s)
        return True


class StopPlan:
    """Which signal each child gets when: asked in turn, then told together, then killed.

    In the reverse of the order they were started, each child gets SIGINT once and a moment to end before the
    next is asked, so that a controller ends while its arm still listens. What lives after ``interrupt_s``
    gets SIGTERM, after ``terminate_s`` more SIGKILL.
    """

    def __init__(
        self,
        started: Sequence[str],
        now_s: float,
        *,
        interrupt_s: float = 5.0,
        terminate_s: float = 2.0,
        turn_s: float = 1.5,
    ) -> None:
        """Begin to stop.

        Args:
            started: names in the order they were started.
            now_s: the time now.
            interrupt_s: from now until SIGTERM.
            terminate_s: from SIGTERM until SIGKILL.
            turn_s: how long the others wait for one that was asked.
        """
        self._order = tuple(reversed(started))
        self._terminate_at_s = now_s + interrupt_s
        self._terminate_s = terminate_s
        self._turn_s = turn_s
        self._asked_at_s: dict[str, float] = {}
        self._sent: dict[str, signal.Signals] = {}

    def hurry(self, now_s: float) -> None:
        """Somebody is impatient: terminate now; if that has been done, kill now."""
        terminated = now_s >= self._terminate_at_s
        self._terminate_at_s = now_s - (self._terminate_s if terminated else 0.0)

    def due(self, now_s: float, alive: Collection[str]) -> list[tuple[str, signal.Signals]]:
        """The signals to send now; each is named once."""
        if now_s >= self._terminate_at_s:
            late = now_s >= self._terminate_at_s + self._terminate_s
            return self._once(
                [n for n in self._order if n in alive], signal.SIGKILL if late else signal.SIGTERM
            )
        asked: list[str] = []
        for name in self._order:
            if name not in alive:
                continue
            asked.append(name)
            if now_s < self._asked_at_s.setdefault(name, now_s) + self._turn_s:
                break
        return self._once(asked, signal.SIGINT)

    def _once(self, names: list[str], number: signal.Signals) -> list[tuple[str, signal.Signals]]:
        new = [name for name in names if self._sent.get(name) is not number]
        self._sent.update(dict.fromkeys(new, number))
        return [(name, number) for name in new]
