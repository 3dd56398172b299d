"""``trocar conform``: is this arm driver safe to use?"""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from teleop.conform.bench import Bench
from teleop.conform.bounds import Bounds
from teleop.conform.page import page, rules_section
from teleop.conform.probe import Probe
from teleop.conform.punctual import punctual
from teleop.conform.report import as_json, as_junit, closing, counts, line
from teleop.conform.rule import Rule, Verdict
from teleop.conform.rules import RULES
from teleop.conform.runner import Result, run_rules
from teleop.errors import TrocarError
from teleop.wire.keys import CONTROLLER, Keyring, load_keyring
from teleop.wire.sockets import open_context


def choose(patterns: tuple[str, ...]) -> tuple[Rule, ...]:
    """The rules whose id is, or begins with, one of the patterns; all without any.

    Raises:
        TrocarError: a pattern that no rule fits.
    """
    unknown = [p for p in patterns if not any(r.id.startswith(p) for r in RULES)]
    if unknown:
        raise TrocarError(f"no rule {', '.join(unknown)}; there are: {', '.join(r.id for r in RULES)}")
    return tuple(r for r in RULES if not patterns or any(r.id.startswith(p) for p in patterns))


def numbers(text: str, flag: str) -> tuple[float, ...]:
    """Numbers separated by commas.

    Raises:
        TrocarError: they are not.
    """
    try:
        return tuple(float(part) for part in text.split(",") if part.strip())
    except ValueError:
        raise TrocarError(f"{flag} must be numbers separated by commas, one a joint; got {text!r}") from None


def restarter(command: str | None) -> Callable[[], None] | None:
    """A function that runs a command line and waits for it.

    Raises:
        TrocarError: from the function, if the command fails.
    """
    if command is None:
        return None

    def restart() -> None:
        done = subprocess.run(shlex.split(command), capture_output=True, text=True, timeout=120, check=False)
        if done.returncode:
            raise TrocarError(
                f"--restart {command!r} ended with status {done.returncode}: {done.stderr[-300:]}"
            )

    return restart


def keyring(keys_dir: Path | None, arm: str | None) -> Keyring | None:
    """The controller's keys, for a driver that speaks CURVE: only the controller may command and ask it.

    Raises:
        TrocarError: a folder without the arm's name or the other way round, or keys that cannot be used.
    """
    if keys_dir is None and arm is None:
        return None
    if keys_dir is None or arm is None:
        raise TrocarError(
            "--keys and --arm belong together: the folder that holds controller.key_secret, and the name "
            "under which the driver's public key NAME.key is there"
        )
    return load_keyring(keys_dir, CONTROLLER, [arm])


def run(
    endpoint: str,
    *,
    allow_motion: bool = False,
    excursion: str = "",
    speed: str = "",
    jaw_excursion: float = 0.0,
    allow_homing: bool = False,
    restart: str | None = None,
    rules: tuple[str, ...] = (),
    keys_dir: Path | None = None,
    arm: str | None = None,
    timeout_s: float = 3.0,
    json_file: Path | None = None,
    junit_file: Path | None = None,
    html_file: Path | None = None,
) -> int:
    """Test the driver at ``endpoint`` and report.

    Returns:
        0 nothing failed, 1 a rule failed.

    Raises:
        TrocarError: arguments that do not fit, or nobody answers.
    """
    if not allow_motion and (excursion or speed or jaw_excursion or allow_homing):
        raise TrocarError("bounds without --allow-motion: add it if the arm may move")
    if allow_motion and not (excursion and speed):
        raise TrocarError(
            "--allow-motion needs explicit bounds, --excursion and --speed: one number a joint, in rad or m "
            "and per second, separated by commas; 0 for a joint that must stay"
        )
    bounds = None
    if allow_motion:
        bounds = Bounds(
            numbers(excursion, "--excursion"), numbers(speed, "--speed"), jaw_excursion, allow_homing
        )
    chosen = choose(rules)
    with open_context(keyring(keys_dir, arm)) as context:
        probe = Probe(context, endpoint, owner=arm or "arm", timeout_s=timeout_s)
        bench = Bench(probe, bounds, restarter(restart))
        motion = "moving it within the bounds" if bounds else "without moving it"
        print(
            f"{probe.name} at {endpoint}: {bench.n} joints ({', '.join(bench.joints)}), {motion}", flush=True
        )
        with punctual():
            results = run_rules(bench, chosen, lambda result: print(line(result), flush=True))
    print(closing(probe.name, results))
    _write(json_file, lambda: json.dumps(as_json(endpoint, _plain(probe.info), results), indent=2) + "\n")
    _write(junit_file, lambda: as_junit(probe.name, results))
    _write(html_file, lambda: _html(probe.name, endpoint, results))
    return 1 if counts(results)[Verdict.FAIL] else 0


def _html(name: str, endpoint: str, results: list[Result]) -> str:
    return page(
        f"Conformance of {name}", f"{closing(name, results)}; {endpoint}", [rules_section("Rules", results)]
    )


def _plain(info: dict[str, object]) -> dict[str, object]:
    """What JSON can carry of what a driver said."""
    try:
        json.dumps(info)
    except (TypeError, ValueError):
        return {key: repr(value) for key, value in info.items()}
    return info


def _write(path: Path | None, make: Callable[[], str]) -> None:
    if path is None:
        return
    try:
        path.write_text(make(), encoding="utf-8")
    except OSError as error:
        print(f"cannot write {path}: {error.strerror}", file=sys.stderr)
