"""Every dtype of fixed size goes to a file and comes back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from mlarray import MLArray, MLArrayError

if TYPE_CHECKING:
    from pathlib import Path

NUMBERS = [
    "?",
    "i1",
    "u1",
    "<i2",
    ">i2",
    "<u2",
    "<i4",
    ">u4",
    "<i8",
    "<u8",
    "<f2",
    "<f4",
    ">f4",
    "<f8",
    ">f8",
    "<c8",
    "<c16",
    ">c16",
    "<f16",
    "<c32",
]
OTHERS = ["S1", "S7", "<U3", ">U3", "<M8[ns]", ">M8[D]", "<m8[us]", "V5"]
STRUCTURES = [
    np.dtype([("a", "<i4"), ("b", "<f8")]),
    np.dtype([("a", ">i2"), ("b", "<f8", (2, 3)), ("c", "S3")]),
    np.dtype([("when", "<M8[s]"), ("name", "<U5")]),
    np.dtype([("a", "i1"), ("b", "<f8")], align=True),
    np.dtype([("outer", [("x", "<f4"), ("y", "<f4")]), ("n", "u1")]),
    np.dtype(
        {"names": ["a", "b"], "formats": ["<i2", "<i2"], "offsets": [4, 0], "itemsize": 9}
    ),
    np.dtype([("name with 'quotes'", "<i2"), ("wide", "S300")]),
]


def sample(dtype: np.dtype[Any], shape: tuple[int, ...] = (7, 9)) -> np.ndarray[Any, Any]:
    """Values that use all bytes and are equal to themselves."""
    rng = np.random.default_rng(4)
    if dtype.names is not None:
        array = np.zeros(shape, dtype)
        for name in dtype.names:
            field = dtype.fields[name][0]
            base, inner = field.subdtype if field.subdtype else (field, ())
            array[name] = sample(base, shape + inner)
        return array
    if dtype.kind == "b":
        return rng.integers(0, 2, shape).astype(dtype)
    if dtype.kind in "fc":
        values = rng.normal(size=shape)
        return (values + 1j * values[::-1] if dtype.kind == "c" else values).astype(dtype)
    if dtype.kind in "SU":
        return rng.integers(0, 10**6, shape).astype("U9").astype(dtype)
    if dtype.kind in "mM":
        return (
            rng.integers(-(10**6), 10**6, shape).astype(dtype.newbyteorder("=")).astype(dtype)
        )
    if dtype.kind == "V":
        return np.frombuffer(rng.bytes(dtype.itemsize * int(np.prod(shape))), dtype).reshape(
            shape
        )
    info = np.iinfo(dtype)
    return rng.integers(info.min, info.max, shape, dtype=dtype.newbyteorder("=")).astype(dtype)


def same(found: np.ndarray[Any, Any], expected: np.ndarray[Any, Any]) -> bool:
    """Bit for bit, but for padding, which NumPy copies or not."""
    if expected.dtype.names is not None or expected.dtype.char in "gG":
        return found.dtype == expected.dtype and np.array_equal(found, expected)
    return found.dtype == expected.dtype and found.tobytes() == expected.tobytes()


@pytest.mark.parametrize(
    "dtype", [*map(np.dtype, NUMBERS + OTHERS), *STRUCTURES], ids=lambda dtype: str(dtype)[:40]
)
def test_round_trip(tmp_path: Path, dtype: np.dtype[Any]) -> None:
    array = sample(dtype)
    path = tmp_path / "a.mla"
    MLArray(array).save(path, chunk_size=(4, 5), block_size=(2, 3))
    loaded = MLArray(path)
    assert loaded.dtype == array.dtype
    assert same(loaded.to_numpy(), array)
    with MLArray.open(path, mmap="r+") as image:
        assert same(image[3:, ::2], array[3:, ::2])
        image[1] = array[0]
        image[::2, [1, 5]] = array[1::2, [3, 4]][:1]
        image[6, 8] = array[0, 0]
    twin = array.copy()
    twin[1] = array[0]
    twin[::2, [1, 5]] = array[1::2, [3, 4]][:1]
    twin[6, 8] = array[0, 0]
    assert same(MLArray(path).to_numpy(), twin)


@pytest.mark.parametrize("dtype", [">i2", "<f8", "<M8[D]", STRUCTURES[1]], ids=str)
def test_created_files_start_as_zeros(tmp_path: Path, dtype: Any) -> None:
    with MLArray.create(tmp_path / "a.mla", (5, 6), dtype) as image:
        assert image.dtype == np.dtype(dtype)
        assert image[...].tobytes() == np.zeros((5, 6), dtype).tobytes()


def test_fields_of_structures(tmp_path: Path) -> None:
    array = sample(STRUCTURES[0])
    path = tmp_path / "a.mla"
    MLArray(array).save(path)
    with MLArray.open(path, mmap="c") as image:
        np.testing.assert_array_equal(image["b"], array["b"])
        np.testing.assert_array_equal(image[["b"]]["b"], array["b"])
        image["a"] = 7
        image[0, 0] = (3, 2.5)
        assert image[0, 0].item() == (3, 2.5)
        assert (image["a"].ravel()[1:] == 7).all()
        with pytest.raises(ValueError, match="no field"):
            image["c"]


@pytest.mark.parametrize(
    "array",
    [
        np.array([1, "a"], object),
        np.zeros(2, [("a", "i4"), ("b", object)]),
        np.array([{"a": 1}]),
    ],
    ids=["objects", "structure", "dicts"],
)
def test_objects_are_refused(tmp_path: Path, array: np.ndarray[Any, Any]) -> None:
    with pytest.raises(TypeError, match="Python objects") as caught:
        MLArray(array)
    assert isinstance(caught.value, MLArrayError)
    with pytest.raises(TypeError, match="Python objects"):
        MLArray.create(tmp_path / "a.mla", array.shape, array.dtype)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("shape", [(), (1,), (0,), (3, 0, 2), (1,) * 16, (2, 1, 3) * 4])
def test_shapes(tmp_path: Path, shape: tuple[int, ...]) -> None:
    array = np.arange(int(np.prod(shape)), dtype=np.float32).reshape(shape)
    path = tmp_path / "a.mla"
    MLArray(array).save(path, patch_size=None)
    image = MLArray(path)
    assert (image.shape, image.ndim, image.size, image.nbytes) == (
        array.shape,
        array.ndim,
        array.size,
        array.nbytes,
    )
    np.testing.assert_array_equal(image[...], array, strict=True)


def test_more_than_16_axes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="17 axes"):
        MLArray(np.zeros((1,) * 17)).save(tmp_path / "a.mla", patch_size=None)


@pytest.mark.parametrize("view", ["transposed", "fortran", "reversed", "steps", "broadcast"])
def test_any_memory_layout_is_saved(tmp_path: Path, volume: Any, view: str) -> None:
    array = {
        "transposed": volume.T,
        "fortran": np.asfortranarray(volume),
        "reversed": volume[::-1, :, ::-1],
        "steps": volume[::2, 1::3],
        "broadcast": np.broadcast_to(volume[:, :1], volume.shape),
    }[view]
    MLArray(array).save(tmp_path / "a.mla", chunk_size=16, block_size=7)
    np.testing.assert_array_equal(MLArray(tmp_path / "a.mla").to_numpy(), array, strict=True)
