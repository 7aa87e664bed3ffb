"""Draw the layers of src/ and what includes what, as docs/pictures/layers.svg.

An arrow is an include that really stands in a file. Thick: the others follow from these. The
height of a layer is the longest way down from it, so that an arrow upwards cannot be drawn: a
circle is an error. Run it after a change of includes; `make lint` says when::

    python tools/draw_layers.py [--check]
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from check_layers import ROOT, order_of
from drawing import Drawing, Point

PICTURE = ROOT / "docs/pictures/layers.svg"
WIDTH, BOX, HEIGHT, ROW, TOP = 760, 104, 34, 84, 128
THICK, THIN = ("#35507a", 1.6), ("#c3cad6", 1.0)


def includes_of(source: Path) -> dict[str, set[str]]:
    """Return for each layer, the lowest first, the layers that its files include."""
    order = order_of((source / "CMakeLists.txt").read_text("utf-8"))
    found: dict[str, set[str]] = {layer: set() for layer in order}
    for layer in order:
        for path in sorted((source / layer).iterdir()):
            if path.suffix in (".cpp", ".hpp", ".inc"):
                text = path.read_text("utf-8")
                found[layer] |= set(re.findall(r'^#include "(\w+)/', text, re.M))
        found[layer] &= set(order) - {layer}
    return found


def heights_of(includes: dict[str, set[str]]) -> dict[str, int]:
    """Return the longest way down from each layer."""
    heights: dict[str, int] = {}

    def height(layer: str, above: tuple[str, ...]) -> int:
        if layer in above:
            raise ValueError(f"a circle of includes: {' > '.join([*above, layer])}")
        if layer not in heights:
            below = [height(other, (*above, layer)) for other in sorted(includes[layer])]
            heights[layer] = 1 + max(below, default=-1)
        return heights[layer]

    for layer in includes:
        height(layer, ())
    return heights


def needed(includes: dict[str, set[str]]) -> set[tuple[str, str]]:
    """Return the arrows that do not follow from others."""
    reach: dict[str, set[str]] = {}

    def reached(layer: str) -> set[str]:
        if layer not in reach:
            reach[layer] = set().union(*({other} | reached(other) for other in includes[layer]))
        return reach[layer]

    return {
        (layer, other)
        for layer, below in includes.items()
        for other in below
        if not any(other in reached(between) for between in below - {other})
    }


def picture_of(includes: dict[str, set[str]]) -> str:
    """Return the picture as SVG."""
    heights = heights_of(includes)
    highest = max(heights.values())
    height = TOP + ROW * highest + HEIGHT + 16
    drawing = Drawing(WIDTH, height, "The layers of the library, and what includes what")
    place: dict[str, Point] = {}
    for level in range(highest + 1):
        row = [layer for layer in includes if heights[layer] == level]
        for number, layer in enumerate(row):
            x = WIDTH * (number + 1) / (len(row) + 1)
            place[layer] = (x, TOP + ROW * (highest - level))
    thick = needed(includes)
    arrows = [(layer, other) for layer, below in includes.items() for other in sorted(below)]
    for arrow in sorted(arrows, key=lambda arrow: arrow in thick):
        (x1, y1), (x2, y2) = (place[layer] for layer in arrow)
        y1 += HEIGHT
        style = THICK if arrow in thick else THIN
        drawing.curve((x1, y1), (x2, y2 - 2), (y2 - y1) / 2, *style)
    middle = WIDTH / 2
    drawing.arrow((middle, 16 + HEIGHT), (middle, 72), *THICK)
    program, public = "bindings, examples, your program", "include/mlarray: public headers"
    box(drawing, (middle, 16), 330, program, "#f3f3f3", "#888888")
    box(drawing, (middle, 74), 620, public, "#fdf3dc", "#9a7b2d")
    for layer, at in place.items():
        box(drawing, at, BOX, layer, "#e8eef8", THICK[0])
    return drawing.svg()


def box(drawing: Drawing, at: Point, width: float, text: str, fill: str, stroke: str) -> None:
    """Draw a box with the middle of its upper edge at a point."""
    x, y = at
    drawing.rounded((x - width / 2, y), (width, HEIGHT), fill, stroke)
    drawing.text((x, y + 22), text, anchor="middle")


def main() -> int:
    """Write the picture, or say whether it is as it would be written."""
    picture = picture_of(includes_of(ROOT / "src"))
    if "--check" not in sys.argv[1:]:
        PICTURE.write_text(picture, "utf-8")
    elif not PICTURE.is_file() or PICTURE.read_text("utf-8") != picture:
        name = PICTURE.relative_to(ROOT)
        print(f"{name} is not as the includes are: run tools/draw_layers.py", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
