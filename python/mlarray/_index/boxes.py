"""Lengths and boxes that are given, boxes that leave the array, and arrays to be filled."""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ..errors import (
    InvalidTypeError,
    InvalidUseError,
    InvalidValueError,
    OutOfBoundsError,
    UnsupportedError,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = [
    "Box",
    "as_box",
    "as_boxes",
    "as_shape",
    "check_64_bits",
    "checked_mode",
    "checked_out",
    "empty_voxels",
    "inside",
    "source_of",
]

Box = tuple[list[int], list[int]]
_MODES: Final = ("constant", "edge", "reflect")
_LARGEST: Final = 2**63 - 1
_LINE: Final = 64  # bytes of a processor's cache
_LARGE: Final = 256 << 10  # bytes: for less, `empty_voxels` would cost more than it gains


def as_shape(shape: int | Sequence[int]) -> list[int]:
    lengths = np.atleast_1d(np.asarray(shape, dtype=object)).tolist()
    if not all(isinstance(length, (int, np.integer)) for length in lengths):
        raise InvalidTypeError(
            f"shape={shape!r} is not an int or a sequence of ints; give one int per axis"
        )
    lengths = [int(length) for length in lengths]
    check_64_bits("shape", lengths)
    if any(length < 0 for length in lengths):
        raise InvalidValueError(
            f"shape={tuple(lengths)} has a negative length; lengths are 0 or more"
        )
    return lengths


def check_64_bits(name: str, numbers: Sequence[int]) -> None:
    if any(not -_LARGEST <= number <= _LARGEST for number in numbers):
        raise UnsupportedError(
            f"{name}={tuple(numbers)} is beyond 64 bits: a length is at most 2^63 - 1 "
            f"({_LARGEST}); use smaller ones"
        )


def as_box(start: Any, stop: Any, ndim: int) -> Box:
    """Start and stop as ints, one per axis; they may lie outside of an array.

    Raises
    ------
    InvalidTypeError, InvalidValueError
        For what is no sequence of ints, and for other numbers of axes or a stop before start.

    Examples
    --------
    >>> as_box((-2, 0), np.array([3, 4]), 2)
    ([-2, 0], [3, 4])
    """
    low, high = _ints("start", start, ndim), _ints("stop", stop, ndim)
    if any(b < a for a, b in zip(low, high)):
        raise InvalidValueError(f"stop={tuple(high)} is before start={tuple(low)}; swap them")
    return low, high


def as_boxes(boxes: Any, ndim: int) -> list[Box]:
    """Boxes of one shape, each a pair of start and stop."""
    if not isinstance(boxes, Iterable):
        raise InvalidTypeError(
            f"boxes={boxes!r} is a {type(boxes).__name__}; give pairs of start and stop"
        )
    found = []
    for index, pair in enumerate(boxes):
        try:
            start, stop = pair
        except (TypeError, ValueError):
            raise InvalidTypeError(
                f"boxes[{index}]={pair!r} is no pair of start and stop; give ((0, 0), (8, 8)), "
                f"for example"
            ) from None
        found.append(as_box(start, stop, ndim))
        if _lengths(found[-1]) != _lengths(found[0]):
            raise InvalidValueError(
                f"boxes[{index}] has the shape {_lengths(found[-1])}, but the first has "
                f"{_lengths(found[0])}: give boxes of one shape"
            )
    return found


def _lengths(box: Box) -> tuple[int, ...]:
    return tuple(b - a for a, b in zip(*box))


def _ints(name: str, value: Any, ndim: int) -> list[int]:
    try:
        numbers = [operator.index(number) for number in value]
    except TypeError:
        raise InvalidTypeError(
            f"{name}={value!r} is not a sequence of ints; give one per axis"
        ) from None
    if len(numbers) != ndim:
        raise InvalidValueError(
            f"{name}={tuple(numbers)} has {len(numbers)} entries, but the image has {ndim} "
            f"axes; give one for each"
        )
    check_64_bits(name, numbers)
    return numbers


def checked_mode(mode: str, value: Any) -> None:
    """Refuse what `read_padded` has no meaning for."""
    if mode not in _MODES:
        raise InvalidUseError(f"mode={mode!r} is not one of {', '.join(map(repr, _MODES))}")
    if mode != "constant" and value is not None:
        raise InvalidUseError(
            f"value={value!r} is for mode='constant', but the mode is {mode!r}; leave it out"
        )


def empty_voxels(shape: Sequence[int], dtype: np.dtype[Any]) -> np.ndarray[Any, Any]:
    """New memory for voxels to be read into.

    From 256 KiB on it begins with a line of the cache, and is a part of an array that owns it.
    NumPy's own often begin 16 bytes behind a line. Rows of blocks, which are whole lines, are
    then stored as parts of lines, which takes 1.1 to 1.3 times as long.
    """
    size = math.prod(shape) * dtype.itemsize
    voxels: np.ndarray[Any, Any]
    if size < _LARGE:
        voxels = np.empty(shape, dtype)
    else:
        try:
            memory = np.empty(size + _LINE, np.uint8)
        except (MemoryError, ValueError):
            return np.empty(shape, dtype)  # whose error says for what there is no memory
        start = -memory.__array_interface__["data"][0] % _LINE
        voxels = np.ndarray(shape, dtype, memory, start)
    return voxels


def checked_out(out: Any, shape: Sequence[int], dtype: np.dtype[Any]) -> np.ndarray[Any, Any]:
    """`out`, or a new array for None; it must have this shape and type.

    Raises
    ------
    InvalidTypeError, InvalidValueError
        For another type or shape, and for an array that is read-only.
    """
    if out is None:
        return empty_voxels(shape, dtype)
    if not isinstance(out, np.ndarray):
        raise InvalidTypeError(f"out is a {type(out).__name__}; give a NumPy array")
    if out.dtype != dtype:
        raise InvalidTypeError(
            f"out has the dtype {out.dtype}, but the voxels are {dtype}; give an array of these"
        )
    if out.shape != tuple(shape):
        raise InvalidValueError(
            f"out has the shape {out.shape}, but {tuple(shape)} is read; give one of this shape"
        )
    if not out.flags.writeable:
        raise InvalidValueError("out is read-only; give an array that can be written to")
    return out


def inside(boxes: Sequence[Box], shape: tuple[int, ...]) -> None:
    """Refuse boxes that leave the array (``IndexError``)."""
    for start, stop in boxes:
        if any(a < 0 or b > length for a, b, length in zip(start, stop, shape)):
            raise OutOfBoundsError(
                f"the box from {tuple(start)} to {tuple(stop)} leaves the array of shape "
                f"{shape}; read_padded reads such boxes"
            )


def source_of(
    start: int, stop: int, length: int, mode: str
) -> tuple[slice, NDArray[np.intp] | slice]:
    """Of one axis: the range to read for a box, and which of it goes where.

    Examples
    --------
    >>> source_of(-2, 3, 10, "edge")
    (slice(0, 3, None), array([0, 0, 0, 1, 2]))
    >>> source_of(-2, 3, 10, "reflect")
    (slice(0, 3, None), array([2, 1, 0, 1, 2]))
    """
    if start >= 0 and stop <= length:
        return slice(start, stop), slice(None)
    if length == 0:
        raise InvalidValueError(f"an axis without voxels has none to repeat for mode={mode!r}")
    index = np.arange(start, stop)
    if mode == "edge":
        index = index.clip(0, length - 1)
    else:
        period = max(2 * (length - 1), 1)
        index = np.abs(index) % period
        index = np.minimum(index, period - index) if length > 1 else index * 0
    if index.size == 0:
        return slice(0, 0), index
    low, high = int(np.min(index)), int(np.max(index))
    return slice(low, high + 1), index - low
