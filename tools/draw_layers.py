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

PICTURE = ROOT / "docs/pictures/layers.svg"
WIDTH, BOX, HEIGHT, ROW, TOP = 760, (104, 34), 34, 84, 128


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


def box(x: float, y: float, width: float, text: str, style: str) -> str:
    """Return a box with its middle at x and its upper edge at y."""
    return (
        f'<rect class="{style}" x="{x - width / 2:g}" y="{y:g}" width="{width:g}" '
        f'height="{HEIGHT}" rx="5"/>'
        f'<text x="{x:g}" y="{y + 22:g}">{text}</text>'
    )


def picture_of(includes: dict[str, set[str]]) -> str:
    """Return the picture as SVG."""
    heights = heights_of(includes)
    highest = max(heights.values())
    place: dict[str, tuple[float, float]] = {}
    for level in range(highest + 1):
        row = [layer for layer in includes if heights[layer] == level]
        for number, layer in enumerate(row):
            x = WIDTH * (number + 1) / (len(row) + 1)
            place[layer] = (x, TOP + ROW * (highest - level))
    lines: list[str] = []
    thick = needed(includes)
    arrows = [(layer, other) for layer, below in includes.items() for other in sorted(below)]
    for layer, other in sorted(arrows, key=lambda arrow: arrow in thick):
        (x1, y1), (x2, y2) = place[layer], place[other]
        y1 += HEIGHT
        bend = (y2 - y1) / 2
        style = "thick" if (layer, other) in thick else "thin"
        lines.append(
            f'<path class="{style}" d="M{x1:g} {y1:g}C{x1:g} {y1 + bend:g} '
            f'{x2:g} {y2 - bend:g} {x2:g} {y2 - 5:g}"/>'
        )
    middle = WIDTH / 2
    lines.append(f'<path class="thick" d="M{middle:g} {16 + HEIGHT}V69"/>')
    lines.append(box(middle, 16, 330, "bindings, examples, your program", "user"))
    lines.append(box(middle, 74, 620, "include/mlarray: public headers", "public"))
    lines += [box(x, y, BOX[0], layer, "layer") for layer, (x, y) in place.items()]
    height = TOP + ROW * highest + HEIGHT + 16
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" '
            f'viewBox="0 0 {WIDTH} {height}" role="img" '
            f'aria-label="The layers of the library, and what includes what">',
            "<style>text{font:14px sans-serif;text-anchor:middle;fill:#1a1a1a}"
            "path{fill:none}.thick{stroke:#35507a;stroke-width:1.6;marker-end:url(#a)}"
            ".thin{stroke:#c3cad6;stroke-width:1;marker-end:url(#b)}"
            "rect{stroke:#35507a}.layer{fill:#e8eef8}.public{fill:#fdf3dc;stroke:#9a7b2d}"
            ".user{fill:#f3f3f3;stroke:#888}</style>",
            '<defs><marker id="a" markerWidth="7" markerHeight="7" refX="4" refY="3" '
            'orient="auto"><path d="M0 0L6 3L0 6z" style="fill:#35507a"/></marker>'
            '<marker id="b" markerWidth="7" markerHeight="7" refX="4" refY="3" '
            'orient="auto"><path d="M0 0L6 3L0 6z" style="fill:#c3cad6"/></marker></defs>',
            f'<rect width="{WIDTH}" height="{height}" style="fill:#fff;stroke:none"/>',
            *lines,
            "</svg>",
            "",
        ]
    )


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
