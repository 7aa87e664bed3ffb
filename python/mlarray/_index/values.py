"""What NumPy makes of a value that is assigned."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["element_of", "has_ellipsis", "is_field", "is_mask", "values_of"]

_Array = np.ndarray[Any, Any]
_SCALARS = (int, float, complex, bool, np.generic)


def values_of(value: Any, dtype: np.dtype[Any], shape: tuple[int, ...]) -> _Array:
    """What NumPy puts into ``array[...]`` of this type and shape for `value`.

    Parameters
    ----------
    value : Any
        What NumPy takes for an assignment.
    dtype : numpy.dtype
        Type of the array.
    shape : tuple of int
        Its shape.

    Returns
    -------
    numpy.ndarray
        Not to be written to: broadcast, and `value` itself where nothing is to convert.

    Raises
    ------
    ValueError, TypeError, OverflowError
        As NumPy.
    """
    values: _Array
    if 0 not in shape:
        if isinstance(value, _SCALARS):
            return np.broadcast_to(element_of(value, dtype), shape)
        if isinstance(value, np.ndarray) or hasattr(value, "__array__"):
            # Not a subclass, which has rules of its own: a row of a matrix has two axes.
            given = np.asarray(value)
            extra = given.ndim - len(shape)
            if extra > 0 and given.shape[:extra] == (1,) * extra:
                # Not given[0], which may be a scalar, and that has no byte order.
                given = given.reshape(given.shape[extra:])
            if not _fits(given.shape, shape):
                raise ValueError(
                    f"could not broadcast input array from shape {given.shape} into shape "
                    f"{shape}"
                )
            if given.dtype == dtype:
                values = given
            else:
                values = np.empty(given.shape, dtype)
                values[...] = given
            return np.broadcast_to(values, shape)
    values = np.empty(shape, dtype)
    values[...] = value
    return values


def _fits(given: tuple[int, ...], shape: tuple[int, ...]) -> bool:
    pairs = zip(reversed(given), reversed(shape))
    return len(given) <= len(shape) and all(a in (1, b) for a, b in pairs)


def element_of(value: Any, dtype: np.dtype[Any]) -> _Array:
    """What NumPy puts into one element for `value`, which no sequence can be."""
    values: _Array = np.empty((), dtype)
    if hasattr(value, "__array__") and not isinstance(value, (np.ndarray, np.generic)):
        value = np.asarray(value)  # an image: NumPy would take it for a sequence
    values[()] = value
    return values


def is_mask(key: Any, ndim: int) -> bool:
    """Whether `key` is one array of bools for all axes."""
    if isinstance(key, tuple):
        if len(key) != 1:
            return False
        key = key[0]
    mask = np.asarray(key)
    return mask.dtype == np.bool_ and mask.ndim == ndim


def has_ellipsis(key: Any) -> bool:
    """Whether one of its items is ``...``."""
    items = key if isinstance(key, tuple) else (key,)
    return any(item is Ellipsis for item in items)


def is_field(key: Any) -> bool:
    """Whether `key` names fields of a structured type."""
    return isinstance(key, str) or (
        isinstance(key, list) and bool(key) and isinstance(key[0], str)
    )
