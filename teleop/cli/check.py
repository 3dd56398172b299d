"""``trocar check``: is this session what its author means?"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from fixtures.errors import FixtureError
from kinematics.errors import KinematicsError
from teleop.config import ConfigError, load_session
from teleop.controller.build import build_controller
from teleop.errors import TrocarError
from teleop.masters.spec import DEVICES, make_source
from teleop.wire.errors import KeyFileError
from teleop.wire.keys import read_public_keys


def check_sessions(sessions: tuple[Path, ...], *, overrides: tuple[str, ...], effective: bool) -> int:
    """Check each session down to building its arms and reading its recordings.

    Returns:
        0 if all are right, 2 otherwise.
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
        if effective:
            print(json.dumps(session.effective(), indent=2))
        else:
            pairs = ", ".join(
                f"{p.master.name} -> {p.arm.name} ({p.arm.profile})" for p in session.spec.pairs
            )
            print(f"{path}: good. {pairs}. config {session.config_hash[:12]}")
            for pair in controller.pairs:
                for note in pair.feel.springs.notes if pair.feel.spec.stiffness_n_m else ():
                    print(f"{path}: pair {pair.name}: {note}")
    return status
