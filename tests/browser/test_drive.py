"""Driving from the page: hold to move, let go to hold, and a wall that says its name."""

from __future__ import annotations

import contextlib
import math
import re
import time

import numpy as np
import pytest
from playwright.sync_api import expect

from teleop.config import load_session
from teleop.controller.build import place_arm
from tests.soak.arm_oracle import ArmOracle

from .house import DEMO, speed

# The deadman may be 100 ms old, then the arm comes to rest; the rest is for a busy machine.
HOLD_S = 1.0
MARGIN_M = 0.001


def settled(witness, since_ns: int) -> float:
    """Seconds from ``since_ns``, when nothing held any more, until the arm was commanded to rest for good."""
    time.sleep(HOLD_S + 0.3)
    moving = [tick["stamp_ns"] for tick in witness.since(since_ns) if speed(tick["pairs"][0]) > 1e-4]
    return (moving[-1] - since_ns) * 1e-9 if moving else 0.0


def test_a_held_key_moves_the_arm_and_letting_go_holds_it(desk, house) -> None:
    before = house.witness.until(lambda pair: pair["reason"] == "deadman_released")
    desk.press("d")
    house.witness.until(lambda pair: math.dist(pair["p_command_m"], before["p_command_m"]) > 0.004)
    desk.says("follows your hand")
    desk.let_go("d")
    released = time.monotonic_ns()
    assert settled(house.witness, released) < HOLD_S
    desk.says("deadman is released")
    measured = desk.state()["pairs"][0]["measured"][:3]
    assert math.dist(measured, before["p_command_m"]) > 0.004


def test_a_drag_into_a_wall_stops_at_its_margin_and_the_page_names_it(desk, house) -> None:
    name = desk.add("Wall")
    height = house.witness.pair["p_command_m"][2] - 0.02
    desk.number("position z", 1e3 * height)
    desk.number("extra", 1e3 * MARGIN_M)
    house.witness.until(lambda pair: 0.0 < pair["clearance_m"].get(name, 1.0) < 0.02)
    (wall,) = house.ask("get_config")["fixture"]
    desk.page.locator("#tab-drive").click()
    desk.page.get_by_role("button", name="front").click()
    began = time.monotonic_ns()
    desk.press("s")
    house.witness.until(lambda pair: pair["clearance_m"].get(name, 1.0) < 0.003, 60.0)
    desk.let_go("s")
    named = re.compile(f"held back: .*by fixture {name}")
    # A machine too busy to say every 100 ms that the button is held ends a drag; then another follows.
    while not named.search(desk.page.locator("#clamp").inner_text()) or nearest(house, name) > 1e-4:
        assert time.monotonic_ns() - began < 120e9, house.witness.pair
        with desk.dragged(0, 200):
            time.sleep(0.5)
    ticks = house.witness.since(began)
    commands = [tick for tick in ticks if tick["pairs"][0]["arm_state"] == "ENABLED"]
    told = [tick["pairs"][0]["clearance_m"][name] for tick in commands]
    exact = clearances(house, commands, wall["pose"]["position_m"][2])
    worst = int(np.argmin(exact))
    assert exact[worst] > -1e-9, (exact[worst], {**commands[worst], "told": told[worst - 3 : worst + 3]})
    assert not any(tick["pairs"][0]["violation"] for tick in ticks)
    assert exact[-1] < 2e-4
    desk.page.locator("#tab-fixtures").click()
    expect(desk.page.locator(f".fixture[data-name={name}] .gap")).to_contain_text(re.compile("limit|mm"))


def nearest(house, name: str) -> float:
    clearance: float = house.witness.pair["clearance_m"][name]
    return clearance


def clearances(house, ticks: list, height: float) -> np.ndarray:
    """(k,) distance from the arm as commanded to the margin of a level wall, by another kinematics, m."""
    session = load_session(DEMO)
    model = place_arm(session.spec.pairs[0].arm, session.arms[0])
    oracle = ArmOracle(session.arms[0].name, model, model.T_world_base)
    centers = oracle.centers(np.array([tick["pairs"][0]["q_command"] for tick in ticks]))
    return (centers[:, :, 2] - oracle.radii).min(axis=1) - height - MARGIN_M


def test_turning_and_the_jaw_are_driven_too(desk, house) -> None:
    before = house.witness.pair
    desk.press("l")
    house.witness.until(
        lambda pair: abs(np.dot(pair["quat_command_xyzw"], before["quat_command_xyzw"])) < 0.999
    )
    desk.let_go("l")
    desk.press("]")
    desk.let_go("]")
    assert desk.page.evaluate("trocar.drive.gripper") > 0.6


def test_a_closed_tab_holds_the_arm(visit, house) -> None:
    desk = visit()
    desk.take()
    desk.press("a")
    house.witness.until(lambda pair: speed(pair) > 1e-3)
    desk.page.context.close()
    closed = time.monotonic_ns()
    assert settled(house.witness, closed) < HOLD_S
    assert house.witness.pair["reason"] == "deadman_released"


HIDE = """Object.defineProperty(document, 'hidden', {value: true, configurable: true});
document.dispatchEvent(new Event('visibilitychange'))"""
HANG = "(() => { const from = Date.now(); while (Date.now() < from + 2000); return [from, Date.now()]; })()"


@pytest.mark.parametrize("script", [HIDE, "window.dispatchEvent(new Event('blur'))"], ids=["hidden", "left"])
def test_a_page_that_is_hidden_or_left_releases_the_deadman(script: str, desk, house) -> None:
    desk.press("d")
    house.witness.until(lambda pair: speed(pair) > 1e-3)
    desk.page.evaluate(script)
    released = time.monotonic_ns()
    assert settled(house.witness, released) < HOLD_S
    desk.let_go("d")


def test_a_page_that_hangs_has_released_the_deadman_though_the_key_is_down(desk, house) -> None:
    desk.press("d")
    house.witness.until(lambda pair: speed(pair) > 1e-3)
    since, until = (house.witness.stamp_ns(ms) for ms in desk.page.evaluate(HANG))
    desk.let_go("d")
    ticks = [t for t in house.witness.since(since + round(HOLD_S * 1e9)) if t["stamp_ns"] < until]
    assert len(ticks) > 500
    assert max(speed(tick["pairs"][0]) for tick in ticks) < 1e-4


def test_escape_stops_everything_and_the_page_leads_out_of_it(desk, house) -> None:
    desk.press("d")
    house.witness.until(lambda pair: speed(pair) > 1e-3)
    desk.page.keyboard.press("Escape")
    pressed = time.monotonic_ns()
    desk.says("FAULT")
    assert settled(house.witness, pressed) < HOLD_S
    desk.let_go("d")
    recover(desk)


def recover(desk) -> None:
    """Press what the page proposes until only the hold is missing."""
    for _ in range(8):
        if "deadman is released" in desk.sentence():
            return
        button = desk.page.locator("#next")
        if button.is_visible():
            with contextlib.suppress(Exception):
                button.click(timeout=1000)
        time.sleep(0.4)
    desk.says("deadman is released")
