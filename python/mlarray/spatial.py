"""Where the voxels are in the world: spacing, origin, direction, affine and their parts.

All of it is metadata (``meta.spatial``); units are those of ``meta.spatial.axis_units``,
commonly mm. Vectors have one entry per axis of space, in the array's axis order.
"""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any, TypeVar

from . import _core
from ._checks import check, to_core
from .errors import InvalidTypeError, InvalidUseError, InvalidValueError, LayoutError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .meta import Meta

__all__ = ["SpatialProperties", "filled_from", "resolve_axis_labels"]


Part = TypeVar("Part")


class SpatialProperties:
    """The geometry of an image, as properties.

    What is unset reads as None; a list can be edited in place (``image.spacing[1] = 5.3``).
    Assigning checks the lengths against the array: ``ValueError``, ``TypeError``.
    """

    @property
    def meta(self) -> Meta:
        """All metadata."""
        raise NotImplementedError

    @property
    def ndim(self) -> int:
        """Number of axes."""
        raise NotImplementedError

    @property
    def spacing(self) -> list[float] | None:
        """Distance between neighbouring voxels, per axis of space."""
        return self.meta.spatial.spacing

    @spacing.setter
    def spacing(self, value: Sequence[float] | None) -> None:
        self._set_spatial("spacing", value)

    @property
    def origin(self) -> list[float] | None:
        """Position of voxel (0, ..., 0), per axis of space."""
        return self.meta.spatial.origin

    @origin.setter
    def origin(self, value: Sequence[float] | None) -> None:
        self._set_spatial("origin", value)

    @property
    def direction(self) -> list[list[float]] | None:
        """Direction cosines; column j is the direction of axis j of space."""
        return self.meta.spatial.direction

    @direction.setter
    def direction(self, value: Sequence[Sequence[float]] | None) -> None:
        self._set_spatial("direction", value)

    @property
    def affine(self) -> list[list[float]]:
        """Homogeneous matrix from voxel index to position, ``(n + 1, n + 1)``.

        The stored one, or else made of spacing, origin and direction (ones, zeros and the
        identity where unset). None, and so are the parts below, if the image is metadata only
        and the metadata does not tell how many axes of space there are.
        """
        if self.spatial_ndim is None:
            return None  # type: ignore[unreachable]
        return to_core(self.meta).affine(self.spatial_ndim)

    @affine.setter
    def affine(self, value: Sequence[Sequence[float]] | None) -> None:
        self._set_spatial("affine", value)

    @property
    def translation(self) -> list[float]:
        """Last column of the affine: the position of voxel (0, ..., 0)."""
        return self._part(_core.affine_translation)

    @property
    def scale(self) -> list[float]:
        """Lengths of the affine's columns: the spacing."""
        return self._part(_core.affine_scale)

    @property
    def rotation(self) -> list[list[float]]:
        """The affine's matrix with its columns divided by the scale."""
        return self._part(_core.affine_rotation)

    @property
    def shear(self) -> list[list[float]]:
        """What remains of the affine without rotation and scale; identity if nothing."""
        return self._part(_core.affine_shear)

    @property
    def spatial_ndim(self) -> int:
        """Number of axes of space: those that `axis_labels` does not give another role.

        If the image is metadata only, as many as the metadata speaks of, or None.
        """
        if self._is_metadata_only():
            return to_core(self.meta).spatial_ndim()  # type: ignore[return-value]
        return sum(self._spatial_axes())

    @property
    def _spatial_ndim(self) -> int:
        """The older name of `spatial_ndim`."""
        return self.spatial_ndim

    def _part(self, of_affine: Callable[[list[list[float]]], Part]) -> Part:
        affine = self.affine
        return None if affine is None else of_affine(affine)

    def _is_metadata_only(self) -> bool:
        raise NotImplementedError

    def _spatial_axes(self) -> list[bool]:
        if self.meta.spatial.axis_labels is None:
            return [True] * self.ndim
        return to_core(self.meta).spatial_axes(self.ndim)

    def _set_spatial(self, name: str, value: Any) -> None:
        spatial = self.meta.spatial
        before = getattr(spatial, name)
        setattr(spatial, name, value)
        try:
            check(self.meta, -1 if self._is_metadata_only() else self.ndim)
        except Exception:
            setattr(spatial, name, before)
            raise


def resolve_axis_labels(
    axis_labels: Sequence[str] | None, channel_axis: int | None, ndim: int
) -> Sequence[str] | None:
    """Unite ``axis_labels`` and the older ``channel_axis``.

    Parameters
    ----------
    axis_labels : sequence of str, optional
        Role of each axis.
    channel_axis : int, optional
        The axis of channels; negative counts from the end.
    ndim : int
        Number of axes.

    Returns
    -------
    sequence of str or None
        Labels, one per axis.

    Raises
    ------
    InvalidUseError
        If both are given and contradict each other.
    LayoutError
        If there is not one label per axis.
    """
    if axis_labels is not None and (
        isinstance(axis_labels, str) or not hasattr(axis_labels, "__len__")
    ):
        raise InvalidTypeError(
            f"axis_labels={axis_labels!r} is a {type(axis_labels).__name__}; give a list of "
            f"one label for each of the {ndim} axes"
        )
    if axis_labels is not None and len(axis_labels) != ndim:
        raise LayoutError(
            f"axis_labels={list(axis_labels)} has {len(axis_labels)} entries, but the array "
            f"has {ndim} axes; give one for each"
        )
    if channel_axis is None:
        return axis_labels
    if not hasattr(channel_axis, "__index__"):
        raise InvalidTypeError(f"channel_axis={channel_axis!r} is not an int; give one")
    channel_axis = operator.index(channel_axis)
    if not -ndim <= channel_axis < ndim:
        raise InvalidValueError(
            f"channel_axis={channel_axis} is no axis of an array of {ndim}; give {-ndim} to "
            f"{ndim - 1}"
        )
    if axis_labels is None:
        return _core.labels_for_channel_axis(channel_axis, ndim)
    if _core.channel_axis_of(axis_labels) != channel_axis % ndim:
        raise InvalidUseError(
            f"axis_labels={list(axis_labels)} and channel_axis={channel_axis} contradict each "
            f"other; give only one of them"
        )
    return axis_labels


def filled_from(meta: Meta, base: Meta) -> Meta:
    """`meta` with what it does not say itself taken from `base`.

    The rule is the core's, `Metadata::fill_from`. Neither is changed, or shares anything with
    the result.
    """
    filled = to_core(meta).filled_from(to_core(base))
    return type(meta)._from_stored(filled.to_tree())
