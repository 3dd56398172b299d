from __future__ import annotations

import pytest

from teleop.doctor.machine import Machine, StealMeter, look
from teleop.doctor.probe import LoopProbe, WireProbe
from teleop.doctor.report import Measurement, judge
from teleop.loop.realtime import Grant
from teleop.loop.timing import LoopSummary, Percentiles

GOOD_MACHINE = Machine(8, "6.12", True, False, "tsc", "performance")


def loop(late: int, *, ticks: int = 10_000, fifo: bool = True) -> LoopProbe:
    p = Percentiles(0.1, 5.0, 100.0, 700.0)
    summary = LoopSummary(ticks, 0, 0, 1.0 - late / ticks, p, p, None, {}, ticks)
    return LoopProbe(summary, (Grant("real-time scheduling", fifo, "allow it with CAP_SYS_NICE"),))


def measured(
    *, ordinary_late: int = 0, realtime_late: int = 0, fifo: bool = True, round_trip_us: float = 200.0
) -> Measurement:
    wire = WireProbe(Percentiles(50.0, round_trip_us, 900.0, 2000.0), 0)
    return Measurement(False, loop(ordinary_late), loop(realtime_late, fifo=fifo), wire, 0.0)


def test_a_punctual_machine_is_fit_and_gets_no_advice() -> None:
    report = judge(GOOD_MACHINE, (measured(),))
    assert (report.fit, report.failures, report.advice) == (True, (), ())
    assert "Yes" in report.format()


@pytest.mark.parametrize(("late", "fit"), [(9, True), (10, False)])
def test_with_real_time_the_loop_is_judged_by_the_stricter_goal_beyond_chance(late: int, fit: bool) -> None:
    # 10 000 ticks at 99.95 %: 5 misses expected, and two standard deviations of chance are 4.47 more.
    assert judge(GOOD_MACHINE, (measured(ordinary_late=5_000, realtime_late=late),)).fit is fit


@pytest.mark.parametrize(("late", "fit"), [(64, True), (65, False)])
def test_without_real_time_it_is_judged_as_an_ordinary_process(late: int, fit: bool) -> None:
    report = judge(GOOD_MACHINE, (measured(ordinary_late=late, realtime_late=5_000, fifo=False),))
    assert report.fit is fit
    assert report.advice == ("no real-time scheduling: allow it with CAP_SYS_NICE",)


def test_a_slow_wire_fails_and_says_by_how_much() -> None:
    report = judge(GOOD_MACHINE, (measured(round_trip_us=1600.0),))
    assert not report.fit
    assert "1600 µs at p99; at most 1500" in report.failures[0]
    assert "No: this machine cannot" in report.format()


def test_load_counts_as_much_as_idle() -> None:
    assert not judge(GOOD_MACHINE, (measured(), measured(realtime_late=500))).fit


def test_each_weakness_of_a_machine_is_named_without_failing_it() -> None:
    report = judge(Machine(2, "6.12", False, True, "hpet", "powersave"), (measured(),))
    assert report.fit
    for word in ("2 processors", "hpet", "powersave", "PREEMPT_RT"):
        assert any(word in advice for advice in report.advice), word


def test_facts_of_this_machine_can_be_read() -> None:
    machine = look()
    assert machine.cores >= 1
    assert machine.kernel
    assert 0.0 <= StealMeter().share() <= 1.0
