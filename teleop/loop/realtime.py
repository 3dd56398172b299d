"""Ask the system for what a fixed-rate process needs, and say plainly what it refused.

Call :func:`make_realtime` last, after imports, compilation and sockets: memory is locked as it is then, and
ZeroMQ's threads, which must exist by then, are made real time with the loop but may run on any processor.
"""

from __future__ import annotations

import ctypes
import gc
import os
import resource
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

FIFO_PRIORITY = 40
"""Above every ordinary process, below the kernel's own interrupt threads (50)."""

IO_PRIORITY_ABOVE = 5
"""ZeroMQ's threads stand this far above their loop. Left ordinary, on a busy machine they brought one message
in twenty too late; like this, none (``benchmarks/wire_roundtrip.py --hogs 2``)."""

_ZMQ_IO_THREADS = "ZMQbg/IO"
_PR_SET_TIMERSLACK = 29  # linux/prctl.h
_MCL_CURRENT, _MCL_FUTURE, _MCL_ONFAULT = 1, 2, 4  # asm-generic/mman.h
_CAP_IPC_LOCK = 14  # linux/capability.h


@dataclass(frozen=True, slots=True)
class Grant:
    """One thing asked of the system.

    Attributes:
        feature: what was asked, e.g. ``"locked memory"``.
        granted: whether we have it.
        sentence: what that means, and if refused how to allow it.
    """

    feature: str
    granted: bool
    sentence: str


class _RefusedError(Exception):
    pass


def make_realtime(*, priority: int | None = FIFO_PRIORITY, cpu: int | None = None) -> tuple[Grant, ...]:
    """Make this process and thread as punctual as the system permits; refusals are reported, never raised.

    Args:
        priority: SCHED_FIFO priority, 1 to 99; ``None`` stays an ordinary process.
        cpu: the one processor to run on; ``None`` leaves the choice to the system.

    Returns:
        What was granted and refused, for :func:`format_grants`.
    """
    grants = [
        _ask("no garbage collection", _freeze_gc),
        _ask("locked memory", _lock_memory),
        _ask("timer slack", _tighten_timer),
    ]
    if cpu is not None:
        grants.append(_ask("own processor", lambda: _pin(cpu)))
    if priority is not None:
        grants.append(_ask("real-time scheduling", lambda: _schedule_fifo(priority)))
    return tuple(grants)


def format_grants(grants: Iterable[Grant]) -> str:
    """One line for all that was granted, one for each refusal."""
    grants = tuple(grants)
    granted = ", ".join(g.feature for g in grants if g.granted) or "nothing"
    refused = [f"real time: no {g.feature}: {g.sentence}" for g in grants if not g.granted]
    return "\n".join([f"real time: granted {granted}", *refused])


def _ask(feature: str, do: Callable[[], str]) -> Grant:
    try:
        return Grant(feature, True, do())
    except _RefusedError as refusal:
        return Grant(feature, False, str(refusal))


def _freeze_gc() -> str:
    gc.collect()
    gc.freeze()
    gc.disable()
    return "the collector is off; what exists now is never examined again"


def _lock_memory() -> str:
    limit, _ = resource.getrlimit(resource.RLIMIT_MEMLOCK)
    if limit != resource.RLIM_INFINITY and not _has_capability(_CAP_IPC_LOCK):
        # It could succeed now and make a later allocation fail in the middle of a session.
        raise _RefusedError(
            f"pages may be swapped out; the limit is {limit // 1024} kB, "
            "allow more with 'memlock unlimited' in /etc/security/limits.conf"
        )
    # ONFAULT locks what has been touched; without it all that the libraries only reserved becomes resident.
    _call("mlockall", _MCL_CURRENT | _MCL_FUTURE | _MCL_ONFAULT)
    return "pages once touched stay in memory"


def _tighten_timer() -> str:
    _call("prctl", _PR_SET_TIMERSLACK, 1, 0, 0, 0)
    return "sleeps end within 1 ns of slack instead of 50 us"


def _pin(cpu: int) -> str:
    try:
        os.sched_setaffinity(0, {cpu})
    except (OSError, ValueError) as error:
        allowed = ", ".join(map(str, sorted(os.sched_getaffinity(0))))
        raise _RefusedError(f"processor {cpu} cannot be used, there are: {allowed}") from error
    return f"runs on processor {cpu} only"


def _schedule_fifo(priority: int) -> str:
    try:
        _set_fifo(0, priority)
        for thread in Path("/proc/self/task").iterdir():
            if (thread / "comm").read_text().startswith(_ZMQ_IO_THREADS):
                _set_fifo(int(thread.name), min(99, priority + IO_PRIORITY_ABOVE))
    except PermissionError as error:
        raise _RefusedError(
            "other processes can delay the loop; allow it with CAP_SYS_NICE or 'rtprio 99' in "
            "/etc/security/limits.conf"
        ) from error
    except OSError as error:
        raise _RefusedError(f"SCHED_FIFO priority {priority}: {error.strerror}") from error
    return f"SCHED_FIFO priority {priority}"


def _set_fifo(thread_id: int, priority: int) -> None:
    # RESET_ON_FORK: a child or helper thread that inherited this priority could starve the loop.
    os.sched_setscheduler(thread_id, os.SCHED_FIFO | os.SCHED_RESET_ON_FORK, os.sched_param(priority))


def _call(function: str, *arguments: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if getattr(libc, function)(*arguments) != 0:
        raise _RefusedError(f"{function}: {os.strerror(ctypes.get_errno())}")


def _has_capability(number: int) -> bool:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("CapEff:"):
            return bool(int(line.split()[1], 16) >> number & 1)
    return False
