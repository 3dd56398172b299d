"""The core of the bad network: what goes in, what comes out, and when."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from teleop.impair.link import Delivery, Link
from teleop.impair.presets import PRESETS
from teleop.impair.spec import Change, Impairment, ImpairSpec, from_preset

MS = 1_000_000

impairments = st.builds(
    Impairment,
    delay_ms=st.floats(0.0, 50.0),
    jitter_ms=st.floats(0.0, 50.0),
    ordered=st.booleans(),
    loss=st.floats(0.0, 0.9),
    burst=st.floats(1.0, 20.0),
    burst_shape=st.none() | st.floats(1.1, 5.0),
    outage_share=st.floats(0.0, 0.9),
    outage_max_ms=st.floats(1.0, 500.0),
    duplicate=st.floats(0.0, 1.0),
    reorder=st.floats(0.0, 1.0),
    corrupt=st.floats(0.0, 1.0),
    bandwidth_kbit_s=st.just(0.0) | st.floats(100.0, 1e5),
    clock_skew_ms=st.floats(-1e3, 1e3),
)


def offers(link: Link, count: int, size: int = 100, period_ns: int = MS) -> list[tuple[int, list[Delivery]]]:
    return [
        (k * period_ns, link.offer(k * period_ns, k.to_bytes(4, "big") * (size // 4))) for k in range(count)
    ]


@settings(max_examples=60, deadline=None)
@given(impairments, st.integers(0, 2**32))
def test_nothing_comes_out_before_it_went_in_and_every_message_is_accounted_for(
    spec: Impairment, seed: int
) -> None:
    link = Link(spec, seed)
    out = offers(link, 200)
    c = link.counts
    assert all(d.due_ns >= at for at, deliveries in out for d in deliveries)
    assert sum(len(deliveries) for _, deliveries in out) == c["delivered"]
    assert c["offered"] == 200
    assert c["delivered"] - c["duplicated"] + c["lost"] + c["outage"] + c["queue"] == 200


@settings(max_examples=40, deadline=None)
@given(impairments, st.integers(0, 2**32))
def test_the_same_seed_gives_the_same_deliveries(spec: Impairment, seed: int) -> None:
    assert offers(Link(spec, seed), 100) == offers(Link(spec, seed), 100)


@settings(max_examples=40, deadline=None)
@given(impairments)
def test_an_ordered_link_without_reorder_and_copies_delivers_in_order(spec: Impairment) -> None:
    spec = spec.model_copy(update={"ordered": True, "reorder": 0.0, "duplicate": 0.0})
    due = [d.due_ns for _, deliveries in offers(Link(spec, 3), 200) for d in deliveries]
    assert due == sorted(due)


def test_without_impairment_a_message_passes_at_once_and_unchanged() -> None:
    assert Link().offer(7, b"abc") == [Delivery(7, b"abc")]


@pytest.mark.parametrize("share", [0.1, 0.3, 0.5])
@pytest.mark.parametrize(("burst", "shape"), [(1.0, None), (5.0, None), (5.0, 3.0)])
def test_the_share_lost_and_the_mean_burst_are_those_asked_for(
    share: float, burst: float, shape: float | None
) -> None:
    link = Link(Impairment(loss=share, burst=burst, burst_shape=shape), seed=5)
    lost = np.array([not deliveries for _, deliveries in offers(link, 50_000, size=4)])
    assert lost.mean() == pytest.approx(share, rel=0.08)
    starts = np.count_nonzero(lost[1:] & ~lost[:-1])
    runs = lost.sum() / starts
    # Two bursts in a row are one run: p of them are, p being the chance to begin one.
    begin = share / (burst * (1 - share) + share)
    assert runs == pytest.approx(burst / (1 - begin), rel=0.1)


def test_pareto_bursts_have_heavier_tails_than_geometric_ones_of_the_same_mean() -> None:
    longest = []
    for shape in (None, 1.5):
        link = Link(Impairment(loss=0.3, burst=5.0, burst_shape=shape), seed=2)
        lost = [not deliveries for _, deliveries in offers(link, 40_000, size=4)]
        runs = np.diff(np.flatnonzero(np.diff(np.array([False, *lost, False]).astype(int))))[::2]
        longest.append(int(runs.max()))
    assert longest[1] > 5 * longest[0]


def test_the_published_delay_has_its_least_value_and_its_mean() -> None:
    link = Link(from_preset("delay_100", {"ordered": False}), seed=1)
    delay = np.array([d.due_ns - at for at, ds in offers(link, 30_000, size=4) for d in ds]) / MS
    assert delay.min() >= 70.0
    assert delay.mean() == pytest.approx(100.0, rel=0.02)
    # E[X^2] of the hyperexponential is sum w 2 / rate^2.
    second = 0.73 * 2 / 0.027**2 + 0.27 * 2 / 0.085**2
    assert delay.std() == pytest.approx(np.sqrt(second - (delay.mean() - 70) ** 2), rel=0.03)


@pytest.mark.parametrize("share", [0.1, 0.15, 0.5])
def test_outages_take_their_share_of_the_time_and_are_never_longer_than_three_seconds(share: float) -> None:
    link = Link(Impairment(outage_share=share), seed=4)
    down = np.array([not deliveries for _, deliveries in offers(link, 50_000, size=4, period_ns=40 * MS)])
    edges = np.flatnonzero(np.diff(np.array([False, *down, False]).astype(int)))
    assert down.mean() == pytest.approx(share, rel=0.15)
    assert (edges[1::2] - edges[::2]).max() <= 76


def test_a_narrow_link_carries_its_bandwidth_and_drops_what_its_queue_cannot_hold() -> None:
    link = Link(Impairment(bandwidth_kbit_s=100.0, queue_kb=2.0))
    out = offers(link, 2000, size=100)  # 800 kbit/s offered
    last = max(d.due_ns for _, ds in out for d in ds)
    assert link.counts["bytes"] * 8 / (last * 1e-9) == pytest.approx(100e3, rel=0.02)
    assert link.counts["queue"] > 1000
    waits = [(d.due_ns - at) / MS for at, ds in out for d in ds]
    assert max(waits) <= 2 * 1024 * 8 / 100 + 1


def test_a_message_held_back_is_overtaken_but_holds_nobody_up() -> None:
    link = Link(Impairment(reorder=0.2, reorder_ms=5.0), seed=1)
    out = offers(link, 1000)
    delays = {(d.due_ns - at) // MS for at, ds in out for d in ds}
    assert delays == {0, 5}
    assert link.counts["reordered"] == pytest.approx(200, abs=50)


def test_a_corrupt_message_differs_and_keeps_its_length() -> None:
    link = Link(Impairment(corrupt=1.0), seed=1)
    data = bytes(50)
    ((delivery,),) = [link.offer(0, data)]
    assert delivery.data != data
    assert len(delivery.data) == 50


def test_an_impairment_can_be_replaced_in_the_middle() -> None:
    link = Link()
    assert link.offer(0, b"x")
    link.impairment = Impairment(outage=True)
    assert not link.offer(1, b"x")
    link.impairment = Impairment()
    assert link.offer(2, b"x")


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_every_preset_is_readable(name: str) -> None:
    Link(from_preset(name, {})).offer(0, b"x")


def test_mistakes_in_a_script_are_named() -> None:
    with pytest.raises(ValidationError, match="say outage = true"):
        Impairment(loss=1.0)
    with pytest.raises(ValidationError, match="weights sum to 1"):
        Impairment.model_validate({"tail": {"weights": [0.5], "rates_per_ms": [1.0]}})
    with pytest.raises(ValidationError, match="los"):
        ImpairSpec.model_validate({"streams": {"servo_jp": {"los": 0.1}}})
    with pytest.raises(ValidationError, match="preset"):
        Change.model_validate({"at_s": 1.0, "preset": "dealy_100"})
