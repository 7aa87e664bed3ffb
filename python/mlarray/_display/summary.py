"""What an image says of itself: in one line, in a table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from .. import _core
from ..errors import MLArrayError
from .geometry import Geometry, geometry_of
from .text import size_text

if TYPE_CHECKING:
    from ..meta import Meta

__all__ = ["Shown", "geometry_shown", "line_of", "place_of"]


class Shown(Protocol):
    """What is shown: a store, of which no more is asked than this."""

    @property
    def core(self) -> _core.Array | None: ...
    @property
    def path(self) -> str | None: ...
    @property
    def access(self) -> str | None: ...
    @property
    def shape(self) -> tuple[int, ...]: ...
    @property
    def dtype(self) -> Any: ...
    @property
    def meta(self) -> Meta: ...
    @property
    def is_closed(self) -> bool: ...
    @property
    def chunks(self) -> tuple[int, ...] | None: ...
    @property
    def blocks(self) -> tuple[int, ...] | None: ...
    @property
    def is_empty(self) -> bool: ...
    def stored_metadata(self) -> _core.Metadata | None: ...
    def read(self, key: Any) -> Any: ...
    def spatial_axes(self) -> list[bool]: ...


def line_of(store: Shown) -> str:
    """One line for print."""
    if store.core is None and store.is_closed:
        return "MLArray(closed)"
    parts = [f"shape={store.shape}", f"dtype={store.dtype}"]
    if store.is_empty:
        parts = ["no array"]
    geometry = None if store.is_closed else geometry_shown(store)
    if geometry is not None and geometry.has_spacing:
        parts.append(f"spacing={geometry.spacing}")
    if geometry is not None and geometry.orientation is not None:
        parts.append(f"orientation={geometry.orientation_text!r}")
    return f"MLArray({', '.join([*parts, *place_of(store)])})"


def place_of(store: Shown) -> list[str]:
    """How large it is and where."""
    if store.is_closed:
        return ["closed"]
    if store.core is None:
        return ["in memory"]
    if store.access is None:
        return [f"{size_text(store.core.compressed_bytes())} compressed", "in memory"]
    size = size_text(store.core.file_bytes)
    return [f"{size} compressed", repr(store.path), f"mode={store.access!r}"]


def geometry_shown(store: Shown) -> Geometry | None:
    """What the metadata says of positions; None too where it cannot be read or does not fit.

    The voxels are there all the same. One read of the metadata; no `Meta` is made of it.
    """
    try:
        metadata = store.stored_metadata()
        if metadata is None:
            metadata = _core.Metadata({"spatial": store.meta.spatial._tree()})
        return geometry_of(metadata, None if store.is_empty else len(store.shape))
    except MLArrayError:
        return None
