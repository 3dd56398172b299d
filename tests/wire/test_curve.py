"""CURVE over tcp: who is let in, who is not, and what is said about keys that cannot be used."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import zmq

from teleop.wire.endpoints import Participant
from teleop.wire.errors import EndpointError, KeyFileError, RequestTimeoutError
from teleop.wire.estop import EstopPusher, EstopReceiver
from teleop.wire.gatekeeper import Gatekeeper
from teleop.wire.keys import PUBLIC, SECRET, Keyring, load_keyring, make_keys
from teleop.wire.messages import ServoJp
from teleop.wire.requests import RequestClient, RequestServer
from teleop.wire.runtime_dir import private_dir
from teleop.wire.sockets import Context, NewestSubscriber, Publisher, new_session, open_context
from teleop.wire.streams import Role
from tests.wire.ports import free_base
from tests.wire.samples import event, servo_jp

NAMES = ("controller", "operator", "viewer", "psm")


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    folder = tmp_path / "keys"
    assert make_keys(folder, NAMES) == list(NAMES)
    return folder


@pytest.fixture
def base() -> str:
    """Five ports in a row that nobody has now."""
    return free_base()


def ring(keys: Path, name: str) -> Keyring:
    return load_keyring(keys, name, NAMES, viewers=("viewer",))


def eventually(what: Callable[[], bool], tick: Callable[[], None], timeout_s: float = 5.0) -> bool:
    end = time.monotonic() + timeout_s
    while time.monotonic() < end:
        tick()
        if what():
            return True
        time.sleep(0.002)
    return False


class Arm:
    """An arm driver's sockets, its loop turned by hand."""

    def __init__(self, stack: ExitStack, keys: Path, base: str) -> None:
        self.context = stack.enter_context(open_context(ring(keys, "psm")))
        at = Participant(Role.ARM, "psm", base).channel
        self.at = at
        self.commands = stack.enter_context(NewestSubscriber(self.context, at("servo_jp"), ServoJp))
        self.requests = stack.enter_context(RequestServer(self.context, at("request"), ("get_info",)))
        self.estops = stack.enter_context(EstopReceiver(self.context, at("estop")))
        self.heard: list[str] = []

    def tick(self) -> None:
        self.context.admit()
        if self.commands.newest() is not None:
            self.heard.append("command")
        if (incoming := self.requests.receive()) is not None:
            self.requests.succeed(incoming)
            self.heard.append("request")
        if self.estops.receive() is not None:
            self.heard.append("estop")


@pytest.fixture
def arm(keys: Path, base: str) -> Iterator[Arm]:
    with ExitStack() as stack:
        yield Arm(stack, keys, base)


def test_the_controller_is_let_in_everywhere(arm: Arm, keys: Path) -> None:
    with open_context(ring(keys, "controller")) as context:
        commands = Publisher(context, arm.at("servo_jp"), new_session())
        client = RequestClient(context, arm.at("request"))

        def talk() -> None:
            arm.tick()
            commands.send(servo_jp(commands.header(0)))
            client.send("get_info")

        assert eventually(lambda: {"command", "request"} <= set(arm.heard), talk)
    assert arm.context.gatekeeper is not None
    assert set(arm.context.gatekeeper.admitted) == {"controller"}


def test_an_operator_may_stop_an_arm_but_neither_command_nor_ask_it(arm: Arm, keys: Path) -> None:
    with open_context(ring(keys, "operator")) as context:
        pusher = EstopPusher(context, arm.at("estop"), new_session())
        commands = Publisher(context, arm.at("servo_jp"), new_session())
        client = RequestClient(context, arm.at("request"))
        assert eventually(lambda: pusher.push("test", "why", timeout_s=0.0), arm.tick)

        def talk() -> None:
            arm.tick()
            commands.send(servo_jp(commands.header(0)))
            client.send("get_info")

        gatekeeper = arm.context.gatekeeper
        assert gatekeeper is not None
        assert eventually(lambda: gatekeeper.refused["not_allowed"] >= 2, talk)
        assert eventually(lambda: "estop" in arm.heard, talk)
    assert set(arm.heard) == {"estop"}


@pytest.mark.parametrize("how", ["plain", "stranger"])
def test_who_has_no_key_of_the_session_is_kept_out_and_moves_nothing(arm: Arm, keys: Path, how: str) -> None:
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    try:
        dealer = context.socket(zmq.DEALER)
        dealer.setsockopt(zmq.LINGER, 0)
        if how == "stranger":
            public, secret = zmq.curve_keypair()
            dealer.curve_publickey, dealer.curve_secretkey = public, secret
            dealer.curve_serverkey = ring(keys, "psm").public
        dealer.connect(arm.at("request").address)
        dealer.send(b"\x83\xa2id\x01\xa2op\xa8get_info\xa4args\x80")
        for _ in range(200):
            arm.tick()
            time.sleep(0.002)
        assert not dealer.poll(0)
    finally:
        context.destroy(linger=0)
    assert arm.heard == []
    if how == "stranger":
        assert arm.context.gatekeeper is not None
        assert arm.context.gatekeeper.refused["unknown_key"] >= 1


def test_where_nobody_answers_at_the_gate_nobody_gets_in(arm: Arm, keys: Path) -> None:
    with open_context(ring(keys, "controller")) as context:
        client = RequestClient(context, arm.at("request"))
        with pytest.raises(RequestTimeoutError):
            client.call("get_info", timeout_s=0.3)
        # Without a handler at all libzmq would let everybody in, were it not told to enforce the domain.
        assert arm.context.gatekeeper is not None
        arm.context.gatekeeper.close()
        arm.context.gatekeeper = None
        other = RequestClient(context, arm.at("request"))
        with pytest.raises(RequestTimeoutError):
            other.call("get_info", timeout_s=0.3)
    assert arm.heard == []


def test_a_false_server_is_not_believed(keys: Path, base: str, tmp_path: Path) -> None:
    make_keys(tmp_path / "false", NAMES)
    with (
        open_context(ring(tmp_path / "false", "controller")) as theirs,
        open_context(ring(keys, "operator")) as ours,
    ):
        own = Participant(Role.CONTROLLER, "controller", base)
        server = RequestServer(theirs, own.channel("request"), ("enable",))
        client = RequestClient(ours, own.channel("request"))
        end = time.monotonic() + 0.3
        while time.monotonic() < end:
            theirs.admit()
            assert client.send("enable") is None
            assert server.receive() is None


def test_a_viewer_sees_events_and_gives_no_orders(keys: Path, base: str) -> None:
    from teleop.wire.messages import Event
    from teleop.wire.sockets import QueueSubscriber

    own = Participant(Role.CONTROLLER, "controller", base)
    with (
        open_context(ring(keys, "controller")) as theirs,
        open_context(ring(keys, "viewer")) as ours,
    ):
        events = Publisher(theirs, own.channel("event"), new_session())
        server = RequestServer(theirs, own.channel("request"), ("enable",))
        seen = QueueSubscriber(ours, own.channel("event"), Event)
        client = RequestClient(ours, own.channel("request"))

        def talk() -> None:
            theirs.admit()
            events.send(event(events.header(0)))
            assert client.send("enable") is None
            assert server.receive() is None

        assert eventually(lambda: seen.receive() is not None, talk)


def test_a_console_may_steer_a_master_and_a_viewer_may_not(keys: Path, base: str) -> None:
    ring_ = ring(keys, "psm")
    assert ring_.lets_in("operator", Role.MASTER, "steer")
    assert not ring_.lets_in("viewer", Role.MASTER, "steer")
    assert not ring_.lets_in("operator", Role.MASTER, "servo_cf")


def test_binding_every_interface_is_allowed_with_keys_and_only_for_ones_own_sockets(keys: Path) -> None:
    with open_context(ring(keys, "psm")) as context:
        other = Participant(Role.CONTROLLER, "controller", "tcp://127.0.0.1:5990").channel("request")
        with pytest.raises(EndpointError, match="it is controller's, and the keys are psm's"):
            RequestServer(context, other, ())
        stranger = Participant(Role.ARM, "stranger", "tcp://127.0.0.1:5990").channel("request")
        with pytest.raises(EndpointError, match=r"no public key stranger\.key .* `trocar keys`"):
            RequestClient(context, stranger)


@pytest.mark.parametrize(
    "frames",
    [
        [],
        [b"1.0"],
        [b"9.9", b"1", b"arm/request", b"", b"", b"CURVE", b"k" * 32],
        [b"1.0", b"1", b"arm/request", b"", b"", b"NULL"],
        [b"1.0", b"1", b"arm/request", b"", b"", b"CURVE", b""],
        [b"1.0", b"1", b"arm/request", b"", b"", b"CURVE", b"k" * 31],
        [b"1.0", b"1", b"\xff\xfe", b"", b"", b"CURVE", b"k" * 32],
        [b"1.0", b"1", b"gods/request", b"", b"", b"CURVE", b"k" * 32],
    ],
)
def test_a_question_that_makes_no_sense_is_answered_with_no(keys: Path, frames: list[bytes]) -> None:
    with open_context() as context:
        gatekeeper = Gatekeeper(context, ring(keys, "psm"))
        assert gatekeeper._judge(frames)[2] == b"400"
        gatekeeper.close()


# -- key files -----------------------------------------------------------------------------------------


def test_secret_keys_are_for_their_owner_alone_and_are_never_overwritten(keys: Path) -> None:
    assert stat.S_IMODE(keys.stat().st_mode) == 0o700
    for name in NAMES:
        assert stat.S_IMODE((keys / (name + SECRET)).stat().st_mode) == 0o600
        assert "secret-key" not in (keys / (name + PUBLIC)).read_text()
    before = (keys / ("psm" + SECRET)).read_bytes()
    assert make_keys(keys, [*NAMES, "new"]) == ["new"]
    assert (keys / ("psm" + SECRET)).read_bytes() == before


def test_zeromqs_own_loader_reads_our_files(keys: Path) -> None:
    from zmq.auth import load_certificate

    public, secret = load_certificate(keys / ("psm" + SECRET))
    assert zmq.curve_public(secret) == public == ring(keys, "psm").public


def test_all_mistakes_of_the_keys_are_told_at_once(keys: Path) -> None:
    (keys / ("psm" + SECRET)).chmod(0o640)
    (keys / ("operator" + PUBLIC)).unlink()
    (keys / ("viewer" + PUBLIC)).write_text("nonsense")
    (keys / ("controller" + PUBLIC)).write_text("x" * 5000)
    with pytest.raises(KeyFileError) as caught:
        ring(keys, "psm")
    text = str(caught.value)
    assert len(caught.value.mistakes) == 4
    for part in ("0640", "chmod 600", "operator.key: there is no such key", "viewer.key", "controller.key"):
        assert part in text


def test_a_keyring_never_shows_its_secret(keys: Path) -> None:
    keyring = ring(keys, "psm")
    assert keyring.secret.decode() not in repr(keyring)
    assert keyring.secret.decode() not in str(keyring)


def test_a_folder_of_sockets_that_others_may_write_in_is_refused(tmp_path: Path) -> None:
    assert stat.S_IMODE(private_dir(tmp_path / "a" / "b").stat().st_mode) == 0o700
    loose = tmp_path / "loose"
    loose.mkdir()
    loose.chmod(0o777)
    with pytest.raises(EndpointError, match=r"others may write .* chmod go-w"):
        private_dir(loose)
    if os.geteuid() == 0:
        foreign = tmp_path / "foreign"
        foreign.mkdir()
        os.chown(foreign, 65534, 65534)
        with pytest.raises(EndpointError, match="belongs to another user"):
            private_dir(foreign)


def test_the_context_of_one_host_needs_no_keys(context: Context) -> None:
    assert context.keyring is None
    context.admit()
