"""The console between a wire and a browser, without either's process."""

from __future__ import annotations

import asyncio
import json
import math
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from teleop.config import load_session
from teleop.console import messages as m
from teleop.console.driver import TAKEOVER_S
from teleop.console.hub import Hub
from teleop.wire.messages import LedgerLine
from teleop.wire.sockets import open_context

from .rig import WALL, Stand, load


class Bench:
    """A hub, a stand and one browser; `run` lets all of them go on."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.got: list[dict] = []

    async def go(self, hub: Hub, stand: Stand, seconds: float = 0.15, **keys) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            stand.tell(**keys)
            stand.serve()
            hub.pump(time.monotonic())
            for viewer in hub.viewers.values():
                viewer.acknowledge(10**9)
            await asyncio.sleep(0.005)

    async def until(self, hub: Hub, stand: Stand, done) -> None:
        """Go on until ``done()``; a busy machine may take its time."""
        end = time.monotonic() + 30.0
        while not done():
            assert time.monotonic() < end, self.got[-3:]
            await self.go(hub, stand, 0.02)

    def answered(self, number: int) -> bool:
        return any(message["type"] == "answer" and message["id"] == number for message in self.got)

    def states(self) -> list[dict]:
        return [message for message in self.got if message["type"] == "state"]

    def last(self, kind: str) -> dict:
        return [message for message in self.got if message["type"] == kind][-1]

    def run(self, scenario, *overrides: str) -> None:
        async def whole() -> None:
            session = load(self.folder, *overrides)
            with open_context() as context:
                stand = Stand(context, session)
                hub = Hub(context, session, overrides, self.folder / "meshes")

                async def send(text: str) -> None:
                    self.got.append(json.loads(text))

                viewer = hub.join(send)
                task = asyncio.ensure_future(viewer.run())
                await self.go(hub, stand, 0.4)
                try:
                    await scenario(hub, stand, viewer)
                finally:
                    task.cancel()

        asyncio.run(asyncio.wait_for(whole(), 200.0))


@pytest.fixture
def bench() -> Iterator[Bench]:
    with tempfile.TemporaryDirectory(prefix="trocar-") as folder:
        yield Bench(Path(folder))


def test_a_browser_is_told_who_it_is_what_there_is_and_how_it_stands(bench) -> None:
    async def scenario(hub, stand, viewer) -> None:
        await bench.until(hub, stand, lambda: "plots" in {message["type"] for message in bench.got})
        hello, state = bench.last("hello"), bench.last("state")
        assert hello["viewer"] == viewer.number
        assert hello["pairs"][0]["steerable"]
        assert hello["pairs"][0]["arm"]["capsules"]
        pair = state["pairs"][0]
        assert state["state"] == "ENABLED"
        assert pair["clamp"] == "shaft, 0.31 mm, by fixture wall"
        assert pair["clearance"] == {"wall": 0.0003}
        # The tip at the measured joints: 0.12 - 0.0156 + 0.0091 m below the remote centre.
        assert math.dist(pair["measured"][:3], [0.0, 0.0, -0.1135]) < 1e-4
        assert len(pair["frames"]) == len(hello["pairs"][0]["arm"]["frames"])
        assert bench.last("plots")["rows"]

    bench.run(scenario, f"fixture=[{toml(WALL)}]")


def test_what_a_fixture_holds_back_is_told_before_what_the_arm_itself_cannot(bench) -> None:
    async def scenario(hub, stand, viewer) -> None:
        limits = LedgerLine("velocity", "limited", "tip", 0.002)
        wall = LedgerLine("wall", "clamped", "shaft", 2e-5)
        bench.got.clear()
        while not any(g["pairs"][0]["clamp"] == "shaft, 0.02 mm, by fixture wall" for g in bench.states()):
            assert not any("velocity" in g["pairs"][0]["clamp"] for g in bench.states())
            await bench.go(hub, stand, 0.1, ledger=[limits, wall])
        assert bench.last("state")["pairs"][0]["clamp_fixture"] == "wall"

    bench.run(scenario, f"fixture=[{toml(WALL)}]")


def test_only_the_driver_changes_things_and_a_page_that_goes_lets_go(bench) -> None:
    async def scenario(hub, stand, viewer) -> None:
        sent: list[dict] = []
        # What goes to the wire, without the wire: a subscriber that keeps the newest only may miss any of it.
        hub.client.steer = lambda pair, **keys: sent.append({"pair": pair, **keys})
        await hub.handle(viewer, m.Op(1, "engage", {}))
        await bench.until(hub, stand, lambda: bench.answered(1))
        assert not bench.last("answer")["ok"]
        assert ("engage", {}) not in stand.asked
        hand = m.Hand(0, 1, True, False, [0.01, 0.0, 0.0], [0.0, 0.0, 0.0, 1.0], 0.5, 1000.0)
        await hub.handle(viewer, hand)
        assert not any(steer["present"] for steer in sent)
        await hub.handle(viewer, m.Take(2))
        await bench.until(hub, stand, lambda: bench.answered(2))
        await hub.handle(viewer, hand)
        steer = sent[-1]
        assert steer["drive"]
        assert steer["present"]
        assert max(abs(a - b) for a, b in zip(steer["p_m"], [0.01, 0.0, 0.0], strict=True)) < 1e-12
        # Silence: what is repeated keeps its stamp, so it ages.
        count = len(sent)
        await bench.until(hub, stand, lambda: len(sent) > count + 3)
        assert {again["stamp_ns"] for again in sent[count:]} == {steer["stamp_ns"]}
        hub.part(viewer)
        assert sent[-1]["drive"]
        assert not sent[-1]["present"]
        assert sent[-1]["stamp_ns"] > steer["stamp_ns"]

    bench.run(scenario)


def test_who_drives_is_told_of_a_wish_and_loses_an_arm_that_was_left_alone(bench) -> None:
    async def scenario(hub, stand, viewer) -> None:
        said: list[dict] = []

        async def send(text: str) -> None:
            said.append(json.loads(text))

        other = hub.join(send)
        task = asyncio.ensure_future(other.run())
        await hub.handle(viewer, m.Take(1))
        await bench.until(hub, stand, lambda: bench.answered(1))
        for _ in range(3):
            await hub.handle(other, m.Take(2))
        await bench.until(hub, stand, lambda: len([a for a in said if a["type"] == "answer"]) == 3)
        assert not any(answer["ok"] for answer in said if answer["type"] == "answer")
        await bench.until(hub, stand, lambda: any(n["type"] == "notice" for n in bench.got))
        wishes = [n["text"] for n in bench.got if n["type"] == "notice"]
        assert wishes == ["Somebody asks for the arm: give it back to let them drive."]
        assert bench.last("state")["kept_s"] > 0.0
        hub.helm.acted(time.monotonic_ns() - round(1e9 * TAKEOVER_S))
        await hub.handle(other, m.Take(3))
        await bench.until(hub, stand, lambda: hub.helm.driver == other.number)
        await bench.until(hub, stand, lambda: "left alone" in bench.last("notice")["text"])
        task.cancel()

    bench.run(scenario)


def test_recording_is_refused_where_there_is_no_folder_for_it_and_to_who_only_watches(bench) -> None:
    async def scenario(hub, stand, viewer) -> None:
        assert not bench.last("hello")["recorder"]
        await hub.handle(viewer, m.Record(1, True))
        await bench.until(hub, stand, lambda: bench.answered(1))
        assert "Take the arm first" in bench.last("answer")["error"]
        await hub.handle(viewer, m.Take(2))
        await hub.handle(viewer, m.Record(3, True))
        await bench.until(hub, stand, lambda: bench.answered(3))
        assert "folder" in bench.last("answer")["error"]

    bench.run(scenario)


def toml(table) -> str:
    items = ", ".join(f"{k} = {toml(v) if isinstance(v, dict) else json.dumps(v)}" for k, v in table.items())
    return f"{{ {items} }}"


def test_edits_are_checked_applied_undone_redone_and_saved_as_what_a_session_loads(bench, tmp_path) -> None:
    async def scenario(hub, stand, viewer) -> None:
        ask = lambda message: hub.handle(viewer, message)  # noqa: E731
        await ask(m.Take(1))
        await ask(m.Edit(2, {**WALL, "pose": {"position_m": [0.0, 0.0, -0.15]}}))
        await bench.until(hub, stand, lambda: bench.answered(2))
        assert bench.last("answer") == {"type": "answer", "id": 2, "ok": True, "error": "", "result": None}
        assert stand.fixtures["wall"]["pose"]["position_m"] == [0.0, 0.0, -0.15]
        await bench.go(hub, stand, 0.1)
        address = bench.last("scene")["fixtures"][0]["geometry"]
        assert len(await hub.editor.gallery.drawing(address)) > 16
        # One gesture is one step, however many edits it made.
        for k, z in enumerate((-0.16, -0.17, -0.18)):
            await ask(m.Edit(3 + k, {**WALL, "pose": {"position_m": [0.0, 0.0, z]}}, gesture=7))
            await bench.until(hub, stand, lambda k=k: bench.answered(3 + k))
        assert stand.fixtures["wall"]["pose"]["position_m"][2] == -0.18
        await ask(m.Undo(8, redo=False))
        await bench.until(hub, stand, lambda: bench.answered(8))
        assert stand.fixtures["wall"]["pose"]["position_m"][2] == -0.15
        await ask(m.Undo(9, redo=True))
        await bench.until(hub, stand, lambda: bench.answered(9))
        assert stand.fixtures["wall"]["pose"]["position_m"][2] == -0.18
        saved = tmp_path / "saved.toml"
        saved.write_text(hub.toml())
        session = load_session(saved)
        assert [f.model_dump(mode="json") for f, _ in session.fixtures] == list(stand.fixtures.values())
        assert session.spec.runtime_dir is None
        assert session.spec.pairs[0].mapping.scale == 0.5

    bench.run(scenario)


@pytest.mark.parametrize(
    ("fixture", "words"),
    [
        ({**WALL, "geometry": {"shape": "sphere", "radius_m": -1.0}}, "radius_m"),
        ({**WALL, "colour": "red"}, "colour"),
        ({**WALL, "geometry": {"shape": "mesh", "path": "/etc/passwd", "units": "mm"}}, "upload it first"),
    ],
)
def test_a_wrong_edit_never_reaches_the_controller(bench, fixture, words) -> None:
    async def scenario(hub, stand, viewer) -> None:
        await hub.handle(viewer, m.Take(1))
        await hub.handle(viewer, m.Edit(2, fixture))
        await bench.until(hub, stand, lambda: bench.answered(2))
        answer = bench.last("answer")
        assert not answer["ok"]
        assert words in answer["error"]
        assert "set_fixture" not in [op for op, _ in stand.asked]

    bench.run(scenario)


def test_what_the_controller_refuses_is_not_in_the_list_nor_in_the_history(bench) -> None:
    async def scenario(hub, stand, viewer) -> None:
        await hub.handle(viewer, m.Take(1))
        stand.refusal = "no arm has a body tail"
        await hub.handle(viewer, m.Edit(2, WALL))
        await bench.until(hub, stand, lambda: bench.answered(2))
        assert "tail" in bench.last("answer")["error"]
        assert hub.editor.scene.fixtures == []
        assert hub.editor.scene.undo == ""

    bench.run(scenario)
