"""The verdict and its reasons, from measurements alone."""

from __future__ import annotations

import math

import msgspec

from teleop.doctor.machine import Machine
from teleop.doctor.probe import LoopProbe, WireProbe
from teleop.loop.realtime import Grant, format_grants
from teleop.loop.timing import Percentiles

ON_TIME_ORDINARY = 0.995
ON_TIME_REALTIME = 0.9995
ROUND_TRIP_P99_US = 1500.0
STEAL_NOTABLE = 0.002


class Measurement(msgspec.Struct, frozen=True):
    """One round of measurements.

    Attributes:
        load: other processes kept every processor busy.
        ordinary: the loop as an ordinary process.
        realtime: the loop with everything the system grants.
        wire: round trip between two processes with everything the system grants.
        steal: part of all processor time that the hypervisor took meanwhile, 0 to 1.
    """

    load: bool
    ordinary: LoopProbe
    realtime: LoopProbe
    wire: WireProbe
    steal: float

    @property
    def fifo(self) -> bool:
        """Real-time scheduling was granted."""
        return any(g.feature == "real-time scheduling" and g.granted for g in self.realtime.grants)


class Report(msgspec.Struct, frozen=True):
    """What the doctor found.

    Attributes:
        fit: this machine can hold 1 kHz.
        failures: why not, each a sentence; empty if it can.
        advice: what would make it better, each a sentence.
        machine: facts of the machine.
        measurements: idle, and under load where asked for.
    """

    fit: bool
    failures: tuple[str, ...]
    advice: tuple[str, ...]
    machine: Machine
    measurements: tuple[Measurement, ...]

    def format(self) -> str:
        """The report for people."""
        machine = self.machine
        kind = "virtual machine" if machine.virtual else "machine"
        lines = [
            f"{kind} with {machine.cores} processors, kernel {machine.kernel}"
            f"{' PREEMPT_RT' if machine.preempt_rt else ''}, clock {machine.clocksource or 'unknown'}",
            format_grants(self.measurements[0].realtime.grants),
            "",
            f"{'µs':<38}{'p50':>9}{'p99':>9}{'p99.9':>9}{'max':>9}{'skipped':>9}{'on time':>10}",
        ]
        for m in self.measurements:
            load = "under load" if m.load else "idle"
            for name, probe in (("ordinary", m.ordinary), ("real time", m.realtime)):
                s = probe.summary
                row = _row(f"lateness, {name}, {load}", s.lateness_us)
                lines.append(f"{row}{s.skipped:>9}{s.on_time:>10.3%}")
            lines.append(_row(f"round trip over ipc, {load}", m.wire.round_trip_us))
            lines.append(f"taken by the hypervisor, {load}: {m.steal:.2%}")
        lines += [
            "",
            "Yes: this machine can hold 1 kHz." if self.fit else "No: this machine cannot hold 1 kHz.",
        ]
        lines += [f"  because {failure}" for failure in self.failures]
        lines += [f"  advice: {advice}" for advice in self.advice]
        return "\n".join(lines)


def _row(name: str, p: Percentiles | None) -> str:
    if p is None:
        return f"{name:<38}{'none':>9}"
    return f"{name:<38}{p.p50:>9.1f}{p.p99:>9.1f}{p.p99_9:>9.1f}{p.max:>9.1f}"


def judge(machine: Machine, measurements: tuple[Measurement, ...]) -> Report:
    """Compare what was measured with what Trocar needs.

    The loop is judged as it would run: with real-time scheduling where that is granted.
    """
    failures = [failure for m in measurements for failure in _failures(m)]
    return Report(not failures, tuple(failures), tuple(_advice(machine, measurements)), machine, measurements)


def _failures(m: Measurement) -> list[str]:
    failures = []
    load = "under load" if m.load else "idle"
    probe, goal, name = (
        (m.realtime, ON_TIME_REALTIME, "a real-time")
        if m.fifo
        else (m.ordinary, ON_TIME_ORDINARY, "an ordinary")
    )
    summary = probe.summary
    if _clearly_below(summary.on_time, goal, summary.ticks + summary.skipped):
        failures.append(
            f"{load}, {summary.on_time:.3%} of the ticks of {name} process began within 250 µs of their "
            f"deadline; {goal:.2%} are needed"
        )
    if m.wire.round_trip_us.p99 > ROUND_TRIP_P99_US:
        failures.append(
            f"{load}, a round trip over ipc took {m.wire.round_trip_us.p99:.0f} µs at p99; "
            f"at most {ROUND_TRIP_P99_US:.0f} µs are allowed"
        )
    return failures


def _clearly_below(share: float, goal: float, count: int) -> bool:
    """More misses than two standard deviations of chance would explain if the goal were just met."""
    expected = count * (1.0 - goal)
    return count * (1.0 - share) > expected + 2.0 * math.sqrt(expected)


def _advice(machine: Machine, measurements: tuple[Measurement, ...]) -> list[str]:
    advice = [_refusal(grant) for grant in measurements[0].realtime.grants if not grant.granted]
    if max(m.steal for m in measurements) > STEAL_NOTABLE:
        advice.append(
            "the hypervisor takes processors away; give this machine reserved ones, or use real hardware"
        )
    if machine.cores < 4:
        advice.append(
            f"{machine.cores} processors are few for controller, arm, master and console; 4 give each its own"
        )
    if machine.clocksource not in ("tsc", "arch_sys_counter", "kvm-clock"):
        advice.append(f"clock {machine.clocksource or 'unknown'} is slow to read; tsc is better")
    if machine.governor not in ("", "performance"):
        advice.append(f"frequency governor {machine.governor} wakes slowly; set it to performance")
    if not machine.preempt_rt:
        advice.append("a PREEMPT_RT kernel bounds the worst case; this one does not")
    return advice


def _refusal(grant: Grant) -> str:
    return f"no {grant.feature}: {grant.sentence}"
