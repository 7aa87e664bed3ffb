"""Voxels as a NumPy array, or metadata without voxels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .. import _core
from .._dtypes import as_bytes_view, dtype_to_text
from .._index.values import element_of
from .._paths import Naming
from ..errors import ClosedError, InvalidUseError
from .base import Store
from .metadata import state_facts, to_core

if TYPE_CHECKING:
    from .._index.boxes import Box
    from ..meta import Meta

__all__ = ["EmptyStore", "PlainStore", "decompressed"]

_Array = np.ndarray[Any, Any]


class PlainStore(Store):
    """A NumPy array as it is, without a copy, and metadata.

    Parameters
    ----------
    voxels : numpy.ndarray
        The array.
    meta : Meta
        Held as it is.
    path : str, optional
        Where both were loaded from.
    """

    __slots__ = ("_meta", "_voxels", "path")

    def __init__(self, voxels: _Array, meta: Meta, path: str | None = None) -> None:
        self._voxels: _Array | None = voxels
        self.path = path
        self._replace_meta(meta)

    @property
    def voxels(self) -> _Array:
        """The array."""
        if self._voxels is None:
            raise ClosedError("the MLArray is closed: make it again")
        return self._voxels

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the array."""
        shape: tuple[int, ...] = self.voxels.shape
        return shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of the array."""
        dtype: np.dtype[Any] = self.voxels.dtype
        return dtype

    @property
    def meta(self) -> Meta:
        """All metadata."""
        return self._meta

    def _replace_meta(self, meta: Meta) -> None:
        self.bind(meta)
        self._meta = meta

    @property
    def is_closed(self) -> bool:
        """Whether the array was let go."""
        return self._voxels is None

    @property
    def is_empty(self) -> bool:
        """Whether it is metadata only: never."""
        return False

    def read(self, key: Any) -> Any:
        """What ``array[key]`` would be, in new memory."""
        answer = self.voxels[key]
        return answer.copy() if isinstance(answer, np.ndarray) else answer

    def read_filled(self, box: Box, value: Any) -> _Array:
        """A box that may leave the array, with a value where there are no voxels."""
        start, stop = box
        answer: _Array = np.empty([b - a for a, b in zip(start, stop)], self.dtype)
        answer[...] = element_of(value, self.dtype)
        low = [min(max(a, 0), n) for a, n in zip(start, self.shape)]
        high = [min(max(b, 0), n) for b, n in zip(stop, self.shape)]
        source = tuple(slice(a, b) for a, b in zip(low, high))
        target = tuple(slice(a - s, b - s) for a, b, s in zip(low, high, start))
        answer[target] = self.voxels[source]
        return answer

    def _read_boxes(self, boxes: list[Box], out: _Array) -> None:
        for index, (start, stop) in enumerate(boxes):
            out[index] = self.voxels[tuple(map(slice, start, stop))]

    def write(self, key: Any, value: Any) -> None:
        """Do ``array[key] = value``."""
        self.voxels[key] = value

    def to_numpy(self) -> _Array:
        """The array itself."""
        return self.voxels

    def save(self, path: str, options: _core.SaveOptions) -> None:
        """Write voxels and metadata to a file."""
        with Naming(path):
            metadata = to_core(self.meta)
            text = dtype_to_text(self.voxels.dtype)
            _core.Array.save_voxels(path, as_bytes_view(self.voxels), text, metadata, options)

    def statistics(self, arguments: tuple[Any, ...]) -> _core.Metadata:
        """Statistics of the voxels, as the core takes its arguments."""
        text = dtype_to_text(self.voxels.dtype)
        return _core.statistics_of_voxels(as_bytes_view(self.voxels), text, *arguments)

    def look_at(self, decode: bool, threads: int) -> _core.VerifyReport:
        """There is nothing to verify."""
        _ = self.voxels
        raise InvalidUseError("the image holds a NumPy array: there is nothing to verify")

    def close(self, discard_metadata: bool = False) -> None:
        """Let go of the array."""
        self._voxels = None


class EmptyStore(PlainStore):
    """Metadata only, in memory; a file holds it with an array of no voxels.

    Parameters
    ----------
    meta : Meta
        Held as it is.
    """

    __slots__ = ()

    def __init__(self, meta: Meta) -> None:
        super().__init__(np.empty((0,)), meta)

    @property
    def is_empty(self) -> bool:
        """Whether it is metadata only: always, unless it was closed."""
        return self.shape == (0,)  # raises what a closed image raises

    def read(self, key: Any) -> Any:
        """There are no voxels."""
        self.require_voxels()

    def write(self, key: Any, value: Any) -> None:
        """There are no voxels."""
        self.require_voxels()

    def to_numpy(self) -> np.ndarray[Any, Any]:
        """There are no voxels."""
        self.require_voxels()
        return super().to_numpy()

    def save(self, path: str, options: _core.SaveOptions) -> None:
        """Write the metadata to a file."""
        with Naming(path):
            _core.Array.save_metadata(path, to_core(self.meta), options)


def decompressed(store: Store, path: str | None = None) -> PlainStore:
    """The same image with a NumPy array; a writer is saved."""
    voxels = store.to_numpy()
    meta = store.meta
    store.release()
    state_facts(meta, voxels.shape)
    return PlainStore(voxels, meta, path)
