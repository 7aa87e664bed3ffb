"""python-blosc2 reads and edits our files, and we read its files."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import mlarray
from mlarray import MLArray, _core
from mlarray.errors import CorruptionError
from mlarray.training import LabelIndex

if TYPE_CHECKING:
    from pathlib import Path

# The newest one has no wheel for Python 3.10; the reference brings the newest that has.
NEWEST = "blosc2-4.14.1" if sys.version_info >= (3, 11) else "mlarray-0.0.54"
PEERS = [NEWEST, "blosc2-3.3.4"]
RNG = np.random.default_rng(9)
PAIR = np.dtype([("a", "<i4"), ("b", "<f8")])


def ints(dtype: str, *shape: int) -> np.ndarray[Any, Any]:
    """Ints that compress, but not to nothing."""
    ramp = np.arange(np.prod(shape)).reshape(shape) // 5
    return (ramp % 97 + RNG.integers(0, 3, shape)).astype(dtype)


def pairs(*shape: int) -> np.ndarray[Any, Any]:
    """Voxels of two fields, without padding."""
    array = np.zeros(shape, PAIR)
    array["a"] = ints("i4", *shape)
    array["b"] = RNG.normal(size=shape)
    return array


# Entries of metadata in a file of ours; a .b2nd has no image metadata.
NAMES = ["mlarray", "mlarray:checksums"]
# Larger ones have records as well.
RECORDS = "mlarray:records"
CHUNKED = {"chunk_size": (8, 16, 12), "block_size": (4, 8, 12)}
OURS: dict[str, tuple[np.ndarray[Any, Any], dict[str, Any]]] = {
    "int16": (ints("i2", 23, 31, 29), {}),
    "int16 chunks": (ints("i2", 23, 31, 29), CHUNKED),
    "rows": (ints("i2", 45, 70, 97), {}),
    "rows of bytes": (ints("u1", 100, 130, 140), {"patch_size": 64}),
    "rows of doubles": (RNG.normal(size=(40, 41, 42)), {}),
    "one chunk cut along a middle axis": (ints("i2", 16, 64, 32), {}),
    "one slice cut along rows": (ints("i2", 1, 1024, 32), {}),
    "slices": (ints("i2", 9, 140, 150), {"patch_size": (1, 128, 128)}),
    "float32": (RNG.normal(size=(17, 33, 21)).astype("f4"), CHUNKED),
    "uint8 1-D": (ints("u1", 10007), {"patch_size": None}),
    "bool": (RNG.random((40, 50)) < 0.1, {"patch_size": 16}),
    "big-endian": (ints(">i2", 21, 22), {"chunk_size": (10, 9), "block_size": (4, 5)}),
    "complex64": ((RNG.normal(size=(9, 8, 7)) * (1 - 2j)).astype("c8"), {}),
    "structured": (pairs(11, 12), {"chunk_size": (5, 6), "block_size": (2, 6)}),
    "4-D": (ints("u2", 5, 12, 13, 3), {"patch_size": 4}),
    "zeros": (np.zeros((64, 65, 66), "f4"), {"patch_size": (32, 16, 16)}),
    "records": (
        RNG.integers(-9999, 9999, (24, 64, 64), "i2"),
        {"chunk_size": (4, 64, 64), "block_size": (2, 32, 64)},
    ),
    "noise": (RNG.integers(0, 256, (70, 71), "u1"), {}),
    "blosclz": (ints("i4", 50, 61), {"cparams": {"codec": "blosclz", "clevel": 5}}),
    "lz4hc bitshuffle": (
        ints("i4", 50, 61),
        {"cparams": {"codec": "lz4hc", "filters": ["bitshuffle"]}},
    ),
    "zlib bytedelta": (
        ints("i4", 50, 61),
        {"cparams": {"codec": "zlib", "filters": ["shuffle", "bytedelta"],
                     "filters_meta": [0, 4]}},
    ),
    "balanced": (ints("u2", 40, 50, 60), {"preset": "balanced"}),
    "small": (ints("i4", 40, 50, 30), {"preset": "small"}),
    "small labels": (ints("u1", 40, 50, 60) // 20, {"preset": "small"}),
    "stored": (ints("i4", 50, 61), {"cparams": {"clevel": 0}}),
}  # fmt: skip


def assert_same(found: np.ndarray[Any, Any], expected: np.ndarray[Any, Any]) -> None:
    """Bit for bit."""
    assert found.dtype == expected.dtype
    assert found.shape == expected.shape
    assert found.tobytes() == expected.tobytes()


def is_sealed(path: Path) -> bool:
    """Return whether the last writer of a file was ours."""
    core = _core.Array.open(path)
    sealed = core.sealed
    core.close()
    return sealed


def test_newest_is_the_one_meant(peer: Any) -> None:
    assert peer("blosc2-3.3.4").do("versions")["blosc2"] == "3.3.4"
    if NEWEST.startswith("blosc2-"):
        assert peer(NEWEST).do("versions")["blosc2"] == NEWEST.removeprefix("blosc2-")


# --- our files ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", OURS)
@pytest.mark.parametrize("who", PEERS)
def test_blosc2_reads_ours(peer: Any, tmp_path: Path, who: str, name: str) -> None:
    voxels, options = OURS[name]
    path = tmp_path / "ours.mla"
    image = MLArray(voxels, spacing=[1.0] * voxels.ndim, meta={"patient_id": "123"})
    image.save(path, **options)
    before = path.read_bytes()
    for mmap_mode in (None, "r"):
        found, about = peer(who).voxels_after("read", path=path, mmap_mode=mmap_mode)
        assert_same(found, voxels)
        records = [RECORDS] if name == "records" or RECORDS in about["names"] else []
        assert about["names"] == about["all_names"] == [*NAMES, *records]
        with MLArray.open(path) as image:
            assert tuple(about["chunks"]) == image.chunks
            assert tuple(about["blocks"]) == image.blocks
    assert path.read_bytes() == before


@pytest.mark.parametrize("who", PEERS)
@pytest.mark.parametrize("metadata_format", ["current", "legacy"])
def test_blosc2_reads_all_metadata(
    peer: Any, tmp_path: Path, who: str, metadata_format: Any
) -> None:
    path = tmp_path / "ours.mla"
    MLArray(ints("i2", 9, 8)).save(path, metadata_format=metadata_format)
    _, about = peer(who).voxels_after("read", path=path)
    assert about["names"] == about["all_names"] == NAMES


@pytest.mark.parametrize("who", PEERS)
def test_blosc2_reads_b2nd(peer: Any, tmp_path: Path, who: str) -> None:
    path = tmp_path / "ours.b2nd"
    voxels = ints("i2", 20, 30)
    MLArray(voxels).save(path)
    found, about = peer(who).voxels_after("read", path=path)
    assert_same(found, voxels)
    assert about["names"] == about["all_names"] == NAMES[1:]


@pytest.mark.parametrize("shape", [(), (0,), (3, 0, 4)], ids=str)
@pytest.mark.parametrize("who", PEERS)
def test_blosc2_reads_ours_of_odd_shape(
    peer: Any, tmp_path: Path, who: str, shape: tuple[int, ...]
) -> None:
    path = tmp_path / "ours.mla"
    voxels = np.full(shape, 5, "i2")
    MLArray(voxels).save(path, patch_size=None)
    found, _ = peer(who).voxels_after("read", path=path)
    assert_same(found, voxels)


@pytest.mark.parametrize("name", OURS)
@pytest.mark.parametrize("who", PEERS)
def test_edits_in_turns(peer: Any, tmp_path: Path, who: str, name: str) -> None:
    """We write, python-blosc2 edits, we read and edit, python-blosc2 reads."""
    voxels, options = OURS[name]
    twin = voxels.copy()
    path = tmp_path / "ours.mla"
    MLArray(voxels, meta={"patient_id": "123"}).save(path, **options)
    start = [n // 3 for n in twin.shape]
    stop = [n // 3 + n // 2 for n in twin.shape]
    box = tuple(slice(a, b) for a, b in zip(start, stop, strict=True))
    values = np.ascontiguousarray(np.flip(twin)[box])
    opened_before = [MLArray.open(path, mmap_mode="r"), MLArray.open(path, mmap_mode=None)]
    peer(who).with_voxels("edit", values, path=path, start=start, stop=stop, other=1)
    twin[box] = values
    assert not is_sealed(path)
    report = mlarray.verify_file(path)
    assert (report.status, report.seal) == ("unverified", "edited")
    for image in opened_before:  # it edits in place, so what they had opened is gone
        with pytest.raises(CorruptionError, match=r"cut short|overwritten"):
            image[:]
        assert image.refresh()
        assert_same(image[:], twin)
        image.close()
    with MLArray.open(path) as image:
        assert_same(image[:], twin)
        assert image.meta.source["patient_id"] == "123"

    with MLArray.open(path, mmap="r+") as image:
        image[-2:] = twin[:2]
        image.meta.source["patient_id"] = "456"
    twin[-2:] = twin[:2].copy()
    for mmap_mode in (None, "r"):
        found, about = peer(who).voxels_after("read", path=path, mmap_mode=mmap_mode)
        assert_same(found, twin)
        assert about["names"] == about["all_names"]
        assert [n for n in about["names"] if n != RECORDS] == [*NAMES, "other"]
        assert about["other"] == 1
    assert is_sealed(path)
    report = mlarray.verify_file(path)
    # Chunks that nobody has written since the other writer's edit have no sums.
    assert (report.seal, report.damage) == ("valid", ())
    assert report.verified_blocks + report.unverified_blocks == report.blocks
    image = MLArray(path)
    assert_same(image.to_numpy(), twin)
    assert image.meta.source["patient_id"] == "456"


@pytest.mark.parametrize("mmap_mode", [None, "r"], ids=["read", "mapped"])
@pytest.mark.parametrize("who", PEERS)
def test_readers_see_old_or_new(
    peer: Any, tmp_path: Path, who: str, mmap_mode: str | None
) -> None:
    path = tmp_path / "ours.mla"
    old = ints("i2", 40, 30, 20)
    MLArray(old).save(path, chunk_size=(10, 10, 10), block_size=(5, 5, 10))
    state = old
    with MLArray.open(path, mmap="r+") as image:
        for turn in range(4):
            new = state.copy()
            new[turn : turn + 22, 5:17, 3:9] = RNG.integers(-999, 999, (22, 12, 6))
            image[turn : turn + 22, 5:17, 3:9] = new[turn : turn + 22, 5:17, 3:9]
            image.meta.extra["turn"] = turn
            found, _ = peer(who).voxels_after("read", path=path, mmap_mode=mmap_mode)
            assert_same(found, state)
            image.flush()
            found, _ = peer(who).voxels_after("read", path=path, mmap_mode=mmap_mode)
            assert_same(found, new)
            state = new
    found, about = peer(who).voxels_after("read", path=path, mmap_mode=mmap_mode)
    assert_same(found, state)
    assert about["names"] == NAMES


@pytest.mark.parametrize("who", PEERS)
def test_records_and_edits_in_turns(peer: Any, tmp_path: Path, who: str) -> None:
    """An edit of theirs makes our records stale; our next commit removes or replaces them."""
    path = tmp_path / "ours.mla"
    voxels, options = OURS["records"]
    MLArray(voxels).save(path, **options)
    assert LabelIndex.store(path)
    state = voxels.copy()
    for turn in range(3):
        # The second time so that chunks shrink.
        box = (slice(turn, turn + 5), slice(0, 64), slice(3, 60))
        values = np.full((5, 64, 57), turn, "i2") if turn == 1 else state[box][::-1].copy()
        start, stop = [part.start for part in box], [part.stop for part in box]
        peer(who).with_voxels("edit", values, path=path, start=start, stop=stop)
        state[box] = values
        assert LabelIndex.of(path) is None
        with MLArray.open(path, mmap="r+") as image:
            assert_same(np.asarray(image), state)
            if turn == 0:
                image.meta.extra["turn"] = turn
            else:
                image[turn + 9, 5:9] = state[turn + 9, 5:9] = 7
        found, _ = peer(who).voxels_after("read", path=path)
        assert_same(found, state)
        assert LabelIndex.of(path) is None
        with MLArray.open(path) as image:
            assert image.verify().damaged_blocks == 0
            assert_same(np.asarray(image), state)


@pytest.mark.parametrize("who", PEERS)
def test_an_index_of_several_blocks(peer: Any, tmp_path: Path, who: str) -> None:
    """Our commits encode only the blocks that changed; checksums lie in pages here."""
    path = tmp_path / "ours.mla"
    voxels = RNG.integers(0, 99, (13_000, 32), "u1")
    MLArray(voxels).save(path, chunk_size=(1, 32), block_size=(1, 32))
    state = voxels.copy()
    for turn in range(2):
        with MLArray.open(path, mmap="r+") as image:
            image[5000 * turn + 7] = state[5000 * turn + 7] = 100 + turn
            image.flush()
            image[12_999, 3:9] = state[12_999, 3:9] = 50 + turn
        found, _ = peer(who).voxels_after("read", path=path, mmap_mode="r")
        assert_same(found, state)
        assert mlarray.verify_file(path).damaged_blocks == 0
        values = np.full((2, 32), turn, "u1")
        peer(who).with_voxels("edit", values, path=path, start=[4095, 0], stop=[4097, 32])
        state[4095:4097] = turn
        with MLArray.open(path) as image:
            assert_same(np.asarray(image), state)


# --- their files --------------------------------------------------------------------------

CODECS = ["BLOSCLZ", "LZ4", "LZ4HC", "ZLIB", "ZSTD"]
FILTERS: dict[str, tuple[list[str], list[int]]] = {
    "none": (["NOFILTER"], [0]),
    "shuffle": (["SHUFFLE"], [0]),
    "bitshuffle": (["BITSHUFFLE"], [0]),
    "delta": (["DELTA"], [0]),
    "delta shuffle": (["DELTA", "SHUFFLE"], [0, 0]),
    "trunc": (["TRUNC_PREC", "SHUFFLE"], [10, 0]),
    "bytedelta": (["SHUFFLE", "BYTEDELTA"], [0, 4]),
}


def read_theirs(path: Path, expected: np.ndarray[Any, Any]) -> None:
    """Open and load a file of theirs, and compare all and a part."""
    with MLArray.open(path) as image:
        assert_same(image.to_numpy(), expected)
        if expected.ndim:
            assert_same(image[1:7], expected[1:7])
    assert_same(MLArray(path).to_numpy(), expected)


@pytest.mark.slow
@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("who", PEERS)
def test_reads_codecs_and_filters(peer: Any, tmp_path: Path, who: str, codec: str) -> None:
    smooth = np.sin(np.arange(37 * 29 * 11) / 50).reshape(37, 29, 11) * 300
    for kind, (filters, filters_meta) in FILTERS.items():
        for dtype in ("<f4", "<f8", "<i2", ">i4", "u1"):
            if kind == "trunc" and dtype[1] != "f":
                continue
            meta = [int(dtype[-1]) if f == "BYTEDELTA" else m
                    for f, m in zip(filters, filters_meta, strict=True)]  # fmt: skip
            for level in (1, 5, 9):
                path = tmp_path / f"{kind}-{dtype[-2:]}-{level}.b2nd"
                expected_at = tmp_path / "expected.npy"
                cparams = {"codec": codec, "clevel": level, "filters": filters,
                           "filters_meta": meta}  # fmt: skip
                voxels = smooth.astype(np.dtype(dtype)) if dtype != "u1" else (
                    smooth.astype("i2").astype("u1"))  # fmt: skip
                peer(who).with_voxels(
                    "make", voxels, path=path, out=expected_at, cparams=cparams,
                    chunks=[16, 16, 11], blocks=[8, 7, 11],
                )  # fmt: skip
                expected = np.load(expected_at)
                if kind != "trunc":
                    assert_same(expected, voxels)
                read_theirs(path, expected)


@pytest.mark.parametrize("level", range(10))
@pytest.mark.parametrize("who", PEERS)
def test_reads_levels_and_noise(peer: Any, tmp_path: Path, who: str, level: int) -> None:
    path, expected_at = tmp_path / "theirs.b2nd", tmp_path / "expected.npy"
    voxels = RNG.integers(-(2**15), 2**15, (45, 46, 13), "i2")
    voxels[:20] //= 999
    cparams = {"clevel": level}
    peer(who).with_voxels("make", voxels, path=path, out=expected_at, cparams=cparams)
    read_theirs(path, np.load(expected_at))
    assert_same(np.load(expected_at), voxels)


THEIRS = {
    "0-d": np.array(-7.5, "f4"),
    "0-d bool": np.array(True),
    "empty": np.zeros((0,), "i2"),
    "empty 3-D": np.zeros((3, 0, 4), "f8"),
    "one": np.array([3], "u1"),
    "bool": RNG.random((40, 50)) < 0.1,
    "complex": (RNG.normal(size=(9, 8)) * (1 - 2j)).astype("c16"),
    "structured": pairs(11, 12),
    "text": np.array([["a", "bcd"], ["", "ä"]], "<U3"),
    "bytes": np.array([b"ab", b"", b"abcdefg"]),
    "dates": np.arange(50).astype("<M8[s]"),
    "5-D": ints("i2", 3, 4, 5, 6, 7),
}


@pytest.mark.parametrize("name", THEIRS)
@pytest.mark.parametrize("who", PEERS)
def test_reads_shapes_and_dtypes(peer: Any, tmp_path: Path, who: str, name: str) -> None:
    path, expected_at = tmp_path / "theirs.b2nd", tmp_path / "expected.npy"
    peer(who).with_voxels("make", THEIRS[name], path=path, out=expected_at, cparams={})
    assert_same(np.load(expected_at), THEIRS[name])
    read_theirs(path, THEIRS[name])


@pytest.mark.parametrize("layout", [{}, {"chunks": [16, 20], "blocks": [8, 5]}], ids=["", "c"])
@pytest.mark.parametrize(
    ("kind", "dtype"),
    [("zeros", "i2"), ("zeros", "f8"), ("full", "i2"), ("full", ">f4"), ("full", "u1"),
     ("nans", "f4"), ("nans", "f8")],
)  # fmt: skip
@pytest.mark.parametrize("who", PEERS)
def test_reads_special_values(
    peer: Any, tmp_path: Path, who: str, kind: str, dtype: str, layout: dict[str, Any]
) -> None:
    path = tmp_path / "theirs.b2nd"
    expected, _ = peer(who).voxels_after(
        "special", path=path, kind=kind, shape=[37, 53], dtype=dtype, **layout
    )
    value = {"zeros": 0, "full": 7, "nans": np.nan}[kind]
    np.testing.assert_array_equal(expected, np.full((37, 53), value, dtype))
    read_theirs(path, expected)
    with MLArray.open(path, mmap="r+") as image:
        image[5:30, 40:] = 1
    expected[5:30, 40:] = 1
    found, _ = peer(who).voxels_after("read", path=path)
    assert_same(found, expected)
    read_theirs(path, expected)
