"""The state behind an MLArray: where its voxels and its metadata are, and what is unsaved."""

from __future__ import annotations

import os
import threading
import warnings
from typing import TYPE_CHECKING, Any, TypeVar, cast

from . import _core, _writers
from ._checks import check, checked_path, new_meta, state_facts, to_core
from ._dtypes import dtype_from_text
from ._voxels import Voxels
from .errors import ClosedError, InvalidTypeError, InvalidUseError, MLArrayError
from .spatial import SpatialProperties

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np

    from ._types import PathLike
    from ._verify import VerifyReport
    from .meta import Meta

__all__ = ["Handle"]

HandleType = TypeVar("HandleType", bound="Handle")

# So that no refresh takes back what a later one has seen.
_refreshing = threading.Lock()


def _new_lock_in_child() -> None:
    global _refreshing
    _refreshing = threading.Lock()  # the thread that held it may not be here


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_new_lock_in_child)


class Handle(SpatialProperties):
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

    def flush(self, durable: bool = False) -> None:
        """Make all edits so far part of the file; nothing to do for other images.

        Parameters
        ----------
        durable : bool
            Survive power loss too, not only a killed process.

        Raises
        ------
        FileAccessError
            If the file cannot be written.
        """
        if self._access in ("r+", "w+") and self._array is not None:
            self._push_metadata()
            self._array.flush(durable)

    def close(self) -> None:
        """Save edits of voxels and metadata, and release the file. Closing twice is fine.

        Raises
        ------
        FileAccessError
            If the file cannot be written.

        Warns
        -----
        UserWarning
            If metadata was edited that has nowhere to go: in mode 'r', in a ``.b2nd``, or in
            a writer whose file was opened again meanwhile.
        """
        core = self._array
        if core is None or core.closed:
            self._plain = None
            return
        if self._pid != os.getpid():
            core.close()  # a child process gives up what belongs to its parent
            return
        self._warn_of_lost_metadata()
        self._push_metadata()
        _writers.discard(self)
        core.close()

    def refresh(self) -> bool:
        """Show the newest commit of the file from now on, also if the file was replaced.

        For readers of a file that another process writes: an open image keeps the commit that
        it was opened with. An indexing, and a look at `meta`, sees one commit or the other,
        also in other threads; a `Meta` that was taken before stays as it was.

        Returns
        -------
        bool
            Whether there is a newer commit. Always False for images in memory, and for a
            writer, whose file nobody else changes; always True for files that another Blosc2
            writer made, which do not say it.

        Raises
        ------
        NotFoundError, CorruptionError, UnsupportedError
            As for `open`; the image stays as it was.
        InvalidUseError
            For edits in mode 'c', which would be lost, and if the file holds voxels of another
            shape or type by now: open it again.
        ClosedError
            After `close`.

        Warns
        -----
        UserWarning
            If metadata was edited in mode 'r': these edits are gone.

        Examples
        --------
        >>> from mlarray import MLArray
        >>> image = MLArray.open("image.mla")
        >>> image.refresh()
        False
        """
        if self._plain is not None or self._access is None:
            return False
        with _refreshing:
            core = self._open_core()
            if self._access == "c" and self._changed_metadata() is not None:
                raise InvalidUseError(
                    f"the metadata of {self._path!r} was edited in memory (mode 'c'), which a "
                    f"refresh would drop: save the image to another path, or open it again"
                )
            _writers.before_use_of(self._absolute)
            newer = core.newer()
            if newer is None:
                return False
            self._warn_of_lost_metadata()
            self._voxels = Voxels(newer, dtype_from_text(newer.dtype), self._threads)
            self._array = newer
        return True

    def __enter__(self: HandleType) -> HandleType:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        if self._array is not None:
            self.close()

    def verify(self, decode: bool = True) -> VerifyReport:
        """Look at the seal, every checksum, and whether every block decodes.

        Parameters
        ----------
        decode : bool
            False looks at checksums and structure only, which is several times faster.

        Returns
        -------
        VerifyReport
            Damage is in it; it is no error. Voxels that were never in a file are
            'unverified'.

        Raises
        ------
        ClosedError
            After `close`.
        InvalidUseError
            If the image holds a NumPy array, in which there is nothing to verify.

        Examples
        --------
        >>> from mlarray import MLArray
        >>> with MLArray.open("image.mla") as image:
        ...     image.verify().status
        'verified'
        """
        from ._verify import report_of

        if self._plain is not None:
            raise InvalidUseError("the image holds a NumPy array: there is nothing to verify")
        core = self._open_core()
        return report_of(_core.verify_array(core, decode, self._threads), self._path)

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

    def _load(self, filepath: PathLike, verify: bool | None) -> None:
        path = checked_path(filepath)
        _writers.before_use_of(path)
        self._attach(
            _core.Array.load(path, self._threads, verify), path, None, False, self._threads
        )

    @property
    def _loaded(self) -> tuple[Meta, _core.Metadata | None] | None:
        """The metadata, and what is stored of it: (Meta, None) for an array in memory."""
        voxels = self._voxels
        return self._plain_meta if voxels is None else voxels.loaded.get("meta")

    @_loaded.setter
    def _loaded(self, value: tuple[Meta, _core.Metadata | None]) -> None:
        if self._voxels is not None:
            self._voxels.loaded["meta"] = value
        else:
            self._plain_meta = (value[0], None)

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

    def _changed_metadata(self) -> _core.Metadata | None:
        """The metadata for the core, if it is not what was loaded."""
        if self._loaded is None:
            return None
        meta, before = self._loaded
        now = to_core(meta)
        return None if now == before else now

    def _push_metadata(self) -> None:
        if self._access not in ("r+", "w+") or not self._has_metadata() or self._is_detached():
            return
        changed = self._changed_metadata()
        if changed is not None and self._array is not None:
            self._array.set_metadata(changed)
            self._loaded = (self.meta, changed)

    def _warn_of_lost_metadata(self) -> None:
        if self._access is None or self._access == "c" or self._loaded is None:
            return
        if self._access == "r":
            reason = "it is open for reading: open it with 'r+'"
        elif not self._has_metadata():
            reason = "a .b2nd file holds no metadata: save the image as .mla"
        elif self._is_detached():
            reason = "its file was opened again or replaced meanwhile: use the newer MLArray"
        else:
            return
        if self._changed_metadata() is not None:
            warnings.warn(
                f"the metadata of {self._path!r} was edited, but the edits are not saved, "
                f"because {reason}",
                UserWarning,
                stacklevel=3,
            )

    def _is_detached(self) -> bool:
        core = self._array
        return core is None or (not core.writable and not core.closed)

    def _is_file(self, path: str) -> bool:
        try:
            return os.path.samefile(path, self._absolute)
        except OSError:
            return False

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
