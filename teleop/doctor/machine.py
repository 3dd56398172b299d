"""What the system says about itself."""

from __future__ import annotations

import os
import platform
from pathlib import Path

import msgspec


class Machine(msgspec.Struct, frozen=True):
    """Facts that decide how punctual a process can be.

    Attributes:
        cores: processors this process may use.
        kernel: release of the kernel.
        preempt_rt: the kernel is built for real time.
        virtual: a hypervisor runs below and may take processors away.
        clocksource: what the monotonic clock reads; ``tsc`` is fast.
        governor: how the frequency of the first processor is chosen; empty where there is none.
    """

    cores: int
    kernel: str
    preempt_rt: bool
    virtual: bool
    clocksource: str
    governor: str


def look() -> Machine:
    """The facts of this machine."""
    return Machine(
        cores=len(os.sched_getaffinity(0)),
        kernel=platform.release(),
        preempt_rt="PREEMPT_RT" in platform.version(),
        virtual="hypervisor" in _text("/proc/cpuinfo"),
        clocksource=_text("/sys/devices/system/clocksource/clocksource0/current_clocksource"),
        governor=_text("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
    )


class StealMeter:
    """How much of all processors' time the hypervisor took since this was made."""

    def __init__(self) -> None:
        """Begin now."""
        self._before = _cpu_times()

    def share(self) -> float:
        """Stolen part of all processor time since the beginning, 0 to 1."""
        passed = [after - before for before, after in zip(self._before, _cpu_times(), strict=True)]
        return passed[7] / max(1, sum(passed))


def _cpu_times() -> list[int]:
    """User, nice, system, idle, iowait, irq, softirq, steal of all processors in clock ticks (proc(5))."""
    return [int(n) for n in _text("/proc/stat").splitlines()[0].split()[1:9]]


def _text(path: str) -> str:
    try:
        return Path(path).read_text().strip()
    except OSError:
        return ""
