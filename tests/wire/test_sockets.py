from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import msgpack
import pytest
import zmq

from teleop.wire.endpoints import Participant
from teleop.wire.errors import EndpointError
from teleop.wire.estop import EstopPusher, EstopReceiver
from teleop.wire.messages import Event, Header, MeasuredCp, ServoJp
from teleop.wire.sockets import (
    MAX_PER_CALL,
    Context,
    NewestSubscriber,
    Publisher,
    QueueSubscriber,
    new_session,
    open_context,
)
from teleop.wire.streams import Role
from tests.wire.samples import event, header, measured_cp, servo_jp

pytestmark = pytest.mark.process

SESSION = new_session()
M = TypeVar("M", bound=Header)
T = TypeVar("T")


def connect(publisher: Publisher, make: Callable[..., M], receive: Callable[[], M | None]) -> M:
    """Send until something arrives: a PUB socket drops what it sends before a SUB is there."""
    deadline = time.monotonic() + 10.0
    while time.monotonic() < deadline:
        publisher.send(make(publisher.header(time.monotonic_ns())))
        time.sleep(0.002)
        if (message := receive()) is not None:
            return message
    raise AssertionError("nothing arrived within 10 s")


def eventually(receive: Callable[[], T | None]) -> T:
    deadline = time.monotonic() + 10.0
    while time.monotonic() < deadline:
        if (message := receive()) is not None:
            return message
        time.sleep(0.001)
    raise AssertionError("nothing arrived within 10 s")


def test_a_subscriber_that_connects_before_the_path_exists_hears_the_publisher(
    context: Context, master: Participant
) -> None:
    channel = master.channel("measured_cp")
    with NewestSubscriber(context, channel, MeasuredCp) as subscriber:
        assert subscriber.newest() is None
        time.sleep(0.1)  # several attempts to connect fail meanwhile
        with Publisher(context, channel, SESSION) as publisher:
            assert connect(publisher, measured_cp, subscriber.newest).session == SESSION


def test_a_subscriber_finds_a_publisher_that_was_restarted(context: Context, master: Participant) -> None:
    channel = master.channel("measured_cp")
    with NewestSubscriber(context, channel, MeasuredCp) as subscriber:
        for session in (new_session(), new_session()):
            # Its own context, as in a process of its own: closing a context waits until its sockets are gone.
            with open_context() as own, Publisher(own, channel, session) as publisher:
                while connect(publisher, measured_cp, subscriber.newest).session != session:
                    pass


def test_a_reader_that_stalled_gets_the_newest_message_and_then_none(
    context: Context, arm: Participant
) -> None:
    channel = arm.channel("servo_jp")  # bound by the subscriber, so this also shows that side
    with (
        NewestSubscriber(context, channel, ServoJp) as subscriber,
        Publisher(context, channel, SESSION) as publisher,
    ):
        connect(publisher, servo_jp, subscriber.newest)
        for _ in range(500):
            publisher.send(servo_jp(publisher.header(time.monotonic_ns())))
        last = publisher.header(0)["seq"] - 1
        time.sleep(0.2)
        newest = eventually(subscriber.newest)
        assert newest.seq == last
        assert subscriber.newest() is None


def test_each_sender_has_a_slot_so_that_a_loud_one_hides_nobody(context: Context, arm: Participant) -> None:
    channel = arm.channel("servo_jp")
    with (
        NewestSubscriber(context, channel, ServoJp) as subscriber,
        Publisher(context, channel, SESSION) as quiet,
        Publisher(context, channel, new_session()) as loud,
    ):
        for sender in (quiet, loud):
            connect(sender, servo_jp, subscriber.newest)
        while subscriber.newest() is not None:
            pass
        quiet.send(servo_jp(quiet.header(time.monotonic_ns())))
        for _ in range(300):
            loud.send(servo_jp(loud.header(time.monotonic_ns())))
        time.sleep(0.2)
        heard = {eventually(subscriber.newest).session for _ in range(2)}
        assert len(heard) == 2
        assert subscriber.newest() is None


def test_the_header_counts_up_by_one_a_message(context: Context, controller: Participant) -> None:
    with Publisher(context, controller.channel("event"), SESSION) as publisher:
        heads = [publisher.header(stamp) for stamp in (10, 20, 30)]
    assert [h["seq"] for h in heads] == [0, 1, 2]
    assert [h["stamp_ns"] for h in heads] == [10, 20, 30]
    assert {(h["schema"], h["stream"], h["session"]) for h in heads} == {(1, "event", SESSION)}


def test_a_queue_keeps_order_and_counts_what_its_bound_dropped(
    context: Context, controller: Participant
) -> None:
    channel = controller.channel("event")
    with (
        Publisher(context, channel, SESSION) as publisher,
        QueueSubscriber(context, channel, Event, depth=10) as subscriber,
    ):
        first = connect(publisher, event, subscriber.receive).seq
        for _ in range(5000):
            publisher.send(event(publisher.header(0)))
        after_flood = publisher.header(0)["seq"]
        seqs = [first]
        while seqs[-1] <= after_flood:
            publisher.send(event(publisher.header(0)))
            time.sleep(0.002)
            while (message := subscriber.receive()) is not None:
                seqs.append(message.seq)
    assert seqs == sorted(set(seqs))
    print(f"received {len(seqs)}, dropped {subscriber.dropped}")
    assert subscriber.dropped == seqs[-1] - first + 1 - len(seqs)
    assert subscriber.dropped > 0
    assert subscriber.restarts == 0


def test_a_queue_notices_a_restarted_sender_and_does_not_call_it_a_loss(
    context: Context, controller: Participant
) -> None:
    channel = controller.channel("event")
    with QueueSubscriber(context, channel, Event) as subscriber:
        for session in (new_session(), new_session()):
            # Its own context, as in a process of its own: closing a context waits until its sockets are gone.
            with open_context() as own, Publisher(own, channel, session) as publisher:
                while connect(publisher, event, subscriber.receive).session != session:
                    pass
        assert subscriber.restarts == 1
        assert subscriber.dropped == 0


def test_what_is_not_a_message_is_counted_by_reason_and_the_good_one_behind_it_is_found(
    context: Context, arm: Participant
) -> None:
    channel = arm.channel("estop")
    good = {**header("estop"), "source": "a", "why": "b"}
    with EstopReceiver(context, channel) as receiver, context.socket(zmq.PUSH) as stranger:
        stranger.connect(channel.address)
        for data in (b"\xc1", msgpack.packb(good | {"schema": 9}), msgpack.packb(good | {"stream": "x"})):
            stranger.send(data)
        stranger.send_multipart([b"two", b"parts"])
        stranger.send(msgpack.packb(good))
        assert eventually(receiver.receive).source == "a"
        assert receiver.rejected == {"malformed": 3, "unknown_schema": 1, "wrong_stream": 1}
        assert receiver.last_rejected is not None


def test_a_flood_of_bad_messages_costs_a_bounded_number_of_reads_a_call(
    context: Context, arm: Participant
) -> None:
    channel = arm.channel("estop")
    with EstopReceiver(context, channel) as receiver, context.socket(zmq.PUSH) as stranger:
        stranger.connect(channel.address)
        for _ in range(200):
            stranger.send(b"\xc1")
        assert receiver.wait(10.0)
        time.sleep(0.2)
        assert receiver.receive() is None
        assert receiver.rejected.total() == MAX_PER_CALL


def test_an_oversized_message_ends_the_senders_connection_and_nobody_elses(
    context: Context, arm: Participant
) -> None:
    channel = arm.channel("estop")
    with (
        EstopReceiver(context, channel) as receiver,
        context.socket(zmq.PUSH) as stranger,
        EstopPusher(context, channel, SESSION) as pusher,
    ):
        stranger.setsockopt(zmq.LINGER, 0)
        stranger.connect(channel.address)
        stranger.send(b"\x00" * 10_000_000)
        assert pusher.push("console", "pressed", timeout_s=10.0)
        assert eventually(receiver.receive).why == "pressed"
        time.sleep(0.1)
        assert receiver.receive() is None
        assert not receiver.rejected  # ZeroMQ never read it into our memory


def test_multipart_messages_to_a_conflating_socket_do_no_harm(context: Context, arm: Participant) -> None:
    channel = arm.channel("servo_jp")
    with (
        NewestSubscriber(context, channel, ServoJp) as subscriber,
        context.socket(zmq.PUB) as stranger,
        Publisher(context, channel, SESSION) as publisher,
    ):
        stranger.setsockopt(zmq.LINGER, 0)
        stranger.connect(channel.address)
        connect(publisher, servo_jp, subscriber.newest)
        for _ in range(300):
            stranger.send_multipart([b"a", b"b" * 100, b"c"])
        assert connect(publisher, servo_jp, subscriber.newest).session == SESSION


def test_estops_arrive_all_and_in_order(context: Context, controller: Participant) -> None:
    channel = controller.channel("estop")
    with EstopReceiver(context, channel) as receiver, EstopPusher(context, channel, SESSION) as pusher:
        for n in range(50):
            assert pusher.push("console", f"number {n}", timeout_s=10.0)
        assert [eventually(receiver.receive).why for _ in range(50)] == [f"number {n}" for n in range(50)]


def test_an_estop_that_nobody_can_hear_says_so(context: Context, arm: Participant) -> None:
    with EstopPusher(context, arm.channel("estop"), SESSION) as pusher:
        assert not pusher.push("console", "pressed", timeout_s=0.05)


def test_estops_pushed_just_before_exit_still_arrive(context: Context, arm: Participant) -> None:
    push = (
        "import sys; from teleop.wire.endpoints import Participant\n"
        "from teleop.wire.estop import EstopPusher\n"
        "from teleop.wire.sockets import open_context; from teleop.wire.streams import Role\n"
        "with open_context() as c, EstopPusher(c, Participant(Role.ARM, 'psm', sys.argv[1]).channel('estop'),"
        " bytes(16)) as p: sys.exit(not all(p.push('script', 'x' * 900, timeout_s=10) for _ in range(50)))"
    )
    with EstopReceiver(context, arm.channel("estop")) as receiver:
        subprocess.run([sys.executable, "-c", push, arm.endpoint], check=True, timeout=30)
        assert [eventually(receiver.receive).seq for _ in range(50)] == list(range(50))


def test_binding_a_path_that_a_living_socket_has_is_refused(context: Context, arm: Participant) -> None:
    channel = arm.channel("estop")
    with EstopReceiver(context, channel) as receiver, EstopPusher(context, channel, SESSION) as pusher:
        with pytest.raises(EndpointError, match="a running process has it"):
            EstopReceiver(context, channel)
        assert pusher.push("console", "still heard", timeout_s=10.0)
        assert eventually(receiver.receive).why == "still heard"


def test_binding_over_the_file_of_a_killed_process_works(context: Context, arm: Participant) -> None:
    channel = arm.channel("estop")
    die = (
        "import os, signal, sys, zmq; s = zmq.Context().socket(zmq.PULL); s.bind(sys.argv[1]);"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    killed = subprocess.run([sys.executable, "-c", die, channel.address], timeout=30, check=False)
    assert killed.returncode == -9
    assert os.path.exists(channel.address.removeprefix("ipc://"))
    EstopReceiver(context, channel).close()


def test_binding_in_a_directory_that_is_not_there_says_which(context: Context, folder: Path) -> None:
    arm = Participant(Role.ARM, "psm", f"ipc://{folder}/missing/psm")
    with pytest.raises(EndpointError, match=r"missing; create it first"):
        EstopReceiver(context, arm.channel("estop"))


def test_two_participants_on_one_tcp_port_get_a_plain_error(context: Context) -> None:
    with context.socket(zmq.PULL) as other:
        port = other.bind_to_random_port("tcp://127.0.0.1", 20_000, 30_000)
        arm = Participant(Role.ARM, "psm", f"tcp://127.0.0.1:{port - 3}")
        with pytest.raises(EndpointError, match="another process has it"):
            EstopReceiver(context, arm.channel("estop"))


def test_the_wire_works_over_tcp_loopback(context: Context) -> None:
    for base in range(20_000, 30_000, 10):
        master = Participant(Role.MASTER, "left", f"tcp://127.0.0.1:{base}")
        channel = master.channel("measured_cp")
        try:
            publisher = Publisher(context, channel, SESSION)
        except EndpointError:
            continue
        with publisher, NewestSubscriber(context, channel, MeasuredCp) as subscriber:
            assert connect(publisher, measured_cp, subscriber.newest).p_m == [0.1, -0.2, 0.3]
        return
    raise AssertionError("no free port")


def test_a_publisher_refuses_to_bind_off_loopback(context: Context) -> None:
    master = Participant(Role.MASTER, "left", "tcp://0.0.0.0:5600")
    with pytest.raises(EndpointError, match="trocar keys"):
        Publisher(context, master.channel("measured_cp"), SESSION)


def test_a_socket_that_does_not_fit_its_stream_is_a_programming_error(
    context: Context, arm: Participant, controller: Participant
) -> None:
    with pytest.raises(TypeError, match="ROUTER stream"):
        Publisher(context, arm.channel("request"), SESSION)
    with pytest.raises(TypeError, match="newest only"):
        QueueSubscriber(context, arm.channel("servo_jp"), ServoJp)
    with pytest.raises(TypeError, match="PUB stream of Event"):
        NewestSubscriber(context, controller.channel("event"), Event)
    with pytest.raises(TypeError, match="stream of ServoJp"):
        NewestSubscriber(context, arm.channel("servo_jp"), MeasuredCp)
