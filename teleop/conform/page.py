"""One HTML page with verdicts and pictures; no script, no other file."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from teleop.conform.plot import Plot
from teleop.conform.runner import Result

_STYLE = """
body{font:15px/1.5 system-ui,sans-serif;color:#1d2428;background:#fff;max-width:1180px;
margin:2em auto;padding:0 1.2em}
h1{font-size:1.5em;margin:0}
h2{font-size:1.15em;margin:2em 0 .5em}
.sub{color:#5b666d;margin:.2em 0 1.2em}
table{border-collapse:collapse;width:100%}
td,th{text-align:left;padding:.35em .7em;border-bottom:1px solid #e2e6e8;vertical-align:top}
th{color:#5b666d;font-weight:600}
.pass{color:#1c7a3e}
.fail{color:#b3202c;font-weight:700}
.skip{color:#8a6d1a}
.why{color:#5b666d;font-size:.92em}
.plots{display:flex;flex-wrap:wrap;gap:1em}
figure{margin:0;flex:1 1 30em;max-width:40em}
svg{width:100%;height:auto;font:11px system-ui,sans-serif}
svg .g{stroke:#e2e6e8}
svg .v{stroke:#999;stroke-dasharray:3 3}
svg .t{font-size:12px;font-weight:600}
svg .e{text-anchor:end}
svg .m{text-anchor:middle}
svg .s{fill:#777}
svg .y{text-anchor:middle;writing-mode:vertical-rl;
transform:rotate(180deg);transform-box:fill-box;transform-origin:center}
code{background:#f3f5f6;padding:0 .25em}
@media(prefers-color-scheme:dark){
body{background:#14181a;color:#dde3e6}
td,th,svg .g{border-color:#303a3f;stroke:#303a3f}
td,th{stroke:none}
svg text{fill:#dde3e6}
svg .g{stroke:#303a3f}
code{background:#222a2e}
.pass{color:#61c285}
.fail{color:#ff7b85}
.skip{color:#d9b950}
}
"""


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the page.

    Attributes:
        title: its heading.
        head: column names of its table.
        rows: cells as plain text; one that is ``pass``, ``fail``, ``skip`` or ``not judged`` is coloured.
        plots: pictures under the table.
        text: a sentence before the table.
    """

    title: str
    head: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    plots: tuple[Plot, ...] = ()
    text: str = ""


def rules_section(title: str, results: Sequence[Result]) -> Section:
    """The table of a conformance test."""
    return Section(
        title,
        ("", "rule", "measured", "demanded", "why it matters"),
        tuple(
            (
                r.finding.verdict.value,
                f"{r.rule.id}: {r.rule.title}",
                r.finding.measured,
                r.rule.demanded,
                r.rule.why,
            )
            for r in results
        ),
        tuple(plot for r in results for plot in r.finding.plots),
    )


def page(title: str, subtitle: str, sections: Sequence[Section]) -> str:
    """The whole page."""
    made = time.strftime("%Y-%m-%d %H:%M:%S %Z")
    parts = [
        '<!doctype html><html lang="en"><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width,initial-scale=1">',
        f"<title>{escape(title)}</title><style>{_STYLE}</style>",
        f'<h1>{escape(title)}</h1><p class="sub">{escape(subtitle)}, {escape(made)}</p>',
    ]
    for section in sections:
        parts.append(f"<h2>{escape(section.title)}</h2>")
        if section.text:
            parts.append(f"<p>{escape(section.text)}</p>")
        if section.rows:
            head = "".join(f"<th>{escape(cell)}</th>" for cell in section.head)
            parts.append(f"<table><tr>{head}</tr>")
            for row in section.rows:
                parts.append("<tr>" + "".join(map(_cell, row)) + "</tr>")
            parts.append("</table>")
        if section.plots:
            parts.append('<div class="plots">')
            parts += [f"<figure>{plot.svg()}</figure>" for plot in section.plots]
            parts.append("</div>")
    return "".join([*parts, "</html>\n"])


def _cell(text: str) -> str:
    name = {"pass": "pass", "fail": "fail", "skip": "skip", "not judged": "skip"}.get(text)
    colour = f' class="{name}"' if name else ""
    return f"<td{colour}>{escape(text)}</td>"
