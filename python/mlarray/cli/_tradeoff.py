"""Speed against size: which choices no other beats, and a drawing of all."""

from __future__ import annotations

import os
import string
from collections.abc import Sequence
from typing import NamedTuple

__all__ = ["Point", "draw", "names", "on_the_edge"]

_BEST, _OTHER = "#d1495b", "#30638e"


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


def draw(
    points: Sequence[Point], title: str, across: str, up: str, file: str | os.PathLike[str]
) -> None:
    """Draw the points as SVG; those that none beats are joined. Needs matplotlib."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure  # no window, and no state of the process

    figure = Figure(figsize=(8, 4.5), layout="constrained")
    axes = figure.add_subplot(title=title, xlabel=across, ylabel=up)
    edge = on_the_edge(points)
    joined = sorted((p.size, p.speed) for p, best in zip(points, edge) if best)
    axes.plot(*zip(*joined), color=_BEST, zorder=1)
    for name, point, best in zip(names(len(points)), points, edge):
        axes.plot(
            point.size,
            point.speed,
            "o",
            color=_BEST if best else _OTHER,
            label=f"{name}  {point.label}",
        )
        axes.annotate(
            name, (point.size, point.speed), xytext=(5, 3), textcoords="offset points"
        )
    figure.legend(loc="outside right upper", frameon=False)
    with rc_context({"svg.fonttype": "none"}):  # text stays text
        figure.savefig(file, format="svg")
