"""Record from the page, and watch what was recorded in the same scene."""

from __future__ import annotations

import math
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from playwright.sync_api import expect

from teleop.recorder.read import read_recording

from .conftest import new_page
from .house import speed
from .test_drive import HOLD_S, recover, settled

REPLAY = "trocar.probe.state.replay"


@pytest.fixture(scope="module")
def recorded(browser, house) -> Path:
    """A recording of a motion of a few seconds with one fixture, made by pressing Record twice."""
    from .desk import Desk

    page = new_page(browser)
    desk = Desk(page, house.url)
    desk.take()
    desk.add("Forbidden sphere")
    page.locator("#tab-drive").click()
    before = house.witness.pair["p_command_m"]
    page.locator("#record").click()
    expect(page.locator("#record")).to_have_text(re.compile("Stop recording"))
    desk.until("trocar.probe.state.recording?.ticks > 0")
    end = time.monotonic() + 60.0
    # A machine too busy to say every 100 ms that the key is held ends a motion; then another follows.
    while math.dist(house.witness.pair["p_command_m"], before) < 0.004:
        assert time.monotonic() < end, house.witness.pair
        desk.press("d")
        time.sleep(0.7)
        desk.let_go("d")
    desk.until("trocar.probe.state.recording.ticks > 1000")
    expect(page.locator("#figures")).to_contain_text(re.compile(r"● \d+\.\d MB"))
    page.locator("#record").click()
    expect(page.locator("#recorded")).to_have_text(re.compile(r"Recorded: .*\.mcap"))
    file = Path(page.locator("#recorded").inner_text().partition(": ")[2])
    assert desk.errors == []
    page.context.close()
    house.tidy()
    return file


def test_what_was_recorded_can_be_reported(recorded: Path, tmp_path) -> None:
    assert not read_recording(recorded).damage
    page = tmp_path / "report.html"
    command = [sys.executable, "-m", "teleop", "report", str(recorded), "--out", str(page)]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=180, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert page.stat().st_size > 10_000


def test_a_recording_is_watched_with_a_slider_while_the_live_session_goes_on(recorded, desk, house) -> None:
    page = desk.page
    desk.give()  # who drives does not look at the past
    page.locator("#recordings summary").click()
    page.get_by_role("button", name=recorded.name).click()
    desk.until(f"{REPLAY}?.name === '{recorded.name}' && {REPLAY}.duration_s > 1")
    expect(page.locator("#replay")).to_be_visible()
    if desk.page.evaluate(f"{REPLAY}.playing"):
        page.locator("#replay-play").click()
    desk.until(f"!{REPLAY}.playing")
    length = page.evaluate(f"{REPLAY}.duration_s")

    def at(t_s: float) -> list[float]:
        """Where the scene shows the tip at a time, which then stands still."""
        page.locator("#replay-time").fill(f"{t_s:.2f}")
        desk.until(f"Math.abs({REPLAY}.t_s - {t_s:.2f}) < 0.03")
        return list(desk.state()["pairs"][0]["measured"][:3])

    began, ended = at(0.0), at(length - 0.05)
    assert math.dist(began, ended) > 0.003  # the motion that was recorded
    assert math.dist(began, at(0.0)) < 1e-6
    assert page.locator(".fixture").count() == 1  # as it was then
    page.locator("#replay-play").click()
    desk.until(f"{REPLAY}.playing && {REPLAY}.t_s > 0.3")
    # The arm is another page's meanwhile, and this one's Escape still stops it.
    assert house.witness.newest["state"] == "ENABLED"
    page.keyboard.press("Escape")
    house.witness.until(lambda pair: house.witness.newest["state"] == "FAULT")
    page.locator("#replay-end").click()
    desk.until("!trocar.probe.state.replay")
    expect(page.locator("#replay")).to_be_hidden()
    desk.says("FAULT")
    desk.take()
    recover(desk)


def test_another_drives_while_one_watches_a_recording(recorded, desk, visit, house) -> None:
    desk.give()
    desk.page.locator("#recordings summary").click()
    desk.page.get_by_role("button", name=recorded.name).click()
    desk.until(f"{REPLAY}?.playing")
    other = visit()
    other.take()
    other.press("a")
    house.witness.until(lambda pair: speed(pair) > 1e-3)
    assert other.state().get("replay") is None
    other.let_go("a")
    assert settled(house.witness, time.monotonic_ns()) < HOLD_S
