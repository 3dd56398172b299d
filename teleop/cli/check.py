"""``trocar check``: is this session what its author means?"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from rich.console import Console

from fixtures.errors import FixtureError
from fixtures.gate import Gate
from fixtures.lint import Finding, lint
from fixtures.scene import Scene
from kinematics.errors import KinematicsError
from teleop.config import ConfigError, Session, load_session
from teleop.controller.build import PERIOD_S, build_controller
from teleop.controller.controller import Controller
from teleop.controller.guard import Guard
from teleop.errors import TrocarError
from teleop.masters.spec import DEVICES, make_source
from teleop.wire.errors import KeyFileError
from teleop.wire.keys import read_public_keys


def check_sessions(sessions: tuple[Path, ...], *, overrides: tuple[str, ...], effective: bool) -> int:
    """Check each session down to building its arms and reading its recordings; lint its fixtures.

    Returns:
        0 if all are right, warnings or not; 1 if a fixture cannot be meant as it is; 2 if a file is wrong.
    """
    if not sessions:
        print("trocar check: name at least one session file", file=sys.stderr)
        return 2
    status = 0
    for path in sessions:
        try:
            session = load_session(path, overrides)
            if session.keys_dir is not None:
                _, mistakes = read_public_keys(session.keys_dir, session.spec.key_names())
                if mistakes:
                    raise KeyFileError(mistakes)
            controller = build_controller(session, bytes(16))
            for source, beside in zip(session.sources, session.source_dirs, strict=True):
                if source is not None and not isinstance(source, DEVICES):
                    make_source(source, beside)
        except (ConfigError, FixtureError, KinematicsError, TrocarError) as error:
            print(f"{path}: {error}", file=sys.stderr)
            status = 2
            continue
        found = lint_fixtures(session, controller)
        _tell(path, found)
        if any(finding.level == "error" for finding in found):
            status = max(status, 1)
        if effective:
            print(json.dumps(session.effective(), indent=2))
        else:
            pairs = ", ".join(
                f"{p.master.name} -> {p.arm.name} ({p.arm.profile})" for p in session.spec.pairs
            )
            said = "good" if not found else f"{len(found)} finding{'s' * (len(found) > 1)}"
            print(f"{path}: {said}. {pairs}. config {session.config_hash[:12]}")
            for pair in controller.pairs:
                for note in pair.feel.springs.notes if pair.feel.spec.stiffness_n_m else ():
                    print(f"{path}: pair {pair.name}: {note}")
    return status


def lint_fixtures(session: Session, controller: Controller) -> list[Finding]:
    """What is wrong or suspicious about a session's fixtures, as each of its arms meets them."""
    names = [pair.arm.name for pair in session.spec.pairs]
    found: list[Finding] = []
    for name, pair in zip(names, controller.pairs, strict=True):
        scene = Scene()
        guard = Guard(name, pair.arm, scene, Gate(scene, PERIOD_S), PERIOD_S)
        limits = pair.arm.limits
        found += lint(
            controller.fixtures,
            guard.view,
            pair.arm.sphere_centers,
            pair.arm.home,
            limits.q_min,
            limits.q_max,
            names,
        )
    return list(dict.fromkeys(found))


def _tell(path: Path, found: list[Finding]) -> None:
    console = Console(stderr=True, soft_wrap=True, highlight=False, markup=False)
    for finding in found:
        style = "red" if finding.level == "error" else "yellow"
        console.print(
            f"{path}: {finding.level}: {finding.fixture} {finding.text} [{finding.rule}]", style=style
        )
