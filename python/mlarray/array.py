"""MLArray: an N-dimensional image with its metadata, in memory or in one file."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from . import _core, _writers
from ._aliases import UNSET, Unset, resolve_access, resolve_threads
from ._checks import (
    PathLike,
    as_shape,
    as_voxels,
    check,
    checked_path,
    new_meta,
    state_facts,
    to_core,
)
from ._dtypes import as_bytes_view, dtype_to_text
from ._indexed import Indexed
from ._options import check_dparams, codec_params, kept_codec, save_options
from .errors import InvalidTypeError, InvalidUseError, MLArrayError
from .spatial import fill_from, resolve_axis_labels

if TYPE_CHECKING:
    from numpy.typing import DTypeLike

    from .meta import Meta

__all__ = ["MLArray"]

PatchSize = int | Sequence[int] | Literal["default"] | None | Unset
Sizes = int | Sequence[int] | None
Vector = Sequence[float] | np.ndarray[Any, Any] | None
Params = Mapping[str, Any] | object | None
MmapMode = Literal["r", "r+", "c", "w+"] | None | Unset


class MLArray(Indexed):
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

    # What `save` uses unless it is told otherwise.
    _asked: Mapping[str, Any] = {}
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
            self._load(array)
            if not compressed:
                self._hold_plain(self.to_numpy())
            return
        has_array = array is not None
        base = copy
        if isinstance(array, MLArray):
            base = array if base is None else base
            array = array.to_numpy()
        self._plain = np.empty((0,)) if array is None else as_voxels(array)
        self._asked = {**layout, "patch_size": patch_size}
        new = new_meta(meta)
        self._base_patch = (new if base is None else base.meta).blosc2.patch_size
        state_facts(new, self._plain.shape if has_array else None)
        ndim = self._plain.ndim
        for name, value in geometry.items():
            if value is not None:
                setattr(new.spatial, name, value)
        labels = (
            resolve_axis_labels(axis_labels, channel_axis, ndim) if has_array else axis_labels
        )
        if labels is not None:
            new.spatial.axis_labels = list(labels)
        if base is not None:
            fill_from(new, base.meta)
        check(new, ndim if has_array else -1)
        self._loaded = (new, None)

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
        >>> with MLArray.open("image.mla", mmap="r+") as image:
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
                f"{', '.join(given)} can only be given to create a file, with mode 'w+', but "
                f"the mode is {access.mode!r}"
            )
        check_dparams(dparams)
        threads = resolve_threads(num_threads, dparams)
        path = checked_path(filepath)
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
        >>> with MLArray.create("new.mla", (64, 64), "uint8") as image:
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
        >>> image = MLArray.load("image.mla")
        """
        return cls(filepath, dparams=dparams, compressed=compressed, num_threads=num_threads)

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
            'legacy' is for readers up to 0.0.48.
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
        >>> MLArray(np.eye(3)).save("eye.mla", patch_size=64)
        """
        path = checked_path(filepath)
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
            has_array=self._has_array(),
            durable=durable,
            **self._layout_to_save(asked),
        )
        _writers.before_use_of(path)
        if self._plain is not None:
            metadata = to_core(self.meta)
            voxels = as_bytes_view(self._plain)
            text = dtype_to_text(self._plain.dtype)
            _core.Array.save_voxels(path, voxels, text, metadata, options)
        else:
            # Untouched metadata goes from file to file as it is, even if it cannot be read.
            changed = self._changed_metadata()
            self._open_core().save(path, options, changed)
            is_elsewhere = self._access in ("r+", "w+") and not self._is_file(path)
            if changed is not None and not is_elsewhere:
                self._loaded = (self.meta, changed)
        _writers.warn_of_detached(stacklevel=2)

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
        path = checked_path(filepath)
        lengths = as_shape(shape)
        text = dtype_to_text(dtype)
        new = new_meta(meta)
        labels = resolve_axis_labels(axis_labels, channel_axis, len(lengths))
        if labels is not None:
            new.spatial.axis_labels = list(labels)
        state_facts(new, tuple(lengths))
        check(new, len(lengths))
        metadata = to_core(new)
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
        if not given and self._array is not None:
            layout.update(chunk_size=self._array.chunks, block_size=self._array.blocks)
        elif not given:
            patch = self._base_patch
            if patch is not None and len(patch) == sum(spatial_axes):
                layout["patch_size"] = list(patch)
        cparams = asked["cparams"]
        if cparams is None:
            cparams = self._asked.get("cparams")
        codec = codec_params(cparams, dtype_to_text(self.dtype))
        if codec is None and self._array is not None:
            codec = kept_codec(self._array.codec)
        return {**layout, "spatial_axes": spatial_axes, "codec": codec, "cparams": cparams}

    def _has_array(self) -> bool:
        """False for an image that is only its metadata."""
        if self.shape != (0,) or (self._plain is None and not self._has_metadata()):
            return True
        return self.meta._has_array.value is not False

    def _spatial_axes_to_save(self) -> list[bool]:
        try:
            return self._spatial_axes()
        except MLArrayError:
            if self._plain is not None or self._changed_metadata() is not None:
                raise
            return [True] * self.ndim  # metadata that cannot be read is saved as it is


def _from_memory(voxels: np.ndarray[Any, Any], meta: Meta) -> MLArray:
    return MLArray(voxels, meta=meta)


def _reopen(path: str, mapped: bool, threads: int, meta: Meta | None) -> MLArray:
    image = MLArray.open(
        path, mmap_mode="r" if mapped else None, num_threads=threads if threads > 0 else None
    )
    if meta is not None:
        image.meta = meta
    return image
