"""Several pages, pages that come back, and a console that does."""

from __future__ import annotations

import math
import time

from playwright.sync_api import expect

from .house import speed
from .test_drive import HOLD_S, recover, settled


def test_one_drives_the_others_watch_and_anybody_stops(desk, visit, house) -> None:
    watcher = visit()
    take = watcher.page.locator("#take")
    expect(take).to_have_text("Ask for the arm")
    take.click()
    expect(watcher.page.locator(".toast.error").last).to_contain_text("when they give it back")
    expect(desk.page.locator(".toast.warning").last).to_contain_text("Somebody asks for the arm")
    before = house.witness.pair["p_command_m"]
    watcher.press("d")
    time.sleep(0.5)
    watcher.let_go("d")
    assert math.dist(house.witness.pair["p_command_m"], before) < 1e-6
    desk.press("d")
    house.witness.until(lambda pair: speed(pair) > 1e-3)
    watcher.says("You are watching")
    assert watcher.state()["viewers"] == 2
    watcher.page.locator("#estop").click()
    pressed = time.monotonic_ns()
    desk.says("FAULT")
    assert settled(house.witness, pressed) < HOLD_S
    desk.let_go("d")
    recover(desk)
    desk.give()
    watcher.take()
    watcher.give()


def test_a_reload_in_motion_holds_and_the_page_can_take_the_arm_again(desk, house) -> None:
    desk.press("a")
    house.witness.until(lambda pair: speed(pair) > 1e-3)
    desk.page.reload()
    began = time.monotonic_ns()
    assert settled(house.witness, began) < HOLD_S
    desk.let_go("a")
    desk.until("window.trocar?.probe.state?.pairs.length > 0")
    assert desk.state()["driver"] == 0
    desk.take()
    before = house.witness.pair["p_command_m"]
    desk.press("d")
    house.witness.until(lambda pair: math.dist(pair["p_command_m"], before) > 0.002)
    desk.let_go("d")


def test_a_console_that_dies_holds_the_arm_and_the_page_finds_the_next_one(desk, house) -> None:
    port = int(house.url.rstrip("/").rpartition(":")[2])
    desk.press("d")
    house.witness.until(lambda pair: speed(pair) > 1e-3)
    house.console.kill()
    house.console.wait()
    killed = time.monotonic_ns()
    assert settled(house.witness, killed) < HOLD_S
    desk.let_go("d")
    desk.says("console does not answer")
    house.start_console(port)
    desk.take()
    before = house.witness.pair["p_command_m"]
    desk.press("a")
    house.witness.until(lambda pair: math.dist(pair["p_command_m"], before) > 0.002)
    desk.let_go("a")
