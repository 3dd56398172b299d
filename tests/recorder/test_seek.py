"""Reading by time gives what reading everything gives, from whole, cut and damaged files."""

from __future__ import annotations

from pathlib import Path

import pytest

from teleop.recorder.read import RecordingReadError, read_recording
from teleop.recorder.seek import Seeker

from .theatre import Theatre, floor_toml, theatre

TICKS = 600


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Theatre:
    made = theatre(tmp_path_factory.mktemp("session"), extra=floor_toml())
    made.bring_up()
    made.run(TICKS)
    return made


@pytest.fixture(scope="module")
def whole(played: Theatre, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return played.save(tmp_path_factory.mktemp("recording") / "a.mcap")


def test_each_time_gives_the_tick_of_that_millisecond(whole: Path) -> None:
    seeker = Seeker(whole)
    told = {message.tick: message for message in read_recording(whole).telemetry()}
    assert seeker.duration_s == pytest.approx((TICKS - 1) * 1e-3)
    for tick in (300, 1, 599, 2, 600, 450):  # forth and back
        at_s = (tick - 1) * 1e-3 + 0.5e-3
        found, record = seeker.telemetry_at(at_s), seeker.tick_at(at_s)
        assert found == told[tick]
        assert record is not None
        assert record.tick == tick


def test_before_the_start_is_nothing_and_after_the_end_is_the_last(whole: Path) -> None:
    seeker = Seeker(whole)
    assert seeker.telemetry_at(-0.001) is None
    last = seeker.telemetry_at(1e6)
    assert last is not None
    assert last.tick == TICKS


def test_a_stretch_is_thinned_to_what_is_asked_for(whole: Path) -> None:
    seeker = Seeker(whole)
    assert [m.tick for _, m in seeker.telemetry(0.1, 0.2)] == list(range(101, 202))
    assert [m.tick for _, m in seeker.telemetry(0.1, 0.2, every_s=0.02)] == [101, 121, 141, 161, 181, 201]


def test_events_carry_their_times(played: Theatre, whole: Path) -> None:
    seeker = Seeker(whole)
    events = seeker.events()
    assert [event for _, event in events] == played.events
    assert seeker.events(events[1][0], events[1][0])[0][1] == events[1][1]
    assert seeker.recording.session["config_hash"] == played.session.config_hash


def test_a_cut_file_ends_where_it_was_cut(whole: Path, tmp_path: Path) -> None:
    data = whole.read_bytes()
    path = tmp_path / "cut.mcap"
    path.write_bytes(data[: 2 * len(data) // 3])
    seeker = Seeker(path)
    ticks = [t.tick for t in read_recording(path).ticks()]
    last = seeker.tick_at(1e6)
    assert last is not None
    assert last.tick == ticks[-1] < TICKS
    assert seeker.recording.damage.truncated


def test_a_damaged_chunk_is_stepped_over_and_told(whole: Path, tmp_path: Path) -> None:
    data = bytearray(whole.read_bytes())
    chunk = data.index(b"zstd", data.index(b"zstd") + len(data) // 3)
    data[chunk + 200 : chunk + 220] = bytes(20)
    path = tmp_path / "bad.mcap"
    path.write_bytes(data)
    seeker = Seeker(path)
    there = {t.tick for t in read_recording(path).ticks()}
    assert 0 < len(there) < TICKS
    gap = next(tick for tick in range(1, TICKS) if tick not in there)
    found = seeker.tick_at((gap - 1) * 1e-3)
    assert found is not None
    assert found.tick == gap - 1
    assert seeker.recording.damage.bad_chunks == 1


def test_a_chunk_whose_times_are_damaged_is_timed_by_its_messages(whole: Path, tmp_path: Path) -> None:
    data = bytearray(whole.read_bytes())
    chunk = data.index(b"zstd", len(data) // 3)
    data[chunk - 32 : chunk - 24] = (1).to_bytes(8, "little")  # the start; no checksum covers it
    path = tmp_path / "times.mcap"
    path.write_bytes(data)
    seeker = Seeker(path)
    for tick in (1, 300, 600):
        record = seeker.tick_at((tick - 1) * 1e-3)
        assert record is not None
        assert record.tick == tick


def test_a_file_without_a_tick_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "none.mcap"
    path.write_bytes(b"\x89MCAP0\r\n")
    with pytest.raises(RecordingReadError, match="no tick"):
        Seeker(path)
