"""Positional arguments in the order of either generation."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from mlarray import Meta, MLArray
from mlarray._argument_orders import OLDER_ORDERS
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

    def test_between(self) -> None:
        labels = ["spatial", "spatial", "spatial", "channel"]
        image = older(self.voxels, (1, 2, 3), None, None, {"a": 1}, labels)
        assert (image.meta.source, image.meta.spatial.axis_labels) == ({"a": 1}, labels)
        assert older(self.voxels, None, None, None, None, labels).meta.spatial.channel_axis == 3
        for between in (
            older(self.voxels, None, None, None, None, None, image, 4),
            older(self.voxels, None, None, None, {"b": 2}, labels, image, 4),
        ):
            assert between.spacing == [1, 2, 3]
            assert between._defaults.patch_size == 4
        packed = older(
            self.voxels, None, None, None, {}, None, None, None, 4, 2, None, None, True
        )
        assert (packed.chunks, packed.blocks) == ((4,) * 4, (2,) * 4)

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
            older(self.voxels, None, None, None, {"a": 1}, 0, None, None, None)


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

    def test_between(self, tmp_path: Path) -> None:
        path = tmp_path / "a.mla"
        labels = ["spatial", "spatial", "channel"]
        sizes = (None, (4, 4, 2), (2, 2, 2))
        with older.open(path, (8, 8, 2), "i2", labels, "w", "w+", *sizes) as image:
            assert (image.mode, image.chunks) == ("w", (4, 4, 2))
            assert image.meta.spatial.axis_labels == labels
        with older.open(path, None, None, None, "a", "r+") as image:
            assert image.mmap_mode == "r+"
        with older.open(path, None, None, None, "r", "r") as image:
            assert image.mmap_mode == "r"
        layout = (None, (4, 4), (2, 2), 3, {"codec": "zlib"}, {"nthreads": 3})
        with older.create(
            tmp_path / "b.mla", (8, 8), "i2", {"a": 1}, "w", "w+", *layout
        ) as new:
            assert (new.chunks, new._threads, new.meta.source) == ((4, 4), 3, {"a": 1})
        with older.open(path, "a", "r+", 3) as image:
            assert (image.mode, image._threads) == ("a", 3)

    def test_newer(self, saved: Path) -> None:
        with MLArray.open(saved, "a", None, {"nthreads": 3}) as image:
            assert (image.mode, image.mmap_mode, image._threads) == ("a", None, 3)

    def test_load(self, saved: Path) -> None:
        assert older.load(saved, 4)._threads == 4
        assert MLArray.load(saved, {"nthreads": 4}, False).chunks is None


def test_asarray() -> None:
    array = np.zeros((4, 4), "i2")
    packed = older.asarray(array, True, None, 2, 1, {"a": 1})
    assert (packed.chunks, packed.meta.source) == ((2, 2), {"a": 1})
    assert older.asarray(array, False).chunks is None
    assert MLArray.asarray(array, memory_compressed=True).chunks is not None
    assert MLArray.asarray(array, {"a": 1}, 2, compressed=True).meta.source == {"a": 1}
    with pytest.raises(RuntimeError, match="contradict"):
        MLArray.asarray(array, compressed=False, memory_compressed=True)
    assert MLArray.zeros((4, 4), "i2", num_threads=3)._threads == 3
    assert MLArray.zeros_like(array, num_threads=3)._threads == 3


def test_sizes() -> None:
    newer = MLArray.comp_blosc2_params((2, 99, 99), (64, 64), [False, True, True], 2)
    assert newer[0][0] == 1
    compute: Any = MLArray(np.zeros((2, 2))).comp_blosc2_params  # was a method of the image
    assert compute((2, 99, 99), (64, 64), 0, 2)[0][0] == 2
    assert compute((2, 99, 99), (64, 64), channel_axis=0, bytes_per_pixel=2)[0][0] == 2
    with pytest.raises(ValueError, match="channel_axis=5"):
        compute((2, 99, 99), (64, 64), 5)
    for wrong in ({"patch_size": (64,)}, {"spatial_axis_mask": [True]}, {"channel_axis": 0}):
        arguments: Any = {"image_size": (9, 9), "patch_size": (4, 4), **wrong}
        with pytest.raises(RuntimeError):
            MLArray.comp_blosc2_params(**arguments)


def test_spatial_metadata() -> None:
    section = MetaSpatial([1, 2], [3, 4], None, [5, 6, 7], 0)
    assert (section.shape, section.channel_axis) == ([5, 6, 7], 0)
    assert section.axis_labels == ["channel", "spatial", "spatial"]
    labels = ["channel", "spatial", "spatial"]
    between = MetaSpatial([1, 2], None, None, [5, 6, 7], labels, ["1", "mm", "mm"])
    assert (between.shape, between.axis_labels) == ([5, 6, 7], labels)
    assert between.axis_units == ["1", "mm", "mm"]
    assert MetaSpatial(None, None, None, [5, 6, 7]).shape == [5, 6, 7]
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
    for name, orders in OLDER_ORDERS.items():
        method = MLArray if name == "MLArray" else getattr(MLArray, name, MetaSpatial)
        found = list(inspect.signature(method).parameters)
        for order in orders:
            assert method is MetaSpatial or set(order.names) <= set(found)


def test_no_order_is_meant_by_one_argument() -> None:
    # in_either_order() looks no further then.
    for orders in OLDER_ORDERS.values():
        for order in orders:
            for one in (None, 1, "image.mla", "a", (4, 4), ["spatial"], np.zeros((2, 2)), True):
                assert not order.is_meant((one,)), (order.names, one)
