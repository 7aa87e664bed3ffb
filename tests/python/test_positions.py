"""Positional arguments in the order of either generation."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from mlarray import Meta, MLArray
from mlarray._positions import OLDER_ORDER
from mlarray.meta import MetaSpatial

if TYPE_CHECKING:
    from pathlib import Path

TURN = [[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]
AFFINE = np.diag([2.0, 3.0, 4.0, 1.0]).tolist()
older: Any = MLArray  # whose signature type checkers do not know


class TestConstructor:
    voxels = np.zeros((3, 4, 5, 6), "i2")

    def test_older(self) -> None:
        image = older(self.voxels, (1, 2, 3), (4, 5, 6), TURN, {"a": 1}, 0, 2)
        assert (image.spacing, image.origin, image.direction) == ([1, 2, 3], [4, 5, 6], TURN)
        assert image.meta.source == {"a": 1}
        assert image.meta.spatial.channel_axis == 0
        assert image._threads == 2
        assert older(self.voxels, None, None, None, Meta(is_seg=True)).meta.is_seg
        assert older(self.voxels, None, None, None, None, -1).meta.spatial.channel_axis == 3
        assert older(self.voxels, None, None, None, None, None, 3)._threads == 3
        assert older(self.voxels, None, None, None, {}, 0, 1, image).spacing == [1, 2, 3]

    def test_newer(self) -> None:
        labels = ["spatial", "spatial", "spatial", "channel"]
        image = MLArray(self.voxels, None, None, None, AFFINE, {"a": 1}, labels)
        assert (image.affine, image.meta.source) == (AFFINE, {"a": 1})
        assert (
            MLArray(self.voxels, None, None, None, None, None, labels, image).affine == AFFINE
        )

    def test_an_argument_given_twice(self) -> None:
        with pytest.raises(TypeError, match="got meta twice"):
            older(self.voxels, None, None, None, {"a": 1}, meta={"b": 2})
        with pytest.raises(TypeError, match=r"takes 8 positional arguments.*got 9"):
            older(self.voxels, None, None, None, {"a": 1}, None, None, None, None)


class TestOpen:
    def test_older(self, tmp_path: Path) -> None:
        path = tmp_path / "a.mla"
        layout = (None, (4, 4, 2), (2, 2, 2), 1, {"codec": "zlib"}, {"nthreads": 1})
        with older.open(path, (8, 8, 2), "i2", 2, "w+", *layout) as image:
            image[...] = 5
        with older.open(path, None, None, None, "r+") as image:
            assert (image.mode, image.chunks, image.blocks) == ("a", (4, 4, 2), (2, 2, 2))
            assert image.meta.spatial.channel_axis == 2
            image[0] = 6
        with older.open(path, None) as image:
            assert image.mode == "r"
            assert (image[0] == 6).all()
        with pytest.raises(RuntimeError, match="shape"):
            older.open(path, (8, 8, 2))

    def test_newer(self, saved: Path) -> None:
        with MLArray.open(saved, "a", None, {"nthreads": 3}) as image:
            assert (image.mode, image.mmap_mode, image._threads) == ("a", None, 3)

    def test_load(self, saved: Path) -> None:
        assert older.load(saved, 4)._threads == 4
        assert MLArray.load(saved, {"nthreads": 4}, False).chunks is None


def test_sizes() -> None:
    newer = MLArray.comp_blosc2_params((2, 99, 99), (64, 64), [False, True, True], 2)
    assert newer[0][0] == 1
    compute: Any = MLArray(np.zeros((2, 2))).comp_blosc2_params  # was a method of the image
    assert compute((2, 99, 99), (64, 64), 0, 2)[0][0] == 2
    assert compute((2, 99, 99), (64, 64), channel_axis=0, bytes_per_pixel=2)[0][0] == 2
    for wrong in ({"patch_size": (64,)}, {"spatial_axis_mask": [True]}, {"channel_axis": 0}):
        arguments: Any = {"image_size": (9, 9), "patch_size": (4, 4), **wrong}
        with pytest.raises(RuntimeError):
            MLArray.comp_blosc2_params(**arguments)


def test_spatial_metadata() -> None:
    section = MetaSpatial([1, 2], [3, 4], None, [5, 6, 7], 0)
    assert (section.shape, section.channel_axis) == ([5, 6, 7], 0)
    assert section.axis_labels == ["channel", "spatial", "spatial"]
    newer = MetaSpatial(None, None, None, [[1, 0], [0, 1]], [9], ["spatial_x"])
    assert (newer.affine, newer.shape, newer.axis_labels) == (
        [[1, 0], [0, 1]],
        [9],
        ["spatial_x"],
    )


def test_signatures_are_those_of_the_newer_order() -> None:
    for name, expected in {
        "open": ["filepath", "mode", "mmap_mode", "dparams"],
        "load": ["filepath", "dparams", "compressed"],
        "comp_blosc2_params": ["image_size", "patch_size", "spatial_axis_mask"],
    }.items():
        found = list(inspect.signature(getattr(MLArray, name)).parameters)
        assert found[: len(expected)] == expected
        assert set(OLDER_ORDER[name]) <= set(found)
    assert set(OLDER_ORDER["MLArray"]) <= set(inspect.signature(MLArray).parameters)
