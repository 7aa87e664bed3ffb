"""Which way the axes of an array point: plain numbers in, plain numbers out, no NumPy.

A frame is named by the directions in which its coordinates grow: ``"RAS"`` grows to the
right, to the front (anterior) and to the head (superior). A trailing ``+`` says the same.
Frames are in the order x, y, z: left-right, back-front, foot-head.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from . import _core

__all__ = ["Orientation", "frame_letters", "frame_signs", "orient", "spacing_of", "world_axes"]


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
    return _core.frame_letters(_ascii(coord_system)) or None


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
    return _core.world_axes(_names(labels), count)


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
    found = _core.orientation_of(affine, _ascii(coord_system), _names(labels))
    return None if found is None else Orientation(*found)


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


# A file may hold anything where text belongs; no name of a frame or an axis has other letters.
def _ascii(text: object) -> str:
    return str("" if text is None else text).encode("ascii", "replace").decode()


def _names(labels: Sequence[str] | None) -> list[str]:
    return [_ascii(label) for label in labels or ()]
