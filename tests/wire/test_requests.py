from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import msgpack
import pytest
import zmq

from teleop.wire.endpoints import Participant
from teleop.wire.errors import RequestRefusedError, RequestTimeoutError
from teleop.wire.requests import Incoming, RequestClient, RequestServer
from teleop.wire.sockets import Context, open_context

pytestmark = pytest.mark.process

OPS = ("enable", "get_info", "slow")


class Served:
    """A server in a thread of its own, with its own context as in another process."""

    def __init__(self, arm: Participant) -> None:
        self.arm = arm
        self.seen: list[str] = []
        self.rejected: dict[str, int] = {}
        self._stop = threading.Event()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        assert self._ready.wait(10.0)

    def _run(self) -> None:
        with open_context() as context, RequestServer(context, self.arm.channel("request"), OPS) as server:
            self._ready.set()
            while not self._stop.is_set():
                server.wait(0.01)
                while (incoming := server.receive()) is not None:
                    self._answer(server, incoming)
                self.rejected = dict(server.rejected)

    def _answer(self, server: RequestServer, incoming: Incoming) -> None:
        self.seen.append(incoming.request.op)
        match incoming.request.op:
            case "enable":
                server.refuse(incoming, "not homed; home the arm first")
            case "slow":
                time.sleep(0.2)
                server.succeed(incoming, "late")
            case _:
                server.succeed(incoming, incoming.request.args)

    def close(self) -> None:
        self._stop.set()
        self._thread.join()


@pytest.fixture
def served(arm: Participant) -> Iterator[Served]:
    served = Served(arm)
    yield served
    served.close()


@pytest.fixture
def dealer(context: Context, served: Served) -> Iterator[zmq.Socket[bytes]]:
    with context.socket(zmq.DEALER) as socket:
        socket.setsockopt(zmq.LINGER, 0)
        socket.setsockopt(zmq.RCVTIMEO, 10_000)
        socket.connect(served.arm.channel("request").address)
        yield socket


def ask(dealer: zmq.Socket[bytes], body: Any) -> dict[str, Any]:
    dealer.send(msgpack.packb(body))
    reply: dict[str, Any] = msgpack.unpackb(dealer.recv())
    return reply


def test_a_request_brings_its_result(context: Context, served: Served) -> None:
    with RequestClient(context, served.arm.channel("request")) as client:
        assert client.call("get_info", {"a": [1, 2]}, timeout_s=10) == {"a": [1, 2]}


def test_a_refusal_raises_with_the_servers_own_sentence(context: Context, served: Served) -> None:
    with (
        RequestClient(context, served.arm.channel("request")) as client,
        pytest.raises(RequestRefusedError, match=r"^not homed; home the arm first$"),
    ):
        client.call("enable", timeout_s=10)


def test_an_unknown_operation_is_refused_with_a_list_of_those_there_are(
    context: Context, served: Served
) -> None:
    with (
        RequestClient(context, served.arm.channel("request")) as client,
        pytest.raises(RequestRefusedError, match="no operation 'dance'; there are: enable, get_info, slow"),
    ):
        client.call("dance", timeout_s=10)
    assert served.seen == []


def test_a_request_to_nobody_times_out_and_is_not_executed_by_who_comes_later(
    context: Context, arm: Participant
) -> None:
    with RequestClient(context, arm.channel("request")) as client:
        with pytest.raises(RequestTimeoutError, match="is that process running"):
            client.call("enable", timeout_s=0.05)
        assert client.send("enable") is None
        served = Served(arm)
        try:
            assert client.call("get_info", timeout_s=10) == {}
            assert served.seen == ["get_info"]
        finally:
            served.close()


def test_a_late_reply_is_not_taken_for_the_answer_to_the_next_request(
    context: Context, served: Served
) -> None:
    with RequestClient(context, served.arm.channel("request")) as client:
        client.call("get_info", timeout_s=10)
        with pytest.raises(RequestTimeoutError, match="gave no answer"):
            client.call("slow", timeout_s=0.05)
        assert client.call("get_info", {"n": 2}, timeout_s=10) == {"n": 2}


def test_a_loop_can_ask_without_waiting(context: Context, served: Served) -> None:
    with RequestClient(context, served.arm.channel("request")) as client:
        client.call("get_info", timeout_s=10)
        sent = client.send("get_info", {"n": 3})
        assert client.wait(10.0)
        reply = client.receive()
        assert reply is not None
        assert (reply.id, reply.ok, reply.result) == (sent, True, {"n": 3})
        assert client.receive() is None


def test_an_independent_dealer_is_answered_in_the_protocols_own_words(
    dealer: zmq.Socket[bytes],
) -> None:
    assert ask(dealer, {"id": 5, "op": "get_info", "args": {}}) == {"id": 5, "ok": True, "result": {}}
    assert ask(dealer, {"id": 6, "op": "enable"}) == {
        "id": 6,
        "ok": False,
        "error": "not homed; home the arm first",
    }


def test_a_req_socket_is_answered_too(context: Context, served: Served) -> None:
    with context.socket(zmq.REQ) as req:
        req.setsockopt(zmq.LINGER, 0)
        req.setsockopt(zmq.RCVTIMEO, 10_000)
        req.connect(served.arm.channel("request").address)
        assert ask(req, {"id": 1, "op": "get_info", "args": {"x": 1}})["result"] == {"x": 1}


@pytest.mark.parametrize(
    "body",
    [
        {"id": 9, "op": 3},
        {"id": 9},
        {"id": 9, "op": "enable", "args": [1]},
        {"id": 9, "op": "x" * 65},
        {"id": 9, "op": "enable", "schema": 2},
    ],
)
def test_a_malformed_request_whose_id_can_be_read_is_answered_with_an_error(
    dealer: zmq.Socket[bytes], served: Served, body: dict[str, Any]
) -> None:
    reply = ask(dealer, body)
    assert (reply["id"], reply["ok"]) == (9, False)
    assert reply["error"]
    assert served.seen == []


def test_rubbish_is_counted_and_the_server_lives_on(dealer: zmq.Socket[bytes], served: Served) -> None:
    rubbish = [b"", b"\xc1", b"\x91" * 5000, msgpack.packb({"op": "enable"}), msgpack.packb([1, 2])]
    for data in rubbish:
        dealer.send(data)
    dealer.send_multipart([b"three", b"frames", b"here"])
    assert ask(dealer, {"id": 1, "op": "get_info"})["ok"]
    time.sleep(0.05)
    assert served.rejected == {"malformed": len(rubbish) + 1}
    assert served.seen == ["get_info"]


def test_a_client_that_never_reads_does_not_block_the_server(
    context: Context, dealer: zmq.Socket[bytes], served: Served
) -> None:
    body = msgpack.packb({"id": 1, "op": "get_info", "args": {"x": b"\0" * 20_000}})
    for _ in range(500):
        try:
            dealer.send(body, zmq.NOBLOCK)
        except zmq.Again:
            break
    with RequestClient(context, served.arm.channel("request")) as client:
        assert client.call("get_info", {"n": 1}, timeout_s=20) == {"n": 1}


def test_an_answer_too_large_for_the_wire_becomes_an_error(context: Context, arm: Participant) -> None:
    with (
        RequestServer(context, arm.channel("request"), OPS) as server,
        RequestClient(context, arm.channel("request")) as client,
    ):
        deadline = time.monotonic() + 10
        while client.send("get_info") is None and time.monotonic() < deadline:
            time.sleep(0.01)
        assert server.wait(10)
        incoming = server.receive()
        assert incoming is not None
        server.succeed(incoming, b"\0" * 100_000)
        assert client.wait(10)
        reply = client.receive()
        assert reply is not None
        assert not reply.ok
        assert "does not fit the wire" in reply.error
