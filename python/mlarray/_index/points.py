"""Keys that pair indices of several axes: which blocks hold the points, and nothing between.

``image[[3, 400], [5, 300], [8, 200]]`` and ``image[mask]`` choose points. What lies between
them on every axis by itself would be a whole volume; so points are gathered block by block.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

__all__ = ["Grid", "PointSelection", "points_of"]

Run = tuple[int, int]

# Of a mask that chooses more than this share of its voxels, hardly a block can be left out.
_DENSE = 1 / 8


class Grid(NamedTuple):
    """How an array is cut: lengths of chunks, and of the blocks in them.

    Points are gathered block by block where their blocks are less than all of those between
    them on every axis by itself, and at most the share `most` of these: many are faster read
    by one call.
    """

    chunks: tuple[int, ...]
    blocks: tuple[int, ...]
    most: float = 0.5

    def cells(self, axis: int, indices: NDArray[np.intp]) -> NDArray[np.intp]:
        """The number of the block along an axis that each index is in."""
        chunk, block = max(self.chunks[axis], 1), max(self.blocks[axis], 1)
        cells: NDArray[np.intp] = (
            indices // chunk * -(-chunk // block) + indices % chunk // block
        )
        return cells


class PointSelection(NamedTuple):
    """What a key needs of an array: points on some axes, ranges on the others.

    The voxels that are read have the axes of ranges in their order, and one axis of points.

    Attributes
    ----------
    axes : list of int
        Axes of the array on which points are given.
    indices : list of numpy.ndarray
        For each of these, the index of every point.
    order : numpy.ndarray
        Points sorted by block, the first of equal ones first.
    starts : numpy.ndarray
        Where in `order` the points of each block begin.
    runs : dict of int to list of (int, int)
        For each other axis the ranges to read.
    place : int
        Where the axis of points is among those of the voxels that are read.
    local : Any
        NumPy key into these voxels.
    """

    axes: list[int]
    indices: list[NDArray[np.intp]]
    order: NDArray[np.intp]
    starts: NDArray[np.intp]
    runs: dict[int, list[Run]]
    place: int
    local: Any
    nothing: None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the voxels to read."""
        lengths = [sum(stop - start for start, stop in runs) for runs in self.runs.values()]
        lengths.insert(self.place, len(self.order))
        return tuple(lengths)

    def parts(self) -> Iterator[tuple[list[int], list[int], Any, Any]]:
        """Boxes, one per block and ranges: start, stop, key into the box, key of the result.

        What the first key picks out of the box is for `moved`, which puts its axes in order.
        """
        ordered = [index[self.order] for index in self.indices]
        lows = [np.minimum.reduceat(index, self.starts) for index in ordered]
        highs = [np.maximum.reduceat(index, self.starts) for index in ordered]
        stops = [*self.starts[1:].tolist(), len(self.order)]
        for group, (begin, end) in enumerate(zip(self.starts.tolist(), stops)):
            corner = {axis: int(low[group]) for axis, low in zip(self.axes, lows)}
            inside = {
                axis: index[begin:end] - corner[axis] for axis, index in zip(self.axes, ordered)
            }
            reach = {axis: int(high[group]) + 1 for axis, high in zip(self.axes, highs)}
            for ranges, places in self._ranges():
                start, stop = {**corner}, {**reach}
                for axis, (first, last) in ranges.items():
                    start[axis], stop[axis] = first, last
                ndim = len(start)
                key = tuple(inside.get(axis, slice(None)) for axis in range(ndim))
                target: list[Any] = list(places)
                target.insert(self.place, self.order[begin:end])
                yield (
                    [start[axis] for axis in range(ndim)],
                    [stop[axis] for axis in range(ndim)],
                    key,
                    tuple(target),
                )

    def moved(self, picked: NDArray[Any]) -> NDArray[Any]:
        """What was picked out of a box, with the axis of points at its place."""
        return np.moveaxis(picked, self._picked_axis(), self.place)

    def moved_back(self, values: NDArray[Any]) -> NDArray[Any]:
        """The opposite of `moved`."""
        return np.moveaxis(values, self.place, self._picked_axis())

    def _picked_axis(self) -> int:
        """Where NumPy puts the axis of points."""
        together = self.axes[-1] - self.axes[0] == len(self.axes) - 1
        return self.axes[0] if together else 0

    def _ranges(self) -> Iterator[tuple[dict[int, Run], list[slice]]]:
        """All combinations of the ranges of the other axes, and where they go."""
        axes = list(self.runs)
        counts = [len(self.runs[axis]) for axis in axes]
        ends = {
            axis: np.cumsum([stop - start for start, stop in runs]).tolist()
            for axis, runs in self.runs.items()
        }
        for choice in np.ndindex(*counts):
            ranges = {axis: self.runs[axis][i] for axis, i in zip(axes, choice)}
            places = [
                slice(ends[axis][i] - (ranges[axis][1] - ranges[axis][0]), ends[axis][i])
                for axis, i in zip(axes, choice)
            ]
            yield ranges, places


def points_of(
    items: Sequence[Any],
    shape: tuple[int, ...],
    grid: Grid,
    slice_runs: Any,
) -> PointSelection | None:
    """A key's points, if it has some and gathering them by blocks is worth it.

    Parameters
    ----------
    items : sequence
        The key: slices, None, ``...`` and arrays, which NumPy has found right.
    shape : tuple of int
        Shape of the array.
    grid : Grid
        How it is cut.
    slice_runs : callable
        Of a slice, a length and a block: the ranges to read, and the key into them.

    Returns
    -------
    PointSelection or None
        None if ranges on every axis by itself do as well.
    """
    arrays = [item for item in items if isinstance(item, np.ndarray)]
    count = sum(item.ndim if item.dtype == np.bool_ else 1 for item in arrays)
    if count < 2 or any(item.dtype == np.bool_ and item.ndim == 0 for item in arrays):
        return None
    if any(
        item.dtype == np.bool_ and np.count_nonzero(item) > _DENSE * item.size
        for item in arrays
    ):
        return None

    axes: list[int] = []
    given: list[NDArray[Any]] = []
    runs: dict[int, list[Run]] = {}
    before: list[Any] = []  # local keys in front of the first array, and behind it
    behind: list[Any] = []
    used = count + sum(isinstance(item, slice) for item in items)
    axis = 0
    gap = apart = False  # something between two arrays: NumPy puts their axes first then
    for item in items:
        if isinstance(item, np.ndarray):
            apart = apart or (gap and bool(axes))
            gap = False
            for index in item.nonzero() if item.dtype == np.bool_ else (item,):
                axes.append(axis)
                given.append(index)
                axis += 1
            continue
        gap = True
        local = behind if axes else before
        if item is None:
            local.append(None)
            continue
        spans = [slice(None)] * (len(shape) - used) if item is Ellipsis else [item]
        for span in spans:
            runs[axis], key = slice_runs(span, shape[axis], grid.blocks[axis])
            local.append(key)
            axis += 1
    for last in range(axis, len(shape)):
        runs[last] = [(0, shape[last])]
        behind.append(slice(None))

    paired = np.broadcast_arrays(*given)
    indices = [
        np.where(index < 0, index + shape[axis], index).astype(np.intp).ravel()
        for axis, index in zip(axes, paired)
    ]
    cells: list[Any] = [grid.cells(axis, index) for axis, index in zip(axes, indices)]
    between = math.prod(len(np.unique(cell)) for cell in cells)
    joint: Any = tuple(cells)  # the stubs of NumPy 2.5 know numbers only
    block = np.asarray(np.ravel_multi_index(joint, [int(cell.max()) + 1 for cell in cells]))
    order = np.argsort(block, kind="stable")
    starts = np.flatnonzero(np.diff(block[order], prepend=-1))
    if len(starts) == between or len(starts) > grid.most * between:
        return None
    points = np.arange(len(order)).reshape(paired[0].shape)
    first = sum(other < axes[0] for other in runs)
    return PointSelection(
        axes,
        indices,
        order,
        starts,
        runs,
        place=0 if apart else first,
        local=(points, *before, *behind) if apart else (*before, points, *behind),
    )
