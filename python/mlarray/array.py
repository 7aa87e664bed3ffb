"""MLArray: an N-dimensional image with its metadata, in memory or in one file."""

from __future__ import annotations

import math
import os
from typing import TYPE_CHECKING, Any, Literal, TypeVar, overload

import numpy as np

from . import _core
from ._argument_orders import in_either_order
from ._compat.members import OlderNames
from ._compat.names import Access, resolve_compressed, resolve_threads
from ._dtypes import as_voxels
from ._index.outer import OuterIndex
from ._paths import checked_path
from ._store import creation, exchange, files, spatial, writers
from ._store.core import compressed as compressed_in_memory
from ._store.core import refresh
from ._store.plain import decompressed
from ._store.save_options import Packing, check_dparams, commit_level
from ._store.statistics import statistics_of
from .errors import InvalidUseError, nearest
from .typing import UNSET

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import DTypeLike, NDArray

    from ._reports import VerifyReport
    from ._store.base import Store
    from .meta import Meta, MetaStatistics
    from .typing import (
        ArrayKey,
        Level,
        MmapMode,
        Params,
        PatchSize,
        PathLike,
        Preset,
        Sizes,
        Unset,
        Vector,
    )

__all__ = ["MLArray"]

Image = TypeVar("Image", bound="MLArray")

_UNSAID = Packing()


class MLArray(OlderNames):
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
        it, the image is metadata only: it has no shape, and is saved as a file of less than
        1 kB.
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
        What `save` uses unless it is told otherwise; checked at once.
    dparams : dict, optional
        ``{'nthreads': n}``: the same as `num_threads`.
    compressed : bool, optional
        True: hold the voxels compressed, as `compress` does. False: hold a NumPy array, as
        `decompress` does. Default: an array as it is, and what is loaded compressed.
    channel_axis : int, optional
        The older spelling of `axis_labels`.
    num_threads : int, optional
        At most so many threads per call; default: as `set_num_threads` says.
    verify : bool, optional
        For a path: as for `load`.

    Notes
    -----
    Positional arguments may also be in the order of 0.0.33 (array, spacing, origin, direction,
    meta, channel_axis, num_threads, copy) or of 0.0.48 (..., meta, axis_labels, copy, ...).

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

    __slots__ = ("__weakref__", "_defaults", "_store", "_threads")

    _store: Store  # where voxels and metadata are
    _defaults: Packing  # what `save` uses unless it is told otherwise
    _threads: int

    @in_either_order("MLArray")
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
        compressed: bool | None = None,
        *,
        channel_axis: int | None = None,
        num_threads: int | None = None,
        verify: bool | None = None,
    ) -> None:
        self._defaults = Packing(patch_size, chunk_size, block_size, cparams)
        check_dparams(dparams)
        self._threads = resolve_threads(num_threads, dparams)
        geometry = {"spacing": spacing, "origin": origin, "direction": direction}
        geometry["affine"] = affine
        if isinstance(array, (str, bytes, os.PathLike)):
            other = {"meta": meta, "axis_labels": axis_labels, "channel_axis": channel_axis}
            words = {**geometry, **other, "copy": copy, **self._defaults.words()}
            self._store = files.load(array, words, self._threads, compressed, verify)
            return
        if verify is not None:
            raise InvalidUseError(
                f"verify={verify!r} is for a path; an array has no checksums to verify"
            )
        self._store, self._defaults = creation.from_array(
            *(array, geometry, meta, axis_labels, channel_axis, copy),
            *(self._defaults, self._threads, compressed),
        )

    @classmethod
    def _over(cls: type[Image], store: Store, threads: int) -> Image:
        """An image of a store; not by `__init__`, which a subclass may have of its own."""
        image = cls.__new__(cls)
        _SET_STORE(image, store)
        _SET_DEFAULTS(image, _UNSAID)
        _SET_THREADS(image, threads)
        return image

    @classmethod
    def _of(cls: type[Image], voxels: np.ndarray[Any, Any] | None, meta: Meta) -> Image:
        """An image of an array and a copy of the metadata."""
        image = cls.__new__(cls)
        MLArray.__init__(image, voxels, meta=meta)
        return image

    # From a path to an image.

    @overload
    @classmethod
    def open(
        cls: type[Image],
        filepath: PathLike,
        mode: str | Unset = UNSET,
        mmap_mode: MmapMode = UNSET,
        dparams: Params = None,
        *,
        mmap: MmapMode = UNSET,
        num_threads: int | None = None,
        verify: bool | None = None,
        level: Level | None = None,
    ) -> Image: ...
    @overload
    @classmethod
    def open(
        cls: type[Image],
        filepath: PathLike,
        mode: str | Unset = UNSET,
        mmap_mode: MmapMode = UNSET,
        dparams: Params = None,
        *,
        mmap: MmapMode = UNSET,
        shape: int | Sequence[int],
        dtype: DTypeLike,
        channel_axis: int | None = None,
        axis_labels: Sequence[str] | None = None,
        meta: Mapping[str, Any] | Meta | None = None,
        patch_size: PatchSize = UNSET,
        chunk_size: Sizes = None,
        block_size: Sizes = None,
        num_threads: int | None = None,
        cparams: Params = None,
        level: Level | None = None,
    ) -> Image: ...
    @classmethod
    @in_either_order("open")
    def open(
        cls: type[Image],
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
        level: Level | None = None,
    ) -> Image:
        """Open a file without reading its voxels.

        Parameters
        ----------
        filepath : path
            Ends in ``.mla`` or ``.b2nd`` (whose metadata is ignored).
        mode : {'r', 'r+', 'c', 'w+'}, optional
            'r' (default) reads; 'r+' edits the file; 'c' keeps edits in memory; 'w+' creates
            or replaces the file with zeros of `shape` and `dtype`. 'a' is 'r+', 'w' is 'w+'.
        mmap_mode, mmap : {'r', 'r+', 'c', 'w+', None}, optional
            Older names of `mode`. None: no memory map.
        dparams : dict, optional
            ``{'nthreads': n}``: the same as `num_threads`.
        shape, dtype, meta, axis_labels, channel_axis, patch_size, chunk_size, block_size, \
cparams
            For 'w+' only: see `create`.
        num_threads : int, optional
            At most so many threads per call; default: as `set_num_threads` says.
        verify : bool, optional
            False neither checks the seal nor the checksum of what is read, to save what is
            left of a damaged file. None: as `set_verification` says, which is True unless
            the environment says ``MLARRAY_VERIFY=0``.
        level : {'none', 'ordered', 'durable'}, optional
            For 'r+' and 'w+': what a power cut may do to the edits that become part of the
            file in `flush`, in `close`, at exit and now and then in between.
            'none': the file may be lost, edits of before included.
            'ordered' (default): it is the old state or the new one, whole.
            'durable': when `flush` or `close` returns, it is the new one.

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

        Notes
        -----
        Positional arguments may also be in the order of 0.0.33: filepath, shape, dtype,
        channel_axis, mmap, patch_size, chunk_size, block_size, num_threads, cparams, dparams.

        Examples
        --------
        >>> from mlarray import MLArray
        >>> with MLArray.open("image.mla", mode="r+") as image:
        ...     image[10:20, 50:60] *= 5
        """
        to_create: dict[str, Any] | None = None
        if not (  # most calls create nothing, and are to be fast
            (shape is None and dtype is None and meta is None and axis_labels is None)
            and (channel_axis is None and patch_size is UNSET and chunk_size is None)
            and (block_size is None and cparams is None)
        ):
            to_create = {
                "shape": shape,
                "dtype": dtype,
                "meta": meta,
                "axis_labels": axis_labels,
                "channel_axis": channel_axis,
                "patch_size": patch_size,
                "chunk_size": chunk_size,
                "block_size": block_size,
                "cparams": cparams,
            }
        store = files.open_or_create(
            filepath, mode, mmap_mode, mmap, to_create, num_threads, dparams, verify, level
        )
        return cls._over(store, store.threads)

    @classmethod
    @in_either_order("create")
    def create(
        cls: type[Image],
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
        level: Level | None = None,
        metadata_format: Literal["current", "legacy"] = "current",
    ) -> Image:
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
        level : {'none', 'ordered', 'durable'}, optional
            As for `save`, of the new file; then as for `open`, of the edits.

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
        >>> from mlarray import MLArray
        >>> with MLArray.create("new.mla", (64, 64), "uint8") as image:
        ...     image[:32] = 1
        """
        store = files.create(
            *(filepath, shape, dtype, meta, mode, mmap_mode),
            *(patch_size, chunk_size, block_size, cparams, dparams),
            axis_labels=axis_labels,
            channel_axis=channel_axis,
            num_threads=num_threads,
            preset=preset,
            level=level,
            metadata_format=metadata_format,
        )
        return cls._over(store, store.threads)

    @classmethod
    @in_either_order("load")
    def load(
        cls: type[Image],
        filepath: PathLike,
        dparams: Params = None,
        compressed: bool | None = True,
        *,
        num_threads: int | None = None,
        verify: bool | None = None,
    ) -> Image:
        """Read a whole file into memory, detached from its path.

        Parameters
        ----------
        filepath : path
            Ends in ``.mla`` or ``.b2nd``.
        dparams : dict, optional
            ``{'nthreads': n}``: the same as `num_threads`.
        compressed : bool
            True keeps the voxels compressed and decodes what is indexed; False decodes them.
        num_threads : int, optional
            At most so many threads per call; default: as `set_num_threads` says.
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
        >>> from mlarray import MLArray
        >>> image = MLArray.load("image.mla")
        """
        how: Any = {"dparams": dparams, "num_threads": num_threads, "verify": verify}
        return cls(checked_path(filepath), compressed=compressed, **how)

    # Images of a shape, of a range, like another one. All take the arguments of `MLArray`:
    # `meta`, what `save` will use, and `compressed`.

    @classmethod
    def empty(
        cls: type[Image],
        shape: int | Sequence[int],
        dtype: DTypeLike,
        meta: Mapping[str, Any] | Meta | None = None,
        patch_size: PatchSize = UNSET,
        chunk_size: Sizes = None,
        block_size: Sizes = None,
        cparams: Params = None,
        dparams: Params = None,
        compressed: bool | None = None,
        *,
        num_threads: int | None = None,
    ) -> Image:
        """Make an image of voxels that are whatever is in memory.

        Parameters
        ----------
        shape : int or sequence of int
            In voxels.
        dtype : dtype
            Any but objects.
        meta, patch_size, chunk_size, block_size, cparams, dparams, compressed, num_threads
            As for `MLArray`; optional.

        Examples
        --------
        >>> from mlarray import MLArray
        >>> MLArray.empty((2, 3), "int16").shape
        (2, 3)
        """
        voxels = creation.filled("empty", shape, dtype)
        how = (meta, patch_size, chunk_size, block_size, cparams, dparams)
        return cls._holding(voxels, *how, compressed, num_threads)

    @classmethod
    def zeros(
        cls: type[Image],
        shape: int | Sequence[int],
        dtype: DTypeLike,
        meta: Mapping[str, Any] | Meta | None = None,
        patch_size: PatchSize = UNSET,
        chunk_size: Sizes = None,
        block_size: Sizes = None,
        cparams: Params = None,
        dparams: Params = None,
        compressed: bool | None = None,
        *,
        num_threads: int | None = None,
    ) -> Image:
        """Make an image of zeros.

        Parameters
        ----------
        shape : int or sequence of int
            In voxels.
        dtype : dtype
            Any but objects.
        meta, patch_size, chunk_size, block_size, cparams, dparams, compressed, num_threads
            As for `MLArray`; optional.

        Examples
        --------
        >>> from mlarray import MLArray
        >>> MLArray.zeros((2, 3), "int16").shape
        (2, 3)
        """
        voxels = creation.filled("zeros", shape, dtype)
        how = (meta, patch_size, chunk_size, block_size, cparams, dparams)
        return cls._holding(voxels, *how, compressed, num_threads)

    @classmethod
    def ones(
        cls: type[Image],
        shape: int | Sequence[int],
        dtype: DTypeLike | None = None,
        meta: Mapping[str, Any] | Meta | None = None,
        patch_size: PatchSize = UNSET,
        chunk_size: Sizes = None,
        block_size: Sizes = None,
        cparams: Params = None,
        dparams: Params = None,
        compressed: bool | None = None,
        *,
        num_threads: int | None = None,
    ) -> Image:
        """Make an image of ones.

        Parameters
        ----------
        shape : int or sequence of int
            In voxels.
        dtype : dtype, optional
            Any but objects; default: float64.
        meta, patch_size, chunk_size, block_size, cparams, dparams, compressed, num_threads
            As for `MLArray`; optional.

        Examples
        --------
        >>> from mlarray import MLArray
        >>> MLArray.ones((2, 3), "int16").shape
        (2, 3)
        """
        voxels = creation.filled("ones", shape, dtype)
        how = (meta, patch_size, chunk_size, block_size, cparams, dparams)
        return cls._holding(voxels, *how, compressed, num_threads)

    @classmethod
    def full(
        cls: type[Image],
        shape: int | Sequence[int],
        fill_value: Any,
        dtype: DTypeLike | None = None,
        meta: Mapping[str, Any] | Meta | None = None,
        patch_size: PatchSize = UNSET,
        chunk_size: Sizes = None,
        block_size: Sizes = None,
        cparams: Params = None,
        dparams: Params = None,
        compressed: bool | None = None,
        *,
        num_threads: int | None = None,
    ) -> Image:
        """Make an image of one value.

        Parameters
        ----------
        shape : int or sequence of int
            In voxels.
        fill_value : scalar
            The value of every voxel.
        dtype : dtype, optional
            Default: that of the value, as NumPy takes it.
        meta, patch_size, chunk_size, block_size, cparams, dparams, compressed, num_threads
            As for `MLArray`; optional.

        Examples
        --------
        >>> from mlarray import MLArray
        >>> MLArray.full(3, 7)[...]
        array([7, 7, 7])
        """
        voxels = creation.filled("full", shape, dtype, fill_value)
        how = (meta, patch_size, chunk_size, block_size, cparams, dparams)
        return cls._holding(voxels, *how, compressed, num_threads)

    @classmethod
    def arange(
        cls: type[Image],
        start: float,
        stop: float | None = None,
        step: float | None = 1,
        dtype: DTypeLike | None = None,
        shape: int | Sequence[int] | None = None,
        c_order: bool = True,
        meta: Mapping[str, Any] | Meta | None = None,
        patch_size: PatchSize = UNSET,
        chunk_size: Sizes = None,
        block_size: Sizes = None,
        cparams: Params = None,
        dparams: Params = None,
        compressed: bool | None = None,
        *,
        num_threads: int | None = None,
    ) -> Image:
        """Make an image of evenly spaced values, as ``numpy.arange`` does.

        Parameters
        ----------
        start, stop, step : number
            As in NumPy: with `start` alone, from 0 to it.
        dtype : dtype, optional
            Default: as NumPy chooses.
        shape : int or sequence of int, optional
            Default: one axis.
        c_order : bool
            False: the first axis of `shape` runs fastest.
        meta, patch_size, chunk_size, block_size, cparams, dparams, compressed, num_threads
            As for `MLArray`; optional.

        Raises
        ------
        InvalidValueError
            If the range does not fill the shape (``ValueError``).

        Examples
        --------
        >>> from mlarray import MLArray
        >>> MLArray.arange(6, shape=(2, 3))[...]
        array([[0, 1, 2],
               [3, 4, 5]])
        """
        voxels = creation.arange(start, stop, step, dtype, shape, c_order)
        how = (meta, patch_size, chunk_size, block_size, cparams, dparams)
        return cls._holding(voxels, *how, compressed, num_threads)

    @classmethod
    def linspace(
        cls: type[Image],
        start: complex,
        stop: complex,
        num: int | None = None,
        dtype: DTypeLike | None = None,
        endpoint: bool = True,
        shape: int | Sequence[int] | None = None,
        c_order: bool = True,
        meta: Mapping[str, Any] | Meta | None = None,
        patch_size: PatchSize = UNSET,
        chunk_size: Sizes = None,
        block_size: Sizes = None,
        cparams: Params = None,
        dparams: Params = None,
        compressed: bool | None = None,
        *,
        num_threads: int | None = None,
    ) -> Image:
        """Make an image of `num` values from `start` to `stop`, as ``numpy.linspace`` does.

        Parameters
        ----------
        start, stop : number
            First and last value.
        num : int, optional
            How many; default: as many as `shape` has.
        dtype : dtype, optional
            Default: float64 or complex128.
        endpoint : bool
            Whether `stop` is the last value.
        shape : int or sequence of int, optional
            Default: one axis.
        c_order : bool
            False: the first axis of `shape` runs fastest.
        meta, patch_size, chunk_size, block_size, cparams, dparams, compressed, num_threads
            As for `MLArray`; optional.

        Raises
        ------
        InvalidValueError
            If neither `num` nor `shape` is given, or they disagree (``ValueError``).

        Examples
        --------
        >>> from mlarray import MLArray
        >>> MLArray.linspace(0, 1, 5)[...]
        array([0.  , 0.25, 0.5 , 0.75, 1.  ])
        """
        voxels = creation.linspace(start, stop, num, dtype, endpoint, shape, c_order)
        how = (meta, patch_size, chunk_size, block_size, cparams, dparams)
        return cls._holding(voxels, *how, compressed, num_threads)

    @classmethod
    def empty_like(
        cls: type[Image],
        x: Any,
        dtype: DTypeLike | None = None,
        meta: Mapping[str, Any] | Meta | None = None,
        patch_size: PatchSize = UNSET,
        chunk_size: Sizes = None,
        block_size: Sizes = None,
        cparams: Params = None,
        dparams: Params = None,
        compressed: bool | None = None,
        *,
        num_threads: int | None = None,
    ) -> Image:
        """Make an image of voxels that are whatever is in memory, of the shape of another.

        Parameters
        ----------
        x : MLArray, numpy.ndarray or what has ``shape`` and ``dtype``
            Gives the shape; an MLArray gives its metadata, too.
        dtype : dtype, optional
            Default: that of `x`.
        meta : dict or Meta, optional
            Default: a copy of that of `x`, without its statistics.
        patch_size, chunk_size, block_size, cparams, dparams, compressed, num_threads : optional
            As for `MLArray`.

        Raises
        ------
        InvalidTypeError
            If `x` has no shape or dtype (``TypeError``).

        Examples
        --------
        >>> from mlarray import MLArray
        >>> image = MLArray.zeros((2, 3), "int16")
        >>> MLArray.empty_like(image, dtype="uint8").dtype
        dtype('uint8')
        """
        voxels, meta = creation.filled_like("empty", x, dtype, meta)
        how = (meta, patch_size, chunk_size, block_size, cparams, dparams)
        return cls._holding(voxels, *how, compressed, num_threads)

    @classmethod
    def zeros_like(
        cls: type[Image],
        x: Any,
        dtype: DTypeLike | None = None,
        meta: Mapping[str, Any] | Meta | None = None,
        patch_size: PatchSize = UNSET,
        chunk_size: Sizes = None,
        block_size: Sizes = None,
        cparams: Params = None,
        dparams: Params = None,
        compressed: bool | None = None,
        *,
        num_threads: int | None = None,
    ) -> Image:
        """Make an image of zeros, of the shape of another.

        Parameters
        ----------
        x : MLArray, numpy.ndarray or what has ``shape`` and ``dtype``
            Gives the shape; an MLArray gives its metadata, too.
        dtype : dtype, optional
            Default: that of `x`.
        meta : dict or Meta, optional
            Default: a copy of that of `x`, without its statistics.
        patch_size, chunk_size, block_size, cparams, dparams, compressed, num_threads : optional
            As for `MLArray`.

        Raises
        ------
        InvalidTypeError
            If `x` has no shape or dtype (``TypeError``).

        Examples
        --------
        >>> from mlarray import MLArray
        >>> image = MLArray.zeros((2, 3), "int16")
        >>> MLArray.zeros_like(image, dtype="uint8").dtype
        dtype('uint8')
        """
        voxels, meta = creation.filled_like("zeros", x, dtype, meta)
        how = (meta, patch_size, chunk_size, block_size, cparams, dparams)
        return cls._holding(voxels, *how, compressed, num_threads)

    @classmethod
    def ones_like(
        cls: type[Image],
        x: Any,
        dtype: DTypeLike | None = None,
        meta: Mapping[str, Any] | Meta | None = None,
        patch_size: PatchSize = UNSET,
        chunk_size: Sizes = None,
        block_size: Sizes = None,
        cparams: Params = None,
        dparams: Params = None,
        compressed: bool | None = None,
        *,
        num_threads: int | None = None,
    ) -> Image:
        """Make an image of ones, of the shape of another.

        Parameters
        ----------
        x : MLArray, numpy.ndarray or what has ``shape`` and ``dtype``
            Gives the shape; an MLArray gives its metadata, too.
        dtype : dtype, optional
            Default: that of `x`.
        meta : dict or Meta, optional
            Default: a copy of that of `x`, without its statistics.
        patch_size, chunk_size, block_size, cparams, dparams, compressed, num_threads : optional
            As for `MLArray`.

        Raises
        ------
        InvalidTypeError
            If `x` has no shape or dtype (``TypeError``).

        Examples
        --------
        >>> from mlarray import MLArray
        >>> image = MLArray.zeros((2, 3), "int16")
        >>> MLArray.ones_like(image, dtype="uint8").dtype
        dtype('uint8')
        """
        voxels, meta = creation.filled_like("ones", x, dtype, meta)
        how = (meta, patch_size, chunk_size, block_size, cparams, dparams)
        return cls._holding(voxels, *how, compressed, num_threads)

    @classmethod
    def full_like(
        cls: type[Image],
        x: Any,
        fill_value: Any,
        dtype: DTypeLike | None = None,
        meta: Mapping[str, Any] | Meta | None = None,
        patch_size: PatchSize = UNSET,
        chunk_size: Sizes = None,
        block_size: Sizes = None,
        cparams: Params = None,
        dparams: Params = None,
        compressed: bool | None = None,
        *,
        num_threads: int | None = None,
    ) -> Image:
        """Make an image of one value, of the shape of another.

        Parameters
        ----------
        x : MLArray, numpy.ndarray or what has ``shape`` and ``dtype``
            Gives the shape; an MLArray gives its metadata, too.
        fill_value : scalar
            The value of every voxel.
        dtype : dtype, optional
            Default: that of `x`.
        meta : dict or Meta, optional
            Default: a copy of that of `x`, without its statistics.
        patch_size, chunk_size, block_size, cparams, dparams, compressed, num_threads : optional
            As for `MLArray`.

        Raises
        ------
        InvalidTypeError
            If `x` has no shape or dtype (``TypeError``).

        Examples
        --------
        >>> from mlarray import MLArray
        >>> image = MLArray.zeros((2, 3), "int16")
        >>> MLArray.full_like(image, 3, dtype="uint8").dtype
        dtype('uint8')
        """
        voxels, meta = creation.filled_like("full", x, dtype, meta, fill_value)
        how = (meta, patch_size, chunk_size, block_size, cparams, dparams)
        return cls._holding(voxels, *how, compressed, num_threads)

    @classmethod
    @in_either_order("asarray")
    def asarray(
        cls: type[Image],
        array: Any,
        meta: Mapping[str, Any] | Meta | None = None,
        patch_size: PatchSize = UNSET,
        chunk_size: Sizes = None,
        block_size: Sizes = None,
        cparams: Params = None,
        dparams: Params = None,
        compressed: bool | None = None,
        *,
        num_threads: int | None = None,
        memory_compressed: bool | None = None,
    ) -> Image:
        """Make an image of an array; the same as `MLArray` without a path.

        Parameters
        ----------
        array : numpy.ndarray, MLArray or what has ``__array__``
            Held as it is, without a copy, unless `compressed` is True.
        meta, patch_size, chunk_size, block_size, cparams, dparams, compressed, num_threads
            As for `MLArray`; optional. Not given, the metadata is that of an `array` that is an
            MLArray.
        memory_compressed : bool, optional
            The spelling of `compressed` in 0.0.35 to 0.0.47.

        Raises
        ------
        InvalidTypeError
            For a list, a path and what else is no array (``TypeError``).

        Examples
        --------
        >>> import numpy as np
        >>> from mlarray import MLArray
        >>> MLArray.asarray(np.eye(3), meta={"patient_id": "123"}).meta.source
        {'patient_id': '123'}
        """
        image = array if isinstance(array, MLArray) else as_voxels(array)
        compressed = resolve_compressed(compressed, memory_compressed)
        how = (meta, patch_size, chunk_size, block_size, cparams, dparams)
        return cls._holding(image, *how, compressed, num_threads)

    @classmethod
    def _holding(
        cls: type[Image],
        array: Any,
        meta: Mapping[str, Any] | Meta | None,
        patch_size: PatchSize,
        chunk_size: Sizes,
        block_size: Sizes,
        cparams: Params,
        dparams: Params,
        compressed: bool | None,
        num_threads: int | None,
    ) -> Image:
        return cls(
            array,
            meta=meta,
            patch_size=patch_size,
            chunk_size=chunk_size,
            block_size=block_size,
            cparams=cparams,
            dparams=dparams,
            compressed=compressed,
            num_threads=num_threads,
        )

    # Voxels.

    @overload
    def __getitem__(self, key: tuple[()]) -> Any: ...
    @overload
    def __getitem__(self, key: ArrayKey) -> NDArray[Any]: ...
    @overload
    def __getitem__(self, key: Any) -> Any: ...
    def __getitem__(self, key: Any) -> Any:
        """Voxels by any NumPy key, in new memory.

        Raises
        ------
        IndexError
            As NumPy.
        CorruptionError
            If the file is damaged where it is read.
        """
        return self._store.read(key)

    def read_into(self, key: Any, out: np.ndarray[Any, Any]) -> None:
        """Read voxels by any NumPy key into an array that you have, such as pinned memory.

        Slices without a step, and ints, are decoded in place, without a copy.

        Parameters
        ----------
        key : Any
            As for ``image[key]``.
        out : numpy.ndarray
            Of the shape of ``image[key]`` and the dtype of the image; any strides.

        Raises
        ------
        InvalidTypeError, InvalidValueError
            For another dtype or shape, and if `out` is read-only.
        IndexError, CorruptionError
            As for ``image[key]``.

        Examples
        --------
        >>> import numpy as np
        >>> from mlarray import MLArray
        >>> out = np.empty((2, 64, 32))
        >>> MLArray.open("image.mla").read_into(slice(0, 2), out)
        """
        self._store.read_into(key, out)

    def read_padded(
        self,
        start: Sequence[int],
        stop: Sequence[int],
        mode: Literal["constant", "edge", "reflect"] = "constant",
        value: Any = None,
    ) -> NDArray[Any]:
        """Read a box that may leave the image, such as a patch at its border.

        Parameters
        ----------
        start, stop : sequence of int
            Per axis, in voxels; below 0 is in front of the image, not counted from its end.
        mode : {'constant', 'edge', 'reflect'}
            What is put where there are no voxels: `value`, the nearest voxel, or the image
            mirrored about its first and last voxel, as ``numpy.pad`` has it.
        value : scalar, optional
            For 'constant'; default: 0.

        Returns
        -------
        numpy.ndarray
            Of shape ``stop - start``, in new memory.

        Raises
        ------
        InvalidTypeError, InvalidValueError, InvalidUseError
            For what is no box, and for an unknown mode.
        CorruptionError
            If the file is damaged where it is read.

        Examples
        --------
        >>> import numpy as np
        >>> from mlarray import MLArray
        >>> image = MLArray(np.arange(4))
        >>> image.read_padded([-2], [3]), image.read_padded([-2], [3], "reflect")
        (array([0, 0, 0, 1, 2]), array([2, 1, 0, 1, 2]))
        """
        voxels: NDArray[Any] = self._store.read_padded(start, stop, mode, value)
        return voxels

    def read_many(
        self,
        boxes: Sequence[tuple[Sequence[int], Sequence[int]]],
        out: np.ndarray[Any, Any] | None = None,
    ) -> NDArray[Any]:
        """Read many boxes of one shape at once: a batch.

        All see the same commit. Their blocks are decoded as one list, so that small boxes keep
        all threads busy.

        Parameters
        ----------
        boxes : sequence of (start, stop)
            Each within the image, in voxels per axis.
        out : numpy.ndarray, optional
            Where to put them; default: new memory.

        Returns
        -------
        numpy.ndarray
            `out`, of shape ``(len(boxes), *box)``.

        Raises
        ------
        OutOfBoundsError
            For a box that leaves the image (``IndexError``).
        InvalidTypeError, InvalidValueError
            For what is no box, boxes of several shapes, and an `out` of another shape or dtype.
        CorruptionError
            If the file is damaged where it is read.

        Examples
        --------
        >>> from mlarray import MLArray
        >>> image = MLArray.open("image.mla")
        >>> image.read_many([((0, 0, 0), (8, 8, 8)), ((16, 5, 5), (24, 13, 13))]).shape
        (2, 8, 8, 8)
        """
        return self._store.read_many(boxes, out)

    def __setitem__(self, key: Any, value: Any) -> None:
        """Assign by any NumPy key, with NumPy's broadcasting and casting.

        Raises
        ------
        ReadOnlyError
            In mode 'r' (``ValueError``).
        IndexError, ValueError, TypeError
            As NumPy.
        """
        # NumPy would take an image of a single voxel for a sequence.
        self._store.write(key, value.to_numpy() if isinstance(value, MLArray) else value)

    @property
    def oindex(self) -> OuterIndex:
        """Indexing where each array chooses on its own axis, as slices do.

        ``image.oindex[[0, 5], :, [2, 7, 9]]`` has two times all times three voxels, where NumPy
        would pair the two lists. Keys are ints, slices, ``...`` and, in one axis each, ints or
        bools; only blocks that they meet are decoded. Assigning works the same way.

        Examples
        --------
        >>> import numpy as np
        >>> from mlarray import MLArray
        >>> image = MLArray(np.arange(12).reshape(3, 4))
        >>> image.oindex[[2, 0], [True, False, False, True]]
        array([[ 8, 11],
               [ 0,  3]])
        """
        self._store.require_voxels()
        return OuterIndex(self)

    def __iter__(self) -> Iterator[Any]:
        """Iterate over the first axis."""
        self._store.require_voxels()
        if self.ndim == 0:
            raise TypeError("iteration over a 0-d array")
        return (self[index] for index in range(len(self)))

    def __len__(self) -> int:
        """Length of the first axis; 0 if the image is metadata only."""
        if not self._store.shape:
            raise TypeError("len() of unsized object")
        return self._store.shape[0]

    def __array__(
        self, dtype: DTypeLike | None = None, copy: bool | None = None
    ) -> np.ndarray[Any, Any]:
        """The voxels for NumPy; ``copy=False`` is an error where they must be decoded."""
        return exchange.as_array(self._store, dtype, copy)

    def to_numpy(self) -> np.ndarray[Any, Any]:
        """All voxels as a NumPy array.

        Returns
        -------
        numpy.ndarray
            Of an image in memory the very array that it holds, else new memory.

        Raises
        ------
        InvalidTypeError
            If the image is metadata only (``TypeError``).
        ClosedError
            After `close` (``TypeError``, ``RuntimeError``).
        CorruptionError
            If the file is damaged.
        """
        return self._store.to_numpy()

    def astype(
        self: Image,
        dtype: DTypeLike,
        casting: Literal["no", "equiv", "safe", "same_kind", "unsafe"] = "unsafe",
    ) -> Image:
        """An image in memory of another type, with the same metadata.

        Voxels of a file are decoded and converted some chunks at a time, so that there is one
        whole array in memory and not two.

        Parameters
        ----------
        dtype : dtype
            Any but objects.
        casting : {'no', 'equiv', 'safe', 'same_kind', 'unsafe'}
            What may be lost, as for `numpy.ndarray.astype`.

        Returns
        -------
        MLArray
            Always with voxels of its own. It has no statistics where converting could change
            them.

        Raises
        ------
        InvalidTypeError
            For a dtype that cannot be stored, and if the image is metadata only
            (``TypeError``).
        TypeError
            For what `casting` does not allow, as NumPy.
        ClosedError, CorruptionError
            As for `to_numpy`.

        Examples
        --------
        >>> import numpy as np
        >>> from mlarray import MLArray
        >>> image = MLArray(np.zeros((4, 8, 8), "int16"), spacing=(3.0, 0.5, 0.5))
        >>> image.astype("float32")
        MLArray(shape=(4, 8, 8), dtype=float32, spacing=[3.0, 0.5, 0.5], in memory)
        """
        return self._of(*exchange.converted(self._store, dtype, casting))

    def __dlpack__(
        self,
        *,
        stream: Any = None,
        max_version: tuple[int, int] | None = None,
        dl_device: tuple[int, int] | None = None,
        copy: bool | None = None,
    ) -> Any:
        """The voxels for ``from_dlpack`` of other libraries, in memory of the processor.

        Of an image that holds a NumPy array these are the voxels themselves, else new memory.

        Raises
        ------
        BufferError
            With ``copy=False`` where they must be decoded, and for a dtype or a device that
            DLPack or NumPy does not have.
        """
        asked = {"stream": stream, "max_version": max_version, "dl_device": dl_device}
        return exchange.dlpack_of(self._store, copy, **asked)

    def __dlpack_device__(self) -> tuple[int, int]:
        """The processor's memory."""
        return (1, 0)

    def __dask_tokenize__(self) -> Any:
        """What dask names an image by: its voxels and metadata, or the commit that it shows."""
        return exchange.token_of(self._store)

    @property
    def shape(self) -> tuple[int, ...]:
        """Lengths of the axes, in voxels; None if the image is metadata only."""
        return self._store.unless_empty(self._store.shape)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the voxels; None if the image is metadata only."""
        return self._store.unless_empty(self._store.dtype)

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return self._store.ndim

    @property
    def size(self) -> int:
        """Number of voxels."""
        return math.prod(self._store.shape)

    @property
    def nbytes(self) -> int:
        """Bytes of the voxels when decoded."""
        return self.size * self._store.dtype.itemsize

    @property
    def itemsize(self) -> int:
        """Bytes of one voxel when decoded."""
        return self._store.dtype.itemsize

    @property
    def chunks(self) -> tuple[int, ...] | None:
        """Lengths of a chunk, in voxels; None for a NumPy array in memory."""
        return self._store.chunks

    @property
    def blocks(self) -> tuple[int, ...] | None:
        """Lengths of a block, in voxels; None for a NumPy array in memory."""
        return self._store.blocks

    def compute_statistics(
        self,
        mask: Any = None,
        percentiles: tuple[float, float] = (0.005, 0.995),
        *,
        mask_values: int | Sequence[int] | None = None,
        store: bool = True,
    ) -> MetaStatistics:
        """Compute the statistics of the voxels, and keep them in ``meta.stats``.

        Chunks are read one after another on all threads and never held as a whole. Equal to
        NumPy in float64: docs/statistics.md says what is exact.

        Parameters
        ----------
        mask : MLArray or numpy.ndarray, optional
            Of the image's shape: voxels count where it is not 0.
        percentiles : (float, float)
            Two quantiles, from 0 to 1: what is between them is described as well.
        mask_values : int or sequence of int, optional
            Voxels count where `mask` has one of these values.
        store : bool
            False leaves the metadata as it is.

        Returns
        -------
        MetaStatistics
            Of its own: editing it does not change the image.

        Raises
        ------
        InvalidTypeError
            For voxels that are neither bool, integers nor floats (``TypeError``).
        InvalidValueError
            For a mask of another shape, or under which there is no voxel, and for percentiles
            that do not ascend from 0 to 1 (``ValueError``).
        CorruptionError
            If the file is damaged.
        ClosedError
            After `close`.

        Examples
        --------
        >>> import numpy as np
        >>> from mlarray import MLArray
        >>> image = MLArray(np.arange(101, dtype="int16"))
        >>> stats = image.compute_statistics(percentiles=(0.25, 0.75))
        >>> stats.mean, stats.median, stats.percentile_min, stats.percentile_max
        (50.0, 50.0, 25.0, 75.0)
        >>> image.meta.stats.max
        100
        """
        stats = statistics_of(self._store, mask, percentiles, mask_values, self._threads)
        if store:
            self.meta.stats.copy_from(stats, overwrite=True)
        return stats

    # Metadata. What is unset reads as None; a list can be edited in place
    # (``image.spacing[1] = 5.3``). Assigning checks the lengths against the array.

    @property
    def meta(self) -> Meta:
        """All metadata, read from the file when it is first asked for.

        Raises
        ------
        CorruptionError, UnsupportedError
            If it cannot be read; the voxels still can.
        """
        return self._store.meta

    @meta.setter
    def meta(self, value: Mapping[str, Any] | Meta | None) -> None:
        self._store.set_meta(value)

    @property
    def spacing(self) -> list[float] | None:
        """Distance between neighbouring voxels, per axis of space.

        Where an affine is stored instead (converted scans), spacing, origin and direction are
        taken out of it, and assigning one of them rewrites it. Such lists refuse edits in place
        (``AttributeError``). They are None if the affine does not decompose: its last row is
        not 0, ..., 0, 1, an axis has length 0, or a number is not finite.
        """
        stored = self.meta.spatial.spacing
        return spatial.out_of_affine(self._store, "spacing") if stored is None else stored

    @spacing.setter
    def spacing(self, value: Sequence[float] | None) -> None:
        spatial.assign_part(self._store, "spacing", value)

    @property
    def origin(self) -> list[float] | None:
        """Position of voxel (0, ..., 0), per axis of space."""
        stored = self.meta.spatial.origin
        return spatial.out_of_affine(self._store, "origin") if stored is None else stored

    @origin.setter
    def origin(self, value: Sequence[float] | None) -> None:
        spatial.assign_part(self._store, "origin", value)

    @property
    def direction(self) -> list[list[float]] | None:
        """Direction cosines; column j is the direction of axis j of space."""
        stored = self.meta.spatial.direction
        return spatial.out_of_affine(self._store, "direction") if stored is None else stored

    @direction.setter
    def direction(self, value: Sequence[Sequence[float]] | None) -> None:
        spatial.assign_part(self._store, "direction", value)

    @property
    def affine(self) -> list[list[float]]:
        """Homogeneous matrix from voxel index to position, ``(n + 1, n + 1)``.

        The stored one, or else made of spacing, origin and direction (ones, zeros and the
        identity where unset). None, and so are the parts below, if the image is metadata only
        and the metadata does not tell how many axes of space there are.
        """
        return spatial.affine_of(self._store)

    @affine.setter
    def affine(self, value: Sequence[Sequence[float]] | None) -> None:
        spatial.assign(self._store, "affine", value)

    @property
    def affine_matrix(self) -> NDArray[np.float64]:
        """The `affine` as a new array of float64; None where that is None."""
        return spatial.matrix_of(self._store)

    @property
    def translation(self) -> list[float]:
        """Last column of the affine: the position of voxel (0, ..., 0)."""
        return spatial.part_of(self._store, _core.affine_translation)

    @property
    def scale(self) -> list[float]:
        """Lengths of the affine's columns: the spacing."""
        return spatial.part_of(self._store, _core.affine_scale)

    @property
    def rotation(self) -> list[list[float]]:
        """The affine's matrix with its columns divided by the scale."""
        return spatial.part_of(self._store, _core.affine_rotation)

    @property
    def shear(self) -> list[list[float]]:
        """What remains of the affine without rotation and scale; identity if nothing."""
        return spatial.part_of(self._store, _core.affine_shear)

    @property
    def spatial_ndim(self) -> int:
        """Number of axes of space: those that `axis_labels` does not give another role.

        If the image is metadata only, as many as the metadata speaks of, or None.
        """
        return spatial.spatial_ndim_of(self._store)

    # To a file, and what is open.

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
        preset: Preset | None = None,
        metadata_format: Literal["current", "legacy"] = "current",
        level: Level | None = None,
        durable: bool | None = None,
        verify: bool = False,
        label_index: bool = False,
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
            At most so many; default: as the image was made or opened with.
        cparams : dict or object, optional
            Blosc2's parameters: codec, clevel, filters, filters_meta, splitmode. Not given:
            those of the file that the image comes from, or a choice by dtype.
        preset : {'fast', 'balanced', 'small'}, optional
            Instead of `cparams`, what matters most: the speed of reading and writing (what
            is chosen where nothing is said), or the size of the file.
        dparams : dict, optional
            ``{'nthreads': n}``: the same as `num_threads`.
        metadata_format : {'current', 'legacy'}
            'legacy' is for readers up to 0.0.48.
        level : {'none', 'ordered', 'durable'}, optional
            What a power cut may do; a killed process is survived at every level.
            'none': `filepath` may be lost, old and new.
            'ordered' (default): it is the old file or the new one, whole.
            'durable': when the call returns, it is the new one.
        durable : bool, optional
            True is another name of ``level='durable'``.
        verify : bool
            Read the new file back before it takes its place, and compare every voxel and
            all metadata with what was to be saved; takes about as long as reading it.
        label_index : bool
            For a label map: keep with it where its classes are, for balanced sampling, as
            ``mlarray index`` does (`mlarray.training.LabelIndex`). An index that the image
            has already is kept in any case.

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
        CorruptionError
            If the file that the image comes from is damaged, and with `verify` if the new
            file does not read back; the old file stays (``RuntimeError``).

        Warns
        -----
        UserWarning
            If an older writer of this path in this process was saved and detached.

        Examples
        --------
        >>> import numpy as np
        >>> from mlarray import MLArray
        >>> MLArray(np.eye(3)).save("eye.mla", patch_size=64)
        """
        path = checked_path(filepath, writes=True)
        asked = Packing(patch_size, chunk_size, block_size, cparams, preset)
        how = {"num_threads": num_threads, "dparams": dparams, "level": level}
        how["default_threads"] = self._threads
        how.update(metadata_format=metadata_format, durable=durable, verify=verify)
        files.save(self._store, path, asked, self._defaults, label_index, **how)

    def flush(self, durable: bool | None = None, *, level: Level | None = None) -> None:
        """Make all edits so far part of the file; nothing to do for other images.

        Parameters
        ----------
        durable : bool, optional
            True is another name of ``level='durable'``.
        level : {'none', 'ordered', 'durable'}, optional
            What a power cut may do to the file. Not given: as the image was opened with.
            'none': it may be lost, edits of before included.
            'ordered': it is the old state or the new one, whole.
            'durable': when the call returns, it is the new one.

        Raises
        ------
        FileAccessError
            If the file cannot be written. That ends all writing through this image: the file
            keeps its last commit, reading goes on, and `close` raises it once more.
        InvalidTypeError, InvalidValueError, UnsupportedError
            If edited metadata cannot be stored, naming the field; voxels are saved. Mend it,
            and flush again.
        """
        self._store.flush(commit_level(level, durable))

    def close(self, *, discard_metadata: bool = False) -> None:
        """Save edits of voxels and metadata, and release the file. Closing twice is fine.

        Parameters
        ----------
        discard_metadata : bool
            Give up edits of metadata since the last commit, such as those that cannot be
            stored.

        Raises
        ------
        FileAccessError
            If the file cannot be written, or could not be before: it keeps its last commit.
            The image is closed all the same.
        MemoryError
            The image stays open, with all edits: free some memory and close it again.
        InvalidTypeError, InvalidValueError, UnsupportedError
            If edited metadata cannot be stored, naming the field. Voxels are saved, and the
            image stays open: mend `meta` and close again, or discard it. Whoever opens the
            file meanwhile finds the metadata of the last commit, and a warning.

        Warns
        -----
        UserWarning
            If metadata was edited that has nowhere to go: in mode 'r', in a ``.b2nd``, or in
            a writer whose file was opened again meanwhile.

        Examples
        --------
        >>> from mlarray import MLArray
        >>> image = MLArray.open("image.mla", mode="r+")
        >>> image.meta.extra["checked"] = True
        >>> image.close(discard_metadata=True)
        >>> "checked" in MLArray("image.mla").meta.extra
        False
        """
        self._store.close(discard_metadata)

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
        return refresh(self)

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
        from ._reports import report_of

        return report_of(self._store.look_at(decode, self._threads), self._store.path)

    def compress(
        self,
        patch_size: PatchSize = UNSET,
        chunk_size: Sizes = None,
        block_size: Sizes = None,
        cparams: Params = None,
        dparams: Params = None,
        *,
        num_threads: int | None = None,
        preset: Preset | None = None,
    ) -> None:
        """Hold the voxels compressed in memory from now on.

        An image that is open on a file is saved first if it is a writer, and has nothing to do
        with the file afterwards.

        Parameters
        ----------
        patch_size, chunk_size, block_size, cparams, dparams, num_threads, preset
            As for `save`, which takes them over.

        Raises
        ------
        InvalidTypeError
            If the image is metadata only (``TypeError``).
        InvalidUseError, LayoutError, InvalidValueError
            As for `save`.
        ClosedError
            After `close`.

        Examples
        --------
        >>> import numpy as np
        >>> from mlarray import MLArray
        >>> image = MLArray(np.zeros((64, 64, 64), "int16"))
        >>> image.compress(patch_size=32)
        >>> image.chunks
        (64, 64, 64)
        """
        asked = Packing(patch_size, chunk_size, block_size, cparams, preset)
        how: dict[str, Any] = {"num_threads": num_threads, "dparams": dparams}
        how["default_threads"] = self._threads
        self._store = compressed_in_memory(
            self._store, asked, self._defaults, self._threads, **how
        )
        self._defaults = Packing(base_patch=self._defaults.base_patch)

    def decompress(self) -> None:
        """Hold the voxels as a NumPy array from now on; the opposite of `compress`.

        An image that is open on a file is saved first if it is a writer, and has nothing to do
        with the file afterwards.

        Raises
        ------
        InvalidTypeError
            If the image is metadata only (``TypeError``).
        CorruptionError
            If the file is damaged.
        ClosedError
            After `close`.

        Examples
        --------
        >>> from mlarray import MLArray
        >>> image = MLArray("image.mla")
        >>> image.decompress()
        >>> image.chunks is None
        True
        """
        patch = self.meta.blosc2.patch_size or self._defaults.base_patch
        self._store = decompressed(self._store)
        self._defaults = self._defaults._replace(base_patch=patch)

    @property
    def filepath(self) -> str | None:
        """The path that the image was opened or loaded from; None in memory and when closed."""
        return None if self._store.is_closed else self._store.path

    @property
    def mode(self) -> str | None:
        """'r', 'a' (edits the file) or 'w' (created it); None in memory."""
        names = {None: None, "r": "r", "c": "r", "r+": "a", "w+": "w"}
        return names[self._store.access]

    @property
    def mmap_mode(self) -> str | None:
        """'r', 'r+', 'c' or 'w+'; None in memory and without a memory map."""
        return self._store.access if self._store.mapped else None

    @property
    def support_metadata(self) -> bool | None:
        """Whether the file holds metadata: True for .mla, False for .b2nd, None in memory."""
        return None if self._store.path is None else self._store.has_metadata

    def __enter__(self: Image) -> Image:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        store = getattr(self, "_store", None)  # none if the image was never made
        if store is None or store.core is None or store.core.closed:
            return
        if lost := store.close_at_last():
            writers.warn(lost)

    # Copies, and how it is shown.

    def __reduce__(self) -> tuple[Any, ...]:
        how = exchange.pickled(self._store)
        make = _from_memory if self._store.access is None else _reopen
        state = getattr(self, "__dict__", None)  # of a subclass
        return (make, (type(self), *how), state) if state else (make, (type(self), *how))

    if not TYPE_CHECKING:  # which would take any attribute then

        def __setattr__(self, name: str, value: Any) -> None:
            try:
                object.__setattr__(self, name, value)
            except AttributeError:
                if hasattr(type(self), name):
                    raise
                raise AttributeError(_no_attribute(type(self), name)) from None

    def __repr__(self) -> str:
        from ._display.summary import line_of  # opening a file does without

        return line_of(self._store)

    def _repr_html_(self) -> str:
        """A table, and the middle slice along each axis of space; reads only these."""
        from ._display.html import page_of

        return page_of(self._store)

    def _is_metadata_only(self) -> bool:
        return self._store.is_empty

    def _spatial_axes(self) -> list[bool]:
        return self._store.spatial_axes()


def _no_attribute(cls: type, name: str) -> str:
    """What to say where an attribute is set that there is not, and what may be meant."""
    near = nearest(name, (known for known in dir(cls) if not known.startswith("_")))
    meant = f"did you mean {near!r}?" if near else "put what is your own into meta.extra"
    return f"{cls.__name__} has no attribute {name!r}: {meant}"


def _from_memory(cls: type[Image], voxels: np.ndarray[Any, Any] | None, meta: Meta) -> Image:
    return cls._of(voxels, meta)


def _reopen(
    cls: type[Image],
    path: str,
    mapped: bool,
    threads: int,
    meta: Meta | None,
    verify: bool | None,
    _shown: str,
) -> Image:
    store = files.open_existing(path, Access("r", mapped), threads, verify)
    if meta is not None:
        store.set_meta(meta)
    return cls._over(store, threads)


# An image that is opened gets its attributes by these: `__setattr__` has more to do.
_SET_STORE, _SET_DEFAULTS, _SET_THREADS = (
    MLArray.__dict__[name].__set__ for name in ("_store", "_defaults", "_threads")
)
