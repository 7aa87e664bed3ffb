"""What an image says of itself: in one line, in a table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .. import _core
from ..errors import MLArrayError
from ..orientation import orient, spacing_of
from ..spatial import affine_of, spatial_ndim_of
from .text import size_text

if TYPE_CHECKING:
    from .._store.base import Store

__all__ = ["geometry_of", "line_of", "place_of"]


def line_of(store: Store) -> str:
    """One line for print."""
    if store.core is None and store.is_closed:
        return "MLArray(closed)"
    parts = [f"shape={store.shape}", f"dtype={store.dtype}"]
    if store.is_empty:
        parts = ["no array"]
    geometry = {} if store.is_closed else geometry_of(store)
    if "spacing" in geometry:
        parts.append(f"spacing={geometry['spacing']}")
    if "orientation" in geometry:
        parts.append(f"orientation={geometry['orientation']!r}")
    return f"MLArray({', '.join([*parts, *place_of(store)])})"


def place_of(store: Store) -> list[str]:
    """How large it is and where."""
    if store.is_closed:
        return ["closed"]
    if store.core is None:
        return ["in memory"]
    if store.access is None:
        return [f"{size_text(store.core.compressed_bytes())} compressed", "in memory"]
    size = size_text(store.core.file_bytes)
    return [f"{size} compressed", repr(store.path), f"mode={store.access!r}"]


def geometry_of(store: Store) -> dict[str, Any]:
    """Spacing and orientation, as far as the metadata has them."""
    found: dict[str, Any] = {}
    try:
        spatial = store.meta.spatial
        given = (spatial.affine, spatial.spacing, spatial.origin, spatial.direction)
        if spatial_ndim_of(store) is None or all(part is None for part in given):
            return found
        affine = affine_of(store)
        if spatial.affine is not None or spatial.spacing is not None:
            scale = _core.affine_scale(affine)
            stated = spatial.spacing if spatial.affine is None else None
            found["spacing"] = spacing_of(stated, scale)
        labels = spatial.axis_labels
        if labels is not None:
            labels = [text for text, keep in zip(labels, store.spatial_axes()) if keep]
        known = orient(affine, labels, spatial.coord_system)
        if known is not None:
            found["orientation"] = known.codes
    except MLArrayError:
        pass  # metadata that cannot be read, or does not fit: the voxels are there all the same
    return found
