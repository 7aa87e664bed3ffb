"""Where the classes of a label map are: counts, and voxels to draw from."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .. import _core
from .._dtypes import as_bytes_view, dtype_to_text
from .._paths import checked_path
from .._store import writers
from .._store.core import CoreStore
from .._store.save_options import commit_level
from ..array import MLArray
from ..errors import InvalidTypeError, InvalidValueError
from ._arguments import groups, whole

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from ..typing import PathLike

__all__ = ["LabelClass", "LabelIndex"]

_POSITIONS = 10_000


class LabelClass(NamedTuple):
    """One class of a label map."""

    labels: tuple[int, ...]  # more than one for a joined class
    voxels: int  # exact
    positions: int  # of them kept


class LabelIndex:
    """Where the classes of a label map are, so that a voxel of a class is drawn without
    reading the map.

    Of every class it has an exact count and up to `positions` of its voxels, which are a
    uniform choice that depends on nothing but the map. `build`, `of`, `cached`, `from_lists`
    and `from_nnunet` make one.

    Examples
    --------
    >>> import numpy as np
    >>> from mlarray.training import LabelIndex
    >>> labels = np.zeros((4, 4), np.uint8)
    >>> labels[1, 2:] = 3
    >>> index = LabelIndex.build(labels)
    >>> index.classes[1]
    LabelClass(labels=(3,), voxels=2, positions=2)
    >>> index.voxels(3).tolist()
    [[1, 2], [1, 3]]
    """

    __slots__ = ("_core",)

    def __init__(self, core: _core.LabelIndex) -> None:
        self._core = core

    @classmethod
    def build(
        cls,
        labels: PathLike | MLArray | ArrayLike,
        *,
        positions: int = _POSITIONS,
        background: int | None = 0,
        joined: Iterable[Sequence[int]] = (),
        num_threads: int | None = None,
    ) -> LabelIndex:
        """Read a label map, in parallel and never all of a file at once.

        Parameters
        ----------
        labels : path, MLArray or array_like
            Voxels that are bool or integers.
        positions : int
            Kept of one class, at most; in all at most 2**22.
        background : int, optional
            A label of which only the count is kept; None: there is none.
        joined : iterable of sequence of int
            Classes of several labels, as nnU-Net's regions.
        num_threads : int, optional
            At most so many; default: as `set_num_threads` says.

        Raises
        ------
        InvalidTypeError
            For voxels that are no labels.
        UnsupportedError
            For more than 65,536 classes.
        """
        options = options_of(positions, background, joined, num_threads)
        return cls(_core.LabelIndex.build(_array_of(labels), options))

    @classmethod
    def of(cls, labels: PathLike | MLArray) -> LabelIndex | None:
        """The index that is stored with a label map, and holds of its voxels; else None."""
        found = _core.LabelIndex.of(_array_of(labels))
        return None if found is None else cls(found)

    @classmethod
    def cached(
        cls,
        labels: PathLike | MLArray,
        folder: PathLike,
        *,
        positions: int = _POSITIONS,
        background: int | None = 0,
        joined: Iterable[Sequence[int]] = (),
        num_threads: int | None = None,
    ) -> LabelIndex:
        """The stored index, or the one in a folder, or a new one, which is kept there.

        A folder that cannot be written, and what is damaged in it, is no error.
        """
        options = options_of(positions, background, joined, num_threads)
        return cls(_core.label_index_of(_array_of(labels), os.fsdecode(folder), options))

    @classmethod
    def store(
        cls,
        path: PathLike,
        *,
        positions: int = _POSITIONS,
        background: int | None = 0,
        joined: Iterable[Sequence[int]] = (),
        num_threads: int | None = None,
        level: str = "ordered",
    ) -> bool:
        """Build the index of a file and keep it there; True unless it was there already.

        It stays until voxels are edited. `level` is that of `MLArray.save`.
        """
        options = options_of(positions, background, joined, num_threads)
        commits = commit_level(level) or _core.CommitLevel.ordered
        text = checked_path(path)
        writers.before_use_of(text)
        written = _core.build_label_index(text, options, commits)
        writers.warn_of_detached()
        return written

    @classmethod
    def from_lists(
        cls, shape: Sequence[int], lists: Mapping[int | tuple[int, ...], ArrayLike]
    ) -> LabelIndex:
        """Make one of voxels that others have listed, as nnU-Net's ``class_locations``.

        Parameters
        ----------
        shape : sequence of int
            Of the label map.
        lists : mapping
            From a label, or the labels of a joined class, to voxels (n, axes).
        """
        given = []
        for key, value in lists.items():
            voxels = np.asarray(value)
            if voxels.size and (voxels.ndim != 2 or voxels.dtype.kind not in "iu"):
                raise InvalidTypeError(
                    f"voxels of label {key} have shape {voxels.shape} and type {voxels.dtype}; "
                    f"give integers of shape (n, {len(shape)})"
                )
            if voxels.size and voxels.shape[1] != len(shape):
                raise InvalidValueError(
                    f"voxels of label {key} have {voxels.shape[1]} axes, the shape "
                    f"{tuple(shape)} has {len(shape)}"
                )
            labels = [int(label) for label in (key if isinstance(key, tuple) else (key,))]
            given.append((labels, np.ascontiguousarray(voxels, np.int64).tobytes()))
        return cls(_core.LabelIndex.from_lists([int(n) for n in shape], given))

    @classmethod
    def from_nnunet(
        cls, pkl: PathLike, shape: Sequence[int], cache: PathLike | None = None
    ) -> LabelIndex:
        """What nnU-Net has listed in the ``.pkl`` of a preprocessed case.

        Parameters
        ----------
        pkl : path
            It is read as data: nothing in it is called.
        shape : sequence of int
            Of the label map, with the axis of channels or without.
        cache : path, optional
            A folder where it is kept, because the ``.pkl`` is slow to read.

        Raises
        ------
        InvalidValueError
            For a pickle of something else.
        CorruptionError, UnsupportedError
            For what is no pickle that can be read.
        """
        folder = "" if cache is None else os.fsdecode(cache)
        lengths = [int(length) for length in shape]
        return cls(_core.nnunet_class_locations(os.fsdecode(pkl), lengths, folder))

    @classmethod
    def from_bytes(cls, data: bytes) -> LabelIndex:
        """What `to_bytes` gave. Raises `CorruptionError` for anything else."""
        return cls(_core.LabelIndex.from_bytes(data))

    def keep_in(self, path: PathLike, level: str = "ordered") -> bool:
        """Store it with its label map; True unless it was there already.

        It stays until voxels are edited. `level` is that of `MLArray.save`.

        Raises
        ------
        InvalidValueError
            If the map has another shape.
        """
        commits = commit_level(level) or _core.CommitLevel.ordered
        text = checked_path(path)
        writers.before_use_of(text)
        written = _core.store_label_index(text, self._core, commits)
        writers.warn_of_detached()
        return written

    def to_bytes(self) -> bytes:
        """As it is stored in a file."""
        return self._core.to_bytes()

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the label map."""
        return tuple(self._core.shape)

    @property
    def classes(self) -> list[LabelClass]:
        """Ascending by label, then the joined ones; those without a voxel are not here."""
        return [
            LabelClass(tuple(one.labels), one.count, one.positions)
            for one in self._core.classes
        ]

    @property
    def foreground(self) -> int:
        """Voxels of all single classes but the background."""
        return self._core.foreground

    @property
    def background(self) -> int | None:
        """The label that was asked for as the background."""
        return self._core.background

    @property
    def nbytes(self) -> int:
        """Memory that it takes."""
        return self._core.memory

    def voxels(self, label: int | tuple[int, ...]) -> NDArray[np.int64]:
        """All voxels of a class that are kept: (positions, axes), in C order.

        Raises
        ------
        KeyError
            If the map has no voxel of it.
        """
        data = self._core.voxels(self._which(label))
        return np.frombuffer(data, np.int64).reshape(-1, len(self._core.shape))

    def draw(
        self, label: int | tuple[int, ...], seed: int, epoch: int = 0, index: int = 0
    ) -> tuple[int, ...]:
        """A voxel of a class: the same for the same numbers.

        Raises
        ------
        KeyError
            If the map has no voxel of it.
        InvalidValueError
            If none of its voxels is kept, as those of the background.
        """
        return tuple(self._core.draw(self._which(label), seed, epoch, index))

    def _which(self, label: int | tuple[int, ...]) -> int:
        if not isinstance(label, tuple):
            which = self._core.find(int(label))
            if which >= 0:
                return which
        else:
            wanted = sorted({int(one) for one in label})
            for which, one in reversed(list(enumerate(self._core.classes))):
                if one.labels == wanted:
                    return which
        raise KeyError(label)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, LabelIndex) and self.to_bytes() == other.to_bytes()

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return (
            f"<LabelIndex of {self.shape}: {len(self._core.classes)} classes, "
            f"{self.foreground} voxels of foreground>"
        )

    def __reduce__(self) -> tuple[Any, ...]:
        return LabelIndex.from_bytes, (self.to_bytes(),)


def options_of(
    positions: int,
    background: int | None,
    joined: Iterable[Sequence[int]],
    num_threads: int | None,
) -> _core.LabelIndexOptions:
    """The core's options from a user's words."""
    return _core.LabelIndexOptions(
        whole(positions, "positions"),
        None if background is None else whole(background, "background"),
        groups(joined, "joined"),
        0 if num_threads is None else whole(num_threads, "num_threads", 2**31 - 1),
    )


def _array_of(labels: PathLike | MLArray | ArrayLike) -> _core.Array:
    if isinstance(labels, MLArray):
        store = labels._store
        if isinstance(store, CoreStore):
            return store.opened()
        labels = store.to_numpy()
    if hasattr(labels, "__fspath__") or isinstance(labels, str | bytes):
        path = checked_path(labels)  # type: ignore[arg-type]
        writers.before_use_of(path)
        return _core.Array.open(path)
    voxels = np.asarray(labels)
    return _core.Array.in_memory(
        as_bytes_view(voxels),
        voxels.shape,
        dtype_to_text(voxels.dtype),
        _core.Metadata(),
        _core.SaveOptions(),
    )
