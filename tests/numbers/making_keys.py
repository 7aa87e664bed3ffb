"""Random keys: everything that NumPy takes between brackets, and some that it refuses."""

from __future__ import annotations

from typing import Any

import numpy as np
from making import INTEGERS, Rng, chance, one_of

WRONG = 0.01  # of the items: an index outside, a mask that does not fit, a float


class Index:
    """What is an int by `__index__` alone."""

    def __init__(self, value: int) -> None:
        self.value = value

    def __index__(self) -> int:
        return self.value

    def __repr__(self) -> str:
        return f"Index({self.value})"


def _number(rng: Rng, length: int) -> int:
    if length == 0 or chance(rng, WRONG):
        return int(one_of(rng, [length, -length - 1, length + 7, 2**31, -(2**63), 2**70]))
    return int(rng.integers(-length, length))


def an_int(rng: Rng, length: int) -> Any:
    """An index of an axis, in one of the ways to say it."""
    value = _number(rng, length)
    form = int(rng.integers(0, 8))
    if form == 0:
        return Index(value)
    if form in (1, 2):
        fitting = [d for d in INTEGERS if _fits(value, d)]
        if fitting:
            scalar = np.array(value, one_of(rng, fitting))
            return scalar if form == 1 else scalar[()]
    return value


def _fits(value: int, dtype: str) -> bool:
    info = np.iinfo(np.dtype(dtype).newbyteorder("="))
    return bool(info.min <= value <= info.max)


def a_slice(rng: Rng, length: int) -> slice:
    """Any bounds, any step."""

    def bound() -> Any:
        kind = rng.random()
        if kind < 0.35:
            return None
        value: Any = int(rng.integers(-length - 2, length + 3))
        if kind > 0.98:
            value = one_of(rng, [2**70, -(2**70), 2**63])
        return np.int64(value) if kind > 0.9 and abs(value) < 2**62 else value

    step: Any = one_of(rng, [None, None, None, 1, 1, 2, 3, -1, -1, -2, -5, max(1, length)])
    if chance(rng, WRONG):
        step = one_of(rng, [0, 2**40, -(2**40), 1.5])
    return slice(bound(), bound(), step)


def some_ints(rng: Rng, length: int, shape: tuple[int, ...]) -> Any:
    """Indices in a shape: an array of any integer type and any strides, or lists."""
    if length == 0 and np.prod(shape) > 0 and not chance(rng, WRONG):
        shape = (*shape[:-1], 0)
    values = np.empty(shape, object)
    for at in np.ndindex(*shape):
        values[at] = _number(rng, length)
    if chance(rng, 0.4):
        listed = values.tolist()
        return tuple(listed) if chance(rng, 0.1) and isinstance(listed, list) else listed
    flat = values.ravel().tolist()
    fitting = [d for d in INTEGERS if all(_fits(value, d) for value in flat)]
    if not fitting:
        return values.tolist()
    array = values.astype(one_of(rng, fitting))
    if chance(rng, 0.2) and array.ndim:
        array = np.repeat(array, 2, axis=-1)[..., ::2]  # the same, not contiguous
    return np.asfortranarray(array) if chance(rng, 0.1) else array


def a_mask(rng: Rng, shape: tuple[int, ...]) -> Any:
    """True for few or for many, or for none."""
    if chance(rng, WRONG) and shape:
        shape = (*shape[:-1], shape[-1] + 1)
    mask = rng.random(shape) < one_of(rng, [0.0, 0.03, 0.1, 0.5, 1.0])
    if mask.ndim and mask.size and chance(rng, 0.15):
        return mask.tolist()
    return np.asfortranarray(mask) if chance(rng, 0.1) else mask


def a_key(rng: Rng, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Any:
    """A NumPy key for an array of this shape."""
    kind = rng.random()
    if dtype.names is not None and kind < 0.1:
        return one_of(rng, [*dtype.names, list(dtype.names[:1]), list(dtype.names)])
    if kind < 0.12:  # the box of a patch
        starts = [int(rng.integers(0, max(1, n))) for n in shape]
        return tuple(slice(a, int(rng.integers(a, n + 1))) for a, n in zip(starts, shape))
    if kind < 0.16:
        return a_mask(rng, shape)
    if kind < 0.2:
        return one_of(rng, [(), ..., None, [], [[]], slice(None), True, False, np.True_])
    if kind < 0.2 + WRONG:
        odd: list[Any] = [1.0, "a", (..., ...), 1j, [0.5], (0,) * (len(shape) + 1), b"a"]
        return one_of(rng, [*odd, np.array([1.0]), np.zeros(0), {}, object, [None]])
    if kind < 0.3 and len(shape) > 1:  # points
        count = int(rng.integers(0, 30))
        return tuple(some_ints(rng, n, (count,)) for n in shape)
    items = _items(rng, shape, advanced=chance(rng, 0.5))
    if len(items) == 1 and chance(rng, 0.4):
        return items[0]
    return tuple(items)


def _items(rng: Rng, shape: tuple[int, ...], advanced: bool) -> list[Any]:
    items: list[Any] = []
    paired = tuple(int(n) for n in rng.integers(0, 5, rng.integers(0, 3)))
    axis = 0
    while axis < len(shape):
        kind = rng.random()
        if kind < 0.06:
            items.append(None)
            continue
        if kind < 0.1:
            break
        if kind < 0.16 and ... not in [i for i in items if i is ...]:
            items.append(...)
            axis += int(rng.integers(0, len(shape) - axis + 1))
            continue
        if kind < 0.45:
            items.append(a_slice(rng, shape[axis]))
        elif kind < 0.65 or not advanced:
            items.append(an_int(rng, shape[axis]))
        elif kind < 0.9:
            items.append(some_ints(rng, shape[axis], _of(rng, paired)))
        else:
            count = int(rng.integers(1, len(shape) - axis + 1))
            items.append(a_mask(rng, shape[axis : axis + count]))
            axis += count - 1
        axis += 1
    if advanced and chance(rng, 0.03):
        items.insert(int(rng.integers(0, len(items) + 1)), chance(rng, 0.5))
    return items


def _of(rng: Rng, paired: tuple[int, ...]) -> tuple[int, ...]:
    """A shape that goes with that of the other arrays of the key, nearly always."""
    if chance(rng, WRONG):
        return (*paired, 7)
    ones = tuple(1 if chance(rng, 0.2) else n for n in paired)
    return ones[int(rng.integers(0, len(ones) + 1)) :] if chance(rng, 0.2) else ones


def an_outer_key(rng: Rng, shape: tuple[int, ...]) -> Any:
    """A key for `oindex`: one item per axis, by itself."""
    items: list[Any] = []
    for length in shape:
        kind = rng.random()
        if kind < 0.3:
            items.append(a_slice(rng, length))
        elif kind < 0.5:
            items.append(an_int(rng, length))
        elif kind < 0.8:
            items.append(some_ints(rng, length, (int(rng.integers(0, 5)),)))
        else:
            items.append(a_mask(rng, (length,)))
    if chance(rng, 0.3):
        first = int(rng.integers(0, len(items) + 1))
        last = int(rng.integers(first, len(items) + 1))
        items[first:last] = [...]
    elif chance(rng, 0.3):
        items = items[: int(rng.integers(0, len(items) + 1))]
    return items[0] if len(items) == 1 and chance(rng, 0.5) else tuple(items)


def read_outer(array: np.ndarray[Any, Any], key: Any) -> Any:
    """What `oindex` promises, by NumPy: axis by axis, from the last, so that none moves."""
    items = list(key) if isinstance(key, tuple) else [key]
    if ... in [item for item in items if item is ...]:
        at = next(i for i, item in enumerate(items) if item is ...)
        items[at : at + 1] = [slice(None)] * (array.ndim - len(items) + 1)
    answer: Any = array[()] if array.ndim == 0 else array
    for axis in reversed(range(len(items))):
        item = items[axis]
        if isinstance(item, (list, tuple)):
            item = np.array(item, np.intp) if len(item) == 0 else np.array(item)
        answer = answer[(slice(None),) * axis + (item,)]
    return answer
