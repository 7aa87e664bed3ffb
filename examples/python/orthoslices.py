"""Three orthogonal slices of a `.mla` scan as one PNG, with nothing but NumPy.

    python orthoslices.py scan.mla slices.png

The picture follows the affine: pixels have the proportions of the body whatever the
spacing, and letters at the edges name the directions (Left, Right, Anterior, Posterior,
Superior, Inferior). Only the three slices are read from the file.
"""

from __future__ import annotations

import argparse
import struct
import zlib
from pathlib import Path

import numpy as np

from mlarray import MLArray

PIXELS_PER_MM = 2.0
MARGIN = 28
BACKGROUND = 0
INK = 255

# Five by seven dots per letter, one number per row.
LETTERS = {
    "A": (0x0E, 0x11, 0x11, 0x1F, 0x11, 0x11, 0x11),
    "I": (0x0E, 0x04, 0x04, 0x04, 0x04, 0x04, 0x0E),
    "L": (0x10, 0x10, 0x10, 0x10, 0x10, 0x10, 0x1F),
    "P": (0x1E, 0x11, 0x11, 0x1E, 0x10, 0x10, 0x10),
    "R": (0x1E, 0x11, 0x11, 0x1E, 0x14, 0x12, 0x11),
    "S": (0x0F, 0x10, 0x10, 0x0E, 0x01, 0x01, 0x1E),
}

# Name, world axis to the right, world axis upwards, world axis cut through.
VIEWS = (("sagittal", 1, 2, 0), ("coronal", 0, 2, 1), ("axial", 0, 1, 2))
# Letters where a world axis (x, y, z) is low and where it is high, in RAS+.
ENDS = (("L", "R"), ("P", "A"), ("I", "S"))


def world_axes(affine: np.ndarray) -> list[tuple[int, bool, float]]:
    """For each world axis: the array axis along it, whether that runs backwards, and the
    distance of voxels in mm."""
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    cosines = affine[:3, :3] / spacing
    free = [0, 1, 2]
    axes = []
    for world in range(3):
        axis = max(free, key=lambda candidate: abs(cosines[world, candidate]))
        free.remove(axis)
        axes.append((axis, bool(cosines[world, axis] < 0), float(spacing[axis])))
    return axes


def view(image: MLArray, right: int, up: int, through: int) -> np.ndarray:
    """The middle slice across one world axis, as a picture: row 0 is the upper edge."""
    axes = world_axes(np.asarray(image.affine))
    index: list[slice | int] = [slice(None)] * image.ndim
    for extra in range(3, image.ndim):
        index[extra] = 0
    cut = axes[through][0]
    index[cut] = image.shape[cut] // 2
    plane = np.asarray(image[tuple(index)], dtype=np.float32)
    if axes[right][0] < axes[up][0]:
        plane = plane.T  # rows along `up`, columns along `right`
    if not axes[up][1]:
        plane = plane[::-1]  # up is the top of the picture
    if axes[right][1]:
        plane = plane[:, ::-1]
    return stretch(stretch(plane, 0, axes[up][2]), 1, axes[right][2])


def stretch(plane: np.ndarray, axis: int, spacing: float) -> np.ndarray:
    """Linear interpolation along one axis to PIXELS_PER_MM."""
    count = plane.shape[axis]
    pixels = max(round(count * spacing * PIXELS_PER_MM), 1)
    position = (np.arange(pixels) + 0.5) * count / pixels - 0.5
    low = np.clip(np.floor(position).astype(int), 0, count - 1)
    high = np.minimum(low + 1, count - 1)
    weight = np.clip(position - low, 0, 1).astype(np.float32)
    weight = weight[:, None] if axis == 0 else weight[None, :]
    return plane.take(low, axis) * (1 - weight) + plane.take(high, axis) * weight


def draw_letter(canvas: np.ndarray, letter: str, row: int, column: int, size: int = 2) -> None:
    """Draw centred at a pixel."""
    dots = np.array([[bits >> bit & 1 for bit in range(4, -1, -1)] for bits in LETTERS[letter]])
    dots = dots.repeat(size, 0).repeat(size, 1)
    top, left = row - dots.shape[0] // 2, column - dots.shape[1] // 2
    canvas[top : top + dots.shape[0], left : left + dots.shape[1]][dots == 1] = INK


def montage(image: MLArray) -> np.ndarray:
    """The three views side by side with their letters, as grey values of a byte."""
    planes = [view(image, right, up, through) for _, right, up, through in VIEWS]
    low, high = np.percentile(np.concatenate([plane.ravel() for plane in planes]), (1, 99.8))
    height = max(plane.shape[0] for plane in planes) + 2 * MARGIN
    width = sum(plane.shape[1] + 2 * MARGIN for plane in planes)
    canvas = np.full((height, width), BACKGROUND, np.uint8)
    left = 0
    for plane, (_, right, up, _) in zip(planes, VIEWS, strict=True):
        rows, columns = plane.shape
        top = (height - rows) // 2
        grey = np.clip((plane - low) / max(high - low, 1e-6), 0, 1) * 255
        box = canvas[top : top + rows, left + MARGIN : left + MARGIN + columns]
        box[...] = np.round(grey).astype(np.uint8)
        middle_row, middle_column = top + rows // 2, left + MARGIN + columns // 2
        draw_letter(canvas, ENDS[right][0], middle_row, left + MARGIN // 2)
        draw_letter(canvas, ENDS[right][1], middle_row, left + columns + MARGIN * 3 // 2)
        draw_letter(canvas, ENDS[up][1], top - MARGIN // 2, middle_column)
        draw_letter(canvas, ENDS[up][0], top + rows + MARGIN // 2, middle_column)
        left += columns + 2 * MARGIN
    return canvas


def write_png(path: Path, grey: np.ndarray) -> None:
    """Write 8-bit grey values (rows, columns)."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        checked = kind + content
        return (
            struct.pack(">I", len(content)) + checked + struct.pack(">I", zlib.crc32(checked))
        )

    rows, columns = grey.shape
    filtered = np.zeros((rows, columns + 1), np.uint8)  # each row starts with filter 0
    filtered[:, 1:] = grey
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", struct.pack(">IIBBBBB", columns, rows, 8, 0, 0, 0, 0))
        + chunk(b"IDAT", zlib.compress(filtered.tobytes(), 9))
        + chunk(b"IEND", b"")
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("scan", type=Path, help="a .mla file of a RAS+ scan")
    parser.add_argument("png", type=Path)
    options = parser.parse_args()
    with MLArray.open(options.scan) as image:
        write_png(options.png, montage(image))


if __name__ == "__main__":
    main()
