"""Which way the axes of an array point: plain numbers in, plain numbers out, no NumPy.

A frame is named by the directions in which its coordinates grow: ``"RAS"`` grows to the
right, to the front (anterior) and to the head (superior). A trailing ``+`` says the same.
Frames are in the order x, y, z: left-right, back-front, foot-head.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

__all__ = ["Orientation", "frame_letters", "frame_signs", "orient", "world_rows"]

_PAIRS = (("L", "R"), ("P", "A"), ("I", "S"))  # decreasing and increasing in RAS
_WORLD_LABELS = ("spatial_x", "spatial_y", "spatial_z")


class Orientation(NamedTuple):
    """Where the axes of an array point."""

    codes: str  # one letter per axis: the direction that it follows most
    degrees: float  # the largest angle between an axis and the direction of its letter


def frame_letters(coord_system: str | None) -> str | None:
    """The three letters of a frame, or None if the text does not name one.

    Examples
    --------
    >>> frame_letters("LPS+"), frame_letters("scanner")
    ('LPS', None)
    """
    letters = (coord_system or "").removesuffix("+")
    known = len(letters) == 3 and all(
        letter in pair for letter, pair in zip(letters, _PAIRS, strict=True)
    )
    return letters if known else None


def frame_signs(source: str, target: str) -> list[int]:
    """What x, y and z are multiplied by to get from one frame to another.

    Examples
    --------
    >>> frame_signs("LPS", "RAS")
    [-1, -1, 1]
    """
    return [1 if ours == theirs else -1 for ours, theirs in zip(source, target, strict=True)]


def world_rows(labels: Sequence[str] | None) -> list[int]:
    """Which row of an affine is world axis x, y and z.

    Rows follow the axes of space: with labels z, y, x the first row is z. Without labels
    that say so, rows are x, y, z.

    Parameters
    ----------
    labels : sequence of str, optional
        Of the axes of space only.

    Examples
    --------
    >>> world_rows(["spatial_z", "spatial_y", "spatial_x"])
    [2, 1, 0]
    """
    names = list(labels or ())
    wanted = _WORLD_LABELS[: len(names)]
    if sorted(names) != list(wanted):
        return list(range(len(names)))
    return [names.index(name) for name in wanted]


def orient(
    affine: Sequence[Sequence[float]], labels: Sequence[str] | None, coord_system: str | None
) -> Orientation | None:
    """Which way each axis of space points.

    Parameters
    ----------
    affine : nested sequence of float
        Homogeneous matrix of two or three axes of space.
    labels : sequence of str, optional
        Of the axes of space only.
    coord_system : str, optional
        The frame of the affine.

    Returns
    -------
    Orientation or None
        None if the frame is not one of letters, or the affine has an axis of no length.

    Examples
    --------
    >>> orient([[-2, 0, 0, 9], [0, 0, 3, 9], [0, 1, 0, 9], [0, 0, 0, 1]], None, "RAS+")
    Orientation(codes='LSA', degrees=0.0)
    """
    letters = frame_letters(coord_system)
    axes = len(affine) - 1
    if letters is None or axes not in (2, 3):
        return None
    rows = world_rows(labels) if labels is not None else list(range(axes))
    columns = [[float(affine[row][axis]) for row in rows] for axis in range(axes)]
    lengths = [math.hypot(*column) for column in columns]
    if not all(math.isfinite(length) and length > 0 for length in lengths):
        return None
    cosines = [
        [item / length for item in c] for c, length in zip(columns, lengths, strict=True)
    ]
    best = _nearest(cosines)
    codes, angle = "", 0.0
    for axis, world in enumerate(best):
        cosine = cosines[axis][world]
        positive = letters[world]
        low, high = _PAIRS[world]
        codes += positive if cosine >= 0 else (low if positive == high else high)
        angle = max(angle, math.degrees(math.acos(min(1.0, abs(cosine)))))
    return Orientation(codes, angle)


def _nearest(cosines: list[list[float]]) -> list[int]:
    """A world axis of its own for each axis; as in nibabel, the clearest axis chooses first."""
    free = set(range(len(cosines)))
    chosen = [0] * len(cosines)
    for axis in sorted(free, key=lambda a: -max(abs(item) for item in cosines[a])):
        chosen[axis] = max(sorted(free), key=lambda world: abs(cosines[axis][world]))
        free.remove(chosen[axis])
    return chosen
