"""What an MLArray is made of: where its voxels and its metadata are."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, cast

from ._checks import check, new_meta, state_facts, to_core
from ._dtypes import dtype_from_text
from ._voxels import Voxels
from .errors import ClosedError, InvalidTypeError, MLArrayError
from .spatial import SpatialProperties

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np

    from . import _core
    from .meta import Meta

__all__ = ["State"]


class State(SpatialProperties):
    """An open file, compressed voxels in memory, or a NumPy array; and metadata."""

    # Defaults on the class, for objects whose making failed.
    _array: _core.Array | None = None  # a file, or compressed voxels in memory
    _plain: np.ndarray[Any, Any] | None = None  # voxels in memory
    _voxels: Voxels | None = None
    _plain_meta: tuple[Meta, None] | None = None
    _path: str | None = None
    _absolute: str = ""
    _access: str | None = None  # 'r', 'r+', 'c', 'w+'; None in memory
    _mapped: bool = False
    _threads: int = 0
    _verify: bool | None = None
    _pid: int = 0

    @property
    def shape(self) -> tuple[int, ...]:
        """Lengths of the axes, in voxels; None if the image is metadata only."""
        if self._is_metadata_only():
            return None  # type: ignore[return-value]  # for the few; all others have a shape
        return self._lengths

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the voxels; None if the image is metadata only."""
        if self._is_metadata_only():
            return None  # type: ignore[return-value]
        return self._dtype

    @property
    def meta(self) -> Meta:
        """All metadata, read from the file when it is first asked for.

        Raises
        ------
        CorruptionError, UnsupportedError
            If it cannot be read; the voxels still can.
        """
        voxels = self._voxels
        if voxels is None:
            if self._plain_meta is None:
                raise ClosedError("the MLArray is closed: make it again")
            return self._plain_meta[0]
        if "meta" not in voxels.loaded:
            from .meta import Meta

            self._open_core()
            meta = (
                Meta._from_stored(voxels.core.metadata().to_tree())
                if self._has_metadata()
                else Meta()
            )
            # Files of up to 0.0.33 leave it out, and so do those whose metadata was never set.
            if meta._has_array.value and meta.spatial.shape is None:
                meta.spatial._store("shape", list(voxels.shape))
            self._bind(meta)
            # Two threads may come here at once: both get the object that was first.
            voxels.loaded.setdefault("meta", (meta, to_core(meta)))
        return cast("tuple[Meta, _core.Metadata]", voxels.loaded["meta"])[0]

    @meta.setter
    def meta(self, value: Mapping[str, Any] | Meta | None) -> None:
        new = new_meta(value)
        has_array = not self._is_metadata_only()
        state_facts(new, self._lengths if has_array else None)
        check(new, len(self._lengths) if has_array else -1)
        _ = self.meta
        assert self._loaded is not None
        self._loaded = (new, self._loaded[1])

    @property
    def filepath(self) -> str | None:
        """The path that the image was opened or loaded from; None in memory and when closed."""
        return None if self._is_closed() else self._path

    @property
    def mode(self) -> str | None:
        """'r', 'a' (edits the file) or 'w' (created it); None in memory."""
        names = {None: None, "r": "r", "c": "r", "r+": "a", "w+": "w"}
        return names[self._access]

    @property
    def mmap_mode(self) -> str | None:
        """'r', 'r+', 'c' or 'w+'; None in memory and without a memory map."""
        return self._access if self._mapped else None

    @property
    def mmap(self) -> str | None:
        """The older name of `mmap_mode`."""
        return self.mmap_mode

    @property
    def support_metadata(self) -> bool | None:
        """Whether the file holds metadata: True for .mla, False for .b2nd, None in memory."""
        return None if self._path is None else self._path.endswith(".mla")

    def _attach(
        self, core: _core.Array, path: str, access: str | None, mapped: bool, threads: int
    ) -> None:
        self._array = core
        self._path = path
        self._access = access
        self._mapped = mapped
        self._threads = threads
        self._absolute = os.path.abspath(path)
        self._pid = os.getpid()
        self._voxels = Voxels(core, dtype_from_text(core.dtype), threads)

    @property
    def _loaded(self) -> tuple[Meta, _core.Metadata | None] | None:
        """The metadata, and what is stored of it: (Meta, None) for an array in memory."""
        voxels = self._voxels
        return self._plain_meta if voxels is None else voxels.loaded.get("meta")

    @_loaded.setter
    def _loaded(self, value: tuple[Meta, _core.Metadata | None]) -> None:
        self._bind(value[0])
        if self._voxels is not None:
            self._voxels.loaded["meta"] = value
        else:
            self._plain_meta = (value[0], None)

    def _bind(self, meta: Meta) -> None:
        """Let the metadata know how many axes there are, so that it checks what is set."""
        metadata_only = self._lengths == (0,) and meta._has_array.value is False
        meta._bind(None if metadata_only else len(self._lengths))

    @property
    def _lengths(self) -> tuple[int, ...]:
        """The shape of what is stored: (0,) for an image that is metadata only."""
        if self._voxels is not None:
            return self._voxels.shape
        shape: tuple[int, ...] = self._plain_voxels().shape
        return shape

    @property
    def _dtype(self) -> np.dtype[Any]:
        """The type of what is stored, also for an image that is metadata only."""
        if self._voxels is not None:
            return self._voxels.dtype
        dtype: np.dtype[Any] = self._plain_voxels().dtype
        return dtype

    def _is_metadata_only(self) -> bool:
        if self._lengths != (0,) or (self._plain is None and not self._has_metadata()):
            return False
        try:
            return self.meta._has_array.value is False
        except MLArrayError:
            return False

    def _require_voxels(self) -> None:
        if self._is_metadata_only():
            name = "the image" if self._path is None else repr(self._path)
            raise InvalidTypeError(
                f"{name} has no array, only metadata: look at its meta, or make an MLArray "
                f"with an array"
            )

    def _is_closed(self) -> bool:
        return self._plain is None and (self._array is None or self._array.closed)

    def _has_metadata(self) -> bool:
        return self._path is None or self._path.endswith(".mla")

    def _open_core(self) -> _core.Array:
        if self._array is None or (self._array.closed and self._path is None):
            raise ClosedError("the MLArray is closed: make it again")
        if self._array.closed:
            raise ClosedError(f"{self._path!r} is closed: open it again")
        return self._array

    def _open_voxels(self) -> Voxels:
        self._open_core()
        assert self._voxels is not None
        return self._voxels

    def _plain_voxels(self) -> np.ndarray[Any, Any]:
        if self._plain is None:
            raise ClosedError("the MLArray is closed: make it again")
        return self._plain
