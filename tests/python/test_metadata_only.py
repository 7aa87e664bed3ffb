"""Files of metadata and no array: boxes, targets, classes."""

from __future__ import annotations

import copy
import json
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mlarray import Meta, MLArray

BOXES = [[[0, 4], [1, 5], [2, 6]], [[3, 9], [0, 2], [1, 8]]]
AFFINE = [[2, 0.1, 0, 1], [0, 3, 0, 2], [0, 0, 4, 3], [0, 0, 0, 1]]
# What would need voxels.
NEEDS_VOXELS: dict[str, Any] = {
    "index": lambda image: image[0],
    "all": lambda image: image[...],
    "assign": lambda image: image.__setitem__(0, 1),
    "to_numpy": lambda image: image.to_numpy(),
    "asarray": np.asarray,
    "iterate": list,
    "compress": lambda image: image.compress(),
    "decompress": lambda image: image.decompress(),
    "oindex": lambda image: image.oindex[0],
    "astype": lambda image: image.astype("f4"),
    "statistics": lambda image: image.compute_statistics(),
}


def boxes() -> MLArray:
    """What a detector says of an image."""
    meta = Meta(extra={"target": 1})
    meta.add_bbox(BOXES[0], score=0.5, label="nodule").add_bbox(BOXES[1], 0.25, "cyst")
    return MLArray(meta=meta, spacing=(3, 0.5, 0.7))


def again(image: MLArray, path: Path, how: str) -> MLArray:
    """The image, come back from a file."""
    image.save(path)
    ways: dict[str, Any] = {
        "load": MLArray,
        "load decoded": lambda path: MLArray.load(path, compressed=False),
        "open": MLArray.open,
        "buffered": lambda path: MLArray.open(path, mmap_mode=None),
    }
    back: MLArray = ways[how](path)
    return back


@pytest.mark.parametrize("how", [None, "load", "load decoded", "open", "buffered"])
def test_what_it_is(tmp_path: Path, how: str | None) -> None:
    image = boxes()
    if how is not None:
        image = again(image, tmp_path / "a.mla", how)
    assert (image.shape, image.dtype, len(image)) == (None, None, 0)
    assert (image.ndim, image.spatial_ndim) == (3, 3)
    assert image.meta._has_array.has_array is False
    assert image.meta.bbox.bboxes == BOXES
    assert image.meta.bbox.scores == [0.5, 0.25]
    assert image.meta.extra == {"target": 1}
    assert image.spacing == [3, 0.5, 0.7]
    assert image.scale == [3, 0.5, 0.7]
    assert np.array_equal(image.affine, np.diag([3, 0.5, 0.7, 1]))
    assert image.meta.blosc2.chunk_size is None
    assert "MLArray(" in repr(image)
    for use in NEEDS_VOXELS.values():
        with pytest.raises(TypeError, match="has no array, only metadata"):
            use(image)


def test_nothing_at_all(tmp_path: Path) -> None:
    image = again(MLArray(), tmp_path / "a.mla", "open")
    for name in ("shape", "dtype", "ndim", "spatial_ndim", "affine", "spacing"):
        assert getattr(image, name) is None, name
    for name in ("translation", "scale", "rotation", "shear"):
        assert getattr(image, name) is None, name


def test_an_empty_array_is_an_array(tmp_path: Path) -> None:
    for suffix in ("mla", "b2nd"):
        image = again(MLArray(np.zeros(0, "i2")), tmp_path / f"a.{suffix}", "open")
        assert (image.shape, image.dtype, image.ndim) == ((0,), np.int16, 1)
        assert image[...].size == 0


def test_labels_tell_the_axes(tmp_path: Path) -> None:
    labels = ["channel", "spatial_y", "spatial_x"]
    image = MLArray(meta=Meta(spatial={"axis_labels": labels}), spacing=(2, 3))
    image = again(image, tmp_path / "a.mla", "open")
    assert (image.ndim, image.spatial_ndim, image.scale) == (3, 2, [2, 3])


@pytest.mark.parametrize("how", ["load", "open"])
def test_an_affine_of_its_own(tmp_path: Path, how: str) -> None:
    image = again(MLArray(meta=Meta(), affine=AFFINE), tmp_path / "a.mla", how)
    assert (image.affine, image.ndim, image.translation) == (AFFINE, 3, [1, 2, 3])


def test_vectors_must_agree() -> None:
    with pytest.raises(ValueError, match=r"spatial\.origin.*expected length 2"):
        MLArray(spacing=(1, 2), origin=(1, 2, 3))
    image = boxes()
    with pytest.raises(ValueError, match=r"spatial\.origin"):
        image.origin = [1, 2]
    assert image.origin is None
    image.origin = [1, 2, 3]


def test_edits_are_saved(tmp_path: Path) -> None:
    path = tmp_path / "a.mla"
    boxes().save(path)
    with MLArray.open(path, mmap_mode="r+") as image:
        image.meta.add_bbox([[0, 1], [0, 1], [0, 1]], 0.125, "nodule")
        image.origin = [1, 2, 3]
    back = MLArray(path)
    assert back.meta.bbox.scores == [0.5, 0.25, 0.125]
    assert (back.origin, back.shape) == ([1, 2, 3], None)
    back.meta = Meta(is_seg=True)
    assert back.shape is None
    back.save(path)
    assert (MLArray(path).meta.is_seg.is_seg, MLArray(path).shape) == (True, None)


def test_copies_stay_what_they_are() -> None:
    image = boxes()
    copies = [MLArray(image), copy.deepcopy(image), pickle.loads(pickle.dumps(image))]
    copies.append(MLArray(copy=image))
    for twin in copies:
        assert twin.shape is None
        assert twin.meta.bbox == image.meta.bbox
        assert twin.meta is not image.meta
    with_array = MLArray(np.zeros((9, 9, 9)), copy=image)
    assert (with_array.shape, with_array.meta.bbox.bboxes) == ((9, 9, 9), BOXES)
    assert with_array.meta._has_array.has_array is True


def test_a_file_is_small(tmp_path: Path) -> None:
    MLArray(meta=Meta(bbox={"bboxes": BOXES, "labels": [1, 2]})).save(tmp_path / "a.mla")
    assert (tmp_path / "a.mla").stat().st_size < 500
    many = np.arange(12000).reshape(2000, 3, 2).tolist()
    MLArray(meta=Meta(bbox={"bboxes": many})).save(tmp_path / "b.mla")
    assert (tmp_path / "b.mla").stat().st_size < 30_000


def run(*arguments: Any) -> str:
    """What a command prints."""
    command = [sys.executable, "-m", "mlarray.cli.main", *map(str, arguments)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def test_the_commands_know_it(tmp_path: Path) -> None:
    path = tmp_path / "a.mla"
    boxes().save(path)
    assert "none: metadata only" in run("info", path)
    assert "2 boxes" in run("info", path)
    assert "3, 0.5, 0.7" in run("info", path)
    assert "metadata only" in run("ls", path)
    header = json.loads(run("header", path))
    assert header["bbox"]["labels"] == ["nodule", "cyst"]
    assert header["_has_array"] is False
    facts = json.loads(run("info", "--json", path))
    assert (facts["has_array"], facts["spacing"]) == (False, [3, 0.5, 0.7])
    MLArray(np.zeros(0)).save(tmp_path / "b.mla")
    MLArray(np.zeros(0)).save(tmp_path / "c.b2nd")
    for name in ("b.mla", "c.b2nd"):
        assert json.loads(run("info", "--json", tmp_path / name))["has_array"] is True
