"""Spacing, origin and direction of an image: out of an affine, into one, and their lengths."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mlarray import Meta, MLArray

TURNED = [[0.0, -3.0, 0.0, 10.0], [2.0, 0.0, 0.0, 20.0], [0.0, 0.0, 4.0, 30.0], [0, 0, 0, 1]]
TURN = [[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]


@pytest.fixture
def image() -> MLArray:
    return MLArray(np.zeros((4, 5, 6)), affine=TURNED)


class TestOutOfAnAffine:
    def test_its_parts(self, image: MLArray, tmp_path: Path) -> None:
        image.save(tmp_path / "a.mla")
        for one in (image, MLArray(tmp_path / "a.mla"), MLArray.open(tmp_path / "a.mla")):
            assert one.spacing == [2, 3, 4]
            assert one.origin == [10, 20, 30]
            assert one.direction == TURN
            assert one.meta.spatial.spacing is None
            twin = MLArray(
                np.zeros((4, 5, 6)), one.spacing, one.origin, one.direction
            )  # which nothing refuses
            assert twin.affine == one.affine

    @pytest.mark.parametrize(
        ("name", "value", "expected"),
        [
            ("spacing", [4, 6, 8], [[0, -6, 0, 10], [4, 0, 0, 20], [0, 0, 8, 30]]),
            ("origin", (1, 2, 3), [[0, -3, 0, 1], [2, 0, 0, 2], [0, 0, 4, 3]]),
            ("direction", np.eye(3), [[2, 0, 0, 10], [0, 3, 0, 20], [0, 0, 4, 30]]),
        ],
    )
    def test_setting_one_rewrites_it(
        self, image: MLArray, name: str, value: Any, expected: Any, tmp_path: Path
    ) -> None:
        setattr(image, name, value)
        assert image.affine == [*expected, [0, 0, 0, 1]]
        assert np.array_equal(getattr(image, name), value)
        assert image.meta.spatial.spacing is None
        image.save(tmp_path / "a.mla")
        assert MLArray(tmp_path / "a.mla").affine == image.affine

    def test_none_leaves_the_others(self, image: MLArray) -> None:
        image.spacing = None
        assert (image.spacing, image.origin, image.direction) == (None, [10, 20, 30], TURN)
        assert image.scale == [1, 1, 1]
        assert image.meta.spatial.affine is None

    def test_a_wrong_length_changes_nothing(self, image: MLArray) -> None:
        for name, value in (("spacing", [1, 2]), ("origin", [1] * 4), ("direction", [[1]])):
            with pytest.raises(ValueError, match=rf"spatial\.{name}"):
                setattr(image, name, value)
        with pytest.raises(TypeError, match=r"spatial\.spacing"):
            image.spacing = ["wide"] * 3  # type: ignore[list-item]
        assert image.affine == TURNED

    def test_edits_in_place_are_refused(self, image: MLArray) -> None:
        assert image.spacing is not None
        assert image.direction is not None
        with pytest.raises(AttributeError, match=r"image\.spacing is taken out of the affine"):
            image.spacing[0] = 5
        with pytest.raises(AttributeError, match=r"image\.direction"):
            image.direction[0][0] = 5
        mine = list(image.spacing)
        mine[0] = 5
        for twin in (copy.copy(image.spacing), pickle.loads(pickle.dumps(image.spacing))):
            assert type(twin) is list
        assert image.spacing == [2, 3, 4]

    @pytest.mark.parametrize(
        "affine",
        [
            [[1, 0, 0], [0, 1, 0], [0, 1, 1]],
            [[1, 0, 0], [0, 0, 0], [0, 0, 1]],
            [[1, 0, float("nan")], [0, 1, 0], [0, 0, 1]],
        ],
    )
    def test_one_that_has_no_parts(self, affine: Any) -> None:
        image = MLArray(np.zeros((4, 5)), affine=affine)
        assert (image.spacing, image.origin, image.direction) == (None, None, None)
        with pytest.raises(ValueError, match=r"spatial\.spacing: .*set image\.affine"):
            image.spacing = [1, 2]
        image.spacing = None
        np.testing.assert_array_equal(image.affine, affine)

    def test_channels(self) -> None:
        labels = ["channel", "spatial", "spatial"]
        image = MLArray(np.zeros((3, 4, 5)), affine=np.diag([2, 3, 1]), axis_labels=labels)
        assert image.spacing == [2, 3]
        image.spacing = [4, 5]
        assert image.affine == np.diag([4, 5, 1]).tolist()

    def test_as_an_array(self, image: MLArray) -> None:
        matrix = image.affine_matrix
        assert isinstance(image.affine, list)
        assert matrix.dtype == np.float64
        np.testing.assert_array_equal(matrix, TURNED)
        image.affine = matrix * [[2], [2], [2], [1]]
        assert image.spacing == [4, 6, 8]
        assert MLArray(meta=Meta(is_seg=True)).affine_matrix is None


class TestLengths:
    def test_of_an_image_at_once(self, tmp_path: Path) -> None:
        array = MLArray(np.zeros((4, 5, 6)))
        array.save(tmp_path / "a.mla")
        replaced = MLArray(np.zeros((4, 5, 6)))
        replaced.meta = Meta(spatial={"spacing": [1, 2, 3]})
        packed = MLArray(np.zeros((4, 5, 6)), compressed=True)
        unpacked = MLArray(tmp_path / "a.mla")
        unpacked.decompress()
        images = [array, replaced, packed, unpacked, MLArray(tmp_path / "a.mla")]
        images.append(MLArray(np.zeros((4, 5, 6)), copy=array))
        with MLArray.open(tmp_path / "a.mla", mmap_mode="r+") as opened:
            for image in [*images, opened]:
                before = image.meta.spatial.to_mapping()
                for name, value in (
                    ("spacing", [1, 2]),
                    ("origin", [1] * 4),
                    ("direction", np.eye(2)),
                    ("axis_labels", ["channel"]),
                ):
                    with pytest.raises(ValueError, match=r"spatial\..*expected"):
                        setattr(image.meta.spatial, name, value)
                with pytest.raises(ValueError, match=r"spatial\.spacing.*expected length 3"):
                    image.meta.spatial = {"spacing": [1, 2]}
                assert image.meta.spatial.to_mapping() == before
                image.meta.spatial = {"origin": [1, 2, 3]}
                with pytest.raises(ValueError, match=r"spatial\.spacing.*expected length 3"):
                    image.meta.spatial.spacing = [1, 2]

    def test_copies_are_of_no_image(self) -> None:
        image = MLArray(np.zeros((4, 5, 6)), spacing=(1, 2, 3))
        for meta in (copy.deepcopy(image.meta), pickle.loads(pickle.dumps(image.meta))):
            meta.spatial.spacing = meta.spatial.spacing[1:]
            assert MLArray(np.zeros((5, 6)), meta=meta).spacing == [2, 3]
        only = MLArray(meta=Meta(spatial={"spacing": [1, 2]}))
        only.meta.spatial.spacing = [1, 2, 3]

    def test_wrong_fields_of_a_file_are_put_right_one_by_one(self) -> None:
        image = MLArray(np.zeros((4, 5, 6)))
        for name in ("spacing", "origin"):
            image.meta.spatial._put(name, [1, 2])  # as a file may have it
        image.meta.spatial.spacing = [1, 2, 3]
        image.meta.spatial.origin = [4, 5, 6]
        assert image.affine[0] == [1, 0, 0, 4]

    def test_labels_after_lengths(self) -> None:
        image = MLArray(np.zeros((3, 4, 5)), axis_labels=["channel", "spatial", "spatial"])
        image.meta.spatial.spacing = [1, 2]
        with pytest.raises(ValueError, match=r"spatial\.spacing"):
            image.meta.spatial.spacing = [1, 2, 3]


class TestPatchSize:
    def test_is_known_at_once(self) -> None:
        voxels = np.zeros((8, 16, 16))
        image = MLArray(voxels, patch_size=64)
        assert image.meta.blosc2.patch_size == [64] * 3
        assert MLArray(voxels, patch_size=(4, 8, 8)).meta.blosc2.patch_size == [4, 8, 8]
        assert MLArray.zeros((8, 16), "f4", patch_size=16).meta.blosc2.patch_size == [16] * 2
        for twin in (
            MLArray(voxels, meta=image.meta),
            MLArray(voxels, copy=image),
            copy.deepcopy(image),
        ):
            assert twin.meta.blosc2.patch_size == [64] * 3
        labels = ["channel", "spatial", "spatial"]
        assert MLArray(voxels, axis_labels=labels, patch_size=16).meta.blosc2.patch_size == [
            16,
            16,
        ]
        sizes = MLArray(voxels, chunk_size=(8, 8, 8), block_size=(4, 4, 4))
        assert sizes.meta.blosc2.patch_size is None

    def test_and_saved(self, tmp_path: Path) -> None:
        MLArray(np.zeros((8, 16, 16)), patch_size=64).save(tmp_path / "a.mla")
        assert MLArray(tmp_path / "a.mla").meta.blosc2.patch_size == [64] * 3
