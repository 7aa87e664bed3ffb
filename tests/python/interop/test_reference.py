"""The reference implementation reads and edits our files, and we its edits."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import mlarray
from mlarray import Meta, MLArray, _core

if TYPE_CHECKING:
    from pathlib import Path

RNG = np.random.default_rng(8)
TURN = [[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]
AFFINE = [[2.0, 0.1, 0.0, -7.0], [0.0, 3.0, 0.2, 8.5], [0.0, 0.0, 4.0, 9.0], [0, 0, 0, 1.0]]
PAIR = np.dtype([("a", "<i4"), ("b", ">f8"), ("c", "u1")])


def ints(dtype: str, *shape: int) -> np.ndarray[Any, Any]:
    """Ints that compress, but not to nothing."""
    ramp = np.arange(np.prod(shape)).reshape(shape) // 5
    return (ramp % 97 + RNG.integers(0, 3, shape)).astype(dtype)


def pairs(*shape: int) -> np.ndarray[Any, Any]:
    """Voxels of several fields."""
    array = np.zeros(shape, PAIR)
    array["a"] = ints("i4", *shape)
    array["b"] = RNG.normal(size=shape)
    array["c"] = ints("u1", *shape)
    return array


def rich(**more: Any) -> Meta:
    """Metadata in every section that a user writes."""
    return Meta(
        source={"patient_id": "123", "nested": {"list": [1, 2.5, None, True, "ä"]}},
        extra={"site": "β", "empty": {}, "big": 2**40},
        bbox={
            "bboxes": [[[0, 4], [1, 5], [2, 6]], [[3, 9], [0, 2], [1, 8]]],
            "scores": [0.5, 0.25],
            "labels": [1, "tumour"],
        },
        is_seg=True,
        stats={"min": -3.0, "max": 7.5, "percentile_min": 0.5, "percentile_min_key": 1.0},
        **more,
    )


GEOMETRY = {"spacing": (3.0, 0.5, 0.7), "origin": (-1.0, 2.0, 1e-9), "direction": TURN}

# name -> voxels, arguments of MLArray, arguments of save. These any reader must read.
COMMON: dict[str, tuple[np.ndarray[Any, Any], dict[str, Any], dict[str, Any]]] = {
    "int16": (ints("i2", 23, 31, 29), GEOMETRY, {}),
    "rows": (ints("i2", 45, 70, 97), {}, {}),
    "rows of bytes": (ints("u1", 100, 130, 140), {}, {"patch_size": 64}),
    "one chunk cut along a middle axis": (ints("i2", 16, 64, 32), {}, {}),
    "slices": (ints("i2", 9, 140, 150), {}, {"patch_size": (1, 128, 128)}),
    "rich metadata": (ints("i2", 9, 31, 29), {**GEOMETRY, "meta": rich()}, {}),
    "source dict": (ints("u2", 30, 41), {"meta": {"a": [1, {"b": None}]}}, {}),
    "float32 chunks": (
        RNG.normal(size=(17, 33, 21)).astype("f4"),
        {"spacing": (1, 2, 3)},
        {"chunk_size": (8, 16, 12), "block_size": (4, 8, 12)},
    ),
    "uint8 1-D": (ints("u1", 10007), {"spacing": [0.25]}, {"patch_size": None}),
    "bool": (RNG.random((40, 50)) < 0.1, {}, {"patch_size": 16}),
    "big-endian": (ints(">i2", 21, 22), {}, {"chunk_size": (10, 9), "block_size": (4, 5)}),
    "big-endian float": (RNG.normal(size=(13, 14)).astype(">f4"), {}, {}),
    "complex64": ((RNG.normal(size=(9, 8, 7)) * (1 - 2j)).astype("c8"), {}, {}),
    "structured": (pairs(11, 12), {}, {"chunk_size": (5, 6), "block_size": (2, 6)}),
    "zeros": (np.zeros((64, 65, 66), "f4"), GEOMETRY, {"patch_size": (32, 16, 16)}),
    "half zeros": (
        np.concatenate([np.zeros((32, 40), "i4"), ints("i4", 32, 40)]),
        {},
        {"chunk_size": (16, 20), "block_size": (8, 10)},
    ),
    "patch": (ints("i2", 64, 65, 66), {}, {"patch_size": (32, 48, 16)}),
    "noise": (RNG.integers(0, 256, (70, 71), "u1"), {}, {}),
    "lz4": (
        ints("i4", 50, 61),
        {},
        {"cparams": {"codec": "lz4", "clevel": 5, "filters": ["bitshuffle"]}},
    ),
    "zlib": (ints("i4", 50, 61), {}, {"cparams": {"codec": "zlib", "clevel": 1}}),
    "stored": (ints("i4", 50, 61), {}, {"cparams": {"clevel": 0}}),
}
# What 0.0.33 has no words for.
CURRENT = {
    **COMMON,
    "affine": (ints("i2", 10, 11, 12), {"affine": AFFINE}, {}),
    "axis labels": (
        ints("f4", 3, 10, 11, 12),
        {"axis_labels": ["channel", "spatial_z", "spatial_y", "spatial_x"], **GEOMETRY},
        {"patch_size": 8},
    ),
    "free labels": (
        ints("u1", 12, 13, 2, 5),
        {"axis_labels": ["spatial_x", "spatial", "temporal", "my axis"], "spacing": (1, 2)},
        {},
    ),
    "coordinate system": (
        ints("i2", 5, 6, 7),
        {"meta": rich(spatial={"coord_system": "LPS", "axis_units": ["mm", "mm", "um"]})},
        {},
    ),
}
OLDER = {
    **COMMON,
    "channel axis": (ints("f4", 10, 11, 12, 3), {"channel_axis": 3, **GEOMETRY}, {}),
}


def plain(meta: Any) -> Any:
    """As JSON has it, so that tuples are lists; the reference keeps one section bare."""
    mapping = json.loads(json.dumps(meta))
    version = mapping["_mlarray_version"]
    return {
        **mapping,
        "_mlarray_version": version["mlarray_version"]
        if isinstance(version, dict)
        else version,
    }


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


def in_older_words(image: MLArray) -> dict[str, Any]:
    """Metadata of ours as 0.0.33 names it; it takes the layout from the file."""
    assert image.chunks is not None
    assert image.blocks is not None
    meta = plain(image.meta.to_mapping())
    older = {name: value for name, value in meta.items() if name not in ("source", "blosc2")}
    labels = older["spatial"]["axis_labels"]
    older["original"] = meta["source"]
    older["_blosc2"] = {
        "chunk_size": list(image.chunks),
        "block_size": list(image.blocks),
        "patch_size": meta["blosc2"]["patch_size"],
    }
    older["spatial"] = {
        **{key: older["spatial"][key] for key in ("spacing", "origin", "direction", "shape")},
        "channel_axis": labels.index("channel") if labels else None,
    }
    return older


def save(path: Path, case: tuple[Any, Any, Any], **more: Any) -> np.ndarray[Any, Any]:
    """Save a case and return its voxels."""
    voxels, arguments, options = case
    MLArray(voxels, **arguments).save(path, **options, **more)
    return voxels


@pytest.mark.parametrize("name", CURRENT)
def test_reference_reads_ours(peer: Any, tmp_path: Path, name: str) -> None:
    path = tmp_path / "ours.mla"
    voxels = save(path, CURRENT[name])
    with MLArray.open(path) as image:
        expected = plain(image.meta.to_mapping())
    for mapped in (True, False):
        found, meta = peer("mlarray-0.0.54").voxels_after(
            "reference_read", path=path, mapped=mapped
        )
        assert_same(found, voxels)
        assert plain(meta) == expected


@pytest.mark.parametrize("name", OLDER)
def test_older_reference_reads_ours(peer: Any, tmp_path: Path, name: str) -> None:
    path = tmp_path / "ours.mla"
    voxels = save(path, OLDER[name], metadata_format="legacy")
    with MLArray.open(path) as image:
        expected = in_older_words(image)
    for mapped in (True, False):
        found, meta = peer("mlarray-0.0.33").voxels_after(
            "reference_read", path=path, mapped=mapped
        )
        assert_same(found, voxels)
        assert plain(meta) == expected


# Voxels of one field: NumPy's tobytes() of a structure is equal only without padding.
EDITED = ["int16", "rich metadata", "float32 chunks", "uint8 1-D", "bool", "big-endian",
          "structured", "zeros", "half zeros", "patch", "noise", "stored"]  # fmt: skip


@pytest.mark.parametrize("name", EDITED)
@pytest.mark.parametrize(
    ("version", "mmap_mode"),
    [("0.0.54", "r+"), ("0.0.54", None), ("0.0.33", "r+")],
    ids=["0.0.54 mapped", "0.0.54", "0.0.33"],
)
def test_edits_in_turns(
    peer: Any, tmp_path: Path, name: str, version: str, mmap_mode: str | None
) -> None:
    """We write, the reference edits, we read and edit, the reference reads."""
    theirs = peer(f"mlarray-{version}")
    older = version == "0.0.33"
    path = tmp_path / "ours.mla"
    twin = save(path, COMMON[name], metadata_format="legacy" if older else "current").copy()
    assert is_sealed(path)
    with MLArray.open(path) as image:
        before = image.meta.to_mapping()

    start = [n // 3 for n in twin.shape]
    stop = [n // 3 + n // 2 for n in twin.shape]
    box = tuple(slice(a, b) for a, b in zip(start, stop, strict=True))
    values = np.ascontiguousarray(np.flip(twin)[box])
    spacing = [1.5 + axis for axis in range(twin.ndim)]
    meta = theirs.with_voxels(
        "reference_edit", values, path=path, mmap_mode=mmap_mode, start=start, stop=stop,
        spacing=spacing, extra={"by": version},
    )  # fmt: skip
    twin[box] = values

    assert not is_sealed(path)
    report = mlarray.verify_file(path)
    assert (report.status, report.seal, report.damage) == ("unverified", "edited", ())
    with MLArray.open(path) as image:
        assert_same(image[:], twin)
        found = plain(image.meta.to_mapping())
        assert (in_older_words(image) if older else found) == plain(meta)
        assert image.meta.extra["edited"] == {"by": version}
        assert list(image.spacing) == spacing
        assert found["source"] == plain(before)["source"]

    with MLArray.open(path, mmap="r+") as image:
        first = (slice(0, 3), *[slice(None)] * (twin.ndim - 1))
        image[first] = twin[::-1][first]
        image.meta.extra["ours"] = ["again", 1]
        image.meta.spatial.origin = [0.5] * twin.ndim
        twin[first] = twin[::-1][first].copy()
    with MLArray.open(path) as image:
        expected = in_older_words(image) if older else plain(image.meta.to_mapping())
        assert_same(image[:], twin)
    assert is_sealed(path)
    assert expected["extra"]["data"]["ours"] == ["again", 1]
    for mapped in (True, False):
        voxels, meta = theirs.voxels_after("reference_read", path=path, mapped=mapped)
        assert_same(voxels, twin)
        assert plain(meta) == expected


def test_reference_is_the_one_meant(peer: Any) -> None:
    for version in ("0.0.54", "0.0.33"):
        assert peer(f"mlarray-{version}").do("versions")["mlarray"] == version


def test_reference_reads_metadata_only(peer: Any, tmp_path: Path) -> None:
    path = tmp_path / "ours.mla"
    MLArray(meta=rich()).save(path)
    expected = plain(MLArray(path).meta.to_mapping())
    for mapped in (True, False):
        meta = peer("mlarray-0.0.54").do("reference_metadata", path=path, mapped=mapped)
        assert plain(meta) == expected
        assert meta["_has_array"] == {"has_array": False}
