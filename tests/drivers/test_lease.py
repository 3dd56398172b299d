"""One holder at a time, and what each request may do."""

from __future__ import annotations

import pytest

from tests.drivers.rig import CLIENT, SESSION, armed, bench, moving


def test_one_lease_at_a_time() -> None:
    arm = bench()
    first = arm.ask("acquire", session=SESSION)
    assert first.result == {"lease": arm.tokens[0], "ttl_s": 1.0}
    other = arm.ask("acquire", client=b"other", session=b"o" * 16)
    assert not other.ok
    assert "another client" in other.error
    again = arm.ask("acquire", session=SESSION)
    assert again.result["lease"] == arm.tokens[0]
    stolen = arm.ask("acquire", client=b"thief", session=SESSION)
    assert not stolen.ok
    moved = arm.ask("acquire", client=b"reconnected", session=SESSION, lease=arm.tokens[0])
    assert moved.ok
    assert arm.ask("enable", client=b"reconnected").ok


def test_a_lease_lapses_without_commands_and_is_kept_by_them() -> None:
    arm = armed()
    for _ in range(1500):
        arm.send(mode="HOLD")
    assert arm.contract.lease.held
    arm.silence(999)
    assert arm.contract.lease.held
    arm.silence(1)
    assert not arm.contract.lease.held
    old = arm.tokens[0]
    assert arm.ask("acquire", client=b"next", session=b"n" * 16).ok
    arm.send(lease=old)
    assert arm.contract.rejected == {"lease": 1}


def test_a_new_lease_starts_its_sequence_anew() -> None:
    arm, _ = moving(0.01)
    assert arm.ask("release").ok
    arm.silence(20)
    arm.seq = 0
    arm.arm()
    arm.send(seq=0)
    assert not arm.contract.rejected


@pytest.mark.parametrize("op", ["enable", "home", "release"])
def test_only_the_holder_may_ask_for_what_leads_to_motion(op: str) -> None:
    arm = bench(is_homed=False)
    assert not arm.ask(op).ok
    arm.arm()
    assert not arm.ask(op, client=b"other").ok
    assert not arm.ask(op, client=b"other", lease=b"").ok
    assert not arm.ask(op, client=b"other", lease=b"x" * 16).ok
    assert arm.ask(op, client=b"other", lease=arm.tokens[0]).ok


def test_anybody_may_disable() -> None:
    arm = armed()
    assert arm.ask("disable", client=b"anybody").ok
    assert arm.contract.state == "DISABLED"


def test_home_needs_an_enabled_arm_at_rest() -> None:
    arm = bench()
    arm.ask("acquire", session=SESSION)
    assert "ENABLED" in arm.ask("home").error
    arm, _ = moving(0.05)
    assert "moving" in arm.ask("home").error


@pytest.mark.parametrize(
    "args", [{}, {"session": b"short"}, {"session": "s" * 16}, {"session": None}, {"session": 7}]
)
def test_acquire_without_a_session_is_refused(args: dict[str, object]) -> None:
    assert "16 bytes" in bench().ask("acquire", **args).error


def test_an_unknown_request_names_those_there_are() -> None:
    reply = bench().ask("dance", client=CLIENT)
    assert not reply.ok
    assert "acquire, release, enable, disable, home, get_info" in reply.error


def test_get_info_says_what_the_arm_is() -> None:
    info = bench().ask("get_info").result
    assert info["name"] == "arm"
    assert info["joints"] == ["turn", "slide"]
    assert info["rate_hz"] == 1000.0
    assert info["limits"]["qd_max"] == [2.0, 0.5]
