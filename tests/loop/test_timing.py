from __future__ import annotations

import tracemalloc

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from teleop.loop.schedule import Schedule
from teleop.loop.timing import Percentiles, Timing, percentiles_us

US = 1_000


class Clock:
    def __init__(self) -> None:
        self.now_ns = 0

    def __call__(self) -> int:
        return self.now_ns


@pytest.fixture
def clock() -> Clock:
    return Clock()


def idle_schedule(clock: Clock) -> Schedule:
    return Schedule(1000.0, clock=clock)


def test_each_stage_is_the_time_since_the_mark_before_it(clock: Clock) -> None:
    timing = Timing(["sample", "solve", "send"], capacity=10, clock=clock)
    clock.now_ns = 1_000_000
    timing.begin(clock.now_ns, 7 * US)
    for stage, lasted_us in ((0, 20), (1, 100), (2, 30)):
        clock.now_ns += lasted_us * US
        timing.mark(stage)
    clock.now_ns += 5 * US
    assert timing.end() == 155 * US
    summary = timing.summary(idle_schedule(clock))
    assert {name: p and p.max for name, p in summary.stages_us.items()} == {
        "sample": 20.0,
        "solve": 100.0,
        "send": 30.0,
    }
    assert summary.compute_us == Percentiles(155.0, 155.0, 155.0, 155.0)
    assert summary.lateness_us == Percentiles(7.0, 7.0, 7.0, 7.0)
    assert summary.latency_us is None


def test_a_stage_that_did_not_run_leaves_no_zero_behind(clock: Clock) -> None:
    timing = Timing(["sample", "solve"], capacity=4, clock=clock)
    for tick in range(10):  # the ring wraps, so old rows are reused
        timing.begin(clock.now_ns, 0)
        if tick < 7:
            clock.now_ns += (tick + 1) * 10 * US
            timing.mark(1)
        timing.end()
    summary = timing.summary(idle_schedule(clock))
    assert summary.stages_us["sample"] is None
    assert summary.stages_us["solve"] == Percentiles(70.0, 70.0, 70.0, 70.0)
    assert summary.recorded == 4


def test_of_several_latencies_in_a_tick_the_worst_is_kept(clock: Clock) -> None:
    timing = Timing([], capacity=4, clock=clock)
    timing.begin(0, 0)
    for latency_us in (200, 300, 250):
        timing.latency(latency_us * US)
    timing.end()
    summary = timing.summary(idle_schedule(clock))
    assert summary.latency_us is not None
    assert summary.latency_us.max == 300.0


def test_a_tick_that_never_ended_is_not_recorded(clock: Clock) -> None:
    timing = Timing([], capacity=4, clock=clock)
    timing.begin(0, 5)
    timing.begin(0, 9 * US)
    timing.end()
    summary = timing.summary(idle_schedule(clock))
    assert summary.recorded == 1
    assert summary.lateness_us == Percentiles(9.0, 9.0, 9.0, 9.0)


def test_the_ring_keeps_the_newest_ticks(clock: Clock) -> None:
    timing = Timing([], capacity=100, clock=clock)
    for tick in range(1, 1001):
        timing.begin(0, tick * US)
        timing.end()
    lateness = timing.summary(idle_schedule(clock)).lateness_us
    assert lateness is not None
    assert (lateness.p50, lateness.max) == (951.0, 1000.0)


@settings(deadline=None)
@given(st.lists(st.integers(0, 10**10), min_size=1, max_size=3000))
def test_a_percentile_is_an_observation_that_at_most_its_share_exceeds(values: list[int]) -> None:
    p = percentiles_us(np.array(values, dtype=np.int64))
    assert p is not None
    us = np.array(values) / 1e3
    for share, value in ((0.5, p.p50), (0.01, p.p99), (0.001, p.p99_9), (0.0, p.max)):
        assert value in us
        assert np.mean(us > value) <= share


def test_nothing_measured_has_no_percentiles() -> None:
    assert percentiles_us(np.array([], dtype=np.int64)) is None


def test_the_json_has_the_keys_that_were_promised(clock: Clock) -> None:
    timing = Timing(["solve"], capacity=4, clock=clock)
    timing.begin(0, 5 * US)
    timing.mark(0)
    timing.end()
    content = msgspec.json.decode(msgspec.json.encode(timing.summary(idle_schedule(clock))))
    assert {"ticks", "skipped", "overruns", "compute_us", "lateness_us", "latency_us"} <= content.keys()
    assert content["lateness_us"] == {"p50": 5.0, "p99": 5.0, "p99_9": 5.0, "max": 5.0}
    assert content["latency_us"] is None


def test_the_table_for_people_shows_every_stage_that_ran(clock: Clock) -> None:
    timing = Timing(["solve", "never"], capacity=4, clock=clock)
    timing.begin(0, 5 * US)
    clock.now_ns = 12_345
    timing.mark(0)
    timing.end()
    text = timing.summary(idle_schedule(clock)).format()
    assert "solve" in text
    assert "12.3" in text
    assert "never" not in text


def test_timing_a_tick_keeps_no_memory() -> None:
    timing = Timing(["a", "b"], capacity=100_000)

    def run(ticks: int) -> None:
        for _ in range(ticks):
            timing.begin(0, 1)
            timing.mark(0)
            timing.mark(1)
            timing.latency(500_000)
            timing.end()

    run(100)
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    run(5_000)
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    print(f"{after - before} bytes kept after 5000 ticks")
    assert after - before < 2_000
