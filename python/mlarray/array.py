"""MLArray: an N-dimensional image with its metadata, in memory or in one file."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from . import _core, _writers
from ._aliases import UNSET, Unset, resolve_access, resolve_threads
from ._checks import (
    Naming,
    as_dtype,
    as_shape,
    as_voxels,
    check,
    checked_path,
    given_names,
    new_meta,
    state_facts,
    to_core,
)
from ._dtypes import dtype_to_text
from ._options import Packing, check_dparams, codec_params, save_options
from ._saving import Savable
from .errors import InvalidTypeError, InvalidUseError
from .spatial import fill_from, resolve_axis_labels

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import DTypeLike

    from ._types import MmapMode, Params, PatchSize, PathLike, Preset, Sizes, Vector
    from .meta import Meta

__all__ = ["MLArray"]


class MLArray(Savable):
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
        only `num_threads`, `dparams`, `compressed` and `verify` may be given besides. Without
        it, the image is metadata only.
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
    verify : bool, optional
        For a path: as for `load`.

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
        verify: bool | None = None,
    ) -> None:
        geometry = {
            "spacing": spacing,
            "origin": origin,
            "direction": direction,
            "affine": affine,
        }
        packing = Packing(patch_size, chunk_size, block_size, cparams)
        check_dparams(dparams)
        self._threads = resolve_threads(num_threads, dparams)
        if isinstance(array, (str, bytes, os.PathLike)):
            other = {"meta": meta, "axis_labels": axis_labels, "channel_axis": channel_axis}
            given = given_names({**geometry, **other, "copy": copy, **packing._asdict()})
            if given:
                raise InvalidUseError(
                    f"{', '.join(given)} cannot be given together with {array!r}: the file "
                    f"says it; change the image after loading it"
                )
            self._load(array, verify)
            if not compressed:
                self._hold_plain(self.to_numpy())
            return
        if copy is not None and not isinstance(copy, MLArray):
            raise InvalidTypeError(
                f"copy={copy!r} is a {type(copy).__name__}; give an MLArray, whose metadata is "
                f"taken"
            )
        has_array = array is not None
        base = copy
        if isinstance(array, MLArray):
            base = array if base is None else base
            array = array.to_numpy()
        self._plain = np.empty((0,)) if array is None else as_voxels(array)
        self._asked = packing
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
        verify: bool | None = None,
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
        verify : bool, optional
            False neither checks the seal nor the checksum of what is read, to save what is
            left of a damaged file. None: as `set_verification` says, which is True unless
            the environment says ``MLARRAY_VERIFY=0``.

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
        path = checked_path(filepath)
        to_create = {
            "shape": shape,
            "dtype": dtype,
            "meta": meta,
            "axis_labels": axis_labels,
            "channel_axis": channel_axis,
            **Packing(patch_size, chunk_size, block_size, cparams)._asdict(),
        }
        with Naming(path):
            access = resolve_access(mode, mmap_mode, mmap)
            if access.mode == "w+":
                if verify is not None:
                    raise InvalidUseError(
                        "verify can only be given to open an existing file; mode 'w+' creates "
                        "one: leave it out"
                    )
                return cls.create(
                    path,
                    mmap_mode="w+" if access.mapped else None,
                    dparams=dparams,
                    num_threads=num_threads,
                    **to_create,
                )
            if given := given_names(to_create):
                raise InvalidUseError(
                    f"{', '.join(given)} can only be given to create a file, with mode 'w+', "
                    f"but the mode is {access.mode!r}; leave it out or change the mode"
                )
            check_dparams(dparams)
            threads = resolve_threads(num_threads, dparams)
        _writers.before_use_of(path)
        core = _core.Array.open(path, access.mode, access.mapped, threads, verify)
        image = cls.__new__(cls)
        image._attach(core, path, access.mode, access.mapped, threads)
        image._verify = verify
        if access.mode == "r+":
            _writers.warn_of_detached()
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
        preset: Preset | None = None,
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
        patch_size, chunk_size, block_size, cparams, dparams, num_threads, preset, \
metadata_format
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
        path = checked_path(filepath)
        with Naming(path):
            access = resolve_access(mode, mmap_mode, UNSET)
            if access.mode != "w+":
                raise InvalidUseError(f"mode={mode!r} does not create a file; leave it out")
            sizes = {"shape": shape, "dtype": dtype}
            if missing := [name for name, value in sizes.items() if value is None]:
                raise InvalidUseError(
                    f"mode 'w+' creates a file, which needs {' and '.join(missing)}; give it, "
                    f"or open an existing file with 'r+'"
                )
            lengths = as_shape(shape)
            text = dtype_to_text(as_dtype(dtype))
            new = new_meta(meta)
            labels = resolve_axis_labels(axis_labels, channel_axis, len(lengths))
            if labels is not None:
                new.spatial.axis_labels = list(labels)
            state_facts(new, tuple(lengths))
            check(new, len(lengths))
            metadata = to_core(new)
            options = save_options(
                Packing(patch_size, chunk_size, block_size, cparams, preset),
                ndim=len(lengths),
                spatial_axes=metadata.spatial_axes(len(lengths)),
                codec=codec_params(cparams, text, preset),
                num_threads=num_threads,
                dparams=dparams,
                metadata_format=metadata_format,
                store_metadata=path.endswith(".mla"),
            )
            _writers.before_use_of(path)
            core = _core.Array.create(path, lengths, text, metadata, options)
        image = cls.__new__(cls)
        threads = resolve_threads(num_threads, dparams)
        image._attach(core, path, access.mode, access.mapped, threads)
        _writers.warn_of_detached()
        _writers.add(image)
        return image

    @classmethod
    def load(
        cls,
        filepath: PathLike,
        dparams: Params = None,
        compressed: bool = True,
        *,
        num_threads: int | None = None,
        verify: bool | None = None,
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
        verify : bool, optional
            As for `open`; holds for what is decoded later, too.

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
        return cls(
            checked_path(filepath),
            dparams=dparams,
            compressed=compressed,
            num_threads=num_threads,
            verify=verify,
        )
