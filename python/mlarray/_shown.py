"""How an image shows itself: in one line, and in a notebook."""

from __future__ import annotations

from typing import Any

from . import _core
from ._statistics import Measured
from ._text import size_text
from .errors import MLArrayError
from .orientation import orient, spacing_of

__all__ = ["Shown", "geometry_of"]


class Shown(Measured):
    """One line for print, a table with three slices for notebooks."""

    def __repr__(self) -> str:
        if self._array is None and self._plain is None:
            return "MLArray(closed)"
        parts = [f"shape={self.shape}", f"dtype={self.dtype}"]
        if self._is_metadata_only():
            parts = ["no array"]
        geometry = {} if self._is_closed() else geometry_of(self)
        if "spacing" in geometry:
            parts.append(f"spacing={geometry['spacing']}")
        if "orientation" in geometry:
            parts.append(f"orientation={geometry['orientation']!r}")
        return f"MLArray({', '.join([*parts, *self._place()])})"

    def _repr_html_(self) -> str:
        """A table, and the middle slice along each axis of space; reads only these."""
        from ._page import page_of

        return page_of(self)

    def _place(self) -> list[str]:
        """How large it is and where."""
        if self._is_closed():
            return ["closed"]
        if self._array is None:
            return ["in memory"]
        if self._access is None:
            return [f"{size_text(self._array.compressed_bytes())} compressed", "in memory"]
        size = size_text(self._array.file_bytes)
        return [f"{size} compressed", repr(self._path), f"mode={self._access!r}"]


def geometry_of(image: Shown) -> dict[str, Any]:
    """Spacing and orientation, as far as the metadata has them."""
    found: dict[str, Any] = {}
    try:
        spatial = image.meta.spatial
        given = (spatial.affine, spatial.spacing, spatial.origin, spatial.direction)
        if image.spatial_ndim is None or all(part is None for part in given):
            return found
        if spatial.affine is not None or spatial.spacing is not None:
            scale = _core.affine_scale(image.affine)
            stated = spatial.spacing if spatial.affine is None else None
            found["spacing"] = spacing_of(stated, scale)
        labels = spatial.axis_labels
        if labels is not None:
            labels = [text for text, keep in zip(labels, image._spatial_axes()) if keep]
        known = orient(image.affine, labels, spatial.coord_system)
        if known is not None:
            found["orientation"] = known.codes
    except MLArrayError:
        pass  # metadata that cannot be read, or does not fit: the voxels are there all the same
    return found
