"""A person at the page: what they look for, press and read."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from playwright.sync_api import Page, expect

LONG_MS = 60_000
expect.set_options(timeout=LONG_MS)


class Desk:
    """One page of the console."""

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        self.errors: list[str] = []
        page.set_default_timeout(LONG_MS)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.goto(url)
        self.until("window.trocar?.probe.state?.pairs.length > 0")
        card = page.locator("#card-close")
        if card.is_visible():
            card.click()

    def state(self) -> dict[str, Any]:
        """The state that was drawn last."""
        found: dict[str, Any] = self.page.evaluate("trocar.probe.state")
        return found

    def until(self, script: str, timeout_s: float = LONG_MS * 1e-3) -> None:
        """Wait until a script is true; asked from here, for the page's own policy forbids it to evaluate."""
        end = time.monotonic() + timeout_s
        while not self.page.evaluate(script):
            assert time.monotonic() < end, f"not within {timeout_s:g} s: {script}"
            time.sleep(0.05)

    def take(self) -> None:
        self.page.get_by_role("button", name="Take the arm").last.click()
        expect(self.page.locator("#take")).to_have_text("Give the arm back")

    def give(self, *, surgeon: bool = False) -> None:
        self.page.locator("#tab-drive").click()
        self.page.locator("#give" if surgeon else "#take").click()
        expect(self.page.locator("#take")).to_have_text("Take the arm")

    def press(self, key: str) -> None:
        """Hold a key down in the scene."""
        self.page.locator("#view").focus()
        self.page.keyboard.down(key)

    def let_go(self, key: str) -> None:
        self.page.keyboard.up(key)

    @contextmanager
    def dragged(self, right: int, down: int) -> Iterator[None]:
        """Hold the pointer in the middle of the scene, drag it by so many pixels, and keep holding it."""
        box = self.page.locator("#view").bounding_box()
        assert box is not None
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        self.page.mouse.move(x, y)
        self.page.mouse.down()
        try:
            self.page.mouse.move(x + right, y + down, steps=12)
            yield
        finally:
            self.page.mouse.up()

    def add(self, label: str) -> str:
        """Add a fixture from the menu; its name."""
        self.page.locator("#tab-fixtures").click()
        before = set(self.names())
        self.page.locator("#add").select_option(label=label)
        self.until(f"document.querySelectorAll('.fixture').length > {len(before)}", 60.0)
        (name,) = set(self.names()) - before
        return name

    def names(self) -> list[str]:
        return [row.get_attribute("data-name") or "" for row in self.page.locator(".fixture").all()]

    def number(self, label: str, value: float) -> None:
        """Type a number into a field of the fixture that is open."""
        field = self.page.get_by_label(label, exact=True).first
        field.fill(f"{value:g}")
        field.press("Enter")

    def sentence(self) -> str:
        return self.page.locator("#sentence").inner_text()

    def says(self, pattern: str) -> None:
        """Wait until the strip at the top says it."""
        expect(self.page.locator("#why")).to_contain_text(re.compile(pattern))
