"""Drawing speed against size: in the terminal, and as SVG."""

from __future__ import annotations

import math
import string
from collections.abc import Sequence
from html import escape
from typing import NamedTuple

__all__ = ["Point", "names", "on_the_edge", "svg_plot", "text_plot"]

_COLUMNS, _ROWS = 60, 14


class Point(NamedTuple):
    """Something that has a size and a speed."""

    size: float
    speed: float
    label: str


def names(count: int) -> list[str]:
    """A, B, ... for so many points."""
    letters = string.ascii_uppercase + string.ascii_lowercase
    return [letters[i % len(letters)] for i in range(count)]


def on_the_edge(points: Sequence[Point]) -> list[bool]:
    """Which points no other one beats in both size and speed."""
    return [
        not any(
            q.size <= p.size and q.speed >= p.speed and (q.size, q.speed) != (p.size, p.speed)
            for q in points
        )
        for p in points
    ]


def text_plot(points: Sequence[Point], across: str, up: str) -> list[str]:
    """Letters where the points are; of two at one place, the first is seen."""
    x_low, x_high = _range([p.size for p in points])
    y_low, y_high = _range([p.speed for p in points])
    grid = [[" "] * _COLUMNS for _ in range(_ROWS)]
    for name, point in reversed(list(zip(names(len(points)), points))):
        column = round((point.size - x_low) / (x_high - x_low) * (_COLUMNS - 1))
        row = round((y_high - point.speed) / (y_high - y_low) * (_ROWS - 1))
        grid[row][column] = name
    lines = [f"{up}"]
    for i, cells in enumerate(grid):
        value = y_high - (y_high - y_low) * i / (_ROWS - 1)
        label = f"{value:8.4g}" if i % 4 == 0 or i == _ROWS - 1 else " " * 8
        lines.append(f"{label} |{''.join(cells)}".rstrip())
    lines.append(f"{'':8} +{'-' * _COLUMNS}")
    low, high = f"{x_low:.3g}", f"{x_high:.3g}"
    gap = " " * (_COLUMNS - len(low) - len(high))
    lines.append(f"{'':10}{low}{gap}{high}")
    lines.append(f"{'':10}{across:^{_COLUMNS}}".rstrip())
    return lines


def svg_plot(points: Sequence[Point], title: str, across: str, up: str) -> str:
    """The same as a drawing; the points that none beats are joined."""
    width, height, left, right, top, bottom = 720, 420, 70, 500, 40, 370
    x_low, x_high = _range([p.size for p in points])
    y_low, y_high = _range([p.speed for p in points])

    def place(point: Point) -> tuple[float, float]:
        x = left + (right - left) * (point.size - x_low) / (x_high - x_low)
        return x, bottom - (bottom - top) * (point.speed - y_low) / (y_high - y_low)

    edge = on_the_edge(points)
    joined = sorted(place(point) for point, best in zip(points, edge) if best)
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in joined)
    body = [f'<polyline points="{path}" fill="none" stroke="#d1495b"/>']
    for i, (name, point, best) in enumerate(zip(names(len(points)), points, edge)):
        x, y = place(point)
        colour = "#d1495b" if best else "#30638e"
        body.append(
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{colour}"/>'
            f'<text x="{x + 6:.1f}" y="{y + 4:.1f}">{name}</text>'
            f'<text x="{right + 20}" y="{top + 16 * i}">{name} {escape(point.label)}</text>'
        )
    for share in (0.0, 0.5, 1.0):
        x, y = left + (right - left) * share, bottom - (bottom - top) * share
        body.append(
            f'<text x="{x:.0f}" y="{bottom + 18}" text-anchor="middle">'
            f"{x_low + (x_high - x_low) * share:.3g}</text>"
            f'<text x="{left - 8}" y="{y + 4:.0f}" text-anchor="end">'
            f"{y_low + (y_high - y_low) * share:.3g}</text>"
        )
    body.append(
        f'<path d="M{left} {top}V{bottom}H{right}" fill="none" stroke="#999"/>'
        f'<text x="{(left + right) / 2:.0f}" y="{bottom + 38}" text-anchor="middle">'
        f'{escape(across)}</text><text x="10" y="{top - 14}">{escape(up)}</text>'
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" role="img">'
        f"<title>{escape(title)}</title><style>text{{font:12px sans-serif}}</style>"
        f'<rect width="100%" height="100%" fill="white"/>{"".join(body)}</svg>\n'
    )


def _range(values: Sequence[float]) -> tuple[float, float]:
    """A little more than from the least to the most, never empty."""
    low, high = min(values), max(values)
    pad = max((high - low) * 0.05, math.ulp(high) * 4, abs(high) * 0.01)
    return max(low - pad, 0.0), high + pad
