"""Lateness is measured against the quickest passage, so it does not depend on whose clock is right."""

import pytest

from teleop.safety.age import Age, AgePolicy
from teleop.wire.passage import Passage

MS = 1_000_000


@pytest.mark.parametrize("offset_ns", [0, -7_000_000_000_000, 123_456_789_000])
def test_age_does_not_depend_on_the_offset_between_clocks(offset_ns: int) -> None:
    passage = Passage()
    for tick in range(1000):
        passage.update(tick * MS + 100_000, tick * MS + offset_ns)
    assert passage.age_ns(1010 * MS + 100_000, 1000 * MS + offset_ns) == 10 * MS


def test_a_clock_set_back_looks_late_and_is_believed_again_within_two_windows() -> None:
    passage = Passage()
    ages = []
    for tick in range(4000):
        stamp = tick * MS - (50 * MS if tick >= 1000 else 0)
        passage.update(tick * MS, stamp)
        ages.append(passage.age_ns(tick * MS, stamp))
    assert ages[999] == 0
    assert ages[1000] == 50 * MS
    believed = next(tick for tick in range(1000, 4000) if ages[tick] == 0)
    assert believed <= 1000 + 2100


def test_a_clock_set_forward_is_never_taken_for_lateness() -> None:
    passage = Passage()
    for tick in range(3000):
        stamp = tick * MS + (50 * MS if tick >= 1000 else 0)
        passage.update(tick * MS, stamp)
        assert passage.age_ns(tick * MS, stamp) == 0


@pytest.mark.parametrize(
    ("age_ms", "band"),
    [
        (0, Age.FRESH),
        (5, Age.FRESH),
        (5.1, Age.LATE),
        (20, Age.LATE),
        (20.1, Age.STALE),
        (100, Age.STALE),
        (101, Age.LOST),
    ],
)
def test_the_bands_are_those_of_the_protocol(age_ms: float, band: Age) -> None:
    assert AgePolicy().classify(int(age_ms * MS)) is band
