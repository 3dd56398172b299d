"""A recording in the scene: one player a browser, at any time, from one folder only."""

from __future__ import annotations

import asyncio
import json
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from teleop.console import messages as m
from teleop.console.hub import Hub
from teleop.console.player import Player
from teleop.console.recordings import Recordings
from teleop.console.shapes import Gallery
from teleop.console.viewer import Viewer
from teleop.wire.sockets import open_context

from ..recorder.theatre import FLOOR, floor_toml, theatre
from .rig import Stand, load

TICKS, SET_AT, OFF_AT, REMOVED_AT = 900, 400, 500, 700


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = theatre(tmp_path_factory.mktemp("theatre"), pairs=1, extra=floor_toml())
    made.bring_up()
    made.ask(SET_AT, "set_fixture", fixture={**FLOOR, "name": "late"})
    made.ask(OFF_AT, "set_fixture", name="floor", enabled=False)
    made.ask(REMOVED_AT, "remove_fixture", name="late")
    made.run(TICKS)
    held = tmp_path_factory.mktemp("recordings")
    made.save(held / "a.mcap")
    (held / "broken.mcap").write_bytes(b"nothing")
    (held / "elsewhere.mcap").symlink_to(held / "a.mcap")
    return held


@pytest.fixture
def player(folder: Path) -> Iterator[Player]:
    opened = Player(folder / "a.mcap", Gallery(np.zeros(3)))
    yield opened
    opened.close()


def at(player: Player, t_s: float) -> m.State:
    player.play(playing=False, speed=1.0, t_s=t_s)
    return player.state(1, 5.0)


def test_it_shows_the_tick_of_its_time_wherever_it_jumps(player: Player) -> None:
    shown = [at(player, t).tick for t in (0.5, 0.1, 0.1, 0.8, 0.0, 99.0)]
    assert shown == [pytest.approx(t, abs=1) for t in (501, 101, 101, 801, 1, TICKS)]
    state = at(player, 0.5)
    assert state.replay is not None
    assert (state.replay.name, state.replay.t_s, state.replay.playing) == ("a.mcap", 0.5, False)
    assert state.pairs[0].teleop_state == "FOLLOWING"
    assert state.pairs[0].frames
    assert state.silent_s == 0.0


def test_time_goes_on_at_its_speed_and_ends_at_the_end(player: Player) -> None:
    player.play(playing=True, speed=0.5, t_s=0.2)
    player.state(1, 10.0)
    state = player.state(2, 10.2)
    assert state.replay is not None
    assert state.replay.t_s == pytest.approx(0.3)
    assert state.tick == pytest.approx(301, abs=1)
    assert state.hz == pytest.approx(1000.0, rel=0.01)
    for k in range(20):
        state = player.state(3, 10.3 + 0.1 * k)
    assert state.replay is not None
    assert (state.replay.t_s, state.replay.playing) == (state.replay.duration_s, False)
    player.play(playing=True, speed=1.0, t_s=-1.0)
    assert player.t_s == 0.0


def test_the_fixtures_are_those_of_that_moment(player: Player) -> None:
    def shown(t_s: float) -> dict[str, bool] | None:
        at(player, t_s)
        scene = player.scene()
        return None if scene is None else {f.spec["name"]: f.spec["enabled"] for f in scene.fixtures}

    assert shown(0.1) == {"floor": True}
    assert shown(0.2) is None
    assert shown(0.45) == {"floor": True, "late": True}
    assert shown(0.6) == {"floor": False, "late": True}
    assert shown(0.8) == {"floor": False}
    assert shown(0.3) == {"floor": True}


Scenario = Callable[
    [Hub, Viewer, list[dict], Callable[[Callable[[], bool]], Awaitable[None]]], Awaitable[None]
]


def run(folder: Path, scenario: Scenario) -> None:
    """A hub with two browsers; the scenario is given the first, what it got, and a way to wait."""

    async def whole(own: Path) -> None:
        session = load(own)
        with open_context() as context:
            stand = Stand(context, session)
            recordings = Recordings(folder, 10**9, None, lambda text: None)
            hub = Hub(context, session, (), own / "meshes", recordings=recordings)
            got: list[dict] = []
            live: list[dict] = []

            async def send(text: str) -> None:
                got.append(json.loads(text))

            async def send_live(text: str) -> None:
                live.append(json.loads(text))

            viewer, other = hub.join(send), hub.join(send_live)
            tasks = [asyncio.ensure_future(v.run()) for v in (viewer, other)]

            async def until(done: Callable[[], bool]) -> None:
                end = time.monotonic() + 60.0
                while not done():
                    assert time.monotonic() < end, got[-3:]
                    stand.tell()
                    stand.serve()
                    hub.pump(time.monotonic())
                    for each in (viewer, other):
                        each.acknowledge(10**9)
                    await asyncio.sleep(0.005)

            await until(lambda: any(x["type"] == "state" for x in got))
            try:
                await scenario(hub, viewer, got, until)
            finally:
                for task in tasks:
                    task.cancel()
                hub.part(viewer)
            assert all(not x["replay"] for x in live if x["type"] in ("state", "hello"))

    with tempfile.TemporaryDirectory() as own:
        asyncio.run(asyncio.wait_for(whole(Path(own)), 200.0))


def answer(got: list[dict], number: int) -> dict | None:
    return next((x for x in got if x["type"] == "answer" and x["id"] == number), None)


def test_a_browser_watches_a_recording_while_others_see_the_live_session(folder: Path) -> None:
    async def scenario(hub, viewer, got, until) -> None:
        async def ask(message) -> dict:
            await hub.handle(viewer, message)
            await until(lambda: answer(got, message.id) is not None)
            return answer(got, message.id)

        listed = (await ask(m.Recordings(1)))["result"]
        assert {r["name"] for r in listed} == {"a.mcap", "broken.mcap"}
        assert (await ask(m.Replay(2, "a.mcap")))["ok"]
        del got[:]
        await until(lambda: any(x["type"] == "state" and x["replay"]["t_s"] > 0.1 for x in got))
        assert all(x["replay"] for x in got if x["type"] == "state")
        assert not any(x["type"] in ("plots", "spectrum") for x in got)
        for refused in (m.Take(3), m.Op(4, "engage", {}), m.Edit(5, {}), m.Record(6, True)):
            told = await ask(refused)
            assert not told["ok"]
            assert "shows a recording" in told["error"]
        assert hub.helm.driver == 0
        await hub.handle(viewer, m.Play(playing=False, speed=1.0, t_s=0.45))
        await until(lambda: got[-1]["type"] == "state" and got[-1]["replay"]["t_s"] == 0.45)
        scene = [x for x in got if x["type"] == "scene"][-1]
        assert {f["spec"]["name"] for f in scene["fixtures"]} == {"floor", "late"}
        assert (await ask(m.Replay(7, "")))["ok"]
        del got[:]
        await until(lambda: any(x["type"] == "state" for x in got))
        assert all(not x["replay"] for x in got if x["type"] == "state")
        assert (await ask(m.Take(8)))["ok"]
        assert "Give the arm back" in (await ask(m.Replay(9, "a.mcap")))["error"]

    run(folder, scenario)


@pytest.mark.parametrize(
    "name", ["../a.mcap", "/etc/passwd", "elsewhere.mcap", "broken.mcap", "b.mcap", "a", "."]
)
def test_only_recordings_of_the_folder_are_opened(folder: Path, name: str) -> None:
    async def scenario(hub, viewer, got, until) -> None:
        await hub.handle(viewer, m.Replay(1, name))
        await until(lambda: answer(got, 1) is not None)
        assert not answer(got, 1)["ok"]
        assert hub.replays.of(viewer) is None
        assert not any(x["type"] == "hello" and x["replay"] for x in got)

    run(folder, scenario)


def test_what_is_too_large_for_the_page_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("teleop.console.replays.MAX_BYTES", 100)

    async def scenario(hub, viewer, got, until) -> None:
        await hub.handle(viewer, m.Replay(1, "a.mcap"))
        await until(lambda: answer(got, 1) is not None)
        assert "trocar report" in answer(got, 1)["error"]

    run(folder, scenario)
