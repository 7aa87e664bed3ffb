"""Orthogonal indexing: what is chosen on one axis does not depend on the others."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any

import numpy as np

from .values import element_of, has_ellipsis, values_of

if TYPE_CHECKING:
    from typing import Protocol

    class Indexed(Protocol):
        """What has voxels."""

        @property
        def shape(self) -> tuple[int, ...]: ...
        @property
        def dtype(self) -> np.dtype[Any]: ...
        def __getitem__(self, key: Any) -> Any: ...
        def __setitem__(self, key: Any, value: Any) -> None: ...


__all__ = ["OuterIndex"]


class OuterIndex:
    """``image.oindex[key]``: arrays choose on their own axis each, as slices do.

    Parameters
    ----------
    image : MLArray
        Whose voxels it is about.
    """

    __slots__ = ("_image",)

    def __init__(self, image: Indexed) -> None:
        self._image = image

    def __getitem__(self, key: Any) -> Any:
        """Voxels at all combinations of what the axes choose, in new memory."""
        if not self._image.shape:
            return self._image[key]
        numpy_key, dropped = _numpy_key(key, self._image.shape)
        return self._image[numpy_key][dropped]

    def __setitem__(self, key: Any, value: Any) -> None:
        """Assign at all combinations, with NumPy's broadcasting and casting."""
        if not self._image.shape:
            self._image[key] = value
            return
        numpy_key, dropped = _numpy_key(key, self._image.shape)
        whole = np.broadcast_to(np.zeros((), bool), self._image.shape)[numpy_key]
        shape, dtype = whole[dropped].shape, self._image.dtype
        # With an ellipsis, NumPy assigns to an array without axes, not to an element.
        one = all(index == 0 for index in dropped) and not has_ellipsis(key)
        values = element_of(value, dtype) if one else values_of(value, dtype, shape)
        self._image[numpy_key] = values.reshape(whole.shape)


def _numpy_key(key: Any, shape: tuple[int, ...]) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    """A key for NumPy that keeps every axis, and the key that drops those of single ints.

    Examples
    --------
    >>> _numpy_key((2, [5, 1]), (4, 8, 9))
    ((slice(2, 3, None), array([5, 1]), slice(None, None, None)), \
(0, slice(None, None, None), slice(None, None, None)))
    """
    items = list(key) if isinstance(key, tuple) else [key]
    at = [i for i, item in enumerate(items) if item is Ellipsis]
    missing = len(shape) - (len(items) - len(at))
    if missing < 0 or len(at) > 1:
        raise IndexError(
            f"{len(items) - len(at)} keys and {len(at)} ellipses for {len(shape)} axes: give "
            f"at most one key per axis and one ellipsis"
        )
    place = at[0] if at else len(items)
    items[place : place + len(at)] = [slice(None)] * missing
    chosen = [_one(item, axis, length) for axis, (item, length) in enumerate(zip(items, shape))]
    dropped = tuple(0 if _is_int(item) else slice(None) for item in items)
    if sum(isinstance(item, np.ndarray) for item in chosen) < 2:
        return tuple(chosen), dropped
    arrays = [
        np.arange(*item.indices(length)) if isinstance(item, slice) else item
        for item, length in zip(chosen, shape)
    ]
    return np.ix_(*arrays), dropped


def _is_int(item: Any) -> bool:
    return not isinstance(item, (bool, np.bool_, slice)) and np.ndim(item) == 0


def _one(item: Any, axis: int, length: int) -> slice | np.ndarray[Any, Any]:
    if isinstance(item, slice):
        return item
    if _is_int(item):
        try:
            index = operator.index(item)
        except TypeError:
            raise IndexError(
                f"{item!r} is no key for axis {axis}: give an int, a slice, or a list of ints "
                f"or of bools"
            ) from None
        if not -length <= index < length:
            raise IndexError(
                f"index {index} is out of bounds for axis {axis} with size {length}"
            )
        index %= length
        return slice(index, index + 1)
    array = np.asarray(item)
    if array.size == 0 and array.ndim == 1:
        array = array.astype(np.intp)
    if array.ndim != 1 or array.dtype.kind not in "biu":
        raise IndexError(
            f"the key of axis {axis} has {array.ndim} axes and dtype {array.dtype}: give ints "
            f"or bools in one axis"
        )
    if array.dtype.kind != "b":
        return array
    if len(array) != length:
        raise IndexError(
            f"the mask of axis {axis} has {len(array)} entries, but the axis has {length}"
        )
    return np.flatnonzero(array)
