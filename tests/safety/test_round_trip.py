import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from teleop.safety.reasons import Reason
from teleop.safety.round_trip import Band, RoundTrip, RoundTripSpec

MS = 1_000_000


def _feed(trip: RoundTrip, ms: float, ticks: int, start_ms: int, master_ms: float = 0.0) -> int:
    for k in range(ticks):
        trip.update(round(ms * MS), round(master_ms * MS), (start_ms + k) * MS)
    return start_ms + ticks


@pytest.mark.parametrize(
    ("ms", "band", "reason", "scale"),
    [
        (1.0, Band.SHORT, Reason.NONE, 1.0),
        (99.0, Band.SHORT, Reason.NONE, 1.0),
        (101.0, Band.LONG, Reason.ROUND_TRIP_LONG, 0.5),
        (199.0, Band.LONG, Reason.ROUND_TRIP_LONG, 0.5),
        (201.0, Band.VERY_LONG, Reason.ROUND_TRIP_VERY_LONG, 0.25),
        (301.0, Band.TOO_LONG, Reason.ROUND_TRIP_TOO_LONG, 0.25),
    ],
)
def test_bands(ms: float, band: Band, reason: Reason, scale: float) -> None:
    trip = RoundTrip(RoundTripSpec())
    _feed(trip, ms, 10, 0)
    assert (trip.band, trip.band.reason, trip.band.scale) == (band, reason, scale)


def test_the_way_to_the_master_and_the_way_to_the_arm_add_up() -> None:
    trip = RoundTrip(RoundTripSpec())
    _feed(trip, 60.0, 10, 0, master_ms=60.0)
    assert trip.band is Band.LONG
    assert trip.total_ns == pytest.approx(120 * MS)


def test_a_worse_band_comes_within_half_a_second_and_a_better_one_after_a_second_below() -> None:
    trip = RoundTrip(RoundTripSpec())
    now = _feed(trip, 20.0, 1000, 0)
    now = _feed(trip, 250.0, 500, now)
    assert trip.band is Band.VERY_LONG
    now = _feed(trip, 20.0, 1000, now)
    assert trip.band is Band.VERY_LONG
    _feed(trip, 20.0, 500, now)
    assert trip.band is Band.SHORT


def test_one_late_message_changes_nothing() -> None:
    trip = RoundTrip(RoundTripSpec())
    now = _feed(trip, 20.0, 1000, 0)
    trip.update(2000 * MS, -1, now * MS)
    assert trip.band is Band.SHORT


def test_at_a_limit_the_band_does_not_flap() -> None:
    trip = RoundTrip(RoundTripSpec())
    now, changes, last = 0, 0, trip.band
    for k in range(200):
        now = _feed(trip, 99.0 if k % 2 else 103.0, 200, now)
        changes += trip.band is not last
        last = trip.band
    assert changes == 1


@pytest.mark.parametrize("nonsense", [-1, -(2**63), 2**63, 11_000 * MS])
def test_an_echo_that_cannot_be_is_not_believed(nonsense: int) -> None:
    trip = RoundTrip(RoundTripSpec())
    for k in range(5000):
        trip.update(nonsense, nonsense, k * MS)
    assert trip.band is Band.SHORT
    assert trip.total_ns == 0.0


def test_what_was_known_is_forgotten_when_no_echo_comes_for_two_seconds() -> None:
    trip = RoundTrip(RoundTripSpec())
    now = _feed(trip, 400.0, 100, 0)
    for k in range(3200):
        trip.update(-1, -1, (now + k) * MS)
    assert trip.band is Band.SHORT


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(-(2**63), 2**64), max_size=200))
def test_any_echo_gives_a_band(samples: list[int]) -> None:
    trip = RoundTrip(RoundTripSpec())
    for k, sample in enumerate(samples):
        trip.update(sample, -sample, k * MS)
        assert trip.band in Band


@pytest.mark.parametrize(
    "key", [{"long_ms": 101.0}, {"too_long_ms": 301.0}, {"long_ms": 90.0, "very_long_ms": 80.0}]
)
def test_a_session_may_be_stricter_but_not_laxer(key: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        RoundTripSpec(**key)
    assert RoundTripSpec(long_ms=50.0).long_ms == 50.0
