"""The program that stands in for a person at the console: it brings a session up, and undoes no wish."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from teleop.cli.operator import Operator
from teleop.controller.telemetry import telemetry
from teleop.wire.messages import Request
from tests.controller.rig import MS, PERIOD_S, Rig


class Desk:
    """What the operator takes for its connection: its requests go to the controller of a rig."""

    def __init__(self) -> None:
        self.waiting: list[Request] = []
        self.sent: list[str] = []
        self.replies: list[Any] = []

    def send(self, op: str, args: dict[str, Any] | None = None) -> int:
        self.sent.append(op)
        self.waiting.append(Request(id=len(self.sent), op=op, args=args or {}))
        return len(self.sent)

    def receive(self) -> Any:
        return self.replies.pop(0) if self.replies else None


class Session:
    """A whole session in one process, with its operator: a look every 50 ms, as `trocar run` does."""

    def __init__(self) -> None:
        self.rig, self.desk = Rig(), Desk()
        self.operator = Operator(self.desk)  # type: ignore[arg-type]
        self.seq = -1

    def run(self, ticks: int, person: Request | None = None, **keys: Any) -> None:
        for k in range(ticks):
            asked = [person] if person is not None and k == 0 else []
            theirs, self.desk.waiting = self.desk.waiting, []
            out = self.rig.tick(*asked, *theirs, **(keys if k == 0 else {}))
            self.desk.replies += [reply for _, reply in out.replies[len(asked) :]]
            self.seq += 1
            head: Any = {"schema": 1, "stream": "telemetry", "session": b"c" * 16, "seq": self.seq}
            message = telemetry(
                {**head, "stamp_ns": self.rig.now_ns},
                [self.rig.pair],
                out,
                tick=self.seq,
                skipped=0,
                overruns=0,
                compute_us=0.0,
                lateness_us=0.0,
            )
            self.operator.see(message)
            if k % 50 == 0:
                self.operator.look(message, self.rig.now_ns * 1e-9)

    def asks(self, op: str, **args: Any) -> None:
        """A person's request, and the time in which the operator could undo it."""
        self.desk.sent.clear()
        self.run(900, Request(id=99, op=op, args=args))


@pytest.fixture
def session() -> Session:
    running = Session()
    running.run(1800)
    return running


def test_it_enables_homes_and_engages_a_session_that_has_just_begun(session: Session) -> None:
    assert session.rig.state == ("FOLLOWING", "none")
    assert session.desk.sent[:2] == ["enable", "home"]
    assert "engage" in session.desk.sent


def test_a_hand_that_was_lost_for_a_moment_is_engaged_again(session: Session) -> None:
    session.desk.sent.clear()
    for _ in range(40):
        session.run(1, sample=None)
    assert session.rig.state == ("HOLDING", "master_stale")
    session.run(900)
    assert set(session.desk.sent) == {"engage"}
    assert session.rig.state == ("FOLLOWING", "none")


def late_controller(session: Session) -> tuple[str, str]:
    """Every third deadline is missed."""
    for k in range(900):
        skips = k % 3 == 0
        session.rig.now_ns += MS * skips
        session.rig.dt = (1 + skips) * PERIOD_S
        session.run(1)
    session.rig.dt = PERIOD_S
    return "HOLDING", "controller_late"


def unsteady_hand(session: Session) -> tuple[str, str]:
    """Every second sample of the hand is missing, eight at a time."""
    for k in range(900):
        session.run(1, sample=None if k % 16 < 8 else "hand")
    return "HOLDING", "master_unsteady"


def lost_hand(session: Session) -> tuple[str, str]:
    """The hand is silent for longer than the deadman may be."""
    for _ in range(150):
        session.run(1, sample=None)
    return "IDLE", "master_lost"


@pytest.mark.parametrize("trouble", [late_controller, unsteady_hand, lost_hand])
def test_trouble_that_has_passed_is_followed_by_engaging_again(
    trouble: Callable[[Session], tuple[str, str]], session: Session
) -> None:
    assert trouble(session) == session.rig.state
    session.run(2500)
    assert session.rig.state == ("FOLLOWING", "none")


@pytest.mark.parametrize(
    ("op", "state"), [("disable", ("IDLE", "not_enabled")), ("release", ("IDLE", "not_engaged"))]
)
def test_what_a_person_ended_stays_ended_until_a_person_goes_on(
    session: Session, op: str, state: tuple[str, str]
) -> None:
    session.asks(op)
    assert session.desk.sent == []
    assert session.rig.state == state
    if op == "disable":
        session.asks("enable")
        assert session.desk.sent == []
        assert session.rig.state == ("IDLE", "not_engaged")
    session.asks("engage")
    assert session.rig.state == ("FOLLOWING", "none")
    _is_helped_again(session)


def test_an_emergency_stop_is_left_to_a_person_who_resets_enables_and_engages(session: Session) -> None:
    session.desk.sent.clear()
    session.run(900, estops=(("console", "test"),))
    assert session.desk.sent == []
    assert session.rig.state == ("IDLE", "estop")
    for op, state in (("reset_fault", "not_enabled"), ("enable", "not_engaged")):
        session.asks(op)
        assert session.desk.sent == []
        assert session.rig.state == ("IDLE", state)
    session.asks("engage")
    assert session.rig.state == ("FOLLOWING", "none")
    _is_helped_again(session)


def _is_helped_again(session: Session) -> None:
    """Once a person has engaged, a loss that nobody asked for is mended as before."""
    for _ in range(40):
        session.run(1, sample=None)
    assert session.rig.state == ("HOLDING", "master_stale")
    session.run(900)
    assert session.rig.state == ("FOLLOWING", "none")


def test_where_telemetry_was_missed_nobody_is_taken_to_have_asked(session: Session) -> None:
    session.rig.request("release")  # this tick's telemetry never comes
    session.seq += 5
    session.desk.sent.clear()
    session.run(900)
    assert "engage" in session.desk.sent
    assert session.rig.state == ("FOLLOWING", "none")
