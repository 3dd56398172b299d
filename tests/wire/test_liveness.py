from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from teleop.wire.liveness import InputMonitor, Verdict
from teleop.wire.messages import Header

MS = 1_000_000
A, B = b"a" * 16, b"b" * 16


def head(seq: int, stamp_ns: int, session: bytes = A) -> Header:
    return Header(schema=1, stream="left/measured_cp", session=session, seq=seq, stamp_ns=stamp_ns)


def monitor() -> InputMonitor:
    return InputMonitor(rate_hz=1000.0, alive_within_s=0.020)


def feed(m: InputMonitor, count: int, *, start_ns: int = 0, every_ns: int = MS, first_seq: int = 0) -> int:
    """Observe ``count`` messages 100 us old; returns the time of the last."""
    for k in range(count):
        now = start_ns + k * every_ns
        m.observe(head(first_seq + k, now - 100_000), now)
    return start_ns + (count - 1) * every_ns


def test_nothing_heard_is_neither_alive_nor_right_nor_valid() -> None:
    health = monitor().health(10 * MS)
    assert (health.alive, health.rate_ok, health.valid, health.age_ns, health.rate_hz) == (False,) * 3 + (
        None,
        0,
    )


def test_a_steady_input_is_alive_at_its_rate_and_valid() -> None:
    m = monitor()
    now = feed(m, 300)
    health = m.health(now)
    assert (health.alive, health.rate_ok, health.valid) == (True, True, True)
    assert health.age_ns == 0
    assert health.rate_hz == pytest.approx(1000.0)
    assert m.missing == 0


def test_alive_ends_exactly_at_the_age_limit() -> None:
    m = monitor()
    now = feed(m, 10)
    assert m.health(now + 20 * MS).alive
    assert not m.health(now + 20 * MS + 1).alive


def test_a_message_that_arrives_old_does_not_make_the_input_alive() -> None:
    m = monitor()
    now = feed(m, 10)
    assert m.observe(head(10, now), now + 3_000 * MS).admitted
    assert not m.health(now + 3_000 * MS).alive


@pytest.mark.parametrize(
    ("every_us", "ok"), [(1000, True), (1150, True), (1300, False), (700, False), (10_000, False)]
)
def test_rate_is_right_within_twenty_percent(every_us: int, ok: bool) -> None:
    m = monitor()
    now = feed(m, 300, every_ns=every_us * 1000)
    assert m.health(now).rate_ok is ok
    assert m.health(now).rate_hz == pytest.approx(1e6 / every_us, rel=1e-6)


def test_the_rate_needs_a_full_window_of_evidence() -> None:
    m = monitor()
    assert not m.health(feed(m, 100)).rate_ok
    assert m.health(feed(m, 1, start_ns=100 * MS, first_seq=100)).rate_ok


def test_the_rate_of_a_dead_input_falls() -> None:
    m = monitor()
    now = feed(m, 300)
    assert m.health(now + 10 * MS).rate_hz == pytest.approx(100 / 0.109, rel=1e-6)
    assert not m.health(now + 100 * MS).rate_ok


def test_valid_is_what_the_sender_said_last() -> None:
    m = monitor()
    m.observe(head(0, 0), 0, valid=False)
    assert not m.health(0).valid
    m.observe(head(1, MS), MS, valid=True)
    assert m.health(MS).valid


def test_gaps_count_the_messages_that_never_came() -> None:
    m = monitor()
    for seq in (5, 6, 9, 10, 20):
        assert m.observe(head(seq, seq * MS), seq * MS).admitted
    assert m.missing == 2 + 9


def test_repeats_and_stragglers_are_rejected_and_do_not_refresh_the_age() -> None:
    m = monitor()
    now = feed(m, 10)
    assert m.observe(head(9, now + 15 * MS), now + 15 * MS) is Verdict.DUPLICATE
    assert m.observe(head(3, now + 15 * MS), now + 15 * MS) is Verdict.OUT_OF_ORDER
    assert m.health(now + 15 * MS).age_ns == 15 * MS


def test_a_stamp_that_goes_back_is_rejected() -> None:
    m = monitor()
    now = feed(m, 10)
    assert m.observe(head(10, now - MS), now) is Verdict.STAMP_BACKWARD


@pytest.mark.parametrize("wild", [2**40, 1_000])
def test_a_number_that_no_sender_can_have_reached_is_refused_and_the_stream_goes_on(wild: int) -> None:
    m = monitor()
    now = feed(m, 10)
    assert m.observe(head(wild, now + MS), now + MS) is Verdict.SEQ_JUMP
    assert m.observe(head(10, now + MS), now + MS) is Verdict.ACCEPTED
    assert m.missing == 0


def test_numbers_may_jump_as_far_as_the_time_that_passed_and_twice_the_rate_allow() -> None:
    m = monitor()
    now = feed(m, 10)
    assert m.observe(head(9 + 300, now + 150 * MS), now + 150 * MS) is Verdict.ACCEPTED
    assert m.missing == 299


def test_whatever_was_believed_by_mistake_is_believed_no_longer_once_the_input_counts_as_dead() -> None:
    m = monitor()
    now = feed(m, 10)
    assert m.observe(head(2**40, now + 21 * MS), now + 21 * MS) is Verdict.NEW_SESSION
    for ms in range(22, 42):
        assert m.observe(head(10 + ms, now + ms * MS), now + ms * MS) is Verdict.OUT_OF_ORDER
    assert m.observe(head(60, now + 42 * MS), now + 42 * MS) is Verdict.NEW_SESSION
    assert m.observe(head(61, now + 43 * MS), now + 43 * MS) is Verdict.ACCEPTED


def test_a_clock_that_is_set_ahead_is_refused_until_the_input_counts_as_dead() -> None:
    m = monitor()
    now = feed(m, 100)
    for k in range(1, 21):
        assert m.observe(head(99 + k, now + (k + 50) * MS), now + k * MS) is Verdict.CLOCK_STEP
    assert m.observe(head(120, now + 71 * MS), now + 21 * MS) is Verdict.NEW_SESSION


def test_a_machine_that_stood_still_with_a_message_under_way_is_no_clock_step() -> None:
    """The last message before comes with the first one after: its sender skipped 50 ms of stamps."""
    m = monitor()
    now = feed(m, 100)
    assert m.observe(head(100, now + MS), now + 51 * MS) is Verdict.ACCEPTED
    for k in range(40):
        assert m.observe(head(101 + k, now + (51 + k) * MS), now + (51 + k) * MS + 10_000) is Verdict.ACCEPTED


def test_to_judge_a_message_changes_nothing() -> None:
    m = monitor()
    now = feed(m, 10)
    for _ in range(2):
        assert m.judge(head(10, now), now) is Verdict.ACCEPTED
    assert m.counts[Verdict.ACCEPTED] == 9


def test_another_session_is_foreign_until_the_first_fell_silent() -> None:
    m = monitor()
    now = feed(m, 300)
    assert m.observe(head(0, now, B), now) is Verdict.FOREIGN_SESSION
    assert m.observe(head(1, now + 20 * MS, B), now + 20 * MS) is Verdict.FOREIGN_SESSION
    assert m.session == A
    assert m.observe(head(2, now + 20 * MS + 1, B), now + 20 * MS + 1) is Verdict.NEW_SESSION
    assert m.session == B
    assert m.missing == 0
    assert not m.health(now + 20 * MS + 1).rate_ok
    assert m.observe(head(300, now + 21 * MS, A), now + 21 * MS) is Verdict.FOREIGN_SESSION


def test_two_senders_at_once_never_take_turns_even_when_their_stamps_are_old() -> None:
    m = monitor()
    for k in range(200):
        m.observe(head(k, k * MS, A), 10_000 * MS + k * MS)
        m.observe(head(k, k * MS, B), 10_000 * MS + k * MS)
    assert m.counts == {Verdict.NEW_SESSION: 1, Verdict.ACCEPTED: 199, Verdict.FOREIGN_SESSION: 200}


@pytest.mark.parametrize("offset_ms", [-500_000, 0, 123_456])
def test_the_age_does_not_depend_on_whose_clock_is_right(offset_ms: int) -> None:
    m = monitor()
    for k in range(100):
        m.observe(head(k, (k + offset_ms) * MS), k * MS)
    assert m.health(107 * MS).age_ns == 8 * MS


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from([A, B]),
            st.integers(0, 8),
            st.integers(-30 * MS, 30 * MS),
            st.integers(0, 30 * MS),
        )
    )
)
def test_whatever_comes_the_admitted_only_ever_move_forward(
    messages: list[tuple[bytes, int, int, int]],
) -> None:
    m = monitor()
    now, last, verdicts = 10**12, {A: (-1, 0), B: (-1, 0)}, Counter[Verdict]()
    for session, seq, stamp_offset, wait in messages:
        now += wait
        stamp = now + stamp_offset
        verdict = m.observe(head(seq, stamp, session), now)
        verdicts[verdict] += 1
        if verdict is Verdict.ACCEPTED:
            assert seq > last[session][0]
            assert stamp >= last[session][1]
        if verdict.admitted:
            assert m.session == session
            last[session] = (seq, stamp)
    assert m.counts == verdicts
    assert m.missing >= 0
