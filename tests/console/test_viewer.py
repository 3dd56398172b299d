"""To a slow browser the newest state wins; nothing queues and nobody waits."""

from __future__ import annotations

import asyncio
import json

import pytest

from teleop.console.messages import Answer, Notice, Plots
from teleop.console.viewer import IN_FLIGHT, LETTERS, Viewer


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


def run(scenario) -> None:
    asyncio.run(asyncio.wait_for(scenario, 10.0))


class Browser:
    """Gets what is sent; `open` set to False, it does not read."""

    def __init__(self) -> None:
        self.got: list[dict] = []
        self.reads = asyncio.Event()
        self.reads.set()

    async def send(self, text: str) -> None:
        await self.reads.wait()
        self.got.append(json.loads(text))

    def states(self) -> list[int]:
        return [m["seq"] for m in self.got if "seq" in m]


def test_a_browser_that_does_not_read_gets_the_newest_next_and_no_backlog() -> None:
    async def scenario() -> None:
        browser = Browser()
        viewer = Viewer(1, browser.send)
        task = asyncio.ensure_future(viewer.run())
        browser.reads.clear()
        for seq in range(1, 1001):
            viewer.show(seq, json.dumps({"seq": seq}))
            await asyncio.sleep(0)
        browser.reads.set()
        await settle()
        task.cancel()
        assert browser.states()[-1] == 1000
        assert len(browser.states()) <= 2
        assert viewer.skipped >= 998

    run(scenario())


def test_no_more_states_are_on_the_way_than_it_has_acknowledged() -> None:
    async def scenario() -> None:
        browser = Browser()
        viewer = Viewer(1, browser.send)
        task = asyncio.ensure_future(viewer.run())
        for seq in range(1, 100):
            viewer.show(seq, json.dumps({"seq": seq}))
            await settle()
        assert browser.states() == list(range(1, IN_FLIGHT + 1))
        viewer.acknowledge(1)
        await settle()
        assert browser.states() == [*range(1, IN_FLIGHT + 1), 99]
        task.cancel()

    run(scenario())


def test_answers_pass_even_when_states_wait_but_their_number_is_bounded() -> None:
    async def scenario() -> None:
        browser = Browser()
        viewer = Viewer(1, browser.send)
        for seq in range(1, 10):
            viewer.show(seq, json.dumps({"seq": seq}))
        for k in range(500):
            viewer.post(Notice("info", str(k)))
        viewer.post(Answer(7, True))
        task = asyncio.ensure_future(viewer.run())
        await settle()
        for _ in range(20):
            await settle()
        task.cancel()
        letters = [m for m in browser.got if "seq" not in m]
        assert len(letters) == LETTERS
        assert letters[-1]["id"] == 7

    run(scenario())


def test_plots_go_on_where_the_browser_is() -> None:
    rows = [[float(k), float(k)] for k in range(100)]

    async def scenario() -> None:
        browser = Browser()
        viewer = Viewer(1, browser.send)
        task = asyncio.ensure_future(viewer.run())
        for upto in (10, 10, 60):
            viewer.offer_plots(lambda since, upto=upto: Plots(since, rows[since:upto]))
            await settle()
        task.cancel()
        got = [(m["first"], len(m["rows"])) for m in browser.got]
        assert got == [(0, 10), (10, 50)]

    run(scenario())


@pytest.mark.parametrize("seq", [0, 5, 10**9])
def test_an_acknowledgement_of_nothing_does_no_harm(seq) -> None:
    async def scenario() -> None:
        viewer = Viewer(1, Browser().send)
        viewer.acknowledge(seq)

    run(scenario())
