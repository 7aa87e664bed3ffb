"""Filters that shorten elements: only where they can, and as python-blosc2 counts bits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from mlarray import MLArray
from mlarray.errors import InvalidValueError

if TYPE_CHECKING:
    from pathlib import Path

SIZES: dict[str, Any] = {"chunk_size": (32, 64), "block_size": (16, 64)}


def voxels_of(dtype: Any) -> np.ndarray[Any, Any]:
    dtype = np.dtype(dtype)
    if dtype.kind in "SVU" or dtype.names is not None:
        raw = b"abc\0" * (1024 * dtype.itemsize)
        return np.frombuffer(raw, f"V{dtype.itemsize}").reshape(64, 64).view(dtype)
    return np.random.default_rng(0).integers(1, 100, (64, 64)).astype(dtype)


def params(name: str, meta: int, **other: Any) -> dict[str, Any]:
    return {"codec": "zstd", "filters": [name], "filters_meta": [meta], **other}


DESTROYED = [
    *(
        ("trunc_prec", dtype)
        for dtype in (">f4", ">f8", "<c8", "<c16", "<f2", "<i4", "<u8", "?")
    ),
    *(("trunc_prec", dtype) for dtype in ("<M8[s]", "S4", "V8", [("a", "<f4")])),
    *(("int_trunc", dtype) for dtype in (">i2", ">u4", ">i8", "<f4", "?", "<c8", "<m8[s]")),
    *(("int_trunc", dtype) for dtype in ("S4", "<U1", "V4", [("a", "<i4")])),
]


@pytest.mark.parametrize(("name", "dtype"), DESTROYED, ids=str)
def test_elements_that_a_filter_would_destroy(tmp_path: Path, name: str, dtype: Any) -> None:
    array = voxels_of(dtype)
    asked = params(name, 5)
    for attempt in (
        lambda: MLArray(array, cparams=asked),
        lambda: MLArray(array).save(tmp_path / "a.mla", cparams=asked),
        lambda: MLArray(array).compress(cparams=asked),
        lambda: MLArray.create(tmp_path / "a.mla", (4,), array.dtype, cparams=asked),
    ):
        with pytest.raises(InvalidValueError, match=f"{name.upper()} .* destroy elements of"):
            attempt()
    assert not (tmp_path / "a.mla").exists()


@pytest.mark.parametrize(
    ("name", "dtype", "kept"),
    [
        ("trunc_prec", "<f4", 23),
        ("trunc_prec", "<f8", 52),
        ("int_trunc", "i1", 8),
        ("int_trunc", "<i2", 16),
        ("int_trunc", "<u4", 32),
        ("int_trunc", "<i8", 64),
    ],
)
def test_bits_are_kept_or_dropped(tmp_path: Path, name: str, dtype: str, kept: int) -> None:
    array = voxels_of(dtype)
    if array.dtype.kind == "f":
        array /= 3
    files = {}
    for meta in (-3, kept - 3):
        MLArray(array).save(tmp_path / "a.mla", cparams=params(name, meta), **SIZES)
        found = MLArray(tmp_path / "a.mla")[...]
        unsigned = f"u{array.itemsize}"
        mask = ~np.array(7, unsigned)
        np.testing.assert_array_equal(found.view(unsigned), array.view(unsigned) & mask)
        files[meta] = (tmp_path / "a.mla").read_bytes()
    assert files[-3] == files[kept - 3]  # one that python-blosc2 opens
    MLArray(array).save(tmp_path / "a.mla", cparams=params(name, kept), **SIZES)
    np.testing.assert_array_equal(MLArray(tmp_path / "a.mla"), array)
    for meta in (0, kept + 1, -kept, 127, -128):
        with pytest.raises(InvalidValueError, match=f"1 to {kept}.* -1 to -{kept - 1}"):
            MLArray(array, cparams=params(name, meta))


def test_what_moves_bytes_comes_later(tmp_path: Path) -> None:
    array = voxels_of("<f4")
    for first in ("shuffle", "bitshuffle", "bytedelta"):
        with pytest.raises(InvalidValueError, match="put it first"):
            MLArray(array, cparams={"filters": [first, "trunc_prec"], "filters_meta": [0, 10]})
    asked = {"filters": ["trunc_prec", "shuffle"], "filters_meta": [20, 0]}
    MLArray(array).save(tmp_path / "a.mla", cparams=asked)
    np.testing.assert_array_equal(MLArray(tmp_path / "a.mla"), array)


def test_numbers_below_0_are_for_bits() -> None:
    array = voxels_of("<f4")
    with pytest.raises(InvalidValueError, match="only trunc_prec and int_trunc"):
        MLArray(array, cparams={"filters": ["shuffle"], "filters_meta": [-1]})
    with pytest.raises(InvalidValueError, match="-129 is not in the range -128 to 255"):
        MLArray(array, cparams=params("trunc_prec", -129))


@pytest.mark.parametrize("size", [127, 128, 254, 255, 256, 300])
def test_bytedelta_of_wide_elements(tmp_path: Path, size: int) -> None:
    """python-blosc2 reads the width as a signed byte."""
    array = voxels_of(f"V{size}")
    for meta in (0, size):
        if size < 128:
            MLArray(array).save(tmp_path / "a.mla", cparams=params("bytedelta", meta))
            assert MLArray(tmp_path / "a.mla")[...].tobytes() == array.tobytes()
            continue
        if meta > 255:
            continue
        with pytest.raises(InvalidValueError, match="python-blosc2 opens no file"):
            MLArray(array).save(tmp_path / "a.mla", cparams=params("bytedelta", meta))
    MLArray(array).save(tmp_path / "a.mla", cparams=params("bytedelta", 1))
    assert MLArray(tmp_path / "a.mla")[...].tobytes() == array.tobytes()


@pytest.mark.parametrize(("name", "dtype"), [("trunc_prec", "<f4"), ("int_trunc", "<i4")])
def test_edits_of_files_that_shorten(tmp_path: Path, name: str, dtype: str) -> None:
    """As another writer notes dropped bits; an edit goes on so, a copy as well."""
    array = voxels_of(dtype)
    path = tmp_path / "a.b2nd"
    MLArray(array).save(path, cparams=params(name, 12), **SIZES)
    raw = bytearray(path.read_bytes())
    raw[-17:] = bytes(17)  # the seal
    header = raw.index(12, 79)  # filters_meta
    raw[header] = 256 - 3
    path.write_bytes(raw)
    with MLArray.open(path, mmap="r+") as image:
        assert list(image._store.core.codec.filters_meta).count(253) == 1  # type: ignore[union-attr]
        image[0] = array[1]
    array[0] = array[1]
    unsigned = array.view("<u4") & ~np.uint32(7)
    with MLArray.open(path) as image:
        np.testing.assert_array_equal(image[0].view("<u4"), unsigned[0])
        image.save(tmp_path / "b.b2nd")
    with MLArray.open(tmp_path / "b.b2nd") as image, MLArray.open(path) as before:
        np.testing.assert_array_equal(image[0], before[0])
        assert max(image._store.core.codec.filters_meta) < 128  # type: ignore[union-attr]


def test_three_filters_are_refused(tmp_path: Path) -> None:
    """c-blosc2 stores other voxels for them: docs/upstream.md."""
    voxels = np.tile(np.arange(40, dtype="u2"), (16, 1))
    three = ["bytedelta", "shuffle", "shuffle"]
    with pytest.raises(ValueError, match="3 filters"):
        MLArray(voxels).save(tmp_path / "a.mla", cparams={"filters": three})
    assert not (tmp_path / "a.mla").exists()
    pair = ["bytedelta", "nofilter", "shuffle"]
    MLArray(voxels).save(tmp_path / "a.mla", cparams={"codec": "blosclz", "filters": pair})
    np.testing.assert_array_equal(MLArray(tmp_path / "a.mla"), voxels)


@pytest.mark.parametrize(("name", "dtype"), [("trunc_prec", "<f4"), ("int_trunc", "<i4")])
def test_statistics_of_voxels_that_are_shortened_are_not_stored(
    tmp_path: Path, name: str, dtype: str
) -> None:
    image = MLArray(voxels_of(dtype), spacing=(2, 2))
    most = image.compute_statistics().max
    image.save(tmp_path / "whole.mla")
    image.save(tmp_path / "short.mla", cparams=params(name, 3))
    with MLArray.open(tmp_path / "whole.mla") as whole:
        assert whole.meta.stats.max == most
    with MLArray.open(tmp_path / "short.mla", mmap="r+") as short:
        assert short.meta.stats.is_default()
        assert short.spacing == [2, 2]
        computed = short.compute_statistics().max
        assert computed == float(short[...].max())
        assert computed != most
    with MLArray.open(tmp_path / "short.mla") as short:
        assert short.meta.stats.max == computed
