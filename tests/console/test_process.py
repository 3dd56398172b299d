"""Where the console listens: the same place again after it was started anew."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from teleop.console.guards import ConsoleError, Door
from teleop.console.process import bind, last_port
from teleop.supervisor.status_file import write_status

HERE = "127.0.0.1"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HERE, 0))
        return int(probe.getsockname()[1])


def test_a_console_that_is_started_again_listens_where_the_last_one_did(tmp_path: Path) -> None:
    status, port = tmp_path / "console.json", free_port()
    write_status(status, {"url": Door(HERE, port, "a-token-of-twenty-chars").url, "viewers": 1})
    assert last_port(status) == port
    with bind(HERE, None, port) as listener:
        assert listener.getsockname()[1] == port


def test_a_port_that_is_taken_by_now_is_not_waited_for() -> None:
    with socket.create_server((HERE, 0)) as other:
        taken = other.getsockname()[1]
        with bind(HERE, None, taken) as listener:
            assert listener.getsockname()[1] != taken
        with pytest.raises(ConsoleError, match=f"port {taken}"):
            bind(HERE, taken)


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"url": 5}', '{"url": "http://h:99999/"}'])
def test_a_status_file_that_says_nothing_gives_no_port(text: str, tmp_path: Path) -> None:
    status = tmp_path / "console.json"
    assert last_port(status) is None
    assert last_port(None) is None
    status.write_text(text)
    assert last_port(status) is None
