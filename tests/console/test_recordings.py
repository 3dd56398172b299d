"""The console's recorder: begun and ended in order, beside a controller that stood by for it."""

from __future__ import annotations

import asyncio
import json
import tempfile
import time
from pathlib import Path

import pytest

from teleop.console.recordings import STOP_S, RecordingRefusedError, Recordings
from teleop.console.save import session_toml
from teleop.recorder.read import read_recording
from teleop.wire.endpoints import Participant
from teleop.wire.record import PairRecord, TickRecord
from teleop.wire.sockets import new_session, open_context
from teleop.wire.streams import Role
from teleop.wire.tape import TapeSender

from .rig import load


@pytest.mark.process
def test_a_controller_that_stands_by_is_recorded_from_when_the_button_is_pressed(tmp_path) -> None:
    async def scenario(folder: Path) -> None:
        session = load(folder)
        text = session_toml(session.path, (), [], {"right": 0.25})
        recordings = Recordings(tmp_path / "kept", 10**9, None, tell=lambda said: None)
        with open_context() as context:
            own = Participant(Role.RECORDER, "recorder", session.recorder_endpoint)
            tape = TapeSender(context, own.channel("tick"), new_session(), expects=False)
            assert not tape.wanted
            await recordings.start(text, (f"runtime_dir={json.dumps(str(folder))}",), "demo")
            with pytest.raises(RecordingRefusedError, match="already"):
                await recordings.start(text, (), "demo")
            end = time.monotonic() + 60.0
            while not tape.wanted:
                assert time.monotonic() < end
                await asyncio.sleep(0.02)

            def send(tick: int) -> None:
                head = tape.header(time.monotonic_ns())
                pairs = [PairRecord(pair="right")]
                tape.send(TickRecord(**head, tick=tick, now_ns=head["stamp_ns"], dt_s=1e-3, pairs=pairs))

            async def go_on() -> None:
                for tick in range(301, 100_000):
                    send(tick)
                    await asyncio.sleep(0.005)

            for tick in range(1, 301):
                if tick % 100 == 0:
                    tape.skip()
                else:
                    send(tick)
            while (state := recordings.state(time.monotonic())) is None or state.ticks < 297:
                assert time.monotonic() < end
                await asyncio.sleep(0.05)
            assert (state.ours, state.dropped) == (True, 2)
            session_goes_on = asyncio.create_task(go_on())
            path = Path(await recordings.stop())
            session_goes_on.cancel()
            assert recordings.state(time.monotonic() + 1.0) is None
            tape.finish()
        recording = read_recording(path)
        assert not recording.damage
        assert 297 <= len(list(recording.ticks())) < 297 + 200 * STOP_S
        assert recording.session["spec"]["pairs"][0]["mapping"]["scale"] == 0.25

    with tempfile.TemporaryDirectory(prefix="trocar-") as folder:
        asyncio.run(asyncio.wait_for(scenario(Path(folder)), 150.0))


def test_a_session_that_is_recorded_whole_is_shown_and_neither_begun_nor_ended_from_here(tmp_path) -> None:
    status = tmp_path / "status.json"
    status.write_text('{"ticks": 7, "dropped": 1, "bytes": 4096}')
    recordings = Recordings(tmp_path, 10**9, status, tell=lambda said: None)
    state = recordings.state(1.0)
    assert state is not None
    assert (state.bytes, state.dropped, state.ours) == (4096, 1, False)
    for act in (lambda: recordings.start("", (), "demo"), recordings.stop):
        with pytest.raises(RecordingRefusedError, match="--record"):
            asyncio.run(act())


def test_a_full_folder_begins_no_recording(tmp_path) -> None:
    (tmp_path / "old.mcap").write_bytes(bytes(2000))
    recordings = Recordings(tmp_path, 1000, None, tell=lambda said: None)
    with pytest.raises(RecordingRefusedError, match="full"):
        asyncio.run(recordings.start("", (), "demo"))
