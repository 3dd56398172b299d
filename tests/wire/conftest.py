from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from teleop.wire.endpoints import Participant
from teleop.wire.sockets import Context, open_context
from teleop.wire.streams import Role


@pytest.fixture
def context() -> Iterator[Context]:
    with open_context() as context:
        yield context


@pytest.fixture
def folder() -> Iterator[Path]:
    # pytest's own temporary paths can be longer than a unix socket's path may be.
    with tempfile.TemporaryDirectory(prefix="trocar-") as name:
        yield Path(name)


@pytest.fixture
def master(folder: Path) -> Participant:
    return Participant(Role.MASTER, "left", f"ipc://{folder}/master")


@pytest.fixture
def arm(folder: Path) -> Participant:
    return Participant(Role.ARM, "psm", f"ipc://{folder}/arm")


@pytest.fixture
def controller(folder: Path) -> Participant:
    return Participant(Role.CONTROLLER, "controller", f"ipc://{folder}/controller")
