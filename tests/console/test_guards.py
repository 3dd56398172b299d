"""The console's door: what it refuses to open to, and whom it lets in."""

from __future__ import annotations

import pytest

from teleop.console.guards import Bucket, ConsoleError, Door

TOKEN = "a-token-of-twenty-chars"


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"host": "192.168.1.5"}, "a token .* and TLS"),
        ({"host": "192.168.1.5", "token": TOKEN}, "TLS"),
        ({"host": "192.168.1.5", "tls": True}, "a token"),
        ({"host": "0.0.0.0", "token": TOKEN, "tls": True}, "every interface"),
        ({"host": "127.0.0.1", "origins": ("https://console.example",)}, "token"),
        ({"host": "127.0.0.1", "origins": ("console.example",)}, "expected an origin"),
    ],
)
def test_an_open_door_is_refused(keys, words) -> None:
    with pytest.raises(ConsoleError, match=words):
        Door(port=8642, **keys)


def test_loopback_needs_no_token_and_knows_its_own_names_only() -> None:
    door = Door("127.0.0.1", 8642)
    for host in ("127.0.0.1:8642", "localhost:8642", "[::1]:8642", "LOCALHOST:8642"):
        assert door.refuse_host(host) == ""
        assert door.refuse_origin(f"http://{host}") == ""
    # A name of the attacker that resolves to us, another port, another scheme, none at all.
    for host in ("evil.example:8642", "127.0.0.1:80", "127.0.0.1", "", None):
        assert door.refuse_host(host)
    for origin in ("http://evil.example:8642", "https://localhost:8642", "null", "", None):
        assert door.refuse_origin(origin)


def test_a_proxy_adds_its_origin_and_host() -> None:
    door = Door("127.0.0.1", 8642, TOKEN, origins=("https://console.example",))
    assert door.refuse_host("console.example") == ""
    assert door.refuse_origin("https://console.example") == ""
    assert door.refuse_origin("http://console.example")


@pytest.mark.parametrize("given", [None, "", "a-token-of-twenty-char", TOKEN + "s", "é"])
def test_a_wrong_token_is_refused(given) -> None:
    door = Door("127.0.0.1", 8642, TOKEN)
    assert door.refuse_token(given)
    assert door.refuse_token(TOKEN) == ""


def test_the_bucket_lets_a_burst_through_and_then_the_rate() -> None:
    bucket = Bucket(rate=10.0, burst=20.0)
    assert sum(bucket.take(100.0) for _ in range(50)) == 20
    assert sum(bucket.take(101.0) for _ in range(50)) == 10
