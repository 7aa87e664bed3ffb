"""Making images that are like another one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from ._aliases import UNSET
from ._checks import as_dtype, as_shape, new_meta
from ._creation import Creatable
from ._opening import Openable
from .errors import InvalidTypeError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import DTypeLike

    from ._types import Params, PatchSize, Sizes
    from .meta import Meta

__all__ = ["CreatableLike"]

Image = TypeVar("Image", bound="CreatableLike")


class CreatableLike(Creatable):
    """Functions that make an image in the shape of another, with the arguments of `MLArray`."""

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
        patch_size, chunk_size, block_size, cparams, dparams, compressed : optional
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
        shape, kind, meta = _like(x, dtype, meta)
        how = (meta, patch_size, chunk_size, block_size, cparams, dparams)
        return cls._holding(np.empty(shape, kind), *how, compressed, num_threads)

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
        patch_size, chunk_size, block_size, cparams, dparams, compressed : optional
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
        shape, kind, meta = _like(x, dtype, meta)
        how = (meta, patch_size, chunk_size, block_size, cparams, dparams)
        return cls._holding(np.zeros(shape, kind), *how, compressed, num_threads)

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
        patch_size, chunk_size, block_size, cparams, dparams, compressed : optional
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
        shape, kind, meta = _like(x, dtype, meta)
        how = (meta, patch_size, chunk_size, block_size, cparams, dparams)
        return cls._holding(np.ones(shape, kind), *how, compressed, num_threads)

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
        patch_size, chunk_size, block_size, cparams, dparams, compressed : optional
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
        shape, kind, meta = _like(x, dtype, meta)
        how = (meta, patch_size, chunk_size, block_size, cparams, dparams)
        return cls._holding(np.full(shape, fill_value, kind), *how, compressed, num_threads)


def _like(x: Any, dtype: DTypeLike | None, meta: Any) -> tuple[list[int], np.dtype[Any], Any]:
    """Shape, dtype and metadata for an image like `x`."""
    shape, kind = getattr(x, "shape", None), getattr(x, "dtype", None)
    if shape is None or kind is None:
        raise InvalidTypeError(
            f"x is a {type(x).__name__} without shape and dtype; give an MLArray or a NumPy "
            f"array"
        )
    if meta is None and isinstance(x, Openable):
        meta = new_meta(x.meta)
        meta.stats.reset()  # they are of other voxels
    return as_shape(shape), as_dtype(kind if dtype is None else dtype), meta
