"""One page of HTML that needs nothing else: no network, no files beside it."""

from __future__ import annotations

import base64
import gzip
import json
from html import escape
from pathlib import Path
from string import Template

from teleop.recorder.report import figures

_ASSETS = Path(__file__).parent / "assets"
_LIBRARY = "plotly-gl3d-4.1.1.min.js.gz"


class Page:
    """Sections are added in the order in which they are read."""

    def __init__(self) -> None:
        """Empty."""
        self._body: list[str] = []
        self._figures: dict[str, figures.Figure] = {}

    def html(self, text: str) -> None:
        """Add markup."""
        self._body.append(text)

    def section(self, title: str, note: str, *parts: str) -> None:
        """A titled box."""
        self.html(
            f'<section><h2>{escape(title)}</h2><p class="note">{escape(note)}</p>{"".join(parts)}</section>'
        )

    def plot(self, name: str, figure: figures.Figure | None, otherwise: str = "") -> str:
        """The place of a figure; or a sentence where there is none."""
        if figure is None:
            return f'<p class="note">{escape(otherwise)}</p>'
        self._figures[name] = figure
        height = figure["layout"].get("height", 330)
        return f'<div class="plot" id="{name}" style="height:{height}px"></div>'

    def render(self, title: str) -> str:
        """The whole page."""
        template = Template((_ASSETS / "page.html").read_text(encoding="utf-8"))
        library = base64.b64encode((_ASSETS / _LIBRARY).read_bytes()).decode()
        data = gzip.compress(
            json.dumps(self._figures, separators=(",", ":"), allow_nan=False).encode(), 9, mtime=0
        )
        return template.substitute(
            title=escape(title),
            body="\n".join(self._body),
            library=library,
            figures=base64.b64encode(data).decode(),
        )


def table(head: list[str], rows: list[list[str]]) -> str:
    """A table; every column but the first is of numbers. Cells may hold markup."""
    top = "".join(f"<th{' class=n' if k else ''}>{cell}</th>" for k, cell in enumerate(head))
    body = "".join(
        "<tr>" + "".join(f"<td{' class=n' if k else ''}>{c}</td>" for k, c in enumerate(row)) + "</tr>"
        for row in rows
    )
    return f'<div class="scroll"><table><tr>{top}</tr>{body}</table></div>'
