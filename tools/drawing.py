"""Shapes and texts at pixels of a picture, drawn by matplotlib, for the pages of docs/.

The same program always writes the same bytes, so that a committed picture can be compared.
A picture has two sets of colours: browsers take the one that the page's theme asks for.
"""

from __future__ import annotations

import io
from typing import Any

import matplotlib
from matplotlib.figure import Figure
from matplotlib.patches import Ellipse, FancyArrowPatch, FancyBboxPatch, Polygon
from matplotlib.path import Path

__all__ = ["BLUE", "GREEN", "GREY", "INK", "LIGHT_BLUE", "ORANGE", "PALE", "Drawing", "Point"]

Point = tuple[float, float]

INK, GREY, PALE = "#1f2933", "#616e7c", "#e4e7eb"
BLUE, LIGHT_BLUE, ORANGE, GREEN = "#1b66c9", "#cfe2ff", "#d9480f", "#2b8a3e"
# What the colours of a light page are on a dark one.
_DARK = {
    INK: "#e4e7eb",
    GREY: "#9aa5b1",
    PALE: "#3a4450",
    BLUE: "#74b0ff",
    LIGHT_BLUE: "#1d4272",
    ORANGE: "#ff8a4c",
    GREEN: "#69cf80",
    "#ffffff": "#1a1c1e",
    # the picture of the layers
    "#35507a": "#8fb1e3",
    "#c3cad6": "#4a5463",
    "#e8eef8": "#24334a",
    "#fdf3dc": "#4a3d1c",
    "#9a7b2d": "#d0ae5c",
    "#f3f3f3": "#2c2f33",
    "#888888": "#9a9a9a",
}
_FONT_SIZE = 13
_DPI = 72  # SVG's unit is the point: so a pixel is one
_STYLE = {
    "svg.fonttype": "none",  # text stays text
    "svg.hashsalt": "mlarray",
    "font.family": "sans-serif",
}
_ANCHORS = {"start": "left", "middle": "center", "end": "right"}


def _dark_rules() -> str:
    """Return the style on a dark page: matplotlib puts colours into an element's style."""
    rules = ["text:not([style*='fill']) {fill: #e4e7eb}"]
    for light, dark in _DARK.items():
        for part in ("fill", "stroke"):
            rules.append(f"[style*='{part}: {light}'] {{{part}: {dark} !important}}")
    return "\n@media (prefers-color-scheme: dark) {\n" + "\n".join(rules) + "\n}\n"


class Drawing:
    """One picture, in pixels, y downwards."""

    def __init__(self, width: int, height: int, title: str = "") -> None:
        self._title = title
        self._figure = Figure(figsize=(width / _DPI, height / _DPI), dpi=_DPI)
        self._axes = self._figure.add_axes((0, 0, 1, 1), frameon=False)
        self._axes.set(xlim=(0, width), ylim=(height, 0), xticks=[], yticks=[])
        self._above = 0

    def polygon(
        self, points: list[Point], fill: str = "none", stroke: str = "black", width: float = 1
    ) -> None:
        """Draw a closed line."""
        shape = Polygon(
            points, facecolor=fill, edgecolor=stroke, linewidth=width, joinstyle="round"
        )
        shape.set_zorder(self._next())
        self._axes.add_patch(shape)

    def rectangle(
        self,
        at: Point,
        size: Point,
        fill: str = "none",
        stroke: str = "black",
        width: float = 1,
    ) -> None:
        """Draw a rectangle whose upper left corner is `at`."""
        (x, y), (w, h) = at, size
        self.polygon([(x, y), (x + w, y), (x + w, y + h), (x, y + h)], fill, stroke, width)

    def rounded(self, at: Point, size: Point, fill: str, stroke: str) -> None:
        """Draw a rectangle with round corners."""
        shape = FancyBboxPatch(
            at,
            *size,
            boxstyle="round,pad=0,rounding_size=5",
            facecolor=fill,
            edgecolor=stroke,
            zorder=self._next(),
        )
        self._axes.add_patch(shape)

    def dot(self, at: Point, radius: float, colour: str) -> None:
        """Draw a filled circle."""
        self._ellipse(at, (radius, radius), colour, "none")

    def ellipse(self, at: Point, radii: Point, fill: str, stroke: str) -> None:
        """Draw an ellipse around `at`."""
        self._ellipse(at, radii, fill, stroke)

    def arrow(self, start: Point, end: Point, colour: str, width: float = 2.5) -> None:
        """Draw a straight arrow."""
        self._arrow(Path([start, end]), colour, width)

    def curve(self, start: Point, end: Point, bend: float, colour: str, width: float) -> None:
        """Draw an arrow that leaves and arrives vertically."""
        (x1, y1), (x2, y2) = start, end
        corners = [start, (x1, y1 + bend), (x2, y2 - bend), end]
        codes = [Path.MOVETO, Path.CURVE4, Path.CURVE4, Path.CURVE4]
        self._arrow(Path(corners, codes), colour, width)

    def text(
        self,
        at: Point,
        text: str,
        colour: str = "black",
        anchor: str = "start",
        bold: bool = False,
    ) -> None:
        """Write a line, whose baseline is at `at`."""
        self._axes.text(
            *at,
            text,
            color=colour,
            horizontalalignment=_ANCHORS[anchor],
            verticalalignment="baseline",
            fontsize=_FONT_SIZE,
            fontweight="bold" if bold else "normal",
            zorder=self._next(),
        )

    def svg(self) -> str:
        """Return the picture as SVG."""
        with matplotlib.rc_context(_STYLE):
            file = io.StringIO()
            unset = ("Creator", "Date", "Format", "Type")
            metadata: dict[str, Any] = dict.fromkeys(unset)
            if self._title:
                metadata["Title"] = self._title
            self._figure.savefig(file, format="svg", dpi=_DPI, metadata=metadata)
        text = file.getvalue().replace("</style>", f"{_dark_rules()}</style>", 1)
        return "\n".join([*(line.rstrip() for line in text.splitlines()), ""])

    def _next(self) -> int:
        """Return a height above all that is drawn: in the order of the calls."""
        self._above += 1
        return self._above

    def _ellipse(self, at: Point, radii: Point, fill: str, stroke: str) -> None:
        width, height = (2 * radius for radius in radii)
        shape = Ellipse(at, width, height, facecolor=fill, edgecolor=stroke)
        shape.set_zorder(self._next())
        self._axes.add_patch(shape)

    def _arrow(self, path: Path, colour: str, width: float) -> None:
        shape = FancyArrowPatch(
            path=path,
            arrowstyle="-|>,head_length=5,head_width=2.5",
            mutation_scale=1 if width > 2 else 0.8,
            color=colour,
            linewidth=width,
            shrinkA=0,
            shrinkB=0,
            zorder=self._next(),
        )
        self._axes.add_patch(shape)
