"""``trocar send``: one request to a running controller."""

from __future__ import annotations

import json
import sys
import tomllib
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from fixtures.geometry.baked import Workshop
from fixtures.geometry.ready import ready
from teleop.config import ConfigError, Session, load_session
from teleop.config.toml import read_toml
from teleop.wire.endpoints import Participant
from teleop.wire.errors import WireError
from teleop.wire.estop import push_to_all
from teleop.wire.keys import OPERATOR
from teleop.wire.requests import RequestClient
from teleop.wire.sockets import new_session, open_context
from teleop.wire.streams import Role


def _arguments(pairs: tuple[str, ...]) -> dict[str, Any]:
    arguments: dict[str, Any] = {}
    for text in pairs:
        key, equals, raw = text.partition("=")
        if not equals:
            raise ValueError(f"{text!r} is not key=value")
        try:
            arguments[key] = tomllib.loads(f"value = {raw}")["value"]
        except tomllib.TOMLDecodeError:
            arguments[key] = raw
    return arguments


def _ready(arguments: dict[str, Any]) -> dict[str, Any]:
    """``fixture=@FILE`` is read, and meshes are baked here, so that the controller only maps the field."""
    fixture, folder = arguments.get("fixture"), Path.cwd()
    if isinstance(fixture, str) and fixture.startswith("@"):
        path = Path(fixture[1:])
        table, folder = read_toml(path), path.parent
        tables = table.get("fixture", [table])
        if len(tables) != 1:
            raise ConfigError([f"{path}: one fixture was expected, there are {len(tables)}"])
        fixture = tables[0]
    return (
        {**arguments, "fixture": ready(fixture, Workshop(folder))} if isinstance(fixture, dict) else arguments
    )


def estop_everything(session: Session, source: str, why: str) -> list[str]:
    """Send the emergency stop to the controller and straight to each arm driver; who could not be reached."""
    targets = [
        Participant(Role.ARM, pair.arm.name, session.endpoint(pair.arm.name, pair.arm.endpoint))
        for pair in session.spec.pairs
    ]
    targets.append(Participant(Role.CONTROLLER, "controller", session.controller_endpoint))
    with open_context(session.keyring(OPERATOR)) as context:
        channels = {target.name: target.channel("estop") for target in targets}
        return push_to_all(context, channels, new_session(), source, why)


def send_request(path: Path, op: str, args: tuple[str, ...], *, overrides: tuple[str, ...]) -> int:
    """Send, wait, print.

    Returns:
        0 if it was done, 1 if it was refused or nobody answered, 2 if the arguments are wrong.
    """
    session = load_session(path, overrides)
    if op == "estop":
        missed = estop_everything(session, "trocar send", " ".join(args) or "asked for on the command line")
        if missed:
            print(f"could not be reached: {', '.join(missed)}", file=sys.stderr)
        return 1 if missed else 0
    try:
        arguments = _arguments(args)
    except ValueError as error:
        print(f"trocar send: {error}", file=sys.stderr)
        return 2
    if op == "set_fixture":
        try:
            arguments = _ready(arguments)
        except ValidationError as error:
            lines = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
            print(f"trocar send: {lines}", file=sys.stderr)
            return 2
    own = Participant(Role.CONTROLLER, "controller", session.controller_endpoint)
    with (
        open_context(session.keyring(OPERATOR)) as context,
        RequestClient(context, own.channel("request")) as client,
    ):
        try:
            result = client.call(op, arguments, timeout_s=2.0)
        except WireError as error:
            print(error, file=sys.stderr)
            return 1
    print("done" if result is None else json.dumps(result, indent=2))
    return 0
