"""A configuration with mistakes: each is named once, with file, key, what was expected, and a guess."""

from pathlib import Path

import pytest

from teleop.config import ConfigError, load_session
from teleop.config.toml import apply_overrides, profiles_dir

BAD = """
name = "bad name"
colour = 3

[[pairs]]
name = "right"
[pairs.master]
name = "m"
source = { kind = "synthetic", sede = 3 }
[pairs.arm]
name = "m"
profil = "psm"
[pairs.mapping]
scael = 0.5
rotation_scale = -1
orientation = "free"
[pairs.mapping.registration]
quat_world_camera_xyzw = [0, 0, 0, 2]
[pairs.filter]
kind = "kalman_bnk"
[[pairs]]
name = "right"
"""


def _mistakes(tmp_path: Path, text: str) -> tuple[str, ...]:
    path = tmp_path / "session.toml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_session(path)
    assert all(line.startswith(f"{path}: ") for line in caught.value.mistakes)
    return tuple(line.removeprefix(f"{path}: ") for line in caught.value.mistakes)


def test_every_mistake_is_reported_at_once_with_its_key(tmp_path: Path) -> None:
    mistakes = _mistakes(tmp_path, BAD)
    starts = (
        "name: ",
        "colour: there is no such key",
        "pairs[0].master.source.sede: there is no such key. Did you mean `seed`?",
        "pairs[0].arm.profile: this key is missing",
        "pairs[0].arm.profil: there is no such key. Did you mean `profile`?",
        "pairs[0].mapping.scael: there is no such key. Did you mean `scale`?",
        "pairs[0].mapping.rotation_scale: Input should be greater than 0 (it is -1)",
        "pairs[0].mapping.orientation: Input should be 'relative', 'aligned' or 'locked' (it is 'free')",
        "pairs[0].mapping.registration.quat_world_camera_xyzw: a rotation is a unit quaternion",
        "pairs[0].filter.kind: there is no 'kalman_bnk'. Did you mean `kalman_bank`?",
        "pairs[1].master: this key is missing",
        "pairs[1].arm: this key is missing",
    )
    for start in starts:
        assert sum(line.startswith(start) for line in mistakes) == 1, start
    assert len(mistakes) == len(starts)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name = ", "not valid TOML: "),
        ('name = "x"\npairs = []', "pairs: Tuple should have at least 1 item"),
        ('name = "x"\npairs = 3', "pairs: Input should be a valid tuple"),
    ],
)
def test_a_file_that_is_no_session_says_what_is_wrong(tmp_path: Path, text: str, said: str) -> None:
    assert any(line.startswith(said) for line in _mistakes(tmp_path, text))


def test_names_that_are_used_twice_are_named(tmp_path: Path) -> None:
    demo = (profiles_dir() / "sessions" / "demo.toml").read_text()
    (line,) = _mistakes(tmp_path, demo.replace('name = "PSM1"', 'name = "surgeon"'))
    assert "names of masters and arms must differ; used more than once: surgeon" in line


@pytest.mark.parametrize("where", ["missing.toml", "."])
def test_a_session_that_cannot_be_read_is_an_error_with_its_path(tmp_path: Path, where: str) -> None:
    with pytest.raises(ConfigError, match=str(tmp_path)):
        load_session(tmp_path / where)


def test_bytes_that_are_no_text_are_an_error(tmp_path: Path) -> None:
    (tmp_path / "session.toml").write_bytes(b"\xff\xfe\x00name")
    with pytest.raises(ConfigError, match="not valid TOML"):
        load_session(tmp_path / "session.toml")


def test_an_unknown_profile_lists_those_there_are() -> None:
    with pytest.raises(ConfigError, match="Did you mean `psm_lnd_400006`"):
        load_session(profiles_dir() / "sessions" / "demo.toml", ("pairs[0].arm.profile=psm_lnd",))


def test_overrides_reach_into_lists_and_make_tables() -> None:
    table = {"pairs": [{"name": "a"}]}
    apply_overrides(table, ("pairs[0].mapping.scale=0.25", "pairs[0].name=b", "loop.realtime=false"))
    assert table == {"pairs": [{"name": "b", "mapping": {"scale": 0.25}}], "loop": {"realtime": False}}


@pytest.mark.parametrize(
    ("override", "said"),
    [("scale", "expected key=value"), ("pairs[3].name=x", r"there is no \[3\]"), ("name.x=1", "not a table")],
)
def test_an_override_that_fits_nothing_says_why(override: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        apply_overrides({"name": "x", "pairs": []}, (override,))


def test_the_hash_changes_with_any_value_and_only_then() -> None:
    demo = profiles_dir() / "sessions" / "demo.toml"
    same, other = load_session(demo), load_session(demo, ("pairs[0].mapping.scale=0.51",))
    assert load_session(demo).config_hash == same.config_hash
    assert other.config_hash != same.config_hash


@pytest.mark.parametrize("path", sorted((profiles_dir() / "sessions").glob("*.toml")), ids=lambda p: p.stem)
def test_every_session_that_comes_with_trocar_is_valid(path: Path) -> None:
    assert load_session(path).arms


def test_a_session_that_comes_with_trocar_is_loaded_by_its_bare_name() -> None:
    session = load_session(Path("demo"))
    assert session.path == profiles_dir() / "sessions" / "demo.toml"
    with pytest.raises(ConfigError, match=r"no profile 'demp'.*demo"):
        load_session(Path("demp"))
