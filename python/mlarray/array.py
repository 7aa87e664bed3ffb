"""MLArray: an N-dimensional image with its metadata, in memory or in one file."""

from __future__ import annotations

import copy
import os
import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, cast

import numpy as np

from . import _core, _writers
from ._aliases import UNSET, Unset, agreed, resolve_access, resolve_threads
from ._dtypes import as_bytes_view, dtype_from_text, dtype_to_text
from ._options import check_dparams, codec_params, kept_codec, save_options
from ._voxels import Voxels
from .errors import (
    ClosedError,
    InvalidTypeError,
    InvalidUseError,
    InvalidValueError,
    MLArrayError,
    ReadOnlyError,
)
from .spatial import SpatialProperties, fill_from, resolve_axis_labels

if TYPE_CHECKING:
    from numpy.typing import DTypeLike

    from .meta import Meta

__all__ = ["MLArray"]

_SUFFIXES = (".mla", ".b2nd")

PathLike = str | os.PathLike[str]
PatchSize = int | Sequence[int] | Literal["default"] | None | Unset
Sizes = int | Sequence[int] | None
Vector = Sequence[float] | np.ndarray[Any, Any] | None
Params = Mapping[str, Any] | object | None
MmapMode = Literal["r", "r+", "c", "w+"] | None | Unset


class MLArray(SpatialProperties):
    """An image: voxels and metadata.

    Three kinds look the same from outside. In memory, an `MLArray` holds a NumPy array as it
    is, without a copy. Loaded from a path, it stays compressed in memory and is decoded where
    it is indexed. Opened, it reads and edits a file in place.

    Indexing answers as NumPy does for every basic and advanced key, scalars included, always
    in new memory of your own; only the boxes that a key needs are read and decoded. Any number
    of threads may read one `MLArray`.

    Parameters
    ----------
    array : numpy.ndarray, path or MLArray, optional
        The voxels, any shape of 0 to 16 axes, any dtype but objects. A path is loaded; then
        only `num_threads`, `dparams` and `compressed` may be given besides. Without it, the
        image is metadata only.
    spacing, origin : sequence of float, optional
        Per axis of space, in `meta.spatial.axis_units`, commonly mm.
    direction : sequence of sequence of float, optional
        Direction cosines, ``(n, n)`` for n axes of space.
    affine : sequence of sequence of float, optional
        ``(n + 1, n + 1)``, instead of the three above.
    meta : dict or Meta, optional
        A dict is the metadata of the source image (``meta.source``).
    axis_labels : sequence of str, optional
        Role of each axis: 'spatial', 'spatial_x', 'channel', 'temporal', ...
    copy : MLArray, optional
        Fills whatever metadata is not given here.
    patch_size, chunk_size, block_size, cparams
        What `save` uses unless it is told otherwise.
    dparams : dict, optional
        ``{'nthreads': n}``.
    compressed : bool
        For a path: False decodes the voxels at once.
    channel_axis : int, optional
        The older spelling of `axis_labels`.
    num_threads : int, optional
        The older spelling of `dparams`.

    Raises
    ------
    NotFoundError
        If a path does not exist (``FileNotFoundError``).
    InvalidTypeError
        For an array of objects, or what is no array (``TypeError``).
    InvalidValueError
        For metadata that does not fit the array (``ValueError``).
    InvalidUseError
        For arguments that exclude each other (``RuntimeError``).

    Examples
    --------
    >>> import numpy as np
    >>> image = MLArray(np.zeros((4, 8, 8), "int16"), spacing=(3.0, 0.5, 0.5))
    >>> image.spacing[0] = 2.5
    >>> image
    MLArray(shape=(4, 8, 8), dtype=int16, spacing=[2.5, 0.5, 0.5], in memory)
    """

    # Defaults on the class, for objects whose making failed.
    _core: _core.Array | None = None  # a file, or compressed voxels in memory
    _plain: np.ndarray[Any, Any] | None = None  # voxels in memory
    _voxels: Voxels | None = None
    _loaded: tuple[Meta, _core.Metadata | None] | None = None  # and as it was when loaded
    _path: str | None = None
    _absolute: str = ""
    _access: str | None = None  # 'r', 'r+', 'c', 'w+'
    _mapped: bool = False
    _threads: int = 0
    _pid: int = 0
    _asked: Mapping[str, Any] = {}  # noqa: RUF012 - never changed in place
    _base_patch: list[int] | None = None  # that of the image given as `copy`

    def __init__(
        self,
        array: Any = None,
        spacing: Vector = None,
        origin: Vector = None,
        direction: Any = None,
        affine: Any = None,
        meta: Mapping[str, Any] | Meta | None = None,
        axis_labels: Sequence[str] | None = None,
        copy: MLArray | None = None,
        patch_size: PatchSize = UNSET,
        chunk_size: Sizes = None,
        block_size: Sizes = None,
        cparams: Params = None,
        dparams: Params = None,
        compressed: bool = True,
        *,
        channel_axis: int | None = None,
        num_threads: int | None = None,
    ) -> None:
        geometry = {
            "spacing": spacing,
            "origin": origin,
            "direction": direction,
            "affine": affine,
        }
        layout = {
            "patch_size": None if patch_size is UNSET else patch_size,
            "chunk_size": chunk_size,
            "block_size": block_size,
            "cparams": cparams,
        }
        check_dparams(dparams)
        self._threads = resolve_threads(num_threads, dparams)
        if isinstance(array, (str, os.PathLike)):
            other = {"meta": meta, "axis_labels": axis_labels, "channel_axis": channel_axis}
            rest = {**geometry, **other, "copy": copy, **layout}
            given = [name for name, value in rest.items() if value is not None]
            if given:
                raise InvalidUseError(
                    f"{', '.join(given)} cannot be given together with a path: the file says "
                    f"it; change the image after loading it"
                )
            self._load(array, compressed)
            return
        has_array = array is not None
        base = copy
        if isinstance(array, MLArray):
            base = array if base is None else base
            array = array.to_numpy()
        self._plain = np.empty((0,)) if array is None else _as_voxels(array)
        self._asked = {**layout, "patch_size": patch_size}
        new = _new_meta(meta)
        self._base_patch = (new if base is None else base.meta).blosc2.patch_size
        _state_facts(new, self._plain.shape if has_array else None)
        ndim = self._plain.ndim
        for name, value in geometry.items():
            if value is not None:
                setattr(new.spatial, name, value)
        labels = resolve_axis_labels(axis_labels, channel_axis, ndim) if has_array else axis_labels
        if labels is not None:
            new.spatial.axis_labels = list(labels)
        if base is not None:
            fill_from(new, base.meta)
        _check(new, ndim if has_array else -1)
        self._loaded = (new, None)

    # --- opening -------------------------------------------------------------------------

    @classmethod
    def open(
        cls,
        filepath: PathLike,
        mode: str | Unset = UNSET,
        mmap_mode: MmapMode = UNSET,
        dparams: Params = None,
        *,
        mmap: MmapMode = UNSET,
        shape: int | Sequence[int] | None = None,
        dtype: DTypeLike | None = None,
        channel_axis: int | None = None,
        axis_labels: Sequence[str] | None = None,
        meta: Mapping[str, Any] | Meta | None = None,
        patch_size: PatchSize = UNSET,
        chunk_size: Sizes = None,
        block_size: Sizes = None,
        num_threads: int | None = None,
        cparams: Params = None,
    ) -> MLArray:
        """Open a file without reading its voxels.

        Parameters
        ----------
        filepath : path
            Ends in ``.mla`` or ``.b2nd`` (whose metadata is ignored).
        mode : {'r', 'a', 'r+', 'c', 'w', 'w+'}, optional
            Used where `mmap_mode` does not say it: 'a' is 'r+'.
        mmap_mode, mmap : {'r', 'r+', 'c', 'w+', None}, optional
            'r' (default) reads; 'r+' edits the file; 'c' keeps edits in memory; 'w+' creates
            or replaces the file with zeros of `shape` and `dtype`; None: no memory map.
        dparams : dict, optional
            ``{'nthreads': n}``: at most so many threads per call.
        shape, dtype, meta, axis_labels, channel_axis, patch_size, chunk_size, block_size, \
cparams
            For 'w+' only: see `create`.
        num_threads : int, optional
            The older spelling of `dparams`.

        Returns
        -------
        MLArray
            Close it, or use ``with``. A writer that is left open is saved when it is
            collected, when its path is opened again, and at exit.

        Raises
        ------
        NotFoundError
            If there is no such file (``FileNotFoundError`` and ``RuntimeError``).
        CorruptionError, UnsupportedError
            If the file is damaged, or holds what is refused (``RuntimeError``).
        BusyError
            If another process has the file open for writing (``RuntimeError``).
        InvalidUseError
            For a wrong suffix, mode or combination of arguments (``RuntimeError``).

        Warns
        -----
        UserWarning
            If an older writer of this path in this process was saved and detached.

        Examples
        --------
        >>> with MLArray.open("image.mla", mmap="r+") as image:  # doctest: +SKIP
        ...     image[10:20, 50:60] *= 5
        """
        access = resolve_access(mode, mmap_mode, mmap)
        create_only = {
            "shape": shape,
            "dtype": dtype,
            "meta": meta,
            "axis_labels": axis_labels,
            "channel_axis": channel_axis,
            "patch_size": None if isinstance(patch_size, (Unset, str)) else patch_size,
            "chunk_size": chunk_size,
            "block_size": block_size,
            "cparams": cparams,
        }
        given = [name for name, value in create_only.items() if value is not None]
        if access.mode == "w+":
            missing = [name for name in ("shape", "dtype") if name not in given]
            if missing:
                raise InvalidUseError(
                    f"mode 'w+' creates {os.fspath(filepath)!r}, which needs "
                    f"{' and '.join(missing)}; give it, or open an existing file with 'r+'"
                )
            assert shape is not None
            return cls._create(
                filepath,
                shape,
                np.dtype(dtype),
                access.mapped,
                meta=meta,
                axis_labels=axis_labels,
                channel_axis=channel_axis,
                patch_size=patch_size,
                chunk_size=chunk_size,
                block_size=block_size,
                num_threads=num_threads,
                cparams=cparams,
                dparams=dparams,
            )
        if given:
            raise InvalidUseError(
                f"{', '.join(given)} can only be given to create a file, with mode 'w+', but the "
                f"mode is {access.mode!r}"
            )
        check_dparams(dparams)
        threads = resolve_threads(num_threads, dparams)
        path = _checked_path(filepath)
        _writers.before_use_of(path)
        core = _core.Array.open(path, access.mode, access.mapped, threads)
        image = cls.__new__(cls)
        image._attach(core, path, access.mode, access.mapped, threads)
        if access.mode == "r+":
            _writers.warn_of_detached(stacklevel=2)
            _writers.add(image)
        return image

    @classmethod
    def create(
        cls,
        filepath: PathLike,
        shape: int | Sequence[int],
        dtype: DTypeLike,
        meta: Mapping[str, Any] | Meta | None = None,
        mode: str = "w",
        mmap_mode: MmapMode = "w+",
        patch_size: PatchSize = UNSET,
        chunk_size: Sizes = None,
        block_size: Sizes = None,
        cparams: Params = None,
        dparams: Params = None,
        *,
        axis_labels: Sequence[str] | None = None,
        channel_axis: int | None = None,
        num_threads: int | None = None,
        metadata_format: Literal["current", "legacy"] = "current",
    ) -> MLArray:
        """Create a file of zeros, or replace one, and open it for writing.

        The file is whole from the start: assign to it piece by piece.

        Parameters
        ----------
        filepath : path
            Ends in ``.mla`` or ``.b2nd``.
        shape : int or sequence of int
            In voxels.
        dtype : dtype
            Any but objects.
        meta : dict or Meta, optional
            As for `MLArray`.
        mode : {'w', 'w+'}
            There is no other.
        mmap_mode : {'w+', None}
            None: no memory map.
        patch_size, chunk_size, block_size, cparams, dparams, num_threads, metadata_format
            As for `save`.
        axis_labels, channel_axis : optional
            As for `MLArray`.

        Returns
        -------
        MLArray
            Open for writing.

        Raises
        ------
        NotFoundError
            If the folder does not exist.
        InvalidTypeError, InvalidValueError, InvalidUseError, LayoutError
            As for `MLArray` and `save`.

        Examples
        --------
        >>> with MLArray.create("new.mla", (64, 64), "uint8") as image:  # doctest: +SKIP
        ...     image[:32] = 1
        """
        access = resolve_access(mode, mmap_mode, UNSET)
        if access.mode != "w+":
            raise InvalidUseError(f"mode={mode!r} does not create a file; leave it out")
        return cls._create(
            filepath,
            shape,
            np.dtype(dtype),
            access.mapped,
            meta=meta,
            axis_labels=axis_labels,
            channel_axis=channel_axis,
            patch_size=patch_size,
            chunk_size=chunk_size,
            block_size=block_size,
            num_threads=num_threads,
            cparams=cparams,
            dparams=dparams,
            metadata_format=metadata_format,
        )

    @classmethod
    def load(
        cls,
        filepath: PathLike,
        dparams: Params = None,
        compressed: bool = True,
        *,
        num_threads: int | None = None,
    ) -> MLArray:
        """Read a whole file into memory, detached from its path.

        Parameters
        ----------
        filepath : path
            Ends in ``.mla`` or ``.b2nd``.
        dparams : dict, optional
            ``{'nthreads': n}``.
        compressed : bool
            True keeps the voxels compressed and decodes what is indexed; False decodes them.
        num_threads : int, optional
            The older spelling of `dparams`.

        Returns
        -------
        MLArray
            In memory.

        Raises
        ------
        NotFoundError, CorruptionError, UnsupportedError, InvalidUseError
            As for `open`.

        Examples
        --------
        >>> image = MLArray.load("image.mla")  # doctest: +SKIP
        """
        return cls(filepath, dparams=dparams, compressed=compressed, num_threads=num_threads)

    # --- saving --------------------------------------------------------------------------

    def save(
        self,
        filepath: PathLike,
        patch_size: PatchSize = UNSET,
        chunk_size: Sizes = None,
        block_size: Sizes = None,
        num_threads: int | None = None,
        cparams: Params = None,
        dparams: Params = None,
        *,
        metadata_format: Literal["current", "legacy"] = "current",
        durable: bool = False,
    ) -> None:
        """Write voxels and metadata to a file.

        The file is written beside its place and renamed into it: an older file stays whole
        until then, and on every error. It may be the file that this image is open on.

        Parameters
        ----------
        filepath : path
            Ends in ``.mla``, or in ``.b2nd`` for a plain Blosc2 array without metadata.
        patch_size : {'default'}, int, sequence of int or None, optional
            Patches, in voxels per axis of space, that chunks and blocks are made for;
            'default' is 192, None leaves the choice to the library. Not given: what the
            image was made with, or the layout of the file that it comes from.
        chunk_size, block_size : int or sequence of int, optional
            Both, in voxels per axis, instead of `patch_size`.
        num_threads : int, optional
            At most so many; default: all.
        cparams : dict or object, optional
            Blosc2's parameters: codec, clevel, filters, filters_meta, splitmode. Not given:
            those of the file that the image comes from, or a choice by dtype.
        dparams : dict, optional
            ``{'nthreads': n}``.
        metadata_format : {'current', 'legacy'}
            'legacy' is for readers up to 0.0.46.
        durable : bool
            Survive power loss too, not only a killed process.

        Raises
        ------
        NotFoundError
            If the folder does not exist.
        InvalidUseError, LayoutError
            For a wrong suffix, and sizes that do not fit (``RuntimeError``).
        InvalidValueError
            For metadata that does not fit the array (``ValueError``).
        BusyError, FileAccessError
            If the file cannot be written (``RuntimeError``).

        Warns
        -----
        UserWarning
            If an older writer of this path in this process was saved and detached.

        Examples
        --------
        >>> import numpy as np
        >>> MLArray(np.eye(3)).save("eye.mla", patch_size=64)  # doctest: +SKIP
        """
        path = _checked_path(filepath)
        asked = {
            "patch_size": patch_size,
            "chunk_size": chunk_size,
            "block_size": block_size,
            "cparams": cparams,
        }
        options = save_options(
            ndim=self.ndim,
            num_threads=num_threads,
            dparams=dparams,
            metadata_format=metadata_format,
            store_metadata=path.endswith(".mla"),
            durable=durable,
            **self._layout_to_save(asked),
        )
        _writers.before_use_of(path)
        if self._plain is not None:
            metadata = _to_core(self.meta)
            voxels = as_bytes_view(self._plain)
            text = dtype_to_text(self._plain.dtype)
            _core.Array.save_voxels(path, voxels, text, metadata, options)
        else:
            # Untouched metadata goes from file to file as it is, even if it cannot be read.
            changed = self._changed_metadata()
            self._open_core().save(path, options, changed)
            if changed is not None and self._access in ("r+", "w+") and self._is_file(path):
                self._loaded = (self.meta, changed)
        _writers.warn_of_detached(stacklevel=2)

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
        if self._access in ("r+", "w+") and self._core is not None:
            self._push_metadata()
            self._core.flush(durable)

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
        core = self._core
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

    def __enter__(self) -> MLArray:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        if self._core is not None:
            self.close()

    # --- voxels --------------------------------------------------------------------------

    def __getitem__(self, key: Any) -> Any:
        """Voxels by any NumPy key, in new memory.

        Raises
        ------
        IndexError
            As NumPy.
        CorruptionError
            If the file is damaged where it is read.
        """
        if self._plain is not None:
            answer = self._plain[key]
            return answer.copy() if isinstance(answer, np.ndarray) else answer
        return self._open_voxels().read(key)

    def __setitem__(self, key: Any, value: Any) -> None:
        """Assign by any NumPy key, with NumPy's broadcasting and casting.

        Raises
        ------
        ReadOnlyError
            In mode 'r' (``ValueError``).
        IndexError, ValueError, TypeError
            As NumPy.
        """
        if self._plain is not None:
            self._plain[key] = value
            return
        voxels = self._open_voxels()
        if self._access == "r":
            raise ReadOnlyError(
                f"{self._path!r} is open for reading (mode 'r'): open it with 'r+' to edit the "
                f"file, or with 'c' to edit a copy in memory"
            )
        voxels.write(key, value)

    def __iter__(self) -> Iterator[Any]:
        """Iterate over the first axis."""
        if self.ndim == 0:
            raise TypeError("iteration over a 0-d array")
        return (self[index] for index in range(len(self)))

    def __len__(self) -> int:
        """Length of the first axis."""
        if self.ndim == 0:
            raise TypeError("len() of unsized object")
        return self.shape[0]

    def __array__(
        self, dtype: DTypeLike | None = None, copy: bool | None = None
    ) -> np.ndarray[Any, Any]:
        """The voxels for NumPy; ``copy=False`` is an error where they must be decoded."""
        if self._plain is not None:
            if copy:
                return np.array(self._plain, dtype=dtype)
            if copy is False and dtype is not None and np.dtype(dtype) != self.dtype:
                raise ValueError(f"dtype {self.dtype} cannot become {dtype} without a copy")
            return np.asarray(self._plain, dtype=dtype)
        if copy is False:
            raise ValueError("the voxels are compressed: they cannot be had without a copy")
        voxels = self.to_numpy()
        return voxels if dtype is None else voxels.astype(dtype, copy=False)

    def to_numpy(self) -> np.ndarray[Any, Any]:
        """All voxels as a NumPy array.

        Returns
        -------
        numpy.ndarray
            Of an image in memory the very array that it holds, else new memory.

        Raises
        ------
        ClosedError
            After `close` (``TypeError``, ``RuntimeError``).
        CorruptionError
            If the file is damaged.
        """
        if self._plain is not None:
            return self._plain
        return cast("np.ndarray[Any, Any]", self._open_voxels().read(...))

    @property
    def shape(self) -> tuple[int, ...]:
        """Lengths of the axes, in voxels."""
        if self._voxels is not None:
            return self._voxels.shape
        return self._plain_voxels().shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the voxels."""
        if self._voxels is not None:
            return self._voxels.dtype
        return self._plain_voxels().dtype

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """Number of voxels."""
        count = 1
        for length in self.shape:
            count *= length
        return count

    @property
    def nbytes(self) -> int:
        """Bytes of the voxels when decoded."""
        return self.size * self.dtype.itemsize

    @property
    def chunks(self) -> tuple[int, ...] | None:
        """Lengths of a chunk, in voxels; None for a NumPy array in memory."""
        return None if self._core is None else self._core.chunks

    @property
    def blocks(self) -> tuple[int, ...] | None:
        """Lengths of a block, in voxels; None for a NumPy array in memory."""
        return None if self._core is None else self._core.blocks

    # --- metadata and state --------------------------------------------------------------

    @property
    def meta(self) -> Meta:
        """All metadata, read from the file when it is first asked for.

        Raises
        ------
        CorruptionError, UnsupportedError
            If it cannot be read; the voxels still can.
        """
        if self._loaded is None:
            from .meta import Meta

            core = self._open_core()
            meta = Meta._from_stored(core.metadata().to_tree()) if self._has_metadata() else Meta()
            # Two threads may come here at once: both get the object that was first.
            self.__dict__.setdefault("_loaded", (meta, _to_core(meta)))
        return cast("tuple[Meta, _core.Metadata | None]", self._loaded)[0]

    @meta.setter
    def meta(self, value: Mapping[str, Any] | Meta | None) -> None:
        new = _new_meta(value)
        _check(new, self.ndim)
        _ = self.meta
        assert self._loaded is not None
        self._loaded = (new, self._loaded[1])

    @property
    def filepath(self) -> str | None:
        """The path as it was given to `open`; None in memory and after `close`."""
        return None if self._core is None or self._core.closed else self._path

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

    def __repr__(self) -> str:
        if self._core is None and self._plain is None:
            return "MLArray(closed)"
        try:
            spacing = "" if self.spacing is None else f", spacing={list(self.spacing)}"
        except MLArrayError:
            spacing = ""
        place = "in memory" if self._access is None else f"{self._path!r}, mode={self._access!r}"
        if self._core is not None and self._core.closed:
            place = "closed"
        return f"MLArray(shape={self.shape}, dtype={self.dtype}{spacing}, {place})"

    def __reduce__(self) -> tuple[Any, ...]:
        if self._access is None:
            return _from_memory, (self.to_numpy(), self.meta)
        if self._access != "r":
            raise InvalidTypeError(
                f"an MLArray with mode {self._access!r} cannot be pickled or copied: another "
                f"process would not see its edits; open {self._path!r} with 'r' for that"
            )
        changed = self.meta if self._changed_metadata() is not None else None
        return _reopen, (self._absolute, self._mapped, self._threads, changed)

    # --- inside --------------------------------------------------------------------------

    def _attach(
        self, core: _core.Array, path: str, access: str | None, mapped: bool, threads: int
    ) -> None:
        self._core = core
        self._path = path
        self._access = access
        self._mapped = mapped
        self._threads = threads
        self._absolute = os.path.abspath(path)
        self._pid = os.getpid()
        self._voxels = Voxels(core, dtype_from_text(core.dtype), threads)

    def _load(self, filepath: PathLike, compressed: bool) -> None:
        path = _checked_path(filepath)
        _writers.before_use_of(path)
        self._attach(_core.Array.load(path, self._threads), path, None, False, self._threads)
        if not compressed:
            meta, voxels = self.meta, self.to_numpy()
            self._core = self._voxels = None
            _state_facts(meta, voxels.shape)
            self._plain, self._loaded = voxels, (meta, None)

    @classmethod
    def _create(
        cls,
        filepath: PathLike,
        shape: int | Sequence[int],
        dtype: np.dtype[Any],
        mapped: bool,
        *,
        meta: Any,
        axis_labels: Sequence[str] | None,
        channel_axis: int | None,
        cparams: Any,
        **saving: Any,
    ) -> MLArray:
        path = _checked_path(filepath)
        lengths = _as_shape(shape)
        text = dtype_to_text(dtype)
        new = _new_meta(meta)
        labels = resolve_axis_labels(axis_labels, channel_axis, len(lengths))
        if labels is not None:
            new.spatial.axis_labels = list(labels)
        _state_facts(new, tuple(lengths))
        _check(new, len(lengths))
        metadata = _to_core(new)
        options = save_options(
            ndim=len(lengths),
            spatial_axes=metadata.spatial_axes(len(lengths)),
            codec=codec_params(cparams, text),
            cparams=cparams,
            store_metadata=path.endswith(".mla"),
            **saving,
        )
        _writers.before_use_of(path)
        core = _core.Array.create(path, lengths, text, metadata, options)
        image = cls.__new__(cls)
        threads = resolve_threads(saving.get("num_threads"), saving.get("dparams"))
        image._attach(core, path, "w+", mapped, threads)
        _writers.warn_of_detached(stacklevel=3)
        _writers.add(image)
        return image

    def _layout_to_save(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """What `save` was asked for, completed by what the image was made with."""
        names = ("patch_size", "chunk_size", "block_size")
        layout = {name: asked[name] for name in names}
        given = layout["patch_size"] is not UNSET or any(
            layout[name] is not None for name in names[1:]
        )
        if not given and self._asked:
            layout = {name: self._asked[name] for name in names}
            given = layout["patch_size"] is not UNSET or layout["chunk_size"] is not None
        spatial_axes = self._spatial_axes_to_save()
        if not given and self._core is not None:
            layout.update(chunk_size=self._core.chunks, block_size=self._core.blocks)
        elif not given:
            patch = self._base_patch
            if patch is not None and len(patch) == sum(spatial_axes):
                layout["patch_size"] = list(patch)
        cparams = asked["cparams"]
        if cparams is None:
            cparams = self._asked.get("cparams")
        codec = codec_params(cparams, dtype_to_text(self.dtype))
        if codec is None and self._core is not None:
            codec = kept_codec(self._core.codec)
        return {**layout, "spatial_axes": spatial_axes, "codec": codec, "cparams": cparams}

    def _spatial_axes_to_save(self) -> list[bool]:
        try:
            return self._spatial_axes()
        except MLArrayError:
            if self._plain is not None or self._changed_metadata() is not None:
                raise
            return [True] * self.ndim  # metadata that cannot be read is saved as it is

    def _has_metadata(self) -> bool:
        return self._path is not None and self._path.endswith(".mla")

    def _changed_metadata(self) -> _core.Metadata | None:
        """The metadata for the core, if it is not what was loaded."""
        if self._loaded is None:
            return None
        meta, before = self._loaded
        now = _to_core(meta)
        return None if now == before else now

    def _push_metadata(self) -> None:
        if self._access not in ("r+", "w+") or not self._has_metadata() or self._is_detached():
            return
        changed = self._changed_metadata()
        if changed is not None and self._core is not None:
            self._core.set_metadata(changed)
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
                f"the metadata of {self._path!r} was edited, but the edits are not saved, because "
                f"{reason}",
                UserWarning,
                stacklevel=3,
            )

    def _is_detached(self) -> bool:
        core = self._core
        return core is None or (not core.writable and not core.closed)

    def _is_file(self, path: str) -> bool:
        try:
            return os.path.samefile(path, self._absolute)
        except OSError:
            return False

    def _open_core(self) -> _core.Array:
        if self._core is None:
            raise ClosedError("the MLArray is closed: make it again")
        if self._core.closed:
            raise ClosedError(f"{self._path!r} is closed: open it again")
        return self._core

    def _open_voxels(self) -> Voxels:
        self._open_core()
        assert self._voxels is not None
        return self._voxels

    def _plain_voxels(self) -> np.ndarray[Any, Any]:
        if self._plain is None:
            raise ClosedError("the MLArray is closed: make it again")
        return self._plain


def _as_voxels(array: Any) -> np.ndarray[Any, Any]:
    if not isinstance(array, np.ndarray) and not hasattr(array, "__array__"):
        raise InvalidTypeError(
            f"array is a {type(array).__name__}; give a NumPy array, a path or an MLArray"
        )
    voxels = np.asarray(array)
    dtype_to_text(voxels.dtype)
    return voxels


def _as_shape(shape: int | Sequence[int]) -> list[int]:
    lengths = np.atleast_1d(np.asarray(shape, dtype=object)).tolist()
    if not all(isinstance(length, (int, np.integer)) for length in lengths):
        raise InvalidTypeError(f"shape={shape!r} is not an int or a sequence of ints")
    return [int(length) for length in lengths]


def _checked_path(filepath: PathLike) -> str:
    path = os.fspath(filepath)
    if not isinstance(path, str) or not path.endswith(_SUFFIXES):
        raise InvalidUseError(f"{path!r} does not end in .mla or .b2nd; rename it")
    return path


def _new_meta(meta: Any) -> Meta:
    from .meta import Meta

    if meta is None:
        return Meta()
    if isinstance(meta, Meta):
        return copy.deepcopy(meta)
    if isinstance(meta, Mapping):
        return Meta(source=dict(meta))
    raise InvalidValueError(f"meta is a {type(meta).__name__}; give None, a dict or a Meta")


def _state_facts(meta: Meta, shape: tuple[int, ...] | None) -> None:
    """Let the fields that the library manages say what is true of an array in memory."""
    meta.blosc2.reset()
    meta.spatial._store("shape", None if shape is None else list(shape))
    meta._has_array._store("has_array", shape is not None)


def _to_core(meta: Meta) -> _core.Metadata:
    return _core.Metadata(meta.to_mapping(include_none=False))


def _check(meta: Meta, ndim: int) -> None:
    _core.metadata_check(meta.to_mapping(include_none=False), ndim)


def _from_memory(voxels: np.ndarray[Any, Any], meta: Meta) -> MLArray:
    return MLArray(voxels, meta=meta)


def _reopen(path: str, mapped: bool, threads: int, meta: Meta | None) -> MLArray:
    image = MLArray.open(
        path, mmap_mode="r" if mapped else None, num_threads=threads if threads > 0 else None
    )
    if meta is not None:
        image.meta = meta
    return image
