"""oindex: each axis by itself, as NumPy's ix_ has it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlarray import MLArray

SHAPE = (9, 7, 8)
VOXELS = np.random.default_rng(0).integers(0, 999, SHAPE).astype(np.int16)


def one_axis(length: int) -> st.SearchStrategy[Any]:
    ints = st.integers(-length, length - 1)
    bounds = st.none() | st.integers(-length - 2, length + 2)
    return st.one_of(
        ints,
        ints.map(np.int32),
        st.builds(slice, bounds, bounds, st.sampled_from([None, 1, 2, -1, -3])),
        st.lists(ints, max_size=5),
        st.lists(ints, max_size=5).map(lambda items: np.array(items, np.int64)),
        st.lists(st.booleans(), min_size=length, max_size=length),
    )


def expected(key: tuple[Any, ...]) -> Any:
    """Axis by axis, from the last, so that dropped axes do not move the others."""
    answer: Any = VOXELS
    for axis in reversed(range(len(key))):
        item = key[axis]
        item = np.array(item, np.intp) if isinstance(item, list) and not item else item
        answer = answer[(slice(None),) * axis + (item,)]
    return answer


@settings(max_examples=150, deadline=None)
@given(key=st.tuples(*map(one_axis, SHAPE)), count=st.integers(0, 3))
def test_reads(key: tuple[Any, ...], count: int) -> None:
    compressed = MLArray(VOXELS)
    compressed.compress(chunk_size=(4, 4, 8), block_size=(2, 4, 4))
    for image in (MLArray(VOXELS), compressed):
        found = image.oindex[key[:count]]
        want = expected(key[:count])
        np.testing.assert_array_equal(found, want)
        assert type(found) is type(want)
        np.testing.assert_array_equal(
            image.oindex[(..., *key[count:])], expected((slice(None),) * count + key[count:])
        )


@settings(max_examples=60, deadline=None)
@given(key=st.tuples(*map(one_axis, SHAPE)))
def test_writes(key: tuple[Any, ...]) -> None:
    want = VOXELS.copy()
    index = np.arange(VOXELS.size).reshape(SHAPE)
    chosen: Any = index
    for axis in reversed(range(3)):
        item = key[axis]
        item = np.array(item, np.intp) if isinstance(item, list) and not item else item
        chosen = chosen[(slice(None),) * axis + (item,)]
    want.reshape(-1)[chosen] = 5
    compressed = MLArray(VOXELS)
    compressed.compress(chunk_size=(4, 4, 8), block_size=(2, 4, 4))
    for image in (MLArray(VOXELS.copy()), compressed):
        image.oindex[key] = 5
        np.testing.assert_array_equal(image, want)


def test_values_are_broadcast(tmp_path: Path) -> None:
    MLArray(VOXELS).save(tmp_path / "a.mla", chunk_size=(4, 4, 8), block_size=(2, 4, 4))
    with MLArray.open(tmp_path / "a.mla", mmap="r+") as image:
        image.oindex[[1, 8], 3, [0, 5, 2]] = [[1], [2]]
        image.oindex[0] = np.arange(8)
    want = VOXELS.copy()
    want[np.ix_([1, 8], [3], [0, 5, 2])] = np.reshape([[1], [2]], (2, 1, 1))
    want[0] = np.arange(8)
    np.testing.assert_array_equal(MLArray(tmp_path / "a.mla"), want)
    with MLArray.open(tmp_path / "a.mla") as image, pytest.raises(ValueError, match="r\\+"):
        image.oindex[0] = 1


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("value", [7, b"abc", "ä"])
def test_images_without_axes(value: Any, compressed: bool) -> None:
    image = MLArray(np.array(value), compressed=compressed)
    assert image.oindex[()] == value
    assert isinstance(image.oindex[...], np.ndarray)
    image.oindex[...] = np.array([[value]])
    assert image[()] == value
    with pytest.raises(IndexError):
        image.oindex[0]


def test_an_ellipsis_makes_an_array_of_one_voxel() -> None:
    image = MLArray(np.arange(6).reshape(2, 3), compressed=True)
    image.oindex[1, -1, ...] = np.array([[9]])
    assert image[1, 2] == 9
    with pytest.raises(ValueError, match="sequence"):
        image.oindex[1, -1] = np.array([[9]])


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ((0, 0, 0, 0), "4 keys"),
        ((..., ...), "2 ellipses"),
        (9, "out of bounds for axis 0 with size 9"),
        ((0, [7]), "out of bounds"),
        ((0, [[1, 2]]), "has 2 axes"),
        ([0.5], "dtype float64"),
        ([True], "1 entries, but the axis has 9"),
        ("a", "no key for axis 0"),
        (None, "no key for axis 0"),
    ],
)
def test_bad_keys(key: Any, text: str) -> None:
    with pytest.raises(IndexError, match=text):
        MLArray(VOXELS).oindex[key]
