"""Which way the axes of an array point: plain numbers in, plain numbers out, no NumPy.

A frame is named by the directions in which its coordinates grow: ``"RAS"`` grows to the
right, to the front (anterior) and to the head (superior). A trailing ``+`` says the same.
Frames are in the order x, y, z: left-right, back-front, foot-head.
"""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Sequence
from typing import NamedTuple

__all__ = ["Orientation", "frame_letters", "frame_signs", "orient", "spacing_of", "world_axes"]

_PAIRS = (("L", "R"), ("P", "A"), ("I", "S"))  # decreasing and increasing in RAS
_WORLD_LABELS = ("spatial_x", "spatial_y", "spatial_z")
_WORDS = {"left": "L", "right": "R", "posterior": "P", "anterior": "A"}
_WORDS |= {"inferior": "I", "superior": "S"}


class Orientation(NamedTuple):
    """Where the axes of an array point."""

    codes: str  # one letter per axis: the direction that it follows most
    degrees: float  # the largest angle between an axis and the direction of its letter


def frame_letters(coord_system: str | None) -> str | None:
    """The three letters of a frame, or None if the text does not name one.

    Letters may be small, and a frame may be named by its three words, as in NRRD.

    Examples
    --------
    >>> frame_letters("LPS+"), frame_letters("lps"), frame_letters("scanner")
    ('LPS', 'LPS', None)
    >>> frame_letters("left-posterior-superior")
    'LPS'
    """
    text = (coord_system or "").strip().lower().removesuffix("+")
    words = re.findall("|".join(_WORDS), text)
    if "".join(words) == re.sub(r"[-\s]", "", text):
        text = "".join(_WORDS[word] for word in words)
    letters = text.upper()
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


def world_axes(labels: Sequence[str] | None, count: int) -> tuple[list[int], bool]:
    """Which world axis (0 is x, 1 is y, 2 is z) each row of an affine is.

    Rows follow the axes of space: with labels z, y, x the first row is z. Where the labels do
    not say it, the rows are x, y, z in this order.

    Parameters
    ----------
    labels : sequence of str, optional
        Of the axes of space only.
    count : int
        Number of axes of space.

    Returns
    -------
    axes : list of int
        One number for each row.
    named : bool
        Whether the labels say it.

    Examples
    --------
    >>> world_axes(["spatial_z", "spatial_x"], 2), world_axes(None, 3)
    (([2, 0], True), ([0, 1, 2], False))
    """
    names = list(labels or ())
    if len(names) == count and len(set(names)) == count and set(names) <= set(_WORLD_LABELS):
        return [_WORLD_LABELS.index(name) for name in names], True
    return list(range(count)), False


def orient(
    affine: Sequence[Sequence[float]], labels: Sequence[str] | None, coord_system: str | None
) -> Orientation | None:
    """Which way each axis of space points.

    The letters are those that nibabel gives, also of axes that are not at right angles.

    Parameters
    ----------
    affine : nested sequence of float
        Homogeneous matrix of one to three axes of space.
    labels : sequence of str, optional
        Of the axes of space only.
    coord_system : str, optional
        The frame of the affine.

    Returns
    -------
    Orientation or None
        None if the frame is not one of letters, or an axis has no length or no direction of
        its own.

    Examples
    --------
    >>> orient([[-2, 0, 0, 9], [0, 0, 3, 9], [0, 1, 0, 9], [0, 0, 0, 1]], None, "RAS+")
    Orientation(codes='LSA', degrees=0.0)
    """
    letters = frame_letters(coord_system)
    count = len(affine) - 1
    if letters is None or not 1 <= count <= 3:
        return None
    # As rows x, y, z: ties are decided in this order.
    world, _ = world_axes(labels, count)
    rows = sorted(range(count), key=lambda row: world[row])
    columns = [[float(affine[row][axis]) for row in rows] for axis in range(count)]
    lengths = [math.hypot(*column) for column in columns]
    if not all(math.isfinite(length) and length > 0 for length in lengths):
        return None
    cosines = [
        [item / length for item in c] for c, length in zip(columns, lengths, strict=True)
    ]
    best = _nearest(_without_shear(cosines))
    if best is None:
        return None
    codes, angle = "", 0.0
    for axis, (row, sign) in enumerate(best):
        low, high = _PAIRS[world[rows[row]]]
        positive = letters[world[rows[row]]]
        codes += positive if sign > 0 else (low if positive == high else high)
        cosine = max(-1.0, min(1.0, sign * cosines[axis][row]))
        angle = max(angle, math.degrees(math.acos(cosine)))
    return Orientation(codes, angle)


def spacing_of(stated: Sequence[float] | None, scale: Sequence[float]) -> list[float]:
    """The spacing that the image states, where that of its affine differs by rounding only.

    Parameters
    ----------
    stated : sequence of float, optional
        What the metadata says.
    scale : sequence of float
        Lengths of the affine's columns.

    Examples
    --------
    >>> spacing_of([2, 0.1], [1.9999999999999998, 0.1]), spacing_of([2], [4.0])
    ([2.0, 0.1], [4.0])
    """
    if stated is None or len(stated) != len(scale):
        return list(scale)
    return [
        abs(float(ours)) if math.isclose(abs(ours), length, rel_tol=1e-12) else length
        for ours, length in zip(stated, scale, strict=True)
    ]


def _nearest(columns: list[list[float]]) -> list[tuple[int, int]] | None:
    """A row of its own for each column, with its sign; the clearest column chooses first."""
    free = set(range(len(columns)))
    chosen = [(0, 0)] * len(columns)
    for axis in sorted(free, key=lambda a: -max(abs(item) for item in columns[a])):
        column = columns[axis]
        row = max(sorted(free), key=lambda r: abs(column[r]))
        if abs(column[row]) <= 1e-8:  # nothing is left for it
            return None
        chosen[axis] = (row, 1 if column[row] > 0 else -1)
        free.remove(row)
    return chosen


def _without_shear(columns: list[list[float]]) -> list[list[float]]:
    """The columns of the orthogonal matrix that is nearest to these (polar decomposition).

    The singular value decomposition behind it is by Jacobi's rotations of pairs of columns.
    Directions of singular values that are 0 are left out.
    """
    count = len(columns)
    epsilon = sys.float_info.epsilon
    turned = [list(column) for column in columns]  # the columns of U * S
    basis = [[float(i == j) for i in range(count)] for j in range(count)]  # those of V
    for _ in range(40):
        largest = 0.0
        for p in range(count):
            for q in range(p + 1, count):
                a, b = (_product(turned[i], turned[i]) for i in (p, q))
                c = _product(turned[p], turned[q])
                if abs(c) <= epsilon * math.sqrt(a * b):
                    continue
                largest = max(largest, abs(c))
                half = (b - a) / (2 * c)
                tangent = math.copysign(1 / (abs(half) + math.hypot(1, half)), half)
                cosine = 1 / math.hypot(1, tangent)
                for vectors in (turned, basis):
                    x, y = vectors[p], vectors[q]
                    vectors[p] = [cosine * (u - tangent * v) for u, v in zip(x, y)]
                    vectors[q] = [cosine * (tangent * u + v) for u, v in zip(x, y)]
        if largest == 0.0:
            break
    singular = [math.hypot(*column) for column in turned]
    least = max(singular) * count * epsilon
    kept = [i for i in range(count) if singular[i] > least]
    return [
        [
            math.fsum(turned[i][row] / singular[i] * basis[i][axis] for i in kept)
            for row in range(count)
        ]
        for axis in range(count)
    ]


def _product(one: Sequence[float], other: Sequence[float]) -> float:
    return math.fsum(u * v for u, v in zip(one, other, strict=True))
