"""A small file in which a process says how it goes, for who started it: always whole, never half written."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def write_status(path: Path, facts: Mapping[str, Any]) -> None:
    """Replace what ``path`` says.

    Raises:
        OSError: it cannot be written.
    """
    scratch = path.with_suffix(".new")
    scratch.write_text(json.dumps(facts), encoding="utf-8")
    scratch.replace(path)
