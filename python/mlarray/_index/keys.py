"""NumPy keys as boxes: which voxels a key needs, and where they lie in what was read.

A key is translated into a :class:`Selection`: for every axis the ranges of indices that must
be read, and the key that picks the answer out of the voxels that were read. Applying that
local key to them gives exactly what NumPy gives for the whole array, scalars included.

``(448, 512, 448)`` and ``image[10:20, ::-4, 7]``, for example: axis 0 needs 10 to 20, axis 1
everything, axis 2 one index; the local key is ``(slice(None), slice(None, None, -4), 0)``.
"""

from __future__ import annotations

import contextlib
import itertools
import operator
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .points import Grid, PointSelection, points_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

__all__ = ["Selection", "contiguous_target", "select"]

Run = tuple[int, int]  # half-open range of indices on one axis
_EVERYTHING = slice(None)


class Selection(NamedTuple):
    """What a key needs of an array.

    Attributes
    ----------
    runs : list of list of (int, int)
        Per axis the half-open ranges to read, ascending. Their concatenation is one axis of
        the voxels that are read.
    local : Any
        NumPy key into these voxels, or None where they are the answer as they are.
    nothing : tuple of int or None
        The shape of the answer if it has no elements: then there is nothing to read.
    """

    runs: list[list[Run]]
    local: Any
    nothing: tuple[int, ...] | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the voxels to read."""
        return tuple(sum(stop - start for start, stop in axis) for axis in self.runs)

    def boxes(self) -> Iterator[tuple[list[int], list[int], tuple[Any, ...]]]:
        """All boxes to read: start, stop, and the key of the part of the result they fill."""
        placed = [_placed(axis) for axis in self.runs]
        for combination in itertools.product(*placed):
            yield (
                [run[0] for run, _ in combination],
                [run[1] for run, _ in combination],
                (*(part for _, part in combination), Ellipsis),  # an array even without axes
            )


def select(
    key: Any,
    shape: tuple[int, ...],
    blocks: tuple[int, ...],
    grid: Grid | None = None,
) -> Selection | PointSelection:
    """Translate a NumPy key.

    Parameters
    ----------
    key : Any
        Any basic or advanced key: ints, slices with any step, ``...``, ``np.newaxis``,
        integer and boolean arrays or sequences, mixed.
    shape : tuple of int
        Shape of the array, in its axis order.
    blocks : tuple of int
        Lengths of a block: gaps shorter than that are read, not skipped.
    grid : Grid, optional
        By which points that are far apart are gathered, piece by piece; else, as for slices,
        what lies between them on each axis is read.

    Returns
    -------
    Selection or PointSelection
        What to read and the key into it.

    Raises
    ------
    IndexError
        As NumPy, with its text.

    Examples
    --------
    >>> select((0, slice(2, 9, 3)), (4, 10), (1, 10))
    Selection(runs=[[(0, 1)], [(2, 9)]], local=(0, slice(None, None, 3)), nothing=None)
    """
    items = tuple(key) if isinstance(key, tuple) else (key,)
    selection = _select_basic(items, shape, blocks)
    if selection is not None:
        return selection
    return _select_any(items, shape, blocks, grid)


def contiguous_target(
    key: Any, shape: tuple[int, ...]
) -> tuple[list[int], list[int], tuple[Any, ...], tuple[int, ...]] | None:
    """The box that a key without steps and arrays assigns to.

    Parameters
    ----------
    key : Any
        A NumPy key.
    shape : tuple of int
        Shape of the array.

    Returns
    -------
    tuple or None
        Start and stop of the box; the key that gives values of the answer's shape the axes of
        the box; the answer's shape. None if the key is not of this kind.

    Raises
    ------
    IndexError
        For an int outside the array.
    """
    items = tuple(key) if isinstance(key, tuple) else (key,)
    expanded = _expand(items, len(shape))
    if expanded is None:
        return None
    start: list[int] = []
    stop: list[int] = []
    to_box: list[Any] = []
    answer: list[int] = []
    for item in expanded:
        if item is None:
            to_box.append(0)
            answer.append(1)
            continue
        axis = len(start)
        length = shape[axis]
        if type(item) is slice:
            first, last, step = item.indices(length)
            if step != 1:
                return None
            last = max(first, last)
            to_box.append(_EVERYTHING)
            answer.append(last - first)
        else:
            first = _index(item, axis, length)
            last = first + 1
            to_box.append(None)
        start.append(first)
        stop.append(last)
    return start, stop, (*to_box, Ellipsis), tuple(answer)


def _index(item: int, axis: int, length: int) -> int:
    if not -length <= item < length:
        raise IndexError(f"index {item} is out of bounds for axis {axis} with size {length}")
    return item + length if item < 0 else item


def _expand(items: tuple[Any, ...], ndim: int) -> list[Any] | None:
    """Ints, slices and None, one per axis besides None; None if there is anything else."""
    expanded: list[Any] = []
    used = 0
    ellipsis_at = -1
    for item in items:
        kind = type(item)
        if kind is slice or kind is int:
            expanded.append(item)
            used += 1
        elif item is None:
            expanded.append(item)
        elif item is Ellipsis:
            if ellipsis_at >= 0:
                return None
            ellipsis_at = len(expanded)
        elif isinstance(item, np.integer):
            expanded.append(int(item))
            used += 1
        elif kind is bool or isinstance(item, (np.bool_, np.ndarray, list, tuple, str)):
            return None
        else:
            try:
                expanded.append(operator.index(item))
            except TypeError:
                return None
            used += 1
    if used > ndim:
        return None  # NumPy's own error comes from the general path
    missing = [_EVERYTHING] * (ndim - used)
    if ellipsis_at >= 0:
        expanded[ellipsis_at:ellipsis_at] = missing
    else:
        expanded += missing
    return expanded


def _select_basic(
    items: tuple[Any, ...], shape: tuple[int, ...], blocks: tuple[int, ...]
) -> Selection | None:
    expanded = _expand(items, len(shape))
    if expanded is None:
        return None
    runs: list[list[Run]] = []
    local: list[Any] = []
    plain = True
    axis_local: Any
    for item in expanded:
        if item is None:
            local.append(None)
            plain = False
            continue
        axis = len(runs)
        if type(item) is slice:
            axis_runs, axis_local = _slice_runs(item, shape[axis], blocks[axis])
            plain = plain and axis_local is _EVERYTHING
        else:
            first = _index(item, axis, shape[axis])
            axis_runs, axis_local = [(first, first + 1)], 0
            plain = False
        runs.append(axis_runs)
        local.append(axis_local)
    if plain and shape:
        return Selection(runs, None)
    if any(item is Ellipsis for item in items):
        local.append(Ellipsis)  # then NumPy gives a 0-d array instead of a scalar
    return Selection(runs, tuple(local))


def _slice_runs(item: slice, length: int, block: int) -> tuple[list[Run], slice]:
    start, stop, step = item.indices(length)
    if step == 1:
        return [(start, max(start, stop))], _EVERYTHING
    chosen = range(start, stop, step)
    if len(chosen) == 0:
        return [(0, 0)], _EVERYTHING
    low, high = min(chosen[0], chosen[-1]), max(chosen[0], chosen[-1])
    if abs(step) > block and len(chosen) > 1:
        ascending = chosen if step > 0 else chosen[::-1]
        backwards = slice(None, None, -1)
        return [(index, index + 1) for index in ascending], (
            _EVERYTHING if step > 0 else backwards
        )
    # Both ends of the range are chosen, so the step fits from either side.
    return [(low, high + 1)], slice(None, None, step)


def _select_any(
    items: tuple[Any, ...],
    shape: tuple[int, ...],
    blocks: tuple[int, ...],
    grid: Grid | None,
) -> Selection | PointSelection:
    normal = tuple(_as_index(item) for item in items)
    # NumPy itself checks the key, on an array of this shape that occupies one byte.
    probe = np.broadcast_to(np.zeros((), np.bool_), shape)[normal]
    if probe.size == 0:
        return Selection([], None, probe.shape)
    if grid is not None:
        points = points_of(normal, shape, grid, _slice_runs)
        if points is not None:
            return points

    runs: list[list[Run]] = []
    local: list[Any] = []
    used = sum(_axes_of(item) for item in normal)
    for item in normal:
        axis = len(runs)
        if item is Ellipsis:
            for length in shape[axis : axis + len(shape) - used]:
                runs.append([(0, length)])
            local.append(Ellipsis)
        elif item is None or _axes_of(item) == 0:
            local.append(item)
        elif isinstance(item, slice):
            axis_runs, axis_local = _slice_runs(item, shape[axis], blocks[axis])
            runs.append(axis_runs)
            local.append(axis_local)
        elif item.dtype == np.bool_:
            mask_runs, mask = _mask_runs(item, blocks[axis : axis + item.ndim])
            runs += mask_runs
            local.append(mask)
        else:
            axis_runs, indices = _array_runs(item, shape[axis], blocks[axis])
            runs.append(axis_runs)
            local.append(indices)
    runs += [[(0, length)] for length in shape[len(runs) :]]
    return Selection(runs, tuple(local))


def _as_index(item: Any) -> Any:
    """`item`, as an array if it is a sequence, a scalar or anything like an array."""
    if item is None or item is Ellipsis or isinstance(item, (slice, np.ndarray)):
        return item
    if isinstance(item, bool) or hasattr(item, "__array__"):
        return np.asarray(item)
    if not isinstance(item, (list, tuple)):
        with contextlib.suppress(TypeError):
            return np.asarray(operator.index(item))
    array = np.asarray(item)  # of any sequence
    if array.ndim == 0 or isinstance(item, (str, bytes)):
        return item  # NumPy says what is wrong with it
    # A sequence without elements has no type of its own.
    return array.astype(np.intp) if array.size == 0 else array


def _axes_of(item: Any) -> int:
    if item is None or item is Ellipsis:
        return 0
    if isinstance(item, np.ndarray) and item.dtype == np.bool_:
        return item.ndim
    return 1


def _mask_runs(
    mask: NDArray[np.bool_], blocks: tuple[int, ...]
) -> tuple[list[list[Run]], NDArray[np.bool_]]:
    axes = range(mask.ndim)
    runs = []
    for axis in axes:
        others = tuple(other for other in axes if other != axis)
        runs.append(_merge(np.flatnonzero(mask.any(axis=others)), blocks[axis]))
    chosen = [
        np.concatenate([np.arange(start, stop) for start, stop in axis_runs])
        for axis_runs in runs
    ]
    return runs, mask[np.ix_(*chosen)]


def _array_runs(
    indices: NDArray[Any], length: int, block: int
) -> tuple[list[Run], NDArray[np.intp] | int]:
    wrapped = indices.astype(np.intp)
    wrapped = np.where(wrapped < 0, wrapped + length, wrapped)
    runs = _merge(np.unique(wrapped), block)
    starts = np.array([start for start, _ in runs])
    offsets = np.cumsum([0] + [stop - start for start, stop in runs[:-1]])
    run_of = np.searchsorted(starts, wrapped, side="right") - 1
    local = wrapped - starts[run_of] + offsets[run_of]
    return runs, int(local) if indices.ndim == 0 else local


def _merge(indices: NDArray[np.intp], block: int) -> list[Run]:
    """Ranges that hold ascending indices, joined across gaps shorter than a block."""
    cuts = np.flatnonzero(np.diff(indices) > max(block, 1)) + 1
    firsts = np.concatenate(([0], cuts))
    lasts = np.concatenate((cuts, [len(indices)])) - 1
    return [
        (int(indices[first]), int(indices[last]) + 1)
        for first, last in zip(firsts, lasts, strict=True)
    ]


def _placed(runs: list[Run]) -> list[tuple[Run, slice]]:
    placed = []
    position = 0
    for start, stop in runs:
        placed.append(((start, stop), slice(position, position + stop - start)))
        position += stop - start
    return placed
