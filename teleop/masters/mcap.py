"""A hand out of a recording of a session, or out of a file made by ``trocar import``."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from teleop.masters.recording import PlaybackSpec, Recording


class McapSpec(PlaybackSpec):
    """A master that plays a hand of an MCAP file.

    Attributes:
        path: the file; a relative one is looked for beside the TOML file that names it.
        hand: name of the master or its pair; may be left out where the file has only one.
    """

    kind: Literal["mcap"]
    path: Path
    hand: str | None = None


def read_mcap(path: Path, hand: str | None, playback: PlaybackSpec) -> Recording:
    """The hand in ``path``.

    Raises:
        TrocarError: no such hand, or a file that is no recording.
    """
    from teleop.recorder.exchange.hand import read_hand  # recordings know sessions, and sessions masters

    return read_hand(path, hand, playback)
