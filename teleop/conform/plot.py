"""Line plots as SVG text, so that a page needs no script, no font and no other file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

_WIDTH, _HEIGHT = 560, 230
_LEFT, _RIGHT, _TOP, _BOTTOM = 62, 12, 26, 40
_COLOURS = ("#1f6f8b", "#d1495b", "#5f8f3f", "#8a5fa8", "#b8860b", "#444444")
_MOST_POINTS = 900


@dataclass(frozen=True, slots=True)
class Plot:
    """Curves over one axis.

    Attributes:
        title: above the picture.
        x_label: with unit.
        y_label: with unit.
        series: name, x and y of each curve.
        marks: name and x of vertical lines.
        log_x: logarithmic x axis.
    """

    title: str
    x_label: str
    y_label: str
    series: tuple[tuple[str, Sequence[float], Sequence[float]], ...]
    marks: tuple[tuple[str, float], ...] = field(default=())
    log_x: bool = False

    def svg(self) -> str:
        """The picture."""
        curves = [(n, np.asarray(x, float), np.asarray(y, float)) for n, x, y in self.series]
        curves = [(n, *_thin(x[np.isfinite(y)], y[np.isfinite(y)])) for n, x, y in curves]
        curves = [c for c in curves if c[1].size]
        if not curves:
            return f"<p>{escape(self.title)}: no data</p>"
        x0, x1 = _span(np.concatenate([self._scale(x) for _, x, _ in curves]))
        y0, y1 = _span(np.concatenate([y for _, _, y in curves]))

        def px(x: float) -> float:
            return _LEFT + (x - x0) / (x1 - x0) * (_WIDTH - _LEFT - _RIGHT)

        def py(y: float) -> float:
            return _HEIGHT - _BOTTOM - (y - y0) / (y1 - y0) * (_HEIGHT - _TOP - _BOTTOM)

        parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" '
            f'aria-label="{escape(self.title, quote=True)}">',
            f'<text x="{_LEFT}" y="16" class="t">{escape(self.title)}</text>',
        ]
        for tick in np.linspace(y0, y1, 5):
            parts.append(f'<path class="g" d="M{_LEFT} {py(tick):.1f}H{_WIDTH - _RIGHT}"/>')
            parts.append(f'<text x="{_LEFT - 5}" y="{py(tick) + 4:.1f}" class="e">{tick:.4g}</text>')
        for tick in np.linspace(x0, x1, 6):
            shown = 10.0**tick if self.log_x else tick
            parts.append(
                f'<text x="{px(tick):.1f}" y="{_HEIGHT - _BOTTOM + 15}" class="m">{shown:.4g}</text>'
            )
        parts.append(
            f'<text x="{(_LEFT + _WIDTH) / 2}" y="{_HEIGHT - 8}" class="m">{escape(self.x_label)}</text>'
        )
        parts.append(f'<text x="12" y="{_HEIGHT / 2}" class="y">{escape(self.y_label)}</text>')
        for name, at in self.marks:
            across = px(float(self._scale(np.array([at]))[0]))
            if _LEFT <= across <= _WIDTH - _RIGHT:
                parts.append(f'<path class="v" d="M{across:.1f} {_TOP}V{_HEIGHT - _BOTTOM}"/>')
                parts.append(f'<text x="{across + 3:.1f}" y="{_TOP + 10}" class="s">{escape(name)}</text>')
        for k, (name, x, y) in enumerate(curves):
            colour = _COLOURS[k % len(_COLOURS)]
            points = " ".join(f"{px(a):.1f},{py(b):.1f}" for a, b in zip(self._scale(x), y, strict=True))
            parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.4"/>')
            right, down = _WIDTH - _RIGHT, _TOP + 4 + 13 * k
            parts.append(f'<text x="{right}" y="{down}" class="e" fill="{colour}">{escape(name)}</text>')
        return "".join([*parts, "</svg>"])

    def _scale(self, x: Array) -> Array:
        return np.log10(np.maximum(x, 1e-12)) if self.log_x else x


def _span(values: Array) -> tuple[float, float]:
    low, high = float(values.min()), float(values.max())
    room = 0.05 * (high - low) or max(abs(high), 1.0) * 1e-3
    return low - room, high + room


def _thin(x: Array, y: Array) -> tuple[Array, Array]:
    """Few enough points for a page, extremes kept: the least and the greatest of each run of samples."""
    if x.size <= _MOST_POINTS:
        return x, y
    keep: list[int] = []
    for chunk in np.array_split(np.arange(x.size), _MOST_POINTS // 2):
        keep += sorted({int(chunk[np.argmin(y[chunk])]), int(chunk[np.argmax(y[chunk])])})
    return x[keep], y[keep]
