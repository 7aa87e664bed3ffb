"""Assignment does to an image what it does to an array: values, types, errors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from mlarray import MLArray

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

# What NumPy itself warns of before version 2.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

SHAPE = (5, 8)
DTYPES = [
    *("?", "i1", "u1", "<i2", ">i2", "<u2", ">u2", "<i4", ">i4", ">u4", "<i8", ">i8", ">u8"),
    *("<f2", ">f2", "<f4", ">f4", ">f8", "<c8", ">c8", ">c16", "S3", "<U2", ">U2", ">M8[s]"),
    *(">m8[D]", "V5", [("a", "<i2"), ("b", ">f4")]),
]


def voxels_of(dtype: Any, shape: tuple[int, ...], seed: int = 0) -> np.ndarray[Any, Any]:
    """Values whose bytes differ from each other, and none of which is a NaN."""
    dtype = np.dtype(dtype)
    numbers = np.random.default_rng(seed).integers(1, 100, shape)
    if dtype.names is not None:
        array = np.zeros(shape, dtype)
        for name in dtype.names:
            array[name] = numbers
        return array
    if dtype.kind == "V":
        return numbers.astype("S5").view(dtype).reshape(shape)
    return numbers.astype(dtype)


def images_of(array: np.ndarray[Any, Any], folder: Path) -> list[MLArray]:
    """The same voxels in every place where they can be assigned to."""
    chunk = [max(length // 2, 1) for length in array.shape]
    sizes: dict[str, Any] = {"chunk_size": chunk, "block_size": [1] * array.ndim}
    images = [MLArray(array.copy()), MLArray(array.copy(), compressed=True, **sizes)]
    for name, mode in {"a": "r+", "b": "c"}.items():
        MLArray(array).save(folder / f"{name}.mla", **sizes)
        images.append(MLArray.open(folder / f"{name}.mla", mmap_mode=mode))
    new = MLArray.create(folder / "c.mla", array.shape, array.dtype, **sizes)
    new[...] = array
    return [*images, new]


def outcome(action: Callable[[], object]) -> type[Exception] | None:
    try:
        action()
    except (ValueError, TypeError, OverflowError, IndexError) as error:
        return type(error)
    return None


def check(array: np.ndarray[Any, Any], key: Any, value: Any, folder: Path) -> None:
    """One assignment everywhere, against NumPy."""
    images = images_of(array, folder)
    want = array.copy()
    error = outcome(lambda: want.__setitem__(key, value))
    if error is not None:
        want = array.copy()
    for image in images:
        assert outcome(lambda image=image: image.__setitem__(key, value)) is error, image
        if error is None:
            assert image[...].tobytes() == want.tobytes(), image
        image.close()
    if error is None:
        for name in ("a.mla", "c.mla"):
            assert MLArray(folder / name)[...].tobytes() == want.tobytes()


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_one_element_of_any_type(tmp_path: Path, dtype: Any) -> None:
    """An axis of one element for an axis less keeps the bytes in their order."""
    value = voxels_of(dtype, (1,), seed=1)
    check(voxels_of(dtype, (4,)), (..., 2), value, tmp_path)
    check(voxels_of(dtype, ()), ..., value, tmp_path)
    check(voxels_of(dtype, ()), (), value[0], tmp_path)
    check(voxels_of(dtype, SHAPE), (..., 1, 3), value.reshape(1, 1), tmp_path)


VALUES: dict[str, Callable[[np.ndarray[Any, Any]], Any]] = {
    "array": lambda array: array,
    "row": lambda array: array[0],
    "column": lambda array: array[:, :1],
    "more axes": lambda array: array[None, None],
    "too many": lambda array: np.stack([array, array]),
    "another byte order": lambda array: array.astype(array.dtype.newbyteorder()),
    "reversed": lambda array: array[::-1, ::-1],
    "Fortran": np.asfortranarray,
    "every second": lambda array: np.repeat(array, 2, axis=1)[:, ::2],
    "list": lambda array: array.tolist(),
    "list of arrays": list,
    "scalar": lambda array: array[0, 0],
    "0-d": lambda array: np.array(array[0, 0], array.dtype),
    "objects": lambda array: array.astype(object),
    "subclass": lambda array: array.view(np.recarray),
    "image": MLArray,
    "compressed image": lambda array: MLArray(array, compressed=True),
    "masked": lambda array: np.ma.masked_array(array, np.arange(array.size) % 2 == 0),
    "matrix": lambda array: array.view(np.matrix),
}
KEYS: dict[str, Any] = {
    "box": (slice(1, 3), slice(2, 6)),
    "dots": ...,
    "step": (slice(None, None, -2), slice(1, None, 3)),
    "int": 3,
    "points": ([0, 4, 4], [7, 1, 2]),
    "rows": [4, 0],
    "mask": np.arange(40).reshape(SHAPE) % 17 == 3,
    "dense mask": np.arange(40).reshape(SHAPE) % 2 == 0,
    "nothing": np.zeros(SHAPE, bool),
    "no rows": slice(3, 3),
    "new axis": (None, 2),
}


@pytest.mark.filterwarnings("ignore:the matrix subclass")
@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("value", VALUES)
@pytest.mark.parametrize("dtype", [">i2", "<f4"])
def test_values_of_any_kind(tmp_path: Path, dtype: str, value: str, key: str) -> None:
    array = voxels_of(dtype, SHAPE)
    chosen = np.atleast_2d(array[KEYS[key]])
    if chosen.size == 0:
        chosen = array
    given = VALUES[value](voxels_of(dtype, chosen.shape, seed=1))
    if value == "masked":  # the voxels of a masked array do not depend on its mask
        given = np.ma.masked_array(given.data, given.mask.reshape(given.shape))
    check(array, KEYS[key], given, tmp_path)


NUMBERS = [
    *(300, -1, 2**31, 2**63, 2**64, -(2**63) - 1, 1e30, float("nan"), float("inf"), 1 + 2j),
    *([300, 1], [[-1]], [float("nan")], [1.5, 2]),
    *(np.int64(300), np.float32(-1), np.uint64(2**63)),
    *(np.array(300), np.array([-1]), np.array([1e30]), np.array([300, 1], object), None, "x"),
    *("12", b"7", [], [[]], (1, [2]), True, np.bool_(True)),
]


@pytest.mark.filterwarnings("ignore:invalid value", "ignore:overflow", "ignore:Casting complex")
@pytest.mark.parametrize("key", [*KEYS, "element"])
@pytest.mark.parametrize("dtype", ["u1", ">i2", "<u8", "<f4", "?", "S3"])
def test_what_does_not_fit(tmp_path: Path, dtype: str, key: str) -> None:
    """Python's own numbers are checked, NumPy's are converted, wherever they go."""
    array = voxels_of(dtype, SHAPE)
    sizes: dict[str, Any] = {"chunk_size": (2, 4), "block_size": (1, 2)}
    chosen = (2, 3) if key == "element" else KEYS[key]
    for value in NUMBERS:
        want = array.copy()
        error = outcome(lambda want=want, value=value: want.__setitem__(chosen, value))
        image = MLArray(array.copy(), compressed=True, **sizes)
        assert outcome(lambda i=image, v=value: i.__setitem__(chosen, v)) is error, value
        assert image[...].tobytes() == (array if error else want).tobytes(), value


@pytest.mark.timeout(20)
@pytest.mark.filterwarnings("ignore:the matrix subclass")
def test_a_matrix_for_one_axis_returns() -> None:
    image = MLArray(np.zeros(3, "i2"), compressed=True)
    image[:] = np.matrix([[1, 2, 3]], "i2")
    assert image[...].tolist() == [1, 2, 3]


@pytest.mark.filterwarnings("ignore:invalid value")
@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize(
    "key",
    [
        (slice(1, 4), slice(2, 5)),
        ([0, 4], [1, 2, 7]),
        (3, [1, 2]),
        ([True, False, False, True, False], 2),
        (2, 3),
        ([], slice(None)),
    ],
    ids=str,
)
@pytest.mark.parametrize("dtype", ["u1", ">u2", "<i8", "<f4", "?"])
def test_outer_assignment_converts_as_any(compressed: bool, key: Any, dtype: str) -> None:
    array = voxels_of(dtype, SHAPE)
    for value in NUMBERS:
        chosen = np.empty_like(MLArray(array).oindex[key])
        place: Any = () if chosen.ndim == 0 else ...
        error = outcome(lambda c=chosen, v=value, p=place: c.__setitem__(p, v))
        image = MLArray(array.copy(), compressed=compressed)
        assert outcome(lambda i=image, v=value: i.oindex.__setitem__(key, v)) is error, value
        if error is None:
            assert np.asarray(image.oindex[key]).tobytes() == chosen.tobytes(), value
        else:
            assert image[...].tobytes() == array.tobytes(), value
