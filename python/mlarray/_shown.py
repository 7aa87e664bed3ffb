"""How an image shows itself: in one line, and in a notebook."""

from __future__ import annotations

from . import _core
from ._geometry import Geometry, geometry_of
from ._statistics import Measured
from ._text import size_text
from .errors import MLArrayError

__all__ = ["Shown", "geometry_shown"]


class Shown(Measured):
    """One line for print, a table with three slices for notebooks."""

    def __repr__(self) -> str:
        if self._array is None and self._plain is None:
            return "MLArray(closed)"
        parts = [f"shape={self.shape}", f"dtype={self.dtype}"]
        if self._is_metadata_only():
            parts = ["no array"]
        geometry = None if self._is_closed() else geometry_shown(self)
        if geometry is not None and geometry.has_spacing:
            parts.append(f"spacing={geometry.spacing}")
        if geometry is not None and geometry.orientation is not None:
            parts.append(f"orientation={geometry.orientation_text!r}")
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


def geometry_shown(image: Shown) -> Geometry | None:
    """What the metadata says of positions; None too where it cannot be read or does not fit.

    The voxels are there all the same. One read of the metadata; no `Meta` is made of it.
    """
    try:
        loaded = image._loaded
        if loaded is None and image._has_metadata():
            metadata = image._open_core().metadata()
        else:
            metadata = _core.Metadata({"spatial": image.meta.spatial._tree()})
        return geometry_of(metadata, None if image._is_metadata_only() else image.ndim)
    except MLArrayError:
        return None
