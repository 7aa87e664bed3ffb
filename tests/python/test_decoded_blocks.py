"""Which blocks a key decodes: all others are damaged, and it must not notice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mlarray import MLArray

SHAPE, CHUNK, BLOCK = (60, 60, 60), (20, 20, 20), (10, 10, 10)
VOXELS = np.random.default_rng(0).integers(0, 256, SHAPE, "u1")
POINTS = np.random.default_rng(1).integers(0, 60, (3, 5))
FAR = np.zeros(SHAPE, bool)
FAR[tuple(POINTS)] = True
COLUMN = np.zeros((60, 60), bool)
COLUMN[3, 55] = COLUMN[58, 1] = True


@pytest.fixture(scope="module")
def stored(tmp_path_factory: Any) -> bytes:
    """A file whose blocks lie in it as they are."""
    path = tmp_path_factory.mktemp("blocks") / "a.mla"
    MLArray(VOXELS).save(path, chunk_size=CHUNK, block_size=BLOCK, cparams={"clevel": 0})
    return path.read_bytes()


def damaged(data: bytes, key: Any, tmp_path: Path, unit: int) -> Path:
    """The file without the pieces in which there is no voxel of `key`."""
    chosen = np.zeros(SHAPE, bool)
    chosen[key] = True
    count = 0
    for corner in np.ndindex(*(length // unit for length in SHAPE)):
        box = tuple(slice(unit * i, unit * (i + 1)) for i in corner)
        if not chosen[box].any():
            for block in np.ndindex(*(unit // 10,) * 3):
                part = tuple(slice(10 * i, 10 * (i + 1)) for i in block)
                voxels = VOXELS[box][part].tobytes()
                assert data.count(voxels) == 1
                data = data.replace(voxels, bytes(len(voxels)))
                count += 1
    assert count > 0
    path = tmp_path / "damaged.mla"
    path.write_bytes(data)
    return path


KEYS = {
    "box": np.s_[5:12, 30:40, 7],
    "step": np.s_[::25, ::30, ::20],
    "backwards": np.s_[55::-21],
    "list": np.s_[[3, 45], :, 11:15],
    "mask of an axis": np.s_[np.arange(60) % 29 == 2, 4],
    "points": tuple(POINTS),
    "points and a slice": np.s_[POINTS[0], 12:18, POINTS[2]],
    "points and all": np.s_[..., POINTS[0], POINTS[1]],
    "grid of points": np.s_[POINTS[0].reshape(5, 1), POINTS[1].reshape(5, 1), [[3, 4]]],
    "mask": FAR,
    "mask of two axes": np.s_[5:7, COLUMN],
    "mask and new axis": np.s_[COLUMN, None, [4, 5]],
}


@pytest.mark.parametrize("name", KEYS)
def test_reads_decode_no_other_block(name: str, stored: bytes, tmp_path: Path) -> None:
    key = KEYS[name]
    with MLArray.open(damaged(stored, key, tmp_path, 10)) as image:
        np.testing.assert_array_equal(image[key], VOXELS[key])
        with pytest.raises(RuntimeError, match="damaged"):
            image[...]


@pytest.mark.parametrize("name", KEYS)
def test_assignments_touch_no_other_chunk(name: str, stored: bytes, tmp_path: Path) -> None:
    key = KEYS[name]
    want = VOXELS.copy()
    values = np.arange(want[key].size).reshape(want[key].shape).astype("u1")
    want[key] = values
    path = tmp_path / "whole.mla"
    path.write_bytes(stored)
    with MLArray.open(path, mmap="r+") as image:
        image[key] = values
    np.testing.assert_array_equal(MLArray(path), want)
    if name not in ("box", "step", "backwards"):  # these meet most of the chunks
        with MLArray.open(damaged(stored, key, tmp_path, 20), mmap="r+") as image:
            image[key] = values
            np.testing.assert_array_equal(image[key], want[key])


def test_outer_keys(stored: bytes, tmp_path: Path) -> None:
    outer = ([3, 55], [17], [50, 1, 1])
    key = np.ix_(*outer)
    with MLArray.open(damaged(stored, key, tmp_path, 10)) as image:
        np.testing.assert_array_equal(image.oindex[outer], VOXELS[key])


def test_points_that_are_there_twice(stored: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a.mla"
    path.write_bytes(stored)
    key = ([1, 59, 1, 1], [2, 58, 2, 3], [3, 57, 3, 3])
    want = VOXELS.copy()
    want[key] = [10, 20, 30, 40]
    with MLArray.open(path, mmap="r+") as image:
        image[key] = [10, 20, 30, 40]
        np.testing.assert_array_equal(image, want)
        image[key] += 1
        want[key] += 1
        np.testing.assert_array_equal(image, want)


def test_large_arrays_are_not_read_for_some_points(tmp_path: Path) -> None:
    """Between the points on every axis there is a terabyte."""
    with MLArray.create(tmp_path / "a.mla", (1 << 14,) * 3, "u1", patch_size=256) as image:
        image[[3, 16000], [15000, 2], [7, 9999]] = [1, 2]
        found = image[[3, 16000, 5], [15000, 2, 5], [7, 9999, 5]]
        np.testing.assert_array_equal(found, [1, 2, 0])
