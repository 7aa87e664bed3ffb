"""Draws the pictures of the pages by matplotlib, from what the library itself says.

    python docs/pictures/make_pictures.py [FOLDER]

Every position, shape and count in them is computed: layouts by saving an image, positions by
its affine. `tests/python/test_pictures.py` fails when a committed picture is not what this
program draws.
"""

from __future__ import annotations

import itertools
import math
import sys
import tempfile
from pathlib import Path

import numpy as np

from mlarray import MLArray

sys.path.insert(0, str(Path(__file__).parents[2] / "tools"))

from drawing import BLUE, GREEN, GREY, INK, LIGHT_BLUE, ORANGE, PALE, Drawing, Point


def vector(values: list[float]) -> str:
    return "(" + ", ".join(f"{value:g}" for value in np.round(values, 1)) + ")"


def patch() -> str:
    """A patch of one slice, and the blocks that reading it decodes."""
    shape, box = (1024, 1024), (slice(450, 578), slice(300, 428))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "slice.mla"
        MLArray(np.zeros(shape, np.int16)).save(path, patch_size=128)
        with MLArray.open(path) as image:
            chunks, blocks = image.chunks, image.blocks
    scale, left, top = 0.375, 20, 20
    drawing = Drawing(424, 590)
    touched = 0
    for corner in itertools.product(*(range(0, n, b) for n, b in zip(shape, blocks))):
        ends = [min(c + b, n) for c, b, n in zip(corner, blocks, shape)]
        meets = all(c < s.stop and e > s.start for c, e, s in zip(corner, ends, box))
        touched += meets
        row, column = (scale * c for c in corner)
        height, width = (scale * (e - c) for c, e in zip(corner, ends))
        fill = LIGHT_BLUE if meets else "#ffffff"
        drawing.rectangle((left + column, top + row), (width, height), fill, PALE)
    for corner in itertools.product(*(range(0, n, c) for n, c in zip(shape, chunks))):
        ends = [min(c + b, n) for c, b, n in zip(corner, chunks, shape)]
        row, column = (scale * c for c in corner)
        height, width = (scale * (e - c) for c, e in zip(corner, ends))
        drawing.rectangle((left + column, top + row), (width, height), "none", INK, 1.5)
    at = (left + scale * box[1].start, top + scale * box[0].start)
    drawing.rectangle(at, (scale * 128, scale * 128), "none", ORANGE, 3)
    all_blocks = math.prod(math.ceil(n / b) for n, b in zip(shape, blocks))
    legend = [
        (INK, "none", f"chunk, {chunks[0]} x {chunks[1]}: stored as one piece"),
        (GREY, "#ffffff", f"block, {blocks[0]} x {blocks[1]}: decoded as one piece"),
        (ORANGE, "none", "the patch that is read, 128 x 128"),
        (GREY, LIGHT_BLUE, f"decoded for it: {touched} of {all_blocks} blocks"),
    ]
    x, below = left + 12, top + scale * shape[0]
    for line, (stroke, fill, text) in enumerate(legend):
        y = below + 34 + 30 * line
        drawing.rectangle((x, y - 13), (18, 18), fill, stroke, 2)
        drawing.text((x + 28, y), text)
    saved = f"{shape[0]} x {shape[1]} voxels, saved with patch_size=128"
    drawing.text((x, below + 160), saved, GREY)
    return drawing.svg()


def axes() -> str:
    """An array of three axes, as NumPy counts them."""
    slices, rows, columns = np.zeros((4, 5, 7)).shape
    cell, shift = 30, (34, -26)
    left, bottom = 92, 120
    drawing = Drawing(424, 430)

    def corner(k: int, j: float, i: float) -> Point:
        return (left + cell * i + shift[0] * k, bottom + cell * j + shift[1] * k)

    for k in reversed(range(slices)):
        for j, i in itertools.product(range(rows), range(columns)):
            fill = "#ffffff" if k else LIGHT_BLUE
            if (k, j, i) == (0, 2, 4):
                fill = ORANGE
            drawing.rectangle(corner(k, j, i), (cell, cell), fill, GREY)
    drawing.arrow(corner(0, rows + 0.5, 0), corner(0, rows + 0.5, columns), BLUE)
    drawing.text(corner(0, rows + 1.2, 0), "axis 2: columns (x), fastest in memory", BLUE)
    drawing.arrow(corner(0, 0, -0.5), corner(0, rows, -0.5), GREEN)
    drawing.text((left - 24, bottom + 70), "axis 1:", GREEN, "end")
    drawing.text((left - 24, bottom + 90), "rows (y)", GREEN, "end")
    start, end = corner(0, -0.3, -0.1), corner(slices - 1, -0.3, -0.1)
    drawing.arrow(start, end, INK)
    drawing.text((16, start[1] - 66), "axis 0: slices (z)", INK)
    facts = [
        ("array.shape", f"({slices}, {rows}, {columns})", INK),
        ("the marked voxel", "array[0, 2, 4]", ORANGE),
        ("spacing of axis 0, 1, 2", "spacing=(3.0, 0.8, 0.8)", INK),
    ]
    for line, (what, value, colour) in enumerate(facts):
        y = bottom + cell * rows + 82 + 26 * line
        drawing.text((16, y), what, GREY)
        drawing.text((206, y), value, colour, bold=True)
    return drawing.svg()


def world() -> str:
    """Voxels of a rotated image in the world, placed by its affine."""
    angle = math.radians(20)
    image = MLArray(
        np.zeros((6, 4)),
        spacing=(10, 20),
        origin=(30, 20),
        direction=[
            [math.cos(angle), -math.sin(angle)],
            [math.sin(angle), math.cos(angle)],
        ],
    )
    affine = np.asarray(image.affine)
    scale, left, bottom = 3.3, 70, 366
    drawing = Drawing(424, 540)

    def position(index: Point) -> list[float]:
        return list((affine @ [*index, 1])[:2])

    def pixel(at: list[float]) -> Point:
        return (left + scale * at[0], bottom - scale * at[1])

    for i, j in np.ndindex(*image.shape):
        edges = [(i - 0.5, j - 0.5), (i + 0.5, j - 0.5), (i + 0.5, j + 0.5), (i - 0.5, j + 0.5)]
        fill = LIGHT_BLUE if (i, j) == (0, 0) else "#ffffff"
        drawing.polygon([pixel(position(edge)) for edge in edges], fill, GREY)
    for i, j in np.ndindex(*image.shape):
        drawing.dot(pixel(position((i, j))), 2.5, GREY)
    drawing.arrow((left, bottom), (left + 340, bottom), INK)
    drawing.arrow((left, bottom), (left, bottom - 350), INK)
    drawing.text((left + 340, bottom + 22), "first world axis, mm", INK, "end")
    drawing.text((left - 10, bottom - 336), "second", INK, "end")
    drawing.text((left - 10, bottom - 318), "axis", INK, "end")
    origin = pixel(position((0, 0)))
    drawing.arrow((left, bottom), origin, GREY)
    drawing.arrow(origin, pixel(position((1, 0))), BLUE)
    drawing.arrow(origin, pixel(position((0, 1))), GREEN)
    drawing.dot(origin, 4, INK)
    marked = (4, 2)
    drawing.dot(pixel(position(marked)), 5, ORANGE)
    lines = [
        (INK, f"origin={vector(image.origin)}", "centre of voxel (0, 0)"),
        (BLUE, f"spacing[0]={image.spacing[0]:g}", "step to voxel (1, 0)"),
        (GREEN, f"spacing[1]={image.spacing[1]:g}", "step to voxel (0, 1)"),
        (INK, "direction", "rotated by 20°; column j: axis j"),
        (ORANGE, f"voxel {vector(list(marked))}", f"lies at {vector(position(marked))} mm"),
    ]
    for line, (colour, text, meaning) in enumerate(lines):
        y = bottom + 62 + 26 * line
        drawing.text((16, y), text, colour, bold=True)
        drawing.text((172, y), meaning, GREY)
    return drawing.svg()


def conventions() -> str:
    """One point of the body in RAS and in LPS."""
    point = (40, 55)  # to the patient's right and to the front, in mm
    scale = 0.6
    drawing = Drawing(480, 270)
    for left, name, right, front in ((120, "RAS", 1, 1), (360, "LPS", -1, -1)):
        centre = (left, 142)
        drawing.ellipse(centre, (64, 75), PALE, GREY)
        nose = [(left - 10, 70), (left, 56), (left + 10, 70)]
        drawing.polygon(nose, PALE, GREY)
        # Seen from the feet, as slices are shown: the right side of the body is on the left.
        x_end = (centre[0] - right * 84, centre[1])
        y_end = (centre[0], centre[1] - front * 60)
        drawing.arrow(centre, x_end, BLUE)
        drawing.arrow(centre, y_end, GREEN)
        drawing.text((x_end[0], x_end[1] - 10), "x", BLUE, "middle", True)
        drawing.text((y_end[0] + 10, y_end[1] + 10), "y", GREEN, "start", True)
        at = (centre[0] - scale * point[0], centre[1] - scale * point[1])
        drawing.dot(at, 5, ORANGE)
        drawing.text((left, 26), name, INK, "middle", True)
        drawing.text((left, 46), "front", GREY, "middle")
        drawing.text((left, 236), "back", GREY, "middle")
        drawing.text((left - 72, centre[1] + 22), "right", GREY, "end")
        drawing.text((left + 72, centre[1] + 22), "left", GREY)
        place = vector([right * point[0], front * point[1]])
        drawing.text((left, 260), f"(x, y) = {place}", ORANGE, "middle")
    return drawing.svg()


PICTURES = {"patch": patch, "axes": axes, "world": world, "conventions": conventions}


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent
    for name, draw in PICTURES.items():
        (folder / f"{name}.svg").write_text(draw(), encoding="utf-8")


if __name__ == "__main__":
    main()
