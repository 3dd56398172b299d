"""Options, the rig and the page: ``pytest hil_tests --rig sim --html hil.html --junitxml hil.xml``."""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from hil_tests.under_test import ROOT, DriverProcess, driver_process
from teleop.conform import Bounds
from teleop.conform.page import Section, page, rules_section
from teleop.conform.plot import Plot
from teleop.conform.runner import Result


@dataclass(slots=True)
class Rig:
    """What is under test.

    Attributes:
        name: folder under ``hil_tests/rigs``.
        endpoint: base endpoint of the driver.
        bounds: how far it may move; ``None``: nothing may.
        driver: its process, if it is ours.
        table: the rig's file.
    """

    name: str
    endpoint: str
    bounds: Bounds | None
    driver: DriverProcess | None
    table: dict[str, Any]


class Story:
    """What the page will tell."""

    def __init__(self) -> None:
        self.rules: list[Result] = []
        self.rows: list[tuple[str, str, str, str]] = []
        self.plots: list[Plot] = []

    def tell(
        self, what: str, measured: str, demanded: str, ok: bool, *plots: Plot, disturbed: str = ""
    ) -> None:
        """A row of the closed-loop table; fails the test if not ok.

        Args:
            what: what was tried.
            measured: what came out.
            demanded: what should have.
            ok: whether it did.
            plots: pictures of it.
            disturbed: how this machine itself was late meanwhile. What is not ok then says nothing of it:
                the test is skipped, as not judged.
        """
        measured += disturbed and f"; {disturbed}"
        verdict = "pass" if ok else "not judged" if disturbed else "fail"
        self.rows.append((verdict, what, measured, demanded))
        self.plots += plots
        print(f"{what}: {verdict}: {measured} (demanded: {demanded})")
        if verdict == "not judged":
            pytest.skip(f"not judged, this machine was late: {measured}; demanded: {demanded}")
        assert ok, f"{what}: {measured}, demanded: {demanded}"


_STORY = pytest.StashKey[Story]()


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("hardware in the loop")
    group.addoption("--rig", default="sim", help="folder under hil_tests/rigs")
    group.addoption("--endpoint", default=None, help="base endpoint of a driver that runs already")
    group.addoption("--allow-motion", action="store_true", help="the rig's bounds may be used")
    group.addoption("--html", type=Path, default=None, help="write one page with verdicts and pictures")


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_STORY] = Story()


@pytest.fixture(scope="session")
def story(pytestconfig: pytest.Config) -> Story:
    return pytestconfig.stash[_STORY]


@pytest.fixture(scope="session")
def rig_table(pytestconfig: pytest.Config) -> dict[str, Any]:
    file = ROOT / "hil_tests" / "rigs" / pytestconfig.getoption("--rig") / "rig.toml"
    if not file.is_file():
        known = sorted(p.parent.name for p in file.parents[1].glob("*/rig.toml"))
        pytest.exit(f"--rig: there is no {file}; there are: {', '.join(known)}", returncode=2)
    return tomllib.loads(file.read_text())


@pytest.fixture(scope="session")
def rig(
    pytestconfig: pytest.Config, rig_table: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Rig]:
    folder = tmp_path_factory.mktemp("rig")
    named = pytestconfig.getoption("--endpoint")
    endpoint = named or rig_table["endpoint"].format(folder=folder)
    start = None if named else rig_table.get("start")
    bounds = None
    if start or pytestconfig.getoption("--allow-motion"):
        bounds = Bounds(
            tuple(rig_table["excursion"]),
            tuple(rig_table["speed"]),
            rig_table.get("jaw_rad", 0.0),
            rig_table.get("homing", False),
        )
    name = pytestconfig.getoption("--rig")
    if not start:
        yield Rig(name, endpoint, bounds, None, rig_table)
        return
    words = [w.format(python=sys.executable, root=ROOT, endpoint=endpoint, folder=folder) for w in start]
    with driver_process(words, folder / "driver.log") as driver:
        yield Rig(name, endpoint, bounds, driver, rig_table)


def pytest_sessionfinish(session: pytest.Session) -> None:
    story, file = session.config.stash[_STORY], session.config.getoption("--html")
    if file is None or not (story.rules or story.rows):
        return
    rig = session.config.getoption("--rig")
    sections = [
        rules_section("Conformance of the driver", story.rules),
        Section("Closed loop", ("", "what", "measured", "demanded"), tuple(story.rows), tuple(story.plots)),
    ]
    file.write_text(
        page(f"Bench report, rig {rig}", "trocar, hardware in the loop", sections), encoding="utf-8"
    )
