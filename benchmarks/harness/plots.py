"""Plots by matplotlib: logarithmic axes, because figures differ by magnitudes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter, NullLocator

__all__ = ["bars", "lines", "save", "targets"]

_OURS, _OTHER, _MET = "#d1495b", "#30638e", "#2a9d8f"  # ours stands out
_WIDTH = 9.0  # inches
matplotlib.rcParams["svg.fonttype"] = "none"  # text stays text


def save(figure: Figure, path: Path) -> None:
    """Write a plot as SVG."""
    figure.savefig(path, format="svg")


def bars(title: str, groups: Mapping[str, Mapping[str, float]], unit: str) -> Figure:
    """Groups of horizontal bars, shortest first, on one logarithmic axis."""
    rows = [
        (f"{name}, {group}" if len(groups) > 1 else name, name, value)
        for group, found in groups.items()
        for name, value in sorted(found.items(), key=lambda item: item[1])
        if value > 0
    ]
    figure = Figure(figsize=(_WIDTH, 1.2 + 0.25 * len(rows)), layout="constrained")
    axes = figure.add_subplot(title=title, xscale="log", xlabel=f"{unit}: shorter is better")
    drawn = axes.barh(
        range(len(rows)),
        [value for *_, value in rows],
        color=[_OURS if name.startswith("mlarray") else _OTHER for _, name, _ in rows],
    )
    axes.set_yticks(range(len(rows)), [label for label, *_ in rows])
    axes.invert_yaxis()
    axes.bar_label(drawn, [f"{value:.3g}" for *_, value in rows], padding=3)
    axes.margins(x=0.1)
    return figure


def lines(
    title: str,
    series: Mapping[str, Sequence[tuple[float, float]]],
    x_label: str,
    y_label: str,
) -> Figure:
    """A line for each name, on two logarithmic axes."""
    figure = Figure(figsize=(_WIDTH, 4.5), layout="constrained")
    axes = figure.add_subplot(
        title=title, xscale="log", yscale="log", xlabel=x_label, ylabel=y_label
    )
    for name, points in sorted(series.items(), key=lambda item: -item[1][-1][1]):
        (line,) = axes.plot(*zip(*points), "o-", label=name)
        if name.startswith("mlarray"):
            line.set(color=_OURS, linewidth=2.5)
    ticks = sorted({x for points in series.values() for x, _ in points})
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.grid(axis="y", color="#dddddd")
    figure.legend(loc="outside right upper", frameon=False)
    return figure


def targets(title: str, rows: Sequence[tuple[str, float, bool]]) -> Figure:
    """How far each target is met, as a share of it: further right is better.

    `rows` has the work, the share of the target that is reached, and whether that is enough.
    """
    low, high = 0.25, 4.0
    shares = [min(max(share, low), high) for _, share, _ in rows]
    figure = Figure(figsize=(_WIDTH, 1.2 + 0.25 * len(rows)), layout="constrained")
    axes = figure.add_subplot(title=title, xscale="log", xlim=(low, high * 1.3))
    drawn = axes.barh(
        range(len(rows)),
        [share - 1 for share in shares],
        left=1,
        color=[_MET if met else _OURS for *_, met in rows],
    )
    axes.set_yticks(range(len(rows)), [work for work, *_ in rows])
    axes.set_xticks([low, 0.5, 1, 2, high], ["1/4", "1/2", "target", "2", "4"])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.invert_yaxis()
    axes.axvline(1, color="#333333")
    shown = [f"{share:.2f}" if share < 10 else "10+" for _, share, _ in rows]
    axes.bar_label(drawn, shown, padding=3)
    return figure
