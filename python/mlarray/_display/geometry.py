"""Where an image lies, as print, notebooks and the command line say it. No NumPy."""

from __future__ import annotations

from typing import NamedTuple

from .. import _core
from ..orientation import orient, spacing_of

__all__ = ["Geometry", "geometry_of"]

_OBLIQUE_DEGREES = 0.01  # what single-precision affines do not reach by rounding


class Geometry(NamedTuple):
    """What the metadata says of the axes of space, in the array's order."""

    spacing: list[float]
    origin: list[float]
    has_spacing: bool  # whether the metadata says it; else it is ones
    orientation: str | None  # a letter per axis: the direction that it follows most
    oblique_degrees: float | None  # the largest angle between an axis and its letter's

    @property
    def orientation_text(self) -> str | None:
        """``RAS``, or ``RAS oblique``."""
        if self.orientation is None or self.oblique_degrees is None:
            return None
        oblique = self.oblique_degrees > _OBLIQUE_DEGREES
        return f"{self.orientation}{' oblique' if oblique else ''}"


def geometry_of(metadata: _core.Metadata, ndim: int | None) -> Geometry | None:
    """Take from the metadata what it says of positions.

    Parameters
    ----------
    metadata : _core.Metadata
        No other section than ``spatial`` is looked at.
    ndim : int, optional
        Number of axes; None for an image of metadata only, which may say it itself.

    Returns
    -------
    Geometry or None
        None where it says nothing of them.

    Raises
    ------
    MLArrayError
        For metadata that does not fit an array of `ndim` axes.
    """
    names = ("affine", "spacing", "origin", "direction")
    affine, spacing, *others = (metadata.get("spatial", name) for name in names)
    if ndim is None:
        ndim = metadata.ndim()
    if ndim is None:
        return None
    axes = metadata.spatial_axes(ndim)
    if all(part is None for part in (affine, spacing, *others)):
        return None
    matrix = metadata.affine(sum(axes))
    labels = metadata.get("spatial", "axis_labels")
    if labels is not None:
        labels = [label for label, is_space in zip(labels, axes) if is_space]
    found = orient(matrix, labels, metadata.get("spatial", "coord_system"))
    return Geometry(
        spacing_of(spacing if affine is None else None, _core.affine_scale(matrix)),
        _core.affine_translation(matrix),
        affine is not None or spacing is not None,
        *(found or (None, None)),
    )
