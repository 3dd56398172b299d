from __future__ import annotations

import pytest

from teleop.wire.endpoints import IPC_PATH_MAX_BYTES, Participant, check_bind, check_connect
from teleop.wire.errors import EndpointError
from teleop.wire.streams import STREAMS, Role


def test_ipc_address_is_base_dot_stream() -> None:
    arm = Participant(Role.ARM, "psm", "ipc:///run/x/psm")
    assert arm.channel("servo_jp").address == "ipc:///run/x/psm.servo_jp"
    assert arm.channel("measured_js").address == "ipc:///run/x/psm.measured_js"


def test_tcp_address_adds_the_port_offset_of_the_stream() -> None:
    arm = Participant(Role.ARM, "psm", "tcp://127.0.0.1:5600")
    ports = [arm.channel(s.name).address for s in STREAMS if s.owner is Role.ARM]
    assert ports == [f"tcp://127.0.0.1:{p}" for p in (5600, 5601, 5602, 5603)]


@pytest.mark.parametrize("endpoint", ["ipc:///run/x/p", "tcp://10.0.0.1:7000"])
@pytest.mark.parametrize("role", list(Role))
def test_no_two_streams_of_a_participant_share_an_address(role: Role, endpoint: str) -> None:
    participant = Participant(role, "left", endpoint)
    addresses = [participant.channel(s.name).address for s in STREAMS if s.owner is role]
    assert len(set(addresses)) == len(addresses)


def test_stream_names_carry_the_owner_except_the_controllers_and_the_estop() -> None:
    arm = Participant(Role.ARM, "psm", "ipc:///run/x/psm")
    controller = Participant(Role.CONTROLLER, "controller", "ipc:///run/x/controller")
    assert arm.channel("servo_jp").name == "psm/servo_jp"
    assert arm.channel("request").name == "psm/request"
    assert arm.channel("estop").name == "estop"
    assert controller.channel("telemetry").name == "telemetry"


def test_the_longest_path_the_system_takes_is_accepted_and_one_more_byte_says_the_limit() -> None:
    suffix = len(".measured_js")
    path = "/" + "d" * (IPC_PATH_MAX_BYTES - suffix - 1)
    assert len(Participant(Role.ARM, "psm", f"ipc://{path}").channel("measured_js").address) == 6 + 107
    with pytest.raises(EndpointError, match=r"108 bytes and the system allows 107; .* 1 bytes shorter"):
        Participant(Role.ARM, "psm", f"ipc://{path}d")


def test_the_path_limit_counts_bytes_not_characters() -> None:
    with pytest.raises(EndpointError, match="system allows 107"):
        Participant(Role.ARM, "psm", "ipc:///" + "é" * 50)


@pytest.mark.parametrize(
    ("endpoint", "says"),
    [
        ("", "neither"),
        ("ipc://", "absolute path"),
        ("ipc://relative/path", "absolute path"),
        ("ipc:///run/x/", "absolute path"),
        ("ipc://@abstract", "absolute path"),
        ("ipc:///a\0b", "absolute path"),
        ("inproc://x", "neither"),
        ("udp://127.0.0.1:1", "neither"),
        ("tcp://127.0.0.1", "neither"),
        ("tcp://127.0.0.1:*", "neither"),
        ("tcp://::1:5600", "neither"),
        ("tcp://127.0.0.1:0", "outside 1 to 65532"),
        ("tcp://127.0.0.1:65533", "outside 1 to 65532"),
        ("tcp://127.0.0.1:99999", "outside 1 to 65532"),
        ("tcp://127.0.0.1:5600\n", "neither"),
    ],
)
def test_an_unusable_endpoint_is_refused_with_what_was_expected(endpoint: str, says: str) -> None:
    with pytest.raises(EndpointError, match=says):
        Participant(Role.ARM, "psm", endpoint)


@pytest.mark.parametrize("name", ["", "a/b", "-x", "a b", "é", "x" * 33, "a\n"])
def test_a_name_that_would_confuse_stream_names_is_refused(name: str) -> None:
    with pytest.raises(EndpointError, match="letters, digits"):
        Participant(Role.ARM, name, "ipc:///run/x")


@pytest.mark.parametrize("host", ["*", "0.0.0.0", "[::]", "192.168.1.5", "example.org", "eth0", "[fe80::1]"])
def test_binding_tcp_where_another_host_can_reach_it_is_refused_and_names_the_keys(host: str) -> None:
    with pytest.raises(EndpointError, match="trocar keys"):
        check_bind(f"tcp://{host}:5600")


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:1", "tcp://127.9.9.9:1", "tcp://[::1]:1", "ipc:///x"])
def test_binding_on_this_host_only_is_allowed(address: str) -> None:
    check_bind(address)


def test_connecting_to_every_interface_is_refused() -> None:
    with pytest.raises(EndpointError, match="name the host"):
        check_connect("tcp://0.0.0.0:5600")
    check_connect("tcp://127.0.0.1:5600")


def test_another_host_is_connected_to_and_bound_for_only_with_keys() -> None:
    with pytest.raises(EndpointError, match="trocar keys"):
        check_connect("tcp://192.168.1.5:5600")
    check_connect("tcp://192.168.1.5:5600", has_keys=True)
    check_bind("tcp://0.0.0.0:5600", has_keys=True)
