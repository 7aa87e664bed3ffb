"""Three orthogonal slices of a `.mla` scan as one picture, drawn by matplotlib.

    python orthoslices.py scan.mla slices.png

The picture follows the affine: pixels have the proportions of the body whatever the
spacing, and letters at the edges name the directions (Left, Right, Anterior, Posterior,
Superior, Inferior). Only the three slices are read from the file.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from mlarray import MLArray

PIXELS_PER_MM = 2
MARGIN = 28  # pixels around each view, for its letters

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


def view(image: MLArray, right: int, up: int, through: int) -> tuple[np.ndarray, float, float]:
    """The middle slice across one world axis, its height and its width in mm.

    Row 0 is the upper edge of the picture.
    """
    axes = world_axes(np.asarray(image.affine))
    index: list[slice | int] = [slice(None)] * image.ndim
    for extra in range(3, image.ndim):
        index[extra] = 0
    cut = axes[through][0]
    index[cut] = image.shape[cut] // 2
    plane = np.asarray(image[tuple(index)])
    if axes[right][0] < axes[up][0]:
        plane = plane.T  # rows along `up`, columns along `right`
    if not axes[up][1]:
        plane = plane[::-1]  # up is the top of the picture
    if axes[right][1]:
        plane = plane[:, ::-1]
    return plane, plane.shape[0] * axes[up][2], plane.shape[1] * axes[right][2]


def draw(image: MLArray, path: Path) -> tuple[int, int]:
    """Draw the three views side by side with their letters; returns width and height."""
    views = [view(image, right, up, through) for _, right, up, through in VIEWS]
    low, high = np.percentile(np.concatenate([plane.ravel() for plane, *_ in views]), (1, 99.8))
    heights = [round(height * PIXELS_PER_MM) for _, height, _ in views]
    widths = [round(width * PIXELS_PER_MM) for *_, width in views]
    size = (sum(widths) + 6 * MARGIN, max(heights) + 2 * MARGIN)
    figure = Figure(figsize=(size[0] / 100, size[1] / 100), dpi=100, facecolor="black")
    left = MARGIN
    for (plane, *_), (_, right, up, _), width, height in zip(views, VIEWS, widths, heights):
        at = (left / size[0], 0.5 - height / size[1] / 2, width / size[0], height / size[1])
        axes = figure.add_axes(at)
        axes.imshow(plane, "gray", vmin=low, vmax=high, aspect="auto", interpolation="bilinear")
        axes.set_axis_off()
        # In shares of the view; MARGIN / 2 pixels outside of it.
        across, above = MARGIN / 2 / width, MARGIN / 2 / height
        letters = [(-across, 0.5, ENDS[right][0]), (1 + across, 0.5, ENDS[right][1])]
        letters += [(0.5, -above, ENDS[up][0]), (0.5, 1 + above, ENDS[up][1])]
        for x, y, letter in letters:
            axes.text(
                x,
                y,
                letter,
                color="white",
                fontsize=14,
                ha="center",
                va="center",
                transform=axes.transAxes,
            )
        left += width + 2 * MARGIN
    figure.savefig(path)
    return size


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("scan", type=Path, help="a .mla file of a RAS+ scan")
    parser.add_argument("picture", type=Path, help="its suffix says the format: .png, .svg")
    options = parser.parse_args()
    with MLArray.open(options.scan) as image:
        draw(image, options.picture)


if __name__ == "__main__":
    main()
