"""Files that patches are read of again and again, and voxels of their labels to draw.

What `mlarray.monai` and `mlarray.torchio` share. Needs NumPy only.
"""

from __future__ import annotations

import math
import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from .._paths import checked_path
from ..array import MLArray
from ..errors import InvalidTypeError, InvalidUseError, InvalidValueError, UnsupportedError
from ..orientation import frame_letters, frame_signs, world_axes
from ._labels import LabelIndex

if TYPE_CHECKING:
    from ..typing import PathLike

__all__ = [
    "Below",
    "Box",
    "Files",
    "Grid",
    "Labels",
    "Limit",
    "as_paths",
    "check_same",
    "grid_of",
    "is_label_map",
    "moved",
    "placed",
    "placed_in_3d",
    "read_box",
    "read_stacked",
    "whole_box",
]

Box = tuple[Sequence[int], Sequence[int]]
# A random int from 0 to what is given, without it.
Below = Callable[[int], int]

_OPEN = 128
# Draws until one is taken; then the voxels are counted.
_TRIES = 64
_MOST_SEED = 2**62
_SINGLE = (str, bytes, os.PathLike)


class Grid(NamedTuple):
    """The axes of an image."""

    shape: tuple[int, ...]  # of the axes of space, in the array's order
    channel: int | None  # which axis of the array has the channels, if one has


def grid_of(image: MLArray, channel_dim: int | None = None) -> Grid:
    """Which axes are space, and which one has the channels.

    Parameters
    ----------
    image : MLArray
        One to three axes of space, and at most one other.
    channel_dim : int, optional
        For files that do not say it. What a file says itself counts more.

    Raises
    ------
    InvalidUseError
        For a file that holds metadata only.
    InvalidValueError
        For a `channel_dim` that is no axis.
    UnsupportedError
        For other axes.
    """
    where = _name(image)
    if image._is_metadata_only():
        raise InvalidUseError(f"{where} has no array, only metadata")
    space = image._spatial_axes()
    if all(space) and channel_dim is not None:
        if not -image.ndim <= channel_dim < image.ndim:
            raise InvalidValueError(
                f"channel_dim={channel_dim} is no axis of {where}, which has {image.ndim}"
            )
        space = [axis != channel_dim % image.ndim for axis in range(image.ndim)]
    others = [axis for axis, keep in enumerate(space) if not keep]
    if len(others) > 1 or not 1 <= sum(space) <= 3:
        raise UnsupportedError(
            f"{where} has the shape {image.shape}, {sum(space)} axes of space and "
            f"{len(others)} others; there can be 1 to 3 of space and one of channels. Its "
            f"axis_labels say which is what, or channel_dim where they do not"
        )
    return Grid(
        tuple(n for n, keep in zip(image.shape, space, strict=True) if keep),
        others[0] if others else None,
    )


def placed(image: MLArray, grid: Grid) -> NDArray[np.float64]:
    """The affine from an index of the axes of space to a position in RAS, x first.

    Positions whose frame the image does not name are taken for RAS.

    Parameters
    ----------
    image : MLArray
        Open for reading, and of nobody who edits its metadata: it is looked at once.
    grid : Grid
        Its axes.
    """
    return np.array(_placed(image, grid)[0])


def placed_in_3d(image: MLArray, grid: Grid) -> NDArray[np.float64]:
    """The same as a matrix of 4 x 4, with axes of one voxel behind those that there are."""
    affine, world = _placed(image, grid)
    count = len(world)
    result = np.zeros((4, 4))
    result[np.ix_([*world, 3], [*range(count), 3])] = affine
    others = [axis for axis in range(3) if axis not in world]
    result[others, range(count, 3)] = 1.0
    return result


_Placed = tuple[NDArray[np.float64], list[int]]
# Libraries ask for the affine again and again.
_known: WeakKeyDictionary[MLArray, tuple[Grid, _Placed]] = WeakKeyDictionary()


def _placed(image: MLArray, grid: Grid) -> _Placed:
    """The affine in RAS, and which of x, y and z its rows are, ascending."""
    known = _known.get(image)
    if known is None or known[0] != grid:
        known = _known[image] = grid, _find_place(image, grid)
    return known[1]


def _find_place(image: MLArray, grid: Grid) -> _Placed:
    spatial = image.meta.spatial
    count = len(grid.shape)
    if image.spatial_ndim != count:  # channel_dim says that an axis is not space
        return np.eye(count + 1), list(range(count))
    labels = spatial.axis_labels
    of_space = None
    if labels is not None:
        of_space = [label for label, keep in zip(labels, image._spatial_axes()) if keep]
    world, _ = world_axes(of_space, count)
    rows = sorted(range(count), key=lambda axis: world[axis])
    affine = np.asarray(image.affine, np.float64)[[*rows, count]]
    frame = frame_letters(spatial.coord_system)
    if frame is not None:
        signs = frame_signs(frame, "RAS")
        for row, axis in enumerate(sorted(world)):
            affine[row] *= signs[axis]
    return affine + 0.0, sorted(world)  # no -0.0


def moved(affine: NDArray[np.float64], start: Sequence[int]) -> NDArray[np.float64]:
    """The affine of a box that starts there."""
    result: NDArray[np.float64] = affine.copy()
    result[:, -1] = affine @ np.array([*start, 1.0])
    return result


def read_box(image: MLArray, grid: Grid, box: Box) -> NDArray[Any]:
    """The voxels of a box of space, channels first: always one axis more than space has."""
    key: list[slice] = [slice(a, b) for a, b in zip(*box, strict=True)]
    if grid.channel is None:
        voxels: NDArray[Any] = image[tuple(key)]
        return voxels[None]
    key.insert(grid.channel, slice(None))
    return np.moveaxis(image[tuple(key)], grid.channel, 0)


def read_stacked(files: Sequence[tuple[MLArray, Grid]], box: Box) -> NDArray[Any]:
    """The same of all files of an image: their channels one after the other."""
    parts = [read_box(image, grid, box) for image, grid in files]
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def is_label_map(image: MLArray, grid: Grid) -> bool:
    """Whether its classes can be indexed: integers, of one channel."""
    channels = 1 if grid.channel is None else image.shape[grid.channel]
    return channels == 1 and image.dtype.kind in "iub"


def as_paths(value: Any, key: object) -> list[Any]:
    """The paths of an item.

    Raises
    ------
    InvalidTypeError
        For what is neither a path nor several.
    """
    paths = [value] if isinstance(value, _SINGLE) else value
    if (
        not isinstance(paths, (list, tuple))
        or not paths
        or not all(isinstance(path, _SINGLE) for path in paths)
    ):
        raise InvalidTypeError(
            f"{key!r} is a {type(value).__name__}; give the path of a .mla file, or several"
        )
    return list(paths)


def check_same(files: Sequence[tuple[MLArray, Grid]], affines: bool = True) -> None:
    """Refuse images whose grids differ.

    Raises
    ------
    InvalidValueError
        It names both.
    """
    for image, grid in files[1:]:
        first, of_first = files[0]
        if grid.shape != of_first.shape:
            raise InvalidValueError(
                f"{_name(image)} has the shape {grid.shape}, {_name(first)} {of_first.shape}: "
                f"what belongs to one item has one grid"
            )
        if affines and (
            grid.channel != of_first.channel
            or not np.allclose(placed(image, grid), placed(first, of_first))
        ):
            raise InvalidValueError(
                f"{_name(image)} and {_name(first)} differ in their affines or in their axis "
                f"of channels, so that they cannot be stacked"
            )


def _name(image: MLArray) -> str:
    return "the image" if image.filepath is None else f"'{image.filepath}'"


class _Open:
    """An open file, and the index that is stored in it, once it was asked for."""

    __slots__ = ("image", "index", "signature")

    def __init__(self, signature: Any, image: MLArray) -> None:
        self.signature = signature
        self.image = image
        self.index: LabelIndex | None = None


class Files:
    """Files that stay open, and the indexes of label maps.

    Safe from any thread. A process that was forked, a copy and a pickle begin without a file;
    one that was replaced is opened again.

    Parameters
    ----------
    cache : path, optional
        A folder for indexes that no file has.
    num_threads : int, optional
        Of each read; default: as `set_num_threads` says.
    """

    def __init__(self, cache: PathLike | None = None, num_threads: int | None = None) -> None:
        self.cache = None if cache is None else os.fsdecode(cache)
        self.num_threads = num_threads
        self._forget()

    def _forget(self) -> None:
        self._process = os.getpid()
        self._lock = threading.RLock()
        self._open: OrderedDict[str, _Open] = OrderedDict()
        # Made, not stored: they took long, so they outlive the open file.
        self._made: dict[str, tuple[Any, LabelIndex]] = {}

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.cache, self.num_threads)

    def image(self, path: PathLike) -> MLArray:
        """An image that is open for reading."""
        return self._opened(checked_path(path)).image

    def _opened(self, path: str) -> _Open:
        if self._process != os.getpid():
            self._forget()  # a thread that this process does not have may hold the lock
        signature = _signature(path)
        with self._lock:
            known = self._open.get(path)
            if known is None or known.signature != signature:
                image = MLArray.open(path, num_threads=self.num_threads)
                known = self._open[path] = _Open(signature, image)
            self._open.move_to_end(path)
            while len(self._open) > _OPEN:
                self._open.popitem(last=False)
            return known

    def index(self, path: PathLike) -> LabelIndex:
        """The index of a label map: the stored one, else one that is made, once."""
        name = checked_path(path)
        opened = self._opened(name)
        with self._lock:
            if opened.index is not None:
                return opened.index
            made = self._made.get(name)
            if made is not None and made[0] == opened.signature:
                return made[1]
            opened.index = LabelIndex.of(opened.image)
            if opened.index is None:
                opened.index = LabelIndex.cached(
                    opened.image,
                    self.cache or "",
                    background=None,
                    num_threads=self.num_threads,
                )
                self._made[name] = (opened.signature, opened.index)
            return opened.index


def _signature(path: str) -> Any:
    try:
        found = os.stat(path)
    except OSError:
        return None  # opening it says what is wrong
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


class Limit(NamedTuple):
    """Voxels count only where an image is above a threshold, in any of its channels."""

    files: list[tuple[MLArray, Grid]]
    threshold: float

    def holds(self, voxel: Sequence[int]) -> bool:
        """Whether this one counts."""
        box = voxel, [index + 1 for index in voxel]
        return any(
            bool((read_box(image, grid, box) > self.threshold).any())
            for image, grid in self.files
        )

    def whole(self) -> NDArray[Any]:
        """All voxels of the image, channels first."""
        return read_stacked(self.files, whole_box(self.files[0][1]))

    def mask(self) -> NDArray[np.bool_]:
        """Where it holds."""
        return np.asarray((self.whole() > self.threshold).any(axis=0))


def whole_box(grid: Grid) -> Box:
    """The box of the whole image."""
    return [0] * len(grid.shape), list(grid.shape)


class Labels:
    """Voxels of a label map, drawn without reading it as far as its index has them.

    Parameters
    ----------
    files : Files
        Has the map.
    path : path
        Of it.
    grid : Grid
        Of it: one channel at most.
    """

    def __init__(self, files: Files, path: PathLike, grid: Grid) -> None:
        self._image = files.image(path)
        self._grid = grid
        self._index = files.index(path)
        # The single classes come first, ascending; joined ones behind them.
        self.counts: dict[int, int] = {}
        self._kept: dict[int, int] = {}
        for one in self._index.classes:
            label = one.labels[0]
            if len(one.labels) > 1 or (self.counts and label <= next(reversed(self.counts))):
                break
            self.counts[label] = one.voxels
            self._kept[label] = one.positions

    def draw(
        self,
        labels: Sequence[int],
        below: Below,
        inside: Box | None = None,
        limit: Limit | None = None,
    ) -> tuple[int, ...] | None:
        """One of all voxels that have one of these labels, all equally likely.

        Parameters
        ----------
        labels : sequence of int
            What the map does not have is passed over.
        below : callable
            The random numbers.
        inside : (start, stop), optional
            Only voxels of this box.
        limit : Limit, optional
            Only voxels where it holds.

        Returns
        -------
        tuple of int or None
            None: there is no such voxel.
        """
        present = [label for label in labels if self.counts.get(label, 0) > 0]
        total = sum(self.counts[label] for label in present)
        if total == 0:
            return None
        for _ in range(_TRIES):
            at = below(total)
            for label in present:
                at -= self.counts[label]
                if at < 0:
                    break
            voxel = self._voxel_of(label, below)
            if inside is not None and not _is_in(voxel, inside):
                continue
            if limit is None or limit.holds(voxel):
                return voxel
        return self._draw_of_all(present, below, inside, limit)

    def _voxel_of(self, label: int, below: Below) -> tuple[int, ...]:
        """A voxel of a class."""
        if self._kept[label] > 0:
            voxel = list(self._index.draw(label, below(_MOST_SEED)))
            if self._grid.channel is not None:
                del voxel[self._grid.channel]
            return tuple(voxel)
        # Commonly the background, of which an index has the count alone. It is nearly all.
        size = math.prod(self._grid.shape)
        for _ in range(_TRIES):
            flat = below(size)
            voxel = [int(i) for i in np.unravel_index(flat, self._grid.shape)]
            stop = [index + 1 for index in voxel]
            if read_box(self._image, self._grid, (voxel, stop)).item() == label:
                return tuple(voxel)
        found = self._draw_of_all([label], below, None, None)
        assert found is not None  # it was counted
        return found

    def _draw_of_all(
        self, labels: Sequence[int], below: Below, inside: Box | None, limit: Limit | None
    ) -> tuple[int, ...] | None:
        """The same by reading the whole map."""
        voxels = read_box(self._image, self._grid, whole_box(self._grid))[0]
        mask = np.isin(voxels, np.asarray(labels, voxels.dtype))
        if inside is not None:
            outside = np.ones_like(mask)
            outside[tuple(slice(a, b) for a, b in zip(*inside, strict=True))] = False
            mask &= ~outside
        if limit is not None:
            mask &= limit.mask()
        found = np.flatnonzero(mask)
        if not found.size:
            return None
        chosen = np.unravel_index(found[below(found.size)], mask.shape)
        return tuple(int(index) for index in chosen)


def _is_in(voxel: Sequence[int], box: Box) -> bool:
    return all(a <= index < b for a, index, b in zip(box[0], voxel, box[1], strict=True))
