"""Arrays and dtypes that are given, and dtypes as the text that a file holds."""

from __future__ import annotations

import ast
import functools
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from .errors import CorruptionError, InvalidTypeError

if TYPE_CHECKING:
    from numpy.typing import DTypeLike

__all__ = ["as_bytes_view", "as_dtype", "as_voxels", "dtype_from_text", "dtype_to_text"]

_STORED_KINDS: Final = "biufcSUVmM"
_EXPORTED_KINDS: Final = "biufc"  # what NumPy hands out as a buffer, structured types aside


@functools.lru_cache(maxsize=256)
def dtype_to_text(dtype: np.dtype[Any]) -> str:
    """The text by which Blosc2 files name a dtype.

    Parameters
    ----------
    dtype : numpy.dtype
        Any dtype of fixed size: bool, numbers of either byte order, strings, dates,
        structures.

    Returns
    -------
    str
        ``'<i2'``, or the list of fields of a structure.

    Raises
    ------
    InvalidTypeError
        For Python objects and strings of variable length.

    Examples
    --------
    >>> dtype_to_text(np.dtype("int16"))
    '<i2'
    """
    if dtype.hasobject or dtype.kind not in _STORED_KINDS:
        raise InvalidTypeError(
            f"dtype {dtype} cannot be stored: its elements are Python objects; convert the "
            f"array to numbers or to strings of fixed length first"
        )
    # A structure's own text, with offsets where its fields are aligned.
    return str(dtype) if dtype.names is not None else dtype.str


@functools.lru_cache(maxsize=256)
def dtype_from_text(text: str) -> np.dtype[Any]:
    """The dtype that a file names.

    Parameters
    ----------
    text : str
        As from `dtype_to_text`, or as other writers of Blosc2 put it.

    Returns
    -------
    numpy.dtype
        The dtype.

    Raises
    ------
    CorruptionError
        For text that NumPy does not understand.

    Examples
    --------
    >>> dtype_from_text("[('a', '<i4'), ('b', '<f8')]").names
    ('a', 'b')
    """
    try:
        return np.dtype(ast.literal_eval(text) if text[:1] in "[{(" else text)
    except (TypeError, ValueError, SyntaxError, MemoryError, RecursionError) as error:
        raise CorruptionError(f"the file's dtype {text!r} is not known to NumPy") from error


def as_bytes_view(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The same memory with elements that NumPy hands out as a buffer.

    Parameters
    ----------
    array : numpy.ndarray
        Any strides.

    Returns
    -------
    numpy.ndarray
        `array` itself, or a view of it with void elements of the same size.
    """
    if array.dtype.kind in _EXPORTED_KINDS:
        return array
    return array.view(f"V{array.dtype.itemsize}")


def as_dtype(dtype: DTypeLike) -> np.dtype[Any]:
    try:
        return np.dtype(dtype)
    except (TypeError, ValueError) as error:
        raise InvalidTypeError(
            f"dtype={dtype!r} is not a dtype that NumPy knows ({error}); give one such as "
            f"'int16' or array.dtype"
        ) from None


def as_voxels(array: Any) -> np.ndarray[Any, Any]:
    if not isinstance(array, np.ndarray) and not hasattr(array, "__array__"):
        raise InvalidTypeError(
            f"array is a {type(array).__name__}; give a NumPy array, a path or an MLArray"
        )
    voxels = np.asarray(array)
    dtype_to_text(voxels.dtype)
    return voxels
