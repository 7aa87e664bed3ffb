"""Where the voxels are in the world: spacing, origin, direction, affine and their parts.

All of it is metadata (``meta.spatial``); units are those of ``meta.spatial.axis_units``,
commonly mm. Vectors have one entry per axis of space, in the array's axis order.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar, cast

import numpy as np

from .. import _core
from ..errors import InvalidValueError
from .metadata import check, to_core

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from .base import Store

__all__ = [
    "affine_of",
    "assign",
    "assign_part",
    "matrix_of",
    "out_of_affine",
    "part_of",
    "spatial_ndim_of",
]

Part = TypeVar("Part")

# As `_core.affine_parts` returns them.
_PARTS = ("spacing", "origin", "direction")


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


def matrix_of(store: Store) -> NDArray[np.float64]:
    """The affine as a new array; None where there is no affine."""
    affine = affine_of(store)
    unknown = cast("NDArray[np.float64]", None)
    return unknown if affine is None else np.array(affine, np.float64)


def part_of(store: Store, of_affine: Callable[[list[list[float]]], Part]) -> Part:
    """A part of the affine; None where there is no affine."""
    affine = affine_of(store)
    return cast("Part", None) if affine is None else of_affine(affine)


def out_of_affine(store: Store, name: str) -> Any:
    """Spacing, origin or direction out of a stored affine; None if it has none.

    The affine has none if its last row is not 0, ..., 0, 1, an axis has length 0, or a number
    is not finite. The list refuses edits in place.
    """
    if store.meta.spatial.affine is None or spatial_ndim_of(store) is None:
        return None
    parts = _core.affine_parts(affine_of(store))
    if parts is None:
        return None
    from ..meta.frozen import frozen  # opening a file does without the metadata

    reason = f"image.{name} is taken out of the affine: assign a whole one instead of editing"
    return frozen(parts[_PARTS.index(name)], reason)


def assign_part(store: Store, name: str, value: Any) -> None:
    """Set one of three; where an affine is stored, it says the same afterwards."""
    meta = store.meta
    if meta.spatial.affine is None or (value is None and out_of_affine(store, name) is None):
        assign(store, name, value)
        return
    parts = _core.affine_parts(affine_of(store))
    if parts is None:
        raise InvalidValueError(
            f"spatial.{name}: the stored affine {meta.spatial.affine} has no spacing, origin "
            f"and direction (a last row other than 0, ..., 0, 1, an axis of length 0, or a "
            f"number that is not finite); set image.affine instead"
        )
    given = dict(zip(_PARTS, parts, strict=True))
    if value is None:  # then the other two stay
        given[name] = None
        meta.spatial._fill({"affine": None, **given})
        return
    given[name] = value
    whole = to_core(type(meta)(spatial=given))
    assign(store, "affine", whole.affine(spatial_ndim_of(store)))  # which checks the lengths


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
