"""Reading and assigning the voxels of a file by NumPy keys."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ._dtypes import as_bytes_view
from ._points import Grid, PointSelection
from .indexing import contiguous_target, plain_box, select

if TYPE_CHECKING:
    from . import _core
    from .indexing import Selection

__all__ = ["Voxels", "element_of", "has_ellipsis", "values_of"]

_Array = np.ndarray[Any, Any]
_SCALARS = (int, float, complex, bool, np.generic)


class Voxels:
    """The voxels behind an array of the core, as NumPy sees them.

    Safe to use from many threads. Assignments that do not cover a box (steps, arrays) read
    the voxels around them, change them and write them back: two threads that assign to
    interleaved voxels need a lock of their own.

    Parameters
    ----------
    core : mlarray._core.Array
        Where the voxels are.
    dtype : numpy.dtype
        Their type.
    threads : int
        At most so many per call; 0 for the process-wide number.
    """

    __slots__ = ("blocks", "chunks", "core", "dtype", "loaded", "shape", "threads")

    def __init__(self, core: _core.Array, dtype: np.dtype[Any], threads: int) -> None:
        self.core = core
        # What the image has read of the core's metadata, once it has: {"meta": ...}. Here,
        # so that voxels and metadata are exchanged together.
        self.loaded: dict[str, Any] = {}
        self.dtype = dtype
        self.threads = threads
        self.shape: tuple[int, ...] = core.shape
        self.blocks: tuple[int, ...] = core.blocks
        self.chunks: tuple[int, ...] = core.chunks

    def read(self, key: Any) -> Any:
        """What ``array[key]`` would be, in new memory."""
        box = plain_box(key, self.shape)
        if box is not None:
            starts, stops, lengths = box
            answer: _Array = np.empty(lengths, self.dtype)
            self.core.read_into(starts, stops, as_bytes_view(answer), self.threads)
            return answer
        if isinstance(key, str) or (isinstance(key, list) and key and isinstance(key[0], str)):
            return self.read(...)[key]  # a field of a structured type
        selection = select(key, self.shape, self.blocks, Grid(self.chunks, self.blocks))
        if selection.nothing is not None:
            return np.empty(selection.nothing, self.dtype)
        voxels = self._read(selection)
        if selection.local is None:
            return voxels
        chosen = voxels[selection.local]
        if isinstance(chosen, np.ndarray) and chosen.nbytes * 2 <= voxels.nbytes:
            return chosen.copy()  # do not keep alive what a step skipped
        return chosen

    def write(self, key: Any, value: Any) -> None:
        """Do what ``array[key] = value`` would do."""
        if isinstance(key, str) or (isinstance(key, list) and key and isinstance(key[0], str)):
            voxels = self.read(...)
            voxels[key] = value
            self.write(..., voxels)
            return
        target = contiguous_target(key, self.shape)
        if target is not None:
            start, stop, to_box, answer = target
            if answer == () and not has_ellipsis(key):
                values = element_of(value, self.dtype)
            else:
                values = values_of(value, self.dtype, answer)
            box = values[to_box]
            self.core.write_from(start, stop, as_bytes_view(box), self.threads)
            return
        # Chunks are written as a whole, and only those that have to be.
        selection = select(key, self.shape, self.blocks, Grid(self.chunks, self.chunks, 1.0))
        if selection.nothing is not None:
            # NumPy itself checks the value, by an array of this shape in one element's memory.
            memory = bytearray(self.dtype.itemsize)
            probe: _Array = np.ndarray(
                self.shape, self.dtype, memory, strides=[0] * len(self.shape)
            )
            probe[key] = value
            return
        voxels = self._read(selection)
        if isinstance(selection, PointSelection):
            if _is_mask(key, len(self.shape)):
                # For a mask NumPy has rules of its own, which the points do not show.
                chosen: _Array = np.empty(len(selection.order), self.dtype)
                chosen[np.ones(len(chosen), np.bool_)] = value
                value = chosen
            voxels[selection.local] = value
            for start, stop, inside, place in selection.parts():
                box = self._read_box(start, stop)
                box[inside] = selection.moved_back(voxels[place])
                self.core.write_from(start, stop, as_bytes_view(box), self.threads)
            return
        voxels[... if selection.local is None else selection.local] = value
        for start, stop, part in selection.boxes():
            self.core.write_from(start, stop, as_bytes_view(voxels[part]), self.threads)

    def _read(self, selection: Selection | PointSelection) -> _Array:
        voxels: _Array = np.empty(selection.shape, self.dtype)
        if isinstance(selection, PointSelection):
            for start, stop, inside, place in selection.parts():
                voxels[place] = selection.moved(self._read_box(start, stop)[inside])
            return voxels
        raw = as_bytes_view(voxels)
        for start, stop, part in selection.boxes():
            self.core.read_into(start, stop, raw[part], self.threads)
        return voxels

    def _read_box(self, start: list[int], stop: list[int]) -> _Array:
        box: _Array = np.empty([b - a for a, b in zip(start, stop)], self.dtype)
        self.core.read_into(start, stop, as_bytes_view(box), self.threads)
        return box


def values_of(value: Any, dtype: np.dtype[Any], shape: tuple[int, ...]) -> _Array:
    """What NumPy puts into ``array[...]`` of this type and shape for `value`.

    Parameters
    ----------
    value : Any
        What NumPy takes for an assignment.
    dtype : numpy.dtype
        Type of the array.
    shape : tuple of int
        Its shape.

    Returns
    -------
    numpy.ndarray
        Not to be written to: broadcast, and `value` itself where nothing is to convert.

    Raises
    ------
    ValueError, TypeError, OverflowError
        As NumPy.
    """
    values: _Array
    if 0 not in shape:
        if isinstance(value, _SCALARS):
            return np.broadcast_to(element_of(value, dtype), shape)
        if isinstance(value, np.ndarray) or hasattr(value, "__array__"):
            # Not a subclass, which has rules of its own: a row of a matrix has two axes.
            given = np.asarray(value)
            extra = given.ndim - len(shape)
            if extra > 0 and given.shape[:extra] == (1,) * extra:
                # Not given[0], which may be a scalar, and that has no byte order.
                given = given.reshape(given.shape[extra:])
            if not _fits(given.shape, shape):
                raise ValueError(
                    f"could not broadcast input array from shape {given.shape} into shape "
                    f"{shape}"
                )
            if given.dtype == dtype:
                values = given
            else:
                values = np.empty(given.shape, dtype)
                values[...] = given
            return np.broadcast_to(values, shape)
    values = np.empty(shape, dtype)
    values[...] = value
    return values


def _fits(given: tuple[int, ...], shape: tuple[int, ...]) -> bool:
    pairs = zip(reversed(given), reversed(shape))
    return len(given) <= len(shape) and all(a in (1, b) for a, b in pairs)


def element_of(value: Any, dtype: np.dtype[Any]) -> _Array:
    """What NumPy puts into one element for `value`, which no sequence can be."""
    values: _Array = np.empty((), dtype)
    if hasattr(value, "__array__") and not isinstance(value, (np.ndarray, np.generic)):
        value = np.asarray(value)  # an image: NumPy would take it for a sequence
    values[()] = value
    return values


def _is_mask(key: Any, ndim: int) -> bool:
    """Whether `key` is one array of bools for all axes."""
    if isinstance(key, tuple):
        if len(key) != 1:
            return False
        key = key[0]
    mask = np.asarray(key)
    return mask.dtype == np.bool_ and mask.ndim == ndim


def has_ellipsis(key: Any) -> bool:
    """Whether one of its items is ``...``."""
    items = key if isinstance(key, tuple) else (key,)
    return any(item is Ellipsis for item in items)
