"""Voxels behind an array of the core: an open file, or compressed in memory."""

from __future__ import annotations

import os
from _thread import allocate_lock  # `threading` is a tenth of our import
from contextlib import suppress
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from .. import _core
from .._dtypes import as_bytes_view, dtype_from_text, dtype_to_text
from .._index.boxes import checked_out, empty_voxels
from .._index.keys import contiguous_target, select
from .._index.points import Grid, PointSelection
from .._index.values import element_of, has_ellipsis, is_field, is_mask, values_of
from ..errors import (
    ClosedError,
    InvalidUseError,
    InvalidValueError,
    MLArrayError,
    ReadOnlyError,
)
from . import writers
from .base import Store
from .metadata import is_of_metadata, state_facts, to_core
from .save_options import Packing, options_for

if TYPE_CHECKING:
    from typing import Protocol

    from .._index.boxes import Box
    from .._index.keys import Selection
    from ..meta import Meta

    class HasStore(Protocol):
        """An image."""

        _store: Store


__all__ = ["CoreStore", "compressed", "refresh"]

_Array = np.ndarray[Any, Any]

# So that no refresh takes back what a later one has seen.
_refreshing = allocate_lock()


def _new_lock_in_child() -> None:
    global _refreshing
    _refreshing = allocate_lock()  # the thread that held it may not be here


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_new_lock_in_child)


class CoreStore(Store):
    """An array of the core, as NumPy sees it, and its metadata.

    Safe to use from many threads. Assignments that do not cover a box (steps, arrays) read
    the voxels around them, change them and write them back: two threads that assign to
    interleaved voxels need a lock of their own.

    Parameters
    ----------
    core : mlarray._core.Array
        Where the voxels are.
    threads : int
        At most so many per call; 0 for the process-wide number.
    path : str, optional
        Of the file.
    access : {'r', 'r+', 'c', 'w+'}, optional
        How it is open; None for voxels in memory.
    mapped : bool
        Whether it is open by a memory map.
    verify : bool, optional
        What it was opened with.
    """

    __slots__ = (
        *("absolute", "access", "core", "dtype", "loaded", "mapped", "path", "pid", "shape"),
        *("threads", "verify"),
    )

    core: _core.Array

    def __init__(
        self,
        core: _core.Array,
        threads: int,
        path: str | None = None,
        access: str | None = None,
        mapped: bool = False,
        verify: bool | None = None,
    ) -> None:
        self.core = core
        # What was read of the core's metadata, once it was: {"meta": ...}.
        self.loaded: dict[str, Any] = {}
        self.dtype: np.dtype[Any] = dtype_from_text(core.dtype)
        self.threads = threads
        self.shape: tuple[int, ...] = core.shape
        self.path = path
        self.absolute = path or ""
        if path is not None and (path[:1] != "/" or "/." in path or "//" in path):
            self.absolute = os.path.abspath(path)  # one spelling, wherever the process goes
        self.access = access
        self.mapped = mapped
        self.verify = verify
        # Of whoever may have edits to save; a reader has none before it has metadata.
        self.pid = 0 if access == "r" else os.getpid()

    @property
    def chunks(self) -> tuple[int, ...]:
        """Lengths of a chunk."""
        return self.core.chunks

    @property
    def blocks(self) -> tuple[int, ...]:
        """Lengths of a block."""
        return self.core.blocks

    @property
    def is_closed(self) -> bool:
        """Whether the core's array is closed."""
        return self.core.closed

    @property
    def is_empty(self) -> bool:
        """Whether it is metadata only."""
        if self.shape != (0,) or not self.has_metadata:
            return False
        try:
            return self.meta._has_array.value is False
        except MLArrayError:
            return False

    def opened(self) -> _core.Array:
        """The core's array, which must not be closed."""
        if self.core.closed:
            if self.path is None:
                raise ClosedError("the MLArray is closed: make it again")
            raise ClosedError(f"{self.path!r} is closed: open it again")
        return self.core

    # Voxels.

    def read(self, key: Any) -> Any:
        """What ``array[key]`` would be, in new memory."""
        core = self.core
        box = None if core.closed else _core.plain_box(key, self.shape)
        if box is not None:
            starts, stops, lengths = box
            answer: _Array = empty_voxels(lengths, self.dtype)
            core.read_into(starts, stops, as_bytes_view(answer), self.threads)
            return answer
        self.require_voxels()
        core = self.opened()
        if is_field(key):
            return self.read(...)[key]
        blocks = self.blocks
        selection = select(key, self.shape, blocks, Grid(self.chunks, blocks))
        if selection.nothing is not None:
            return np.empty(selection.nothing, self.dtype)
        voxels = self._read(selection)
        if selection.local is None:
            return voxels
        chosen = voxels[selection.local]
        if isinstance(chosen, np.ndarray) and chosen.nbytes * 2 <= voxels.nbytes:
            return chosen.copy()  # do not keep alive what a step skipped
        return chosen

    def read_into(self, key: Any, out: _Array) -> None:
        """The same into an array that is there, without a copy where the key is a box."""
        self.require_voxels()
        core = self.opened()
        target = contiguous_target(key, self.shape)
        if target is None:
            super().read_into(key, out)
            return
        start, stop, to_box, shape = target
        box = checked_out(out, shape, self.dtype)[to_box]
        core.read_into(start, stop, as_bytes_view(box), self.threads)

    def read_filled(self, box: Box, value: Any) -> _Array:
        """A box that may leave the array, with a value where there are no voxels."""
        start, stop = box
        answer: _Array = empty_voxels([b - a for a, b in zip(start, stop)], self.dtype)
        fill = element_of(value, self.dtype).tobytes()
        self.opened().read_padded(start, stop, as_bytes_view(answer), fill, self.threads)
        return answer

    def _read_boxes(self, boxes: list[Box], out: _Array) -> None:
        starts, stops = [start for start, _ in boxes], [stop for _, stop in boxes]
        self.opened().read_many(starts, stops, as_bytes_view(out), self.threads)

    def to_numpy(self) -> _Array:
        """All voxels, in new memory."""
        return cast("_Array", self.read(...))

    def write(self, key: Any, value: Any) -> None:
        """Do what ``array[key] = value`` would do."""
        self.require_voxels()
        core = self.opened()
        if self.access == "r":
            raise ReadOnlyError(
                f"{self.path!r} is open for reading (mode 'r'): open it with 'r+' to edit the "
                f"file, or with 'c' to edit a copy in memory"
            )
        if is_field(key):
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
            core.write_from(start, stop, as_bytes_view(box), self.threads)
            return
        # Chunks are written as a whole, and only those that have to be.
        chunks = self.chunks
        selection = select(key, self.shape, self.blocks, Grid(chunks, chunks, 1.0))
        if selection.nothing is not None:
            # NumPy itself checks the value, by an array of this shape in one element's memory.
            memory = bytearray(self.dtype.itemsize)
            probe: _Array = np.ndarray(
                self.shape, self.dtype, memory, strides=[0] * len(self.shape)
            )
            probe[key] = value
            return
        self._write(selection, key, value)

    def _write(self, selection: Selection | PointSelection, key: Any, value: Any) -> None:
        voxels = self._read(selection)
        if isinstance(selection, PointSelection):
            if is_mask(key, len(self.shape)):
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
        voxels: _Array = empty_voxels(selection.shape, self.dtype)
        if isinstance(selection, PointSelection):
            for start, stop, inside, place in selection.parts():
                voxels[place] = selection.moved(self._read_box(start, stop)[inside])
            return voxels
        raw = as_bytes_view(voxels)
        for start, stop, part in selection.boxes():
            self.core.read_into(start, stop, raw[part], self.threads)
        return voxels

    def _read_box(self, start: list[int], stop: list[int]) -> _Array:
        box: _Array = empty_voxels([b - a for a, b in zip(start, stop)], self.dtype)
        self.core.read_into(start, stop, as_bytes_view(box), self.threads)
        return box

    def statistics(self, arguments: tuple[Any, ...]) -> _core.Metadata:
        """Statistics of the voxels, as the core takes its arguments."""
        return _core.statistics_of_array(self.opened(), *arguments)

    def look_at(self, decode: bool, threads: int) -> _core.VerifyReport:
        """Verify what is compressed."""
        return _core.verify_array(self.opened(), decode, threads)

    def shown_name(self) -> str:
        """Of what is shown: another name means that voxels may differ."""
        commit = self.opened().commit_name()
        if commit:
            return commit
        # No checksum says what the voxels are, so no other image has this one's name.
        name: str = self.loaded.setdefault("name", os.urandom(16).hex())
        return name

    # Metadata: Python objects, handed to the core before it commits.

    @property
    def meta(self) -> Meta:
        """All metadata, read from the file when it is first asked for."""
        if "meta" not in self.loaded:
            from ..meta import Meta

            stored = self.stored_metadata()
            meta = Meta() if stored is None else Meta._from_stored(stored.to_tree())
            # Files of up to 0.0.33 leave it out, and so do those whose metadata was never set.
            if meta._has_array.value and meta.spatial.shape is None:
                meta.spatial._store("shape", list(self.shape))
            self.bind(meta)
            # Two threads may come here at once: both get the object that was first.
            self.loaded.setdefault("meta", (meta, to_core(meta)))
            self.pid = self.pid or os.getpid()
        return cast("tuple[Meta, _core.Metadata]", self.loaded["meta"])[0]

    def _replace_meta(self, meta: Meta) -> None:
        _ = self.meta
        self.hold_meta(meta, self.loaded["meta"][1])

    def hold_meta(self, meta: Meta, stored: _core.Metadata) -> None:
        """Have this metadata, of which `stored` is in the core."""
        self.bind(meta)
        self.loaded["meta"] = (meta, stored)
        self.pid = self.pid or os.getpid()

    def stored_metadata(self) -> _core.Metadata | None:
        """The metadata of a file as it is stored, where nobody has asked for `meta` yet."""
        if "meta" in self.loaded or not self.has_metadata:
            return None
        return self.opened().metadata()

    def changed_metadata(self) -> _core.Metadata | None:
        """The metadata for the core, if it is not what was loaded."""
        if "meta" not in self.loaded:
            return None
        meta, before = self.loaded["meta"]
        now = to_core(meta)
        return None if now == before else now

    def _hand_over_metadata(self) -> None:
        if self.access not in ("r+", "w+") or not self.has_metadata or self._is_detached():
            return
        changed = self.changed_metadata()
        if changed is not None:
            self.core.set_metadata(changed)
            self.hold_meta(self.meta, changed)

    def push_metadata(self) -> Exception | None:
        """Hand over edited metadata; the error if that fails."""
        try:
            self._hand_over_metadata()
        except Exception as error:
            return error
        return None

    def _explained(self, fault: Exception) -> MLArrayError:
        """What to raise where `fault` kept metadata from being stored, but voxels were."""
        kind = type(fault) if isinstance(fault, MLArrayError) else InvalidValueError
        path = repr(self.path)
        text = str(fault) if path in str(fault) else f"{path}: {fault}"
        error = kind(
            f"{text}; the voxels are saved, this metadata is not: mend image.meta and close or "
            f"flush again, or give its edits up with close(discard_metadata=True)",
            path=self.path,
        )
        error.__cause__ = fault
        return error

    def _is_metadata_edited(self) -> bool:
        try:
            return self.changed_metadata() is not None
        except Exception:  # what cannot be stored was never read from a file
            return True

    def _warn_of_lost_metadata(self) -> None:
        if self.access is None or self.access == "c" or "meta" not in self.loaded:
            return
        if self.access == "r":
            reason = "it is open for reading: open it with 'r+'"
        elif not self.has_metadata:
            reason = "a .b2nd file holds no metadata: save the image as .mla"
        elif self._is_detached():
            reason = "its file was opened again or replaced meanwhile: use the newer MLArray"
        else:
            return
        if self._is_metadata_edited():
            writers.warn(
                f"the metadata of {self.path!r} was edited, but the edits are not saved, "
                f"because {reason}"
            )

    def _is_detached(self) -> bool:
        return not self.core.writable and not self.core.closed

    # The file.

    def save(self, path: str, options: _core.SaveOptions) -> None:
        """Write voxels and metadata to a file."""
        # Untouched metadata goes from file to file as it is, even if it cannot be read.
        changed = self.changed_metadata()
        self.opened().save(path, options, changed)
        is_elsewhere = self.access in ("r+", "w+") and not self._is_file(path)
        if changed is not None and not is_elsewhere:
            self.hold_meta(self.meta, changed)

    def writes(self, path: str) -> bool:
        """Whether edits of this image go to the file at `path`."""
        return self.access in ("r+", "w+") and not self.core.closed and self._is_file(path)

    def _is_file(self, path: str) -> bool:
        try:
            return os.path.samefile(path, self.absolute)
        except OSError:
            return False

    def flush(self, level: _core.CommitLevel | None) -> None:
        """Make all edits so far part of the file."""
        if self.access not in ("r+", "w+"):
            return
        fault = self.push_metadata()
        self.core.flush(level)
        if fault is not None:
            raise self._explained(fault) if is_of_metadata(fault) else fault

    def close(self, discard_metadata: bool = False) -> None:
        """Save edits of voxels and metadata, and release the file."""
        core = self.core
        if core.closed:
            return
        if self.access == "r" and not self.loaded:
            core.close()  # there is nothing to save, nor to warn of
            return
        if self.pid != os.getpid():
            core.close()  # a child process gives up what belongs to its parent
            return
        if not discard_metadata:
            self._warn_of_lost_metadata()
        self._save_and_let_go(discard_metadata)

    def _save_and_let_go(self, discard_metadata: bool = False) -> None:
        """Close, unless it is edited metadata that keeps all from being saved."""
        core = self.core
        fault = None if discard_metadata else self.push_metadata()
        if fault is not None and is_of_metadata(fault):
            try:
                core.flush()
            except MLArrayError:
                pass  # close() raises it again, and nothing that could be mended would help
            else:
                raise self._explained(fault)
        if isinstance(fault, MemoryError):
            raise fault  # nothing is lost yet: it stays open
        try:
            core.close()
        finally:
            if core.closed:  # not where there was no memory
                writers.discard(self)
        if fault is not None:
            raise fault

    def close_at_last(self) -> str | None:
        """Close where nobody is left to mend anything; what to warn of if edits were lost."""
        try:
            self.close()
        except MLArrayError as error:
            with suppress(MLArrayError):
                self.close(discard_metadata=True)
            return (
                f"edits of {self.path!r} are lost, as it was left to be closed by itself: "
                f"{error.__cause__ or error}"
            )
        return None

    def release(self) -> None:
        """Save what a writer has not saved, before another store takes this one's place."""
        if self.access in ("r+", "w+"):
            self._save_and_let_go()

    def newer(self) -> CoreStore | None:
        """The newest commit of the file, if this one does not show it."""
        core = self.opened()
        if self.access == "c" and self._is_metadata_edited():
            raise InvalidUseError(
                f"the metadata of {self.path!r} was edited in memory (mode 'c'), which a "
                f"refresh would drop: save the image to another path, or open it again"
            )
        writers.before_use_of(self.absolute)
        newer = core.newer()
        if newer is None:
            return None
        self._warn_of_lost_metadata()
        return CoreStore(
            newer, self.threads, self.path, self.access, self.mapped, self.verify
        )._at(self.absolute)

    def _at(self, absolute: str) -> CoreStore:
        self.absolute = absolute  # the working directory may be another one by now
        return self


def compressed(
    store: Store, asked: Packing, defaults: Packing, threads: int, **others: Any
) -> CoreStore:
    """The same image with voxels that are compressed in memory; a writer is saved."""
    voxels = store.to_numpy()
    options = options_for(store, asked, defaults, **others)
    meta = store.meta
    text = dtype_to_text(voxels.dtype)
    raw = as_bytes_view(voxels)
    core = _core.Array.in_memory(raw, voxels.shape, text, to_core(meta), options)
    store.release()
    state_facts(meta, voxels.shape)
    meta.blosc2._fill(core.metadata().to_tree()["blosc2"])
    new = CoreStore(core, threads)
    new.hold_meta(meta, to_core(meta))
    return new


def refresh(image: HasStore) -> bool:
    """Show the newest commit from now on, voxels and metadata at once; whether there is one."""
    if image._store.access is None:
        return False
    with _refreshing:
        newer = image._store.newer()
        if newer is not None:
            image._store = newer
    return newer is not None
