import pytest

from teleop.safety.deadlines import HOLD_RATIO, Deadlines
from teleop.safety.lapses import Lapses

MS = 1_000_000


def test_bad_time_is_summed_over_a_sliding_second() -> None:
    lapses = Lapses()
    for k in range(3000):
        lapses.update(k * MS, 1e-3 if k % 10 == 0 else 0.0)
    assert lapses.bad_s == pytest.approx(0.1, abs=0.011)


def test_what_was_bad_is_forgotten_after_a_second_even_across_a_gap() -> None:
    lapses = Lapses()
    lapses.update(0, 0.3)
    lapses.update(899 * MS, 0.0)
    assert lapses.bad_s == pytest.approx(0.3)
    lapses.update(1000 * MS, 0.0)
    assert lapses.bad_s == 0.0
    lapses.update(1001 * MS, 0.2)
    lapses.update(60_000 * MS, 0.1)
    assert lapses.bad_s == pytest.approx(0.1)


def _run(deadlines: Deadlines, *, every: int, ticks: int, start: int = 0) -> list[str]:
    """Each ``every``-th tick is followed by one missed deadline."""
    said = []
    now = start
    for k in range(ticks):
        missed = every and k % every == 0
        now += 2 if missed else 1
        deadlines.update(now * MS, 2e-3 if missed else 1e-3)
        said.append(deadlines.warning())
    return [text for text in said if text]


def test_a_punctual_loop_is_left_alone() -> None:
    deadlines = Deadlines(1e-3)
    assert _run(deadlines, every=0, ticks=3000) == []
    assert not deadlines.missed_too_many


def test_more_than_5_percent_missed_is_told_once_and_more_than_20_stops() -> None:
    deadlines = Deadlines(1e-3)
    said = _run(deadlines, every=9, ticks=3000)
    assert len(said) == 1
    assert "deadlines" in said[0]
    assert not deadlines.missed_too_many
    _run(deadlines, every=3, ticks=2000, start=4000)
    assert deadlines.missed_too_many
    _run(deadlines, every=0, ticks=1100, start=7000)
    assert not deadlines.missed_too_many


@pytest.mark.parametrize(("gap_ms", "stops"), [(20, False), (22, True), (5000, True)])
def test_one_gap_over_20_ms_stops_for_a_second(gap_ms: int, stops: bool) -> None:
    deadlines = Deadlines(1e-3)
    deadlines.update(MS, 1e-3)
    deadlines.update((1 + gap_ms) * MS, gap_ms * 1e-3)
    assert deadlines.missed_too_many is stops
    assert HOLD_RATIO == 0.20
    deadlines.update((1 + gap_ms + 1000) * MS, 1e-3)
    assert not deadlines.missed_too_many
