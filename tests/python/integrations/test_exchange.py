"""Handing voxels to NumPy's and other libraries' functions: docs/arrays.md."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mlarray import Meta, MLArray
from mlarray._store.exchange import _slabs


def test_sizes(saved: Path, volume: Any) -> None:
    for image in (MLArray(volume), MLArray.load(saved), MLArray.open(saved)):
        assert image.itemsize == 2
        assert image.size == volume.size
        assert image.nbytes == volume.nbytes
    assert (image.chunks, image.blocks) == ((16, 20, 24), (8, 8, 12))


@pytest.mark.parametrize("dtype", ["f4", ">i2", "u1", "?", "c8"])
def test_astype(saved: Path, volume: Any, dtype: str) -> None:
    for image in (MLArray(volume, spacing=(3, 0.5, 0.7)), MLArray.open(saved)):
        image.compute_statistics(store=image.mode is None)
        other = image.astype(dtype)
        assert other.dtype == np.dtype(dtype)
        np.testing.assert_array_equal(other.to_numpy(), volume.astype(dtype))
        assert other.spacing == [3, 0.5, 0.7]
        assert other.mode is None
        other[0] = 1
        assert not (volume[0] == 1).all()
        if not np.can_cast(volume.dtype, dtype, "safe"):
            assert other.meta.stats.is_default()
        elif image.mode is None:
            assert other.meta.stats.mean == image.meta.stats.mean


@pytest.mark.parametrize(
    ("before", "after", "kept"),
    [
        ("i8", "f8", False),
        ("u8", ">f8", False),
        ("i8", "c16", False),
        ("i4", "f8", True),
        ("u4", "f4", False),
        ("i2", "f4", True),
        ("u1", "f2", True),
        ("?", "i8", True),
        ("f4", "c16", True),
        ("i4", "S11", False),
        ("i4", "m8[s]", False),
    ],
)
def test_statistics_stay_where_they_hold(before: str, after: str, kept: bool) -> None:
    image = MLArray(np.array([0, 1, 1]).astype(before))
    if before == "i8":
        image[0] = 2**53 + 1
    image.compute_statistics()
    other = image.astype(after)
    assert other.meta.stats.is_default() is not kept
    assert not image.meta.stats.is_default()


def test_astype_takes_slabs(tmp_path: Path, monkeypatch: Any) -> None:
    """Never more than some of the chunks at a time, whatever the number of slabs."""
    voxels = np.random.default_rng(0).integers(0, 9, (101, 64, 64), "u1")
    MLArray(voxels).save(tmp_path / "a.mla", chunk_size=(4, 64, 64), block_size=(4, 64, 64))
    image = MLArray.open(tmp_path / "a.mla")
    slabs = _slabs((101, 64, 64), 200 * (32 << 20) // (101 * 64 * 64), 4)
    monkeypatch.setattr("mlarray._store.exchange._slabs", lambda *_: slabs)
    assert [(part.start, part.stop) for part in slabs[:2]] == [(0, 4), (4, 8)]
    np.testing.assert_array_equal(image.astype("i4").to_numpy(), voxels)


def test_astype_refuses_what_numpy_refuses(volume: Any) -> None:
    with pytest.raises(TypeError, match="casting='safe'"):
        MLArray(volume).astype("u1", casting="safe")
    with pytest.raises(TypeError, match="cannot be stored"):
        MLArray(volume).astype(object)
    with pytest.raises(TypeError, match="no array"):
        MLArray(meta=Meta(is_seg=True)).astype("f4")


def test_dlpack(saved: Path, volume: Any) -> None:
    plain = MLArray(volume)
    assert np.shares_memory(np.from_dlpack(plain), volume)
    for image in (plain, MLArray.load(saved), MLArray.open(saved)):
        np.testing.assert_array_equal(np.from_dlpack(image), volume)
        assert image.__dlpack_device__() == (1, 0)
    compressed = MLArray.load(saved)
    with pytest.raises(BufferError, match="without a copy"):
        compressed.__dlpack__(copy=False)
    volume.flags.writeable = False
    np.testing.assert_array_equal(np.from_dlpack(MLArray(volume)), volume)
    with pytest.raises(BufferError):
        MLArray(np.zeros(3, "S3")).__dlpack__()
    with pytest.raises(TypeError, match="no array"):
        np.from_dlpack(MLArray(meta=Meta(is_seg=True)))


def test_torch(saved: Path, volume: Any) -> None:
    """Where torch is installed; its wheels are too large for the tests to ask for it."""
    torch = pytest.importorskip("torch", reason="torch is not installed")
    with MLArray.open(saved) as image:
        assert torch.equal(torch.as_tensor(image), torch.from_numpy(volume))
        assert torch.equal(torch.from_dlpack(image), torch.from_numpy(volume))


def test_numpy_functions_take_images(saved: Path, volume: Any) -> None:
    with MLArray.open(saved) as image:
        assert np.asarray(image).dtype == volume.dtype
        assert np.mean(image) == volume.mean()
        np.testing.assert_array_equal(np.add(image, 1), volume + 1)


def test_copies_are_independent(saved: Path, volume: Any) -> None:
    for image in (MLArray(volume.copy()), MLArray.load(saved)):
        for other in (copy.deepcopy(image), pickle.loads(pickle.dumps(image))):
            np.testing.assert_array_equal(other, volume)
            other.meta.extra["a"] = 1
            assert "a" not in image.meta.extra
    plain = MLArray(volume.copy())
    copy.deepcopy(plain)[0] = 7
    np.testing.assert_array_equal(plain, volume)
