"""Making images of a shape or of a range, as NumPy makes arrays."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from ._aliases import UNSET, agreed
from ._checks import as_dtype, as_shape, as_voxels
from ._opening import Openable
from ._positions import in_either_order
from .errors import InvalidValueError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import DTypeLike

    from ._types import Params, PatchSize, Sizes
    from .meta import Meta

__all__ = ["Creatable"]

Image = TypeVar("Image", bound="Creatable")


class Creatable(Openable):
    """Functions that make an image.

    All take the arguments of `MLArray`: `meta`, what `save` will use (`patch_size`,
    `chunk_size`, `block_size`, `cparams`, `dparams`), and `compressed`, which decides whether
    the image holds a NumPy array (default) or compressed voxels. They raise what `MLArray`
    raises, and ``ValueError`` for a negative length.
    """

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
        how = (meta, patch_size, chunk_size, block_size, cparams, dparams)
        return cls._holding(
            np.empty(as_shape(shape), _dtype(dtype)), *how, compressed, num_threads
        )

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
        how = (meta, patch_size, chunk_size, block_size, cparams, dparams)
        return cls._holding(
            np.zeros(as_shape(shape), _dtype(dtype)), *how, compressed, num_threads
        )

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
        how = (meta, patch_size, chunk_size, block_size, cparams, dparams)
        return cls._holding(
            np.ones(as_shape(shape), as_dtype("f8" if dtype is None else dtype)),
            *how,
            compressed,
            num_threads,
        )

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
        how = (meta, patch_size, chunk_size, block_size, cparams, dparams)
        return cls._holding(
            np.full(as_shape(shape), fill_value, None if dtype is None else as_dtype(dtype)),
            *how,
            compressed,
            num_threads,
        )

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
        first, last = (0, start) if stop is None else (start, stop)
        numbers: list[Any] = [first, last, 1 if step is None else step]
        line = np.arange(*numbers, dtype=None if dtype is None else as_dtype(dtype))
        how = (meta, patch_size, chunk_size, block_size, cparams, dparams)
        return cls._holding(_shaped(line, shape, c_order), *how, compressed, num_threads)

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
        if num is None:
            if shape is None:
                raise InvalidValueError(
                    "linspace needs num or shape; give how many values to make"
                )
            num = math.prod(as_shape(shape))
        line = np.linspace(start, stop, num, endpoint, dtype=dtype)
        how = (meta, patch_size, chunk_size, block_size, cparams, dparams)
        return cls._holding(_shaped(line, shape, c_order), *how, compressed, num_threads)

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
        image = array if isinstance(array, Openable) else as_voxels(array)
        if memory_compressed is not None:
            compressed = agreed(
                compressed=UNSET if compressed is None else compressed,
                memory_compressed=memory_compressed,
            )
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


def _dtype(dtype: DTypeLike | None) -> np.dtype[Any]:
    if dtype is None:  # NumPy would take it for float64
        raise InvalidValueError("dtype is None; give one such as 'int16' or array.dtype")
    return as_dtype(dtype)


def _shaped(
    line: np.ndarray[Any, Any], shape: int | Sequence[int] | None, c_order: bool
) -> np.ndarray[Any, Any]:
    if shape is None:
        return line
    lengths = as_shape(shape)
    if math.prod(lengths) != line.size:
        raise InvalidValueError(
            f"shape={tuple(lengths)} has {math.prod(lengths)} voxels, but the range has "
            f"{line.size} values; give a shape of as many"
        )
    return line.reshape(lengths, order="C" if c_order else "F")
