"""What `MLArray` asks of the place where its voxels and its metadata are.

``plain`` holds a NumPy array, or metadata only; ``core`` a file or compressed voxels.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, TypeVar, cast

import numpy as np

from .._index.boxes import as_box, as_boxes, checked_mode, checked_out, inside, source_of
from ..errors import InvalidTypeError, MLArrayError
from .metadata import check, new_meta, state_facts, to_core

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .. import _core
    from .._index.boxes import Box
    from ..meta import Meta

__all__ = ["Store", "store_of"]

T = TypeVar("T")


class Store(ABC):
    """Voxels and metadata. An `MLArray` holds one, and may exchange it for another."""

    __slots__ = ("__weakref__",)

    core: _core.Array | None = None  # a file, or compressed voxels in memory
    path: str | None = None  # as it was given
    absolute: str = ""
    access: str | None = None  # 'r', 'r+', 'c', 'w+'; None in memory
    mapped: bool = False
    verify: bool | None = None

    @property
    def chunks(self) -> tuple[int, ...] | None:
        """Lengths of a chunk; None where nothing is compressed."""
        return None

    @property
    def blocks(self) -> tuple[int, ...] | None:
        """Lengths of a block; None where nothing is compressed."""
        return None

    @property
    @abstractmethod
    def shape(self) -> tuple[int, ...]:
        """Of what is stored: (0,) if it is metadata only."""

    @property
    @abstractmethod
    def dtype(self) -> np.dtype[Any]:
        """Of what is stored: some type if it is metadata only."""

    @property
    @abstractmethod
    def meta(self) -> Meta:
        """All metadata, read when it is first asked for."""

    @abstractmethod
    def _replace_meta(self, meta: Meta) -> None:
        """Hold other metadata from now on."""

    @property
    @abstractmethod
    def is_closed(self) -> bool:
        """Whether the voxels are gone."""

    @property
    @abstractmethod
    def is_empty(self) -> bool:
        """Whether it is metadata only."""

    @abstractmethod
    def read(self, key: Any) -> Any:
        """What ``array[key]`` would be, in new memory."""

    def read_into(self, key: Any, out: np.ndarray[Any, Any]) -> None:
        """The same into an array that is there."""
        voxels = np.asarray(self.read(key))
        checked_out(out, voxels.shape, self.dtype)[...] = voxels

    @abstractmethod
    def read_filled(self, box: Box, value: Any) -> np.ndarray[Any, Any]:
        """A box that may leave the array, with a value where there are no voxels."""

    def read_padded(self, start: Any, stop: Any, mode: str, value: Any) -> Any:
        """A box that may leave the array."""
        self.require_voxels()
        checked_mode(mode, value)
        box = as_box(start, stop, len(self.shape))
        if mode == "constant":
            return self.read_filled(box, 0 if value is None else value)
        both = [source_of(a, b, n, mode) for a, b, n in zip(*box, self.shape)]
        voxels = np.asarray(self.read((*(part for part, _ in both), ...)))
        for axis, (_, index) in enumerate(both):
            if not isinstance(index, slice):
                voxels = voxels.take(index, axis)
        return voxels

    def read_many(self, boxes: Any, out: Any) -> np.ndarray[Any, Any]:
        """Boxes of one shape, along a first axis."""
        self.require_voxels()
        found = as_boxes(boxes, len(self.shape))
        lengths = [b - a for a, b in zip(*found[0])] if found else [0] * len(self.shape)
        batch = checked_out(out, (len(found), *lengths), self.dtype)
        inside(found, self.shape)
        self._read_boxes(found, batch)
        return batch

    @abstractmethod
    def _read_boxes(self, boxes: list[Box], out: np.ndarray[Any, Any]) -> None:
        """Fill `out` with boxes that lie in the array."""

    @abstractmethod
    def write(self, key: Any, value: Any) -> None:
        """Do what ``array[key] = value`` would do."""

    @abstractmethod
    def to_numpy(self) -> np.ndarray[Any, Any]:
        """All voxels: the array that is held, or new memory."""

    @abstractmethod
    def save(self, path: str, options: _core.SaveOptions) -> None:
        """Write voxels and metadata to a file."""

    @abstractmethod
    def statistics(self, arguments: tuple[Any, ...]) -> _core.Metadata:
        """Statistics of the voxels, as the core takes its arguments."""

    @abstractmethod
    def close(self, discard_metadata: bool = False) -> None:
        """Save what is unsaved, and let go of the voxels."""

    @abstractmethod
    def look_at(self, decode: bool, threads: int) -> _core.VerifyReport:
        """Verify what is compressed."""

    def flush(self, level: _core.CommitLevel | None) -> None:
        """Make edits part of the file, if there is one that is edited."""
        return

    def push_metadata(self) -> Exception | None:
        """Hand over edited metadata to the core; the error if that fails."""
        return None

    def close_at_last(self) -> str | None:
        """Close where nobody is left to mend anything; what to warn of if edits were lost."""
        return None

    def release(self) -> None:
        """Save what a writer has not saved, before another store takes this one's place."""
        return

    def newer(self) -> Store | None:
        """The newest commit of the file, if this one does not show it."""
        return None

    def changed_metadata(self) -> _core.Metadata | None:
        """The metadata for the core, if it is not what was loaded."""
        return None

    def stored_metadata(self) -> _core.Metadata | None:
        """The metadata of a file as it is stored, where nobody has asked for `meta` yet."""
        return None

    def bind(self, meta: Meta) -> None:
        """Let the metadata know how many axes there are, so that it checks what is set."""
        metadata_only = self.shape == (0,) and meta._has_array.value is False
        meta._bind(None if metadata_only else len(self.shape))

    def set_meta(self, value: Mapping[str, Any] | Meta | None) -> None:
        """Take other metadata, checked against the voxels."""
        new = new_meta(value)
        has_array = not self.is_empty
        state_facts(new, self.shape if has_array else None)
        check(new, len(self.shape) if has_array else -1)
        self._replace_meta(new)

    @property
    def has_metadata(self) -> bool:
        """Whether there is a place for metadata: a .b2nd has none."""
        return self.path is None or self.path.endswith(".mla")

    @property
    def ndim(self) -> int:
        """Number of axes; of metadata only, those that it speaks of, or None."""
        return cast("int", to_core(self.meta).ndim()) if self.is_empty else len(self.shape)

    def unless_empty(self, fact: T) -> T:
        """`fact`; None in its place if it is metadata only."""
        return cast("T", None) if self.is_empty else fact

    def spatial_axes(self) -> list[bool]:
        """Which axes are axes of space."""
        if self.meta.spatial.axis_labels is None:
            return [True] * self.ndim
        return to_core(self.meta).spatial_axes(self.ndim)

    def spatial_axes_to_save(self) -> list[bool]:
        """The same for what is stored."""
        if self.is_empty:
            return [True]
        try:
            return self.spatial_axes()
        except MLArrayError:
            if self.core is None or self.changed_metadata() is not None:
                raise
            return [True] * len(self.shape)  # metadata that cannot be read is saved as it is

    def require_voxels(self) -> None:
        """Refuse what needs voxels if there are none."""
        if self.is_empty:
            name = "the image" if self.path is None else repr(self.path)
            raise InvalidTypeError(
                f"{name} has no array, only metadata: look at its meta, or make an MLArray "
                f"with an array"
            )


def store_of(image: Any) -> Store | None:
    """Where an `MLArray` has its voxels; None for anything else."""
    store = getattr(image, "_store", None)
    return store if isinstance(store, Store) else None
