"""Where the voxels are in the world: spacing, origin, direction, affine and their parts.

All of it is metadata (``meta.spatial``); units are those of ``meta.spatial.axis_units``,
commonly mm. Vectors have one entry per axis of space, in the array's axis order.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar, cast

from ._checks import check, to_core

if TYPE_CHECKING:
    from collections.abc import Callable

    from ._store.base import Store

__all__ = ["affine_of", "assign", "part_of", "spatial_ndim_of"]

Part = TypeVar("Part")


def spatial_ndim_of(store: Store) -> int:
    """Number of axes of space, or None if the image is metadata only and does not say it."""
    if store.is_empty:
        return cast("int", to_core(store.meta).spatial_ndim())
    return sum(store.spatial_axes())


def affine_of(store: Store) -> list[list[float]]:
    """The affine that is stored, or else made of the other fields; None as above."""
    count = spatial_ndim_of(store)
    unknown = cast("list[list[float]]", None)
    return unknown if count is None else to_core(store.meta).affine(count)


def part_of(store: Store, of_affine: Callable[[list[list[float]]], Part]) -> Part:
    """A part of the affine; None where there is no affine."""
    affine = affine_of(store)
    return cast("Part", None) if affine is None else of_affine(affine)


def assign(store: Store, name: str, value: Any) -> None:
    """Set a field of ``meta.spatial``, checked against the array."""
    spatial = store.meta.spatial
    before = getattr(spatial, name)
    setattr(spatial, name, value)
    try:
        check(store.meta, -1 if store.is_empty else store.ndim)
    except Exception:
        setattr(spatial, name, before)
        raise
