from __future__ import annotations

import itertools
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from teleop.loop.schedule import SPIN_MAX_S, Schedule

US, MS = 1_000, 1_000_000


class FakeTime:
    """A clock that moves only when told: by sleeping (with an error) and a little at every look."""

    def __init__(self, *, look_ns: int = 50, oversleep_ns: int = 0) -> None:
        self.now_ns = 123_456_789
        self.look_ns = look_ns
        self.oversleep_ns = oversleep_ns
        self.slept_s: list[float] = []

    def clock(self) -> int:
        self.now_ns += self.look_ns
        return self.now_ns

    def sleep(self, seconds: float) -> None:
        self.slept_s.append(seconds)
        self.now_ns += round(seconds * 1e9) + self.oversleep_ns

    def schedule(self, rate_hz: float = 1000.0, spin_s: float = SPIN_MAX_S) -> Schedule:
        return Schedule(rate_hz, spin_s=spin_s, clock=self.clock, sleep=self.sleep)


def test_deadlines_stand_exactly_one_period_apart_however_late_ticks_begin() -> None:
    fake = FakeTime(oversleep_ns=400 * US)
    schedule = fake.schedule()
    deadlines = []
    for _ in range(1000):
        schedule.wait()
        deadlines.append(schedule.deadline_ns)
        fake.now_ns += 200 * US
    assert {b - a for a, b in itertools.pairwise(deadlines)} == {MS}
    assert (schedule.ticks, schedule.skipped, schedule.overruns) == (1000, 0, 0)


def test_a_tick_never_begins_before_its_deadline_and_late_by_what_the_clock_says() -> None:
    fake = FakeTime(oversleep_ns=270 * US)
    schedule = fake.schedule()
    for _ in range(100):
        began = schedule.wait()
        assert began == fake.now_ns
        assert schedule.lateness_ns == began - schedule.deadline_ns
        assert 120 * US <= schedule.lateness_ns <= 120 * US + 10 * fake.look_ns


def test_the_spin_tail_absorbs_a_wake_up_shorter_than_itself() -> None:
    fake = FakeTime(oversleep_ns=100 * US)
    schedule = fake.schedule()
    for _ in range(100):
        schedule.wait()
        assert schedule.lateness_ns <= fake.look_ns


def test_sleep_ends_one_spin_tail_before_the_deadline() -> None:
    fake = FakeTime()
    schedule = fake.schedule(spin_s=100e-6)
    schedule.wait()
    assert fake.slept_s == [pytest.approx(900e-6, abs=1e-6)]


def test_a_wait_shorter_than_the_spin_tail_does_not_sleep() -> None:
    fake = FakeTime()
    schedule = fake.schedule()
    schedule.wait()
    fake.slept_s.clear()
    fake.now_ns = schedule.deadline_ns + 900 * US
    schedule.wait()
    assert fake.slept_s == []
    assert schedule.lateness_ns <= fake.look_ns


def test_work_past_the_deadline_is_an_overrun_and_the_next_tick_begins_at_once() -> None:
    fake = FakeTime()
    schedule = fake.schedule()
    schedule.wait()
    fake.now_ns = schedule.deadline_ns + 1_400 * US
    schedule.wait()
    assert (schedule.ticks, schedule.skipped, schedule.overruns) == (2, 0, 1)
    assert schedule.lateness_ns == 400 * US + fake.look_ns


def test_a_stall_of_many_periods_is_skipped_and_never_run_as_a_burst() -> None:
    fake = FakeTime()
    schedule = fake.schedule()
    schedule.wait()
    fake.now_ns = schedule.deadline_ns + 5_000 * MS + 300 * US
    began = [schedule.wait()]
    assert (schedule.skipped, schedule.overruns) == (4_999, 1)
    began += [schedule.wait() for _ in range(3)]
    assert all(b - a >= 0.69 * MS for a, b in itertools.pairwise(began))
    assert schedule.skipped == 4_999


def test_oversleeping_whole_periods_is_skipped_too_but_is_not_an_overrun() -> None:
    fake = FakeTime(oversleep_ns=2_600 * US)
    schedule = fake.schedule()
    schedule.wait()
    assert (schedule.ticks, schedule.skipped, schedule.overruns) == (1, 2, 0)
    assert schedule.lateness_ns == pytest.approx(450 * US, abs=US)


def test_a_slow_set_up_before_the_first_tick_is_skipped_but_is_no_overrun() -> None:
    fake = FakeTime()
    schedule = fake.schedule()
    fake.now_ns += 10 * MS + 500 * US
    schedule.wait()
    assert (schedule.ticks, schedule.skipped, schedule.overruns) == (1, 9, 0)


def test_start_begins_the_deadlines_and_the_counts_anew() -> None:
    fake = FakeTime()
    schedule = fake.schedule()
    fake.now_ns += 10 * MS
    schedule.wait()
    fake.now_ns += 10 * MS
    schedule.start()
    began = fake.now_ns
    schedule.wait()
    assert (schedule.ticks, schedule.skipped, schedule.overruns, schedule.on_time) == (1, 0, 0, 1)
    assert schedule.deadline_ns == began + MS


def test_on_time_means_within_a_quarter_of_a_period() -> None:
    fake = FakeTime(look_ns=0)
    schedule = fake.schedule(spin_s=0.0)
    for oversleep_us in (0, 250, 251, 900):
        fake.oversleep_ns = oversleep_us * US
        schedule.wait()
    assert (schedule.ticks, schedule.on_time) == (4, 2)


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 20 * MS), st.integers(0, 5 * MS)), max_size=60),
    st.sampled_from([1000.0, 333.0]),
)
def test_ticks_and_skips_add_up_to_the_periods_that_passed(
    ticks: list[tuple[int, int]], rate_hz: float
) -> None:
    fake = FakeTime()
    schedule = fake.schedule(rate_hz)
    origin = schedule.deadline_ns
    for work_ns, oversleep_ns in ticks:
        fake.oversleep_ns = oversleep_ns
        began = schedule.wait()
        assert schedule.ticks + schedule.skipped == (began - origin) // schedule.period_ns
        assert 0 <= schedule.lateness_ns < schedule.period_ns
        assert (schedule.deadline_ns - origin) % schedule.period_ns == 0
        fake.now_ns += work_ns


@pytest.mark.parametrize("rate_hz", [0.0, -1.0, 20_000.0, float("nan"), float("inf")])
def test_a_rate_out_of_range_is_refused(rate_hz: float) -> None:
    with pytest.raises(ValueError, match="outside 1 to 10000"):
        Schedule(rate_hz)


@pytest.mark.parametrize("spin_s", [-1e-6, 151e-6, float("nan")])
def test_a_spin_tail_that_would_be_throttled_is_refused(spin_s: float) -> None:
    with pytest.raises(ValueError, match="spin tail"):
        Schedule(1000.0, spin_s=spin_s)


def test_the_real_clock_holds_the_rate() -> None:
    schedule = Schedule(1000.0)
    origin, lateness = schedule.deadline_ns, []
    for _ in range(500):
        schedule.wait()
        lateness.append(schedule.lateness_ns)
    elapsed = time.monotonic_ns() - origin
    print(
        f"lateness p50 {np.median(lateness) / 1e3:.1f} us, max {max(lateness) / 1e3:.1f} us, "
        f"{schedule.skipped} skipped"
    )
    assert schedule.ticks + schedule.skipped == pytest.approx(elapsed / 1e6, abs=1.5)
    assert np.median(lateness) < 0.5 * MS


@pytest.mark.parametrize("start_ns", [0, 1, 250_000, 999_999, 12_345_678_901])
def test_with_a_phase_every_deadline_lies_that_long_after_a_full_period_of_the_clock(start_ns: int) -> None:
    fake = FakeTime()
    fake.now_ns = start_ns
    schedule = Schedule(1000.0, phase_s=250e-6, clock=fake.clock, sleep=fake.sleep)
    for _ in range(3):
        schedule.wait()
        assert schedule.deadline_ns % MS == 250 * US
    assert 2 * MS < schedule.deadline_ns - start_ns <= 3 * MS
