"""What the library manages, and functions and modules of other versions."""

from __future__ import annotations

import copy
import importlib
import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mlarray import Meta, MLArray, is_serializable
from mlarray.meta import AxisLabel, MetaSpatial, validate_and_cast_axis_labels

EDITS: dict[str, Any] = {
    "assign": lambda value: value.__setitem__(0, 5),
    "delete": lambda value: value.__delitem__(0),
    "append": lambda value: value.append(5),
    "extend": lambda value: value.extend([5]),
    "insert": lambda value: value.insert(0, 5),
    "pop": lambda value: value.pop(),
    "remove": lambda value: value.remove(6),
    "reverse": lambda value: value.reverse(),
    "sort": lambda value: value.sort(),
    "clear": lambda value: value.clear(),
    "add": lambda value: value.__iadd__([5]),
    "repeat": lambda value: value.__imul__(2),
}
DICT_EDITS: dict[str, Any] = {
    "assign": lambda value: value.__setitem__("clevel", 5),
    "delete": lambda value: value.__delitem__("clevel"),
    "pop": lambda value: value.pop("clevel"),
    "popitem": lambda value: value.popitem(),
    "update": lambda value: value.update(clevel=5),
    "setdefault": lambda value: value.setdefault("other", 5),
    "clear": lambda value: value.clear(),
    "or": lambda value: value.__ior__({"clevel": 5}),
}


@pytest.fixture
def meta(tmp_path: Path) -> Meta:
    """Metadata of a file."""
    MLArray(np.zeros((6, 7, 8))).save(tmp_path / "a.mla")
    return MLArray(tmp_path / "a.mla").meta


class TestInPlace:
    @pytest.mark.parametrize("edit", EDITS)
    def test_lists(self, meta: Meta, edit: str) -> None:
        for value in (meta.spatial.shape, meta.blosc2.chunk_size, meta.blosc2.patch_size):
            with pytest.raises(AttributeError, match="managed by MLArray"):
                EDITS[edit](value)
        assert meta.spatial.shape == [6, 7, 8]
        assert meta.blosc2.patch_size == [192, 192, 192]

    @pytest.mark.parametrize("edit", DICT_EDITS)
    def test_dicts(self, meta: Meta, edit: str) -> None:
        before = dict(meta.blosc2.cparams or {})
        with pytest.raises(AttributeError, match="managed by MLArray"):
            DICT_EDITS[edit](meta.blosc2.cparams)
        assert meta.blosc2.cparams == before

    def test_copies_are_plain(self, meta: Meta) -> None:
        shape = meta.spatial.shape
        assert shape is not None
        for twin in (
            list(shape),
            copy.copy(shape),
            copy.deepcopy(shape),
            shape[:],
            shape.copy(),
        ):
            assert type(twin) is list
            twin.append(9)
        assert json.loads(json.dumps(shape)) == [6, 7, 8]
        assert type(pickle.loads(pickle.dumps(shape))) is list
        assert type(copy.deepcopy(meta.blosc2.cparams)) is dict
        mapping = meta.to_mapping()
        mapping["spatial"]["shape"].append(9)
        assert meta.spatial.shape == [6, 7, 8]
        assert Meta.from_mapping(meta.to_mapping()) == meta
        assert MLArray(np.zeros(3), meta={"shape": shape}).meta.source["shape"] == [6, 7, 8]


class TestBadEditsOfAFile:
    def edited(self, path: Path) -> MLArray:
        MLArray(np.zeros((4, 4), "i2"), spacing=(1, 1)).save(path)
        image = MLArray.open(path, mmap_mode="r+")
        image[0] = 5
        assert image.spacing is not None
        image.spacing[1] = "wide"  # type: ignore[call-overload]
        return image

    def test_closing_names_file_and_field(self, tmp_path: Path) -> None:
        image = self.edited(tmp_path / "a.mla")
        for finish in (image.flush, image.close):
            with pytest.raises(TypeError, match=r"a\.mla.*spatial\.spacing\[1\].*'wide'"):
                finish()
        image.spacing[1] = 2  # type: ignore[index]
        image.close()
        again = MLArray(tmp_path / "a.mla")
        assert (again[0] == 5).all()
        assert again.spacing == [1, 2]

    def test_voxels_are_not_lost_with_it(self, tmp_path: Path) -> None:
        image = self.edited(tmp_path / "a.mla")
        with pytest.raises(TypeError, match=r"spatial\.spacing"):
            image.close()
        image.meta.spatial.spacing = None  # what cannot be saved is given up
        del image
        assert (MLArray(tmp_path / "a.mla")[0] == 5).all()

    def test_looking_at_it_says_so(self) -> None:
        image = MLArray(np.zeros((4, 4)), spacing=(1, 1))
        image.spacing[0] = "wide"  # type: ignore[index,call-overload]
        for name in ("affine", "scale", "rotation", "shear", "translation"):
            with pytest.raises(TypeError, match=r"spatial\.spacing\[0\]"):
                getattr(image, name)


class TestBoxes:
    def test_boxes_of_an_image(self) -> None:
        def image_with(boxes: Any) -> MLArray:
            labels = ["channel", "spatial", "spatial"]
            meta = Meta(bbox={"bboxes": boxes}, spatial={"axis_labels": labels})
            return MLArray(np.zeros((3, 4, 5)), meta=meta)

        image_with([[[0, 1]] * 3])
        image = image_with([[[0, 1]] * 2])
        with pytest.raises(ValueError, match=r"bbox\.bboxes\[0\].*3 pairs"):
            image_with([[[0, 1]] * 4])
        image.meta.add_bbox([[0, 1]] * 2)
        with pytest.raises(ValueError, match=r"bbox\.bboxes\[2\].*2 pairs"):
            image.meta.add_bbox([[0, 1]] * 3)
        with pytest.raises(ValueError, match=r"bbox\.bboxes\[2\]\[1\].*not above"):
            image.meta.add_bbox([[0, 1], [2, 1.5]])
        assert image.meta.bbox.bboxes == [[[0, 1]] * 2] * 2

    def test_bounds_given_in_place(self, tmp_path: Path) -> None:
        image = MLArray(np.zeros((4, 4)), meta=Meta(bbox={"bboxes": [[[0, 1], [2, 3]]]}))
        assert image.meta.bbox.bboxes is not None
        image.meta.bbox.bboxes[0][1][0] = 4
        with pytest.raises(ValueError, match=r"bbox\.bboxes\[0\]\[1\]"):
            image.save(tmp_path / "a.mla")


class TestUnits:
    def test_one_for_each_axis(self, tmp_path: Path) -> None:
        image = MLArray(np.zeros((4, 4)))
        image.meta.spatial.axis_units = ["mm"]
        with pytest.raises(ValueError, match=r"spatial\.axis_units.*expected length 2"):
            image.save(tmp_path / "a.mla")
        with pytest.raises(ValueError, match=r"spatial\.axis_units"):
            MetaSpatial(axis_labels=["spatial"], axis_units=["mm", "mm"])


class TestFunctionsOfOtherVersions:
    @pytest.mark.parametrize(
        ("value", "expected"),
        [
            *((value, True) for value in ({}, {"a": [1, {"b": None}]}, np.arange(3), None)),
            *((value, False) for value in ({"a": b""}, {(1,): 2}, {"a": object()}, {1, 2})),
        ],
    )
    def test_is_serializable(self, value: Any, expected: bool) -> None:
        assert is_serializable(value) is expected
        if isinstance(value, dict):
            try:
                MLArray(np.zeros(3), meta=value)
            except TypeError:
                assert not expected

    def test_axis_labels(self) -> None:
        labels = (AxisLabel.channel, "spatial_x", "my own")
        expected = (["channel", "spatial_x", "my own"], 1, 2)
        assert validate_and_cast_axis_labels(labels, "here") == expected
        assert validate_and_cast_axis_labels(np.array(["spatial"]), "here", 1) == (
            ["spatial"],
            1,
            0,
        )
        assert validate_and_cast_axis_labels(None, "here", 3) == (None, 0, 0)
        with pytest.raises(ValueError, match=r"^here: got.*expected length 2"):
            validate_and_cast_axis_labels(labels, "here", 2)
        for wrong in ([1], "spatial", 5):
            with pytest.raises(TypeError, match=r"^here"):
                validate_and_cast_axis_labels(wrong, "here")

    def test_modules(self) -> None:
        module = importlib.import_module("mlarray.mlarray")
        assert module.MLArray is MLArray
        assert module.MLARRAY_SUFFIX == "mla"
        assert Meta.from_mapping(MLArray(np.zeros(3)).meta.to_mapping()).is_seg.value is None
        written = MLArray(np.zeros((3, 3)), compressed=True)
        assert module.MLARRAY_VERSION == "v0"
        assert written._store.core is not None
        stored = written._store.core.metadata().to_tree()["_mlarray_version"]
        assert stored == {"mlarray_version": module.MLARRAY_VERSION}
