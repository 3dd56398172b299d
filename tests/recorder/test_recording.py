"""Files: whole, cut anywhere, damaged anywhere, and on a disk that fills up."""

from __future__ import annotations

import json
import random
import resource
from pathlib import Path

import pytest
from mcap.reader import make_reader

from teleop.recorder.luggage import unpack
from teleop.recorder.read import RecordingReadError, read_recording
from teleop.recorder.sink import RecordingError, check_target
from teleop.recorder.writer import RecordingWriter
from teleop.wire.record import TickRecord

from .theatre import Theatre, floor_toml, nan_hand, theatre


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Theatre:
    made = theatre(tmp_path_factory.mktemp("session"), pairs=2, extra=floor_toml())
    made.disturb = nan_hand
    made.bring_up()
    made.run(600)
    return made


@pytest.fixture(scope="module")
def whole(played: Theatre, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return played.save(tmp_path_factory.mktemp("recording") / "a.mcap")


def test_any_reader_of_mcap_reads_it(whole: Path) -> None:
    with whole.open("rb") as file:
        reader = make_reader(file, validate_crcs=True)
        summary = reader.get_summary()
        assert summary is not None
        assert {s.encoding for s in summary.schemas.values()} == {"jsonschema"}
        assert {c.message_encoding for c in summary.channels.values()} == {"json"}
        assert {c.compression for c in summary.chunk_indexes} == {"zstd"}
        assert max(c.uncompressed_size for c in summary.chunk_indexes) < 80_000
        ticks = [json.loads(m.data) for _, c, m in reader.iter_messages() if c.topic == "tick"]
        names = {a.name for a in reader.iter_attachments()}
    assert [t["tick"] for t in ticks] == list(range(1, 601))
    assert {"session.json", "machine.json", "fields.json", "toml/arms/psm_lnd_400006.toml"} < names


def test_every_tick_and_message_is_in_it(played: Theatre, whole: Path) -> None:
    recording = read_recording(whole)
    assert not recording.damage
    assert recording.metadata["trocar.end"] == {"ticks": "600", "dropped": "0"}
    assert [t.tick for t in recording.ticks()] == [r.tick for r in played.ticks()]
    told = list(recording.telemetry())
    assert [t.pairs[1].q_command for t in told] == [
        r.telemetry.pairs[1].q_command for r in played.ticks() if r.telemetry is not None
    ]
    assert len(list(recording.events())) == len(played.events) > 4


def test_the_session_in_it_is_the_session_that_ran(played: Theatre, whole: Path, tmp_path: Path) -> None:
    recording = read_recording(whole)
    session = unpack(recording.session, recording.attachments, tmp_path)
    assert session.config_hash == played.session.config_hash
    assert session.spec == played.session.spec
    assert session.arms == played.session.arms
    assert [f for f, _ in session.fixtures] == [f for f, _ in played.session.fixtures]


def test_dropped_ticks_are_counted(played: Theatre, tmp_path: Path) -> None:
    recording = read_recording(played.save(tmp_path / "d.mcap", drop=(100, 101, 300)))
    assert recording.metadata["trocar.end"] == {"ticks": "597", "dropped": "3"}


def test_a_file_cut_anywhere_is_read_as_far_as_it_goes(whole: Path, tmp_path: Path) -> None:
    data = whole.read_bytes()
    n_whole = 600
    last = n_whole + 1
    rng = random.Random(1)
    for size in sorted(rng.sample(range(8, len(data)), 20), reverse=True):
        path = tmp_path / "cut.mcap"
        path.write_bytes(data[:size])
        recording = read_recording(path)
        ticks = [t.tick for t in recording.ticks()]
        assert ticks == list(range(1, len(ticks) + 1))
        assert len(ticks) <= last
        assert recording.damage.truncated
        last = len(ticks)


def test_damage_anywhere_costs_the_chunk_it_is_in_and_is_told(whole: Path, tmp_path: Path) -> None:
    data = bytearray(whole.read_bytes())
    rng = random.Random(2)
    per_chunk = 30
    for _ in range(30):
        bad = bytearray(data)
        at = rng.randrange(8, len(data))
        size = rng.choice([1, 4, 200])
        bad[at : at + size] = rng.randbytes(len(bad[at : at + size]))
        path = tmp_path / "bad.mcap"
        path.write_bytes(bad)
        recording = read_recording(path)
        ticks = [t.tick for t in recording.ticks()]
        assert set(ticks) <= set(range(1, 601))
        assert len(ticks) == len(set(ticks))
        lost = 600 - len(ticks)
        assert lost <= 2 * per_chunk
        assert not lost or recording.damage.sentences()


@pytest.mark.parametrize(
    ("data", "said"), [(b"", "is empty"), (b"hello, this is text", "does not begin as an MCAP file does")]
)
def test_what_is_no_recording_is_refused_in_a_sentence(data: bytes, said: str, tmp_path: Path) -> None:
    path = tmp_path / "x.mcap"
    path.write_bytes(data)
    with pytest.raises(RecordingReadError, match=said):
        read_recording(path)


def test_a_foreign_mcap_file_says_what_is_missing(tmp_path: Path) -> None:
    path = tmp_path / "x.mcap"
    RecordingWriter(path).finish({})
    with pytest.raises(RecordingReadError, match=r"session\.json is missing"):
        _ = read_recording(path).session


def test_a_file_that_holds_something_is_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "precious.mcap"
    path.write_bytes(b"precious")
    for refuse in (check_target, RecordingWriter):
        with pytest.raises(RecordingError, match="it exists and holds 8 bytes"):
            refuse(path)
    assert path.read_bytes() == b"precious"
    with pytest.raises(RecordingError, match="No such file or directory"):
        check_target(tmp_path / "nowhere" / "a.mcap")
    check_target(tmp_path / "new.mcap")
    assert not (tmp_path / "new.mcap").exists()


def add_all(writer: RecordingWriter, ticks: list[TickRecord]) -> None:
    for record in ticks:
        writer.add(record)


def test_a_full_disk_ends_the_recording_with_a_sentence_and_leaves_a_good_file(
    played: Theatre, tmp_path: Path
) -> None:
    path = tmp_path / "full.mcap"
    writer = RecordingWriter(path)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, hard))
    try:
        with pytest.raises(RecordingError, match="no more room for it"):
            add_all(writer, played.ticks())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert path.stat().st_size <= 200_000
    recording = read_recording(path)
    assert not recording.damage
    ticks = [t.tick for t in recording.ticks()]
    assert ticks == list(range(1, len(ticks) + 1))
    assert len(ticks) > 50
    with path.open("rb") as file:
        assert sum(c.topic == "tick" for _, c, _ in make_reader(file).iter_messages()) == len(ticks)


def test_killed_at_any_time_at_most_one_chunk_is_missing(played: Theatre, tmp_path: Path) -> None:
    """What is in the file while the recorder runs is what a kill -9 leaves."""
    path = tmp_path / "killed.mcap"
    writer = RecordingWriter(path)
    given: list[TickRecord] = []
    for record in played.ticks():
        given.append(record)
        writer.add(record)
        if record.tick % 37 == 0:
            ticks = [t.tick for t in read_recording(path).ticks()]
            assert ticks == list(range(1, len(ticks) + 1))
            assert record.tick - len(ticks) <= 40
