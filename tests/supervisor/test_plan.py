from __future__ import annotations

from signal import SIGINT, SIGKILL, SIGTERM

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from teleop.supervisor.plan import RESTART_WINDOW_S, Death, RestartBook, StopPlan


@pytest.mark.parametrize(
    ("code", "ready", "sentence"),
    [
        (0, True, "arm psm ended after 2.5 s"),
        (3, True, "arm psm ended with exit status 3 after 2.5 s"),
        (-9, True, "arm psm was killed by SIGKILL after 2.5 s"),
        (-11, False, "arm psm was killed by SIGSEGV after 2.5 s, before it was ready"),
        (-63, True, "arm psm was killed by signal 63 after 2.5 s"),
    ],
)
def test_a_death_says_who_how_and_when(code: int, ready: bool, sentence: str) -> None:
    assert Death("arm psm", code, 2.5, ready, ()).sentence() == sentence


def test_a_death_report_ends_with_the_last_words() -> None:
    death = Death("arm psm", 1, 2.5, True, ("Traceback", "ValueError: no"))
    assert death.report().splitlines()[1:] == ["    Traceback", "    ValueError: no"]


def test_restarts_are_bounded_within_a_minute_and_forgiven_after_it() -> None:
    book = RestartBook(2)
    assert [book.allow(t) for t in (0.0, 1.0, 2.0, RESTART_WINDOW_S)] == [True, True, False, False]
    assert book.allow(RESTART_WINDOW_S + 0.5)
    assert not book.allow(RESTART_WINDOW_S + 0.6)


def test_no_restarts_means_none() -> None:
    assert not RestartBook(0).allow(0.0)


def plan() -> StopPlan:
    return StopPlan(["arm", "master", "controller"], 100.0, interrupt_s=5.0, terminate_s=2.0, turn_s=1.5)


def test_children_are_asked_in_reverse_order_each_when_the_one_before_has_ended() -> None:
    stop = plan()
    assert stop.due(100.0, {"arm", "master", "controller"}) == [("controller", SIGINT)]
    assert stop.due(100.5, {"arm", "master", "controller"}) == []
    assert stop.due(100.6, {"arm", "master"}) == [("master", SIGINT)]
    assert stop.due(100.7, {"arm"}) == [("arm", SIGINT)]
    assert stop.due(100.8, set()) == []


def test_one_that_does_not_end_holds_the_others_up_only_for_a_turn() -> None:
    stop = plan()
    everybody = {"arm", "master", "controller"}
    assert stop.due(100.0, everybody) == [("controller", SIGINT)]
    assert stop.due(101.4, everybody) == []
    assert stop.due(101.5, everybody) == [("master", SIGINT)]
    assert stop.due(103.0, everybody) == [("arm", SIGINT)]


def test_what_lives_on_is_terminated_and_then_killed_each_once() -> None:
    stop = plan()
    stop.due(100.0, {"arm", "controller"})
    assert stop.due(105.0, {"arm", "controller"}) == [("controller", SIGTERM), ("arm", SIGTERM)]
    assert stop.due(106.9, {"arm", "controller"}) == []
    assert stop.due(107.0, {"arm"}) == [("arm", SIGKILL)]
    assert stop.due(108.0, {"arm"}) == []


def test_impatience_terminates_at_once_and_then_kills_at_once() -> None:
    stop = plan()
    stop.due(100.0, {"arm"})
    stop.hurry(100.2)
    assert stop.due(100.2, {"arm"}) == [("arm", SIGTERM)]
    assert stop.due(100.3, {"arm"}) == []
    stop.hurry(100.4)
    assert stop.due(100.4, {"arm"}) == [("arm", SIGKILL)]


@settings(deadline=None)
@given(
    st.lists(st.floats(0.0, 2.0), min_size=1, max_size=40),
    st.dictionaries(st.sampled_from(["arm", "master", "controller"]), st.floats(0.0, 12.0)),
)
def test_whoever_outlives_the_bounds_is_killed_and_nobody_gets_a_signal_twice(
    waits: list[float], ends_after_s: dict[str, float]
) -> None:
    stop = plan()
    now, seen = 100.0, []
    for wait in [*waits, 8.0]:
        now += wait
        alive = {n for n in ("arm", "master", "controller") if now - 100.0 < ends_after_s.get(n, 1e9)}
        due = stop.due(now, alive)
        assert all(name in alive for name, _ in due)
        seen += due
        if now >= 107.0:
            assert {name for name, number in seen if number is SIGKILL} >= alive
    assert len(seen) == len(set(seen))
    for name in ("arm", "master", "controller"):
        order = [number for n, number in seen if n == name]
        assert order == sorted(order, key=[SIGINT, SIGTERM, SIGKILL].index)
