"""Sessions whose endpoints leave the host, and the keys that they need then."""

from __future__ import annotations

from pathlib import Path

import pytest

from teleop.cli.keys import make_session_keys
from teleop.config import ConfigError, load_session
from teleop.wire.errors import KeyFileError
from teleop.wire.keys import SECRET

SESSION = """
name = "two-hosts"
controller_endpoint = "tcp://10.1.2.3:5600"

[[pairs]]
name = "right"

[pairs.master]
name = "surgeon"
profile = "synthetic"
endpoint = "tcp://127.0.0.1:5700"

[pairs.arm]
name = "PSM1"
profile = "psm_lnd_400006"
endpoint = "tcp://10.1.2.4:5800"
"""


@pytest.fixture
def session(tmp_path: Path) -> Path:
    path = tmp_path / "two_hosts.toml"
    path.write_text(SESSION)
    return path


def test_every_endpoint_that_leaves_the_host_is_named_when_there_are_no_keys(session: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load_session(session)
    assert len(caught.value.mistakes) == 2
    assert "controller_endpoint: tcp://10.1.2.3:5600" in caught.value.mistakes[0]
    assert "pairs[0].arm.endpoint" in caught.value.mistakes[1]
    assert all("trocar keys" in line for line in caught.value.mistakes)


def test_trocar_keys_makes_what_the_session_needs_and_says_what_to_add(
    session: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert make_session_keys(session, (), overrides=()) == 0
    said = capsys.readouterr().out
    assert "[security]" in said
    session.write_text(SESSION.replace("[[pairs]]", '[security]\nkeys_dir = "keys"\n\n[[pairs]]', 1))
    loaded = load_session(session)
    for name in ("controller", "recorder", "operator", "surgeon", "PSM1"):
        keyring = loaded.keyring(name)
        assert keyring is not None
        assert set(keyring.peers) >= {"controller", "operator", "PSM1"}
    assert make_session_keys(session, ("PSM1",), overrides=()) == 0
    assert "kept" in capsys.readouterr().out


def test_a_name_that_takes_no_part_gets_no_keys_but_a_guess(
    session: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert make_session_keys(session, ("surgon",), overrides=()) == 2
    assert "Did you mean `surgeon`" in capsys.readouterr().err
    assert not (session.parent / "keys").exists()


def test_missing_keys_are_told_when_a_program_starts(session: Path) -> None:
    session.write_text(SESSION.replace("[[pairs]]", "[security]\n\n[[pairs]]", 1))
    loaded = load_session(session)
    with pytest.raises(KeyFileError, match="there is no such key") as caught:
        loaded.keyring("controller")
    assert len(caught.value.mistakes) == 5


def test_a_session_on_ipc_needs_no_keys_even_with_a_table_for_them(tmp_path: Path) -> None:
    path = tmp_path / "s.toml"
    local = "\n".join(line for line in SESSION.splitlines() if "endpoint" not in line)
    path.write_text(local.replace("[[pairs]]", "[security]\n\n[[pairs]]", 1))
    assert load_session(path).keyring("controller") is None


@pytest.mark.parametrize("name", ["controller", "recorder", "operator"])
def test_no_master_or_arm_takes_the_name_of_one_of_our_programs(tmp_path: Path, name: str) -> None:
    path = tmp_path / "s.toml"
    path.write_text(SESSION.replace('name = "surgeon"', f'name = "{name}"'))
    with pytest.raises(ConfigError, match="one of our own programs"):
        load_session(path)


def test_secrets_are_no_part_of_configuration_or_its_hash(session: Path) -> None:
    make_session_keys(session, (), overrides=())
    session.write_text(SESSION.replace("[[pairs]]", '[security]\nkeys_dir = "keys"\n\n[[pairs]]', 1))
    loaded = load_session(session)
    text = repr(loaded) + str(loaded.effective()) + repr(loaded.keyring("PSM1"))
    for file in (session.parent / "keys").glob(f"*{SECRET}"):
        secret = file.read_text().split('secret-key = "')[1].split('"')[0]
        assert secret not in text
    before = loaded.config_hash
    for file in (session.parent / "keys").iterdir():
        file.unlink()
    make_session_keys(session, (), overrides=())
    assert load_session(session).config_hash == before
