"""The supervisor: one thread that starts, watches and stops children."""

from __future__ import annotations

import selectors
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from teleop.supervisor.child import Child
from teleop.supervisor.plan import ChildSpec, Death, RestartBook, StopPlan

_STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_STOPPED = (0, -signal.SIGINT, -signal.SIGTERM, -signal.SIGKILL)
"""Exit statuses that are no news of a child that was told to stop."""


@dataclass(slots=True)
class Outcome:
    """How a session ended.

    Attributes:
        status: exit status for the command: 0 done, the leader's own, or 1 where a child failed.
        reason: why it ended, in a sentence.
        deaths: every child that ended, in order, those that were stopped included.
        restarts: how often a child was started again.
    """

    status: int = 0
    reason: str = ""
    deaths: list[Death] = field(default_factory=list)
    restarts: int = 0


class Supervisor:
    """Runs children until the leader ends, one fails for good, or somebody says stop.

    However it ends, no child is left: SIGINT, SIGTERM and SIGHUP stop them in order; an exception kills them;
    if this process is killed, the kernel kills them.
    """

    def __init__(
        self,
        children: Sequence[ChildSpec],
        *,
        say: Callable[[str], None] | None = None,
        on_line: Callable[[str, str], None] | None = None,
        interrupt_s: float = 5.0,
        terminate_s: float = 2.0,
    ) -> None:
        """Prepare; nothing starts yet.

        Args:
            children: in the order they are started; they are stopped in the reverse.
            say: gets what happens, in sentences; standard error when left out.
            on_line: gets the name and each line a child writes to standard error. Without it, only the last
                lines of a child that fails are shown.
            interrupt_s: time to end after SIGINT before SIGTERM follows.
            terminate_s: time to end after SIGTERM before SIGKILL follows.

        Raises:
            ValueError: two children of one name.
        """
        self._specs = tuple(children)
        if len({spec.name for spec in self._specs}) != len(self._specs):
            raise ValueError(f"two children of one name in {[spec.name for spec in self._specs]}")
        self._say = say or _to_stderr
        self._on_line = on_line
        self._interrupt_s = interrupt_s
        self._terminate_s = terminate_s
        self._books = {spec.name: RestartBook(spec.restarts) for spec in self._specs}
        self._alive: dict[str, Child] = {}
        self._selector = selectors.DefaultSelector()
        self._signals: list[int] = []
        self._stopping: StopPlan | None = None
        self._was_ready = False
        self._outcome = Outcome()

    def run(
        self,
        *,
        on_ready: Callable[[], None] | None = None,
        on_tick: Callable[[], None] | None = None,
        every_s: float = 0.1,
    ) -> Outcome:
        """Run to the end. Call once, from the main thread.

        Args:
            on_ready: called once, when every child is ready.
            on_tick: called at least every ``every_s``, for a live status.
            every_s: how long to sleep at most.
        """
        with self._selector, self._stop_on_signals():
            try:
                for spec in self._specs:
                    self._start(spec)
                while self._alive:
                    for key, _ in self._selector.select(every_s):
                        if not key.data():
                            self._selector.unregister(key.fileobj)
                    self._look_after(time.monotonic())
                    if not self._was_ready and self._all_ready():
                        self._was_ready = True
                        if on_ready is not None:
                            on_ready()
                    if on_tick is not None:
                        on_tick()
            finally:
                for child in self._alive.values():
                    child.kill()
        self._outcome.reason = self._outcome.reason or "every process ended"
        return self._outcome

    def stop(self, reason: str) -> None:
        """Stop the session as a signal would; for ``on_tick``. Asked again, it changes nothing."""
        if self._stopping is None:
            self._stop(reason, time.monotonic())

    def _all_ready(self) -> bool:
        needed = {spec.name for spec in self._specs if not spec.optional}
        return (
            needed <= self._alive.keys()
            and self._stopping is None
            and all(child.ready for child in self._alive.values())
        )

    def _look_after(self, now_s: float) -> None:
        while self._signals:
            self._stop(f"stopped by {signal.Signals(self._signals.pop(0)).name}", now_s)
        for child in list(self._alive.values()):
            if (death := child.death(now_s)) is not None:
                self._bury(child, death, now_s)
            elif child.overdue(now_s) and not self._stopping:
                self._give_up(child, now_s)
        if self._stopping is not None:
            for name, number in self._stopping.due(now_s, self._alive):
                if number is not signal.SIGINT:
                    self._say(f"{name} did not end when asked; sending {number.name}")
                self._alive[name].signal(number)

    def _give_up(self, child: Child, now_s: float) -> None:
        """It takes too long to start."""
        late = f"{child.spec.name} was not ready within {child.spec.ready_timeout_s:g} s"
        if child.spec.optional:
            self._say(f"{late}; the session goes on without it")
            child.given_up = True
            child.signal(signal.SIGKILL)
            return
        self._outcome.status = 1
        self._stop(late, now_s)

    def _bury(self, child: Child, death: Death, now_s: float) -> None:
        spec = child.spec
        self._forget(child)
        self._outcome.deaths.append(death)
        if spec.leads and death.code:
            # A leader that had to be killed has no verdict of its own.
            self._outcome.status = death.code if death.code > 0 else 1
        if self._stopping is not None:
            if death.ready and death.code not in _STOPPED:
                self._say(death.sentence() if self._on_line else death.report())
            return
        if death.code == 0:
            if spec.leads:
                self._stop(death.sentence(), now_s)
            return
        self._say(death.sentence() if self._on_line else death.report())
        # A first start that fails will fail again: what it needs is not there.
        if death.ready and not spec.leads and self._books[spec.name].allow(now_s):
            self._say(f"starting {spec.name} again")
            self._outcome.restarts += 1
            self._start(spec)
            return
        if spec.optional:
            return
        self._outcome.status = self._outcome.status or 1
        if spec.vital or not death.ready:
            self._stop(death.sentence(), now_s)

    def _start(self, spec: ChildSpec) -> None:
        child = Child(spec, time.monotonic(), self._on_line)
        self._alive[spec.name] = child
        self._selector.register(child.ready_fd, selectors.EVENT_READ, child.read_ready)
        self._selector.register(child.stderr_fd, selectors.EVENT_READ, child.read_stderr)

    def _forget(self, child: Child) -> None:
        del self._alive[child.spec.name]
        for fd in (child.ready_fd, child.stderr_fd):
            if fd in self._selector.get_map():
                self._selector.unregister(fd)
        child.close()

    def _stop(self, reason: str, now_s: float) -> None:
        """Begin to stop; asked again, hurry."""
        if self._stopping is not None:
            self._stopping.hurry(now_s)
            return
        self._outcome.reason = reason
        self._say(reason)
        self._stopping = StopPlan(
            [spec.name for spec in self._specs],
            now_s,
            interrupt_s=self._interrupt_s,
            terminate_s=self._terminate_s,
        )

    @contextmanager
    def _stop_on_signals(self) -> Iterator[None]:
        """Note stop signals and wake the selector; the handlers of before come back afterwards."""
        awake, wake = socket.socketpair()
        awake.setblocking(False)
        wake.setblocking(False)
        self._selector.register(awake, selectors.EVENT_READ, lambda: awake.recv(4096))
        before = {n: signal.signal(n, lambda n, _: self._signals.append(n)) for n in _STOP_SIGNALS}
        wakeup_before = signal.set_wakeup_fd(wake.fileno(), warn_on_full_buffer=False)
        try:
            yield
        finally:
            signal.set_wakeup_fd(wakeup_before)
            for number, handler in before.items():
                signal.signal(number, handler)
            awake.close()
            wake.close()


def _to_stderr(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
