"""Plots as SVG: bars and lines, on logarithmic axes where figures differ by magnitudes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape

__all__ = ["bars", "lines", "targets"]

_WIDTH, _LABELS, _ROW = 720, 210, 22
# Ours stands out; the others are told apart by their labels too.
_OURS = "#d1495b"
_COLOURS = (
    "#30638e",
    "#003d5b",
    "#00798c",
    "#edae49",
    "#66a182",
    "#8d6a9f",
    "#7d7d7d",
    "#b08968",
)
_STYLE = (
    "text{font:12px sans-serif;fill:#333}.t{font-weight:bold;font-size:14px}"
    ".g{stroke:#ddd}.s{font-size:11px;fill:#666}"
)


def _svg(height: float, title: str, body: Sequence[str]) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{height:.0f}" '
        f'viewBox="0 0 {_WIDTH} {height:.0f}" role="img"><title>{escape(title)}</title>'
        f'<style>{_STYLE}</style><rect width="100%" height="100%" fill="white"/>'
        f'<text x="10" y="20" class="t">{escape(title)}</text>{"".join(body)}</svg>\n'
    )


def _colour(name: str, index: int) -> str:
    return _OURS if name.startswith("mlarray") else _COLOURS[index % len(_COLOURS)]


def bars(title: str, groups: Mapping[str, Mapping[str, float]], unit: str) -> str:
    """Groups of horizontal bars, shortest first, on one logarithmic axis."""
    values = [value for group in groups.values() for value in group.values() if value > 0]
    low, high = min(values) / 2, max(values)
    scale = (_WIDTH - _LABELS - 110) / max(math.log(high / low), 1e-9)
    body, y = [], 34.0
    for group, found in groups.items():
        y += 16
        body.append(f'<text x="10" y="{y:.0f}" class="s">{escape(group)}</text>')
        y += 6
        for name, value in sorted(found.items(), key=lambda item: item[1]):
            length = max(math.log(max(value, low) / low) * scale, 2)
            body.append(
                f'<text x="{_LABELS - 8}" y="{y + 14:.0f}" text-anchor="end">'
                f"{escape(name)}</text>"
                f'<rect x="{_LABELS}" y="{y + 2:.0f}" width="{length:.1f}" height="{_ROW - 6}" '
                f'fill="{_OURS if name.startswith("mlarray") else _COLOURS[0]}"/>'
                f'<text x="{_LABELS + length + 5:.1f}" y="{y + 14:.0f}">'
                f"{value:.3g} {unit}</text>"
            )
            y += _ROW
    note = "logarithmic: shorter is better"
    body.append(f'<text x="{_LABELS}" y="{y + 16:.0f}" class="s">{note}</text>')
    return _svg(y + 28, title, body)


def lines(
    title: str,
    series: Mapping[str, Sequence[tuple[float, float]]],
    x_label: str,
    y_label: str,
) -> str:
    """A line for each name, on two logarithmic axes."""
    points = [point for line in series.values() for point in line]
    xs, ys = sorted({x for x, _ in points}), [y for _, y in points]
    left, right, top, bottom = 70, _WIDTH - 160, 40, 330
    x_range = math.log(max(xs) / min(xs)) or 1.0
    y_low, y_high = math.log10(min(ys)), math.log10(max(ys))
    pad = max(0.05 * (y_high - y_low), 0.05)
    y_low, y_high = y_low - pad, y_high + pad

    def place(x: float, y: float) -> tuple[float, float]:
        across = left + (right - left) * math.log(x / min(xs)) / x_range
        return across, bottom - (bottom - top) * (math.log10(y) - y_low) / (y_high - y_low)

    body = []
    for tick in _ticks(y_low, y_high):
        y = place(min(xs), tick)[1]
        body.append(
            f'<line x1="{left}" x2="{right}" y1="{y:.1f}" y2="{y:.1f}" class="g"/>'
            f'<text x="{left - 6}" y="{y + 4:.1f}" text-anchor="end">{tick:g}</text>'
        )
    for tick in xs:
        x = place(tick, 1)[0]
        body.append(f'<text x="{x:.1f}" y="{bottom + 18}" text-anchor="middle">{tick:g}</text>')
    ends: list[float] = []
    for i, (name, line) in enumerate(sorted(series.items(), key=lambda item: -item[1][-1][1])):
        colour = _colour(name, i)
        placed = [place(x, y) for x, y in line]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in placed)
        body.append(
            f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>'
            + "".join(
                f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in placed
            )
        )
        y = max(placed[-1][1], ends[-1] + 14 if ends else 0)
        ends.append(y)
        body.append(
            f'<text x="{right + 8}" y="{y + 4:.1f}" style="fill:{colour}">{escape(name)}</text>'
        )
    body.append(
        f'<text x="{(left + right) / 2}" y="{bottom + 36}" text-anchor="middle" class="s">'
        f"{escape(x_label)}</text>"
        f'<text x="10" y="34" class="s">{escape(y_label)}</text>'
    )
    return _svg(bottom + 46, title, body)


def _ticks(low: float, high: float) -> list[float]:
    ticks = [
        m * 10.0**e for e in range(math.floor(low), math.ceil(high) + 1) for m in (1, 2, 5)
    ]
    inside = [tick for tick in ticks if low <= math.log10(tick) <= high]
    return inside if len(inside) <= 8 else [t for t in inside if f"{t:e}".startswith("1")]


def targets(title: str, rows: Sequence[tuple[str, float, bool]]) -> str:
    """How far each target is met, as a share of it: further right is better.

    `rows` has the work, the share of the target that is reached, and whether that is enough.
    """
    left, right = 330, _WIDTH - 70
    low, high = math.log(0.25), math.log(4)

    def across(share: float) -> float:
        return left + (right - left) * (min(max(math.log(share), low), high) - low) / (
            high - low
        )

    body, y = [], 34.0
    for work, share, met in rows:
        x, middle = across(max(share, 1e-9)), across(1)
        colour = "#2a9d8f" if met else _OURS
        shown = f"{share:.2f}" if share < 10 else "10+"
        body.append(
            f'<text x="{left - 8}" y="{y + 14:.0f}" text-anchor="end" class="s">'
            f"{escape(work)}</text>"
            f'<rect x="{min(x, middle):.1f}" y="{y + 4:.0f}" width="{abs(x - middle) + 1:.1f}" '
            f'height="{_ROW - 9}" fill="{colour}"/>'
            f'<text x="{right + 6}" y="{y + 14:.0f}">{shown}</text>'
        )
        y += _ROW - 3
    middle = across(1)
    body.append(
        f'<line x1="{middle:.1f}" x2="{middle:.1f}" y1="30" y2="{y + 4:.0f}" stroke="#333"/>'
        f'<text x="{middle:.1f}" y="{y + 18:.0f}" text-anchor="middle" class="s">target</text>'
    )
    return _svg(y + 28, title, body)
