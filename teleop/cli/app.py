"""The command ``trocar``: the commands are in the modules imported here, each by its purpose."""

from __future__ import annotations

import sys

from fixtures.errors import FixtureError
from kinematics.errors import KinematicsError
from teleop.cli import recording_commands, session_commands, tool_commands
from teleop.cli.options import app
from teleop.errors import TrocarError

__all__ = ["app", "main", "recording_commands", "session_commands", "tool_commands"]


def main(words: list[str] | None = None) -> None:
    """Entry point: errors made on purpose are printed without a traceback, exit status 2."""
    try:
        sys.exit(app(words))
    except (FixtureError, KinematicsError, TrocarError) as error:
        print(error, file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)
