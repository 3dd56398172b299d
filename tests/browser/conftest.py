"""One session, one browser, a fresh page for each test."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

    from .desk import Desk
    from .house import House

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
FLAGS = (
    "--no-sandbox",
    "--use-gl=angle",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
)
HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.browser)
            item.add_marker(pytest.mark.process)


def find_browser() -> str:
    """Path of a Chromium, or an empty string."""
    named = os.environ.get("TROCAR_BROWSER", "")
    return named or next((path for name in BROWSERS if (path := shutil.which(name))), "")


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    path = find_browser()
    if not path:
        pytest.skip(f"no browser: none of {', '.join(BROWSERS)} is on the path, nor is TROCAR_BROWSER set")
    with playwright.sync_playwright() as driver:
        found = driver.chromium.launch(executable_path=path, args=list(FLAGS))
        yield found
        found.close()


@pytest.fixture(scope="package")
def house(browser: Browser) -> Iterator[House]:
    from .house import House

    with tempfile.TemporaryDirectory(prefix="trocar-") as folder:
        built = House(Path(folder))
        try:
            yield built
        finally:
            built.close()


def new_page(browser: Browser) -> Page:
    """A page in a browser profile of its own; few pixels, drawn by the processor that the loop runs on."""
    size = {"width": 1000, "height": 690}
    context = browser.new_context(viewport=size, device_scale_factor=0.5, reduced_motion="reduce")
    return context.new_page()


@pytest.fixture
def visit(browser: Browser, house: House) -> Iterator[Callable[[], Desk]]:
    """Opens a page, each in a browser profile of its own; afterwards all is as before."""
    from .desk import Desk

    desks: list[Desk] = []

    def open_page() -> Desk:
        desks.append(Desk(new_page(browser), house.url))
        return desks[-1]

    yield open_page
    errors = [error for desk in desks for error in desk.errors]
    for desk in desks:
        desk.page.context.close()
    house.tidy()
    assert errors == []


@pytest.fixture
def desk(visit: Callable[[], Desk]) -> Desk:
    """A page that drives."""
    opened = visit()
    opened.take()
    return opened
