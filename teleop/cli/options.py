"""The command line itself, and the options that several commands share."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter
from cyclopts.validators import Number

app = App(
    name="trocar",
    help="Drive a surgical robot arm from a master device, under virtual fixtures. "
    "Research software, not a medical device.",
    version=version("trocar"),
)

Overrides = Annotated[
    tuple[str, ...],
    Parameter(
        name="--set",
        negative=(),
        help="Replace one value of the session, for instance pairs[0].mapping.scale=0.2. May be repeated.",
    ),
]
Seconds = Annotated[
    float,
    Parameter(validator=Number(gte=0.0), help="Stop after this many seconds; 0 runs until Ctrl-C."),
]
JsonFile = Annotated[Path | None, Parameter(name="--json", help="Write the summary to this file as JSON.")]
RecordFile = Annotated[
    Path | None,
    Parameter(
        name="--record", help="Record every tick to this MCAP file; `trocar replay` and `report` read it."
    ),
]
ProcessName = Annotated[
    str | None, Parameter(help="Name of the master or arm; may be left out where the session has only one.")
]
