"""Assignments: any key, any value, compared with NumPy, and again when the file is reopened."""

from __future__ import annotations

import array as stdlib_array
from typing import Any

import numpy as np
from making import (
    NUMBERS,
    REALS,
    STRUCTURES,
    TEXTS,
    Array,
    Held,
    Place,
    Rng,
    Story,
    a_dtype,
    a_shape,
    an_image,
    chance,
    difference,
    literal,
    one_of,
    outcome,
    same_bits,
    shown,
    voxels,
)
from making_keys import a_key, an_outer_key, read_outer

from mlarray import MLArray

UNIT = "assignments"
KEYS = 15  # for one image
# NumPy looks at key and value in this order or in another.
REFUSALS = (IndexError, ValueError, TypeError, OverflowError)


def check(rng: Rng, place: Place) -> int:
    """One image, and many assignments."""
    twin = voxels(rng, a_dtype(rng), a_shape(rng, most=1500))
    story = Story()
    story.say("array = ...")
    held = an_image(rng, twin, place, story, writable=True)
    original = twin.copy()
    try:
        for number in range(KEYS):
            story.lines[0] = f"array = {literal(twin)}  # after {number} assignments"
            _assign(rng, held, twin, story)
            if chance(rng, 0.1) and held.path is not None and held.keeps:
                held.image.flush()
        if held.path is None and held.image.chunks is not None and chance(rng, 0.2):
            path = place.file("again.mla")
            story.say(f"image.save({path.name!r}); image = MLArray({path.name!r})")
            held.image.save(path)
            _compare(story, "saved", MLArray(path), twin)
    finally:
        held.close()
    if held.path is not None:
        story.say(f"image.close(); image = MLArray.open({held.path.name!r})")
        with MLArray.open(held.path) as image:
            _compare(story, "reopened", image, twin if held.keeps else original)
    return KEYS


def _assign(rng: Rng, held: Held, twin: Array, story: Story) -> None:
    """One assignment to both. `twin` is changed."""
    image, before = held.image, twin.copy()
    outer = chance(rng, 0.2)
    key: Any = an_outer_key(rng, twin.shape) if outer else a_key(rng, twin.shape, twin.dtype)
    target = outcome(lambda: read_outer(twin, key) if outer else twin[key])
    value = a_value(rng, np.shape(target), twin.dtype)
    given = np.asarray(value) if isinstance(value, MLArray) else value
    words = "image.oindex" if outer else "image"
    what = f"{words}[] ="
    line = f"{words}[{literal(key)}] = {literal(value)}"
    if outer:
        expected = outcome(lambda: _write_outer(twin, key, given))
        found = outcome(lambda: image.oindex.__setitem__(key, value))
    else:
        expected = outcome(lambda: _write(twin, key, given))
        found = outcome(lambda: image.__setitem__(key, value))
    errors = [error for error in (expected, found) if isinstance(error, Exception)]
    if any(isinstance(error, np.ma.MaskError) for error in errors) or (
        "requires a 0 or 1-dimensional" in str(found)
    ):
        # A masked value has no number; and what one mask takes depends on how it is written.
        twin[...] = image[...]
        return
    # Where an axis chooses nothing, indices of the others are not looked at, nor are values.
    unsaid = outer and (np.size(target) == 0 or isinstance(target, IndexError)) and same_bits(
        image[...], before
    )  # fmt: skip
    failed = isinstance(expected, Exception)
    if failed != isinstance(found, Exception) and not unsaid:
        story.fail(
            f"{what} {difference(found, expected)}",
            line,
            f"found    {shown(found)}",
            f"expected {shown(expected)}",
        )
    if isinstance(found, Exception) and not isinstance(found, REFUSALS):
        story.fail(f"{what} {type(found).__name__}", line, shown(found))
    now = image[...]
    if failed and same_bits(now, before):
        twin[...] = before  # where NumPy has stopped in the middle
    if _has_no_int(given, twin.dtype):
        twin[...] = now
    if not same_bits(now, twin) and not (found is None and _twice(twin, key, now)):
        places = np.nonzero(np.atleast_1d(_unlike(now, twin)))
        story.fail(
            f"{what} {_class(value)}: other voxels" + (" after an error" if failed else ""),
            line,
            f"found    {literal(now)}",
            f"expected {literal(twin)}",
            f"at       {[axis[:5].tolist() for axis in places]}",
            *([f"raised   {shown(found)}"] if failed else []),
        )


def _has_no_int(value: Any, dtype: np.dtype[Any]) -> bool:
    """Whether there are floats that the integers lack: C leaves open what becomes of them.

    Only of arrays: of a scalar, NumPy makes an error.
    """
    array = outcome(lambda: np.asarray(value))
    if (
        dtype.kind not in "iu"
        or not isinstance(array, np.ndarray)
        or array.dtype.kind not in "fc"
    ):
        return False
    info, reals = np.iinfo(dtype), array.real.astype(np.longdouble)
    return not bool(np.all((reals > int(info.min) - 1.0) & (reals < int(info.max) + 1.0)))


def _twice(twin: Array, key: Any, now: Array) -> bool:
    """Whether what differs was assigned to more than once: NumPy leaves open in which order."""
    if twin.dtype.names is not None or isinstance(key, str):
        return False
    chosen = outcome(lambda: np.arange(twin.size).reshape(twin.shape)[key])
    if isinstance(chosen, Exception):
        return False
    voxels, counts = np.unique(chosen, return_counts=True)
    differ = np.flatnonzero(_unlike(now, twin))
    if not np.isin(differ, voxels[counts > 1]).all():
        return False
    twin[...] = now
    return True


def _write(twin: Array, key: Any, value: Any) -> None:
    try:
        twin[key] = value
    except TypeError as error:
        # One mask takes values of one axis only; the same mask in a tuple takes all that fit.
        if "requires a 0 or 1-dimensional input" not in str(error):
            raise
        twin[(key, ...)] = value


def _unlike(a: Array, b: Array) -> Array:
    """Where two arrays differ, bit for bit."""
    raw = f"V{a.dtype.itemsize}"
    return np.asarray(
        np.ascontiguousarray(a).view(raw) != np.ascontiguousarray(b).view(raw)
    ).reshape(a.shape)


def _class(value: Any) -> str:
    if isinstance(value, np.ndarray) and type(value) is np.ndarray:
        return "array" if value.ndim else "0-d array"
    return "NumPy scalar" if isinstance(value, np.generic) else type(value).__name__


def _write_outer(twin: Array, key: Any, value: Any) -> None:
    """Assign as `oindex` promises: with NumPy's broadcasting and casting."""
    numbers = np.arange(twin.size).reshape(twin.shape)
    chosen = read_outer(numbers, key)
    if np.shape(chosen) == () and ... not in [k for k in _items(key) if k is ...]:
        new = np.empty((), twin.dtype)
        new[()] = value
    else:
        new = np.empty(np.shape(chosen), twin.dtype)
        new[...] = value
    twin.reshape(-1)[chosen] = new


def _items(key: Any) -> tuple[Any, ...]:
    return key if isinstance(key, tuple) else (key,)


def _compare(story: Story, what: str, image: MLArray, expected: Array) -> None:
    found = image[...]
    if found.dtype != expected.dtype or not same_bits(found, expected):
        story.fail(f"{what}: other voxels", f"found    {literal(found)}",
                   f"expected {literal(expected)}")  # fmt: skip


def a_value(rng: Rng, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Any:
    """What may be assigned where a key chooses this shape of voxels."""
    kind = rng.random()
    if kind < 0.16:
        return _python_scalar(rng, dtype)
    if kind < 0.22:
        scalar = _array(rng, _any_dtype(rng, dtype), ())
        return scalar if chance(rng, 0.5) else scalar[()]
    if kind < 0.25:
        return _odd(rng, shape)
    if chance(rng, 0.3):
        shape = tuple(1 if chance(rng, 0.4) else n for n in shape)
        shape = shape[int(rng.integers(0, len(shape) + 1)) :] if chance(rng, 0.5) else shape
    if chance(rng, 0.12 if shape else 0.5):
        shape = (1,) * int(rng.integers(1, 3)) + shape
    if chance(rng, 0.03):
        shape = (*shape, 2) if chance(rng, 0.5) else (*shape[:-1], 7)
    same = chance(rng, 0.5)
    array = _array(rng, dtype if same else _any_dtype(rng, dtype), shape)
    return _dressed(rng, array)


def _array(rng: Rng, dtype: np.dtype[Any], shape: tuple[int, ...]) -> Array:
    # Floats that no int can hold have no answer that NumPy promises: few of them.
    return np.asarray(voxels(rng, dtype, shape, tame=dtype.kind in "fc" and chance(rng, 0.6)))


def _dressed(rng: Rng, array: Array) -> Any:
    """The same values, held in another way."""
    form = int(rng.integers(0, 12))
    if form == 0:
        return array.tolist()
    if form == 1 and array.ndim <= 2:
        return np.asmatrix(array)
    if form == 2:
        return np.ma.array(array, mask=rng.random(array.shape) < 0.3)
    if form == 3 and array.ndim:
        return np.repeat(array, 2, axis=0)[::2]
    if form == 4:
        return np.asfortranarray(array)
    if form == 5 and array.ndim:
        return array[::-1]
    if form == 6:
        array.flags.writeable = False
        return array
    if form == 7 and array.dtype.kind in "biufc":
        return MLArray(array, compressed=chance(rng, 0.5))
    if form == 8 and array.ndim == 1 and array.dtype.kind in "iuf":
        return one_of(rng, [tuple, list])(array)
    if form == 9 and array.dtype.kind in "iu" and array.dtype.isnative:
        return memoryview(np.ascontiguousarray(array))
    return array


def _any_dtype(rng: Rng, dtype: np.dtype[Any]) -> np.dtype[Any]:
    kind = rng.random()
    if kind < 0.2:
        return dtype.newbyteorder()
    if kind < 0.9:
        return np.dtype(one_of(rng, NUMBERS if dtype.kind == "c" else REALS))
    return np.dtype(one_of(rng, [*NUMBERS, *TEXTS, *STRUCTURES]))


def _python_scalar(rng: Rng, dtype: np.dtype[Any]) -> Any:
    if dtype.names is not None and chance(rng, 0.7):
        return voxels(rng, dtype, ())[()].item() if chance(rng, 0.7) else (1, 2)
    if chance(rng, 0.3):
        return one_of(rng, [
            -1, 255, 256, 300, -129, 2**31, 2**63 - 1, 2**63, 2**64, -(2**63) - 1, 2**80,
            float("nan"), float("inf"), -0.0, 0.5, -7.9, 1e300, 1e39, 1 + 2j, True,
            "", "12", "ab", "abcdefg", b"3", b"xyz", None,
        ])  # fmt: skip
    return one_of(rng, [int(rng.integers(0, 100)), float(rng.normal()), bool(chance(rng, 0.5))])


def _odd(rng: Rng, shape: tuple[int, ...]) -> Any:
    count = shape[-1] if shape else 1
    return one_of(rng, [
        range(count), [], [[1], [2, 3]], [[1, 2], 3], (), {}, {"a": 1}, object(),
        [None] * count, stdlib_array.array("h", range(count)), bytes(count), "x" * count,
        [np.int8(3)] * count, [np.array(3.5)] * count, [2**70] * count, [-1] * count,
        [300] * count, [0.5] * count,
        np.zeros((0,)), np.array([None]), slice(3),
    ])  # fmt: skip
