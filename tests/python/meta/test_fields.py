"""Fields and sections of the metadata, one at a time."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mlarray.meta import (
    AxisLabel,
    CoordSystem,
    Meta,
    MetaBbox,
    MetaHasArray,
    MetaIsSeg,
    MetaOriginal,
    MetaSource,
    MetaSpatial,
    MetaStatistics,
    MetaVersion,
)


class TestFields:
    def test_lists_are_plain_and_stay_edited(self) -> None:
        spatial = MetaSpatial(spacing=(1.0, 1.0, 1.5))
        assert type(spatial.spacing) is list
        spatial.spacing[1] = 5.3
        assert spatial.spacing == [1.0, 5.3, 1.5]
        assert spatial.to_mapping()["spacing"] == [1.0, 5.3, 1.5]

    @pytest.mark.parametrize(
        "value",
        [
            np.array([1, 2], np.int16),
            np.array([1, 2], np.float32),
            (np.int64(1), np.float32(2)),
            [np.array(1), np.array(2.0)],
        ],
    )
    def test_numbers_of_numpy_are_numbers(self, value: Any) -> None:
        spacing = MetaSpatial(spacing=value).spacing
        assert spacing == [1, 2]
        assert {type(item) for item in spacing or []} <= {int, float}

    def test_matrices(self) -> None:
        direction = MetaSpatial(direction=np.eye(2)).direction
        assert direction == [[1.0, 0.0], [0.0, 1.0]]
        with pytest.raises(ValueError, match=r"spatial\.direction\[0\]"):
            MetaSpatial(direction=[[1, 0]])

    @pytest.mark.parametrize(
        ("field", "value", "error"),
        [
            ("spacing", "abc", TypeError),
            ("spacing", [1, "x"], TypeError),
            ("spacing", {1, 2}, TypeError),
            ("spacing", [1j], TypeError),
            ("affine", [[1, 0]], ValueError),
            ("axis_labels", [1], TypeError),
            ("coord_system", 1, TypeError),
        ],
    )
    def test_a_wrong_value_changes_nothing(
        self, field: str, value: Any, error: type[Exception]
    ) -> None:
        spatial = MetaSpatial(spacing=[1, 2])
        before = spatial.to_mapping()
        with pytest.raises(error, match=f"^spatial.{field}"):
            setattr(spatial, field, value)
        assert spatial.to_mapping() == before
        with pytest.raises(error, match=f"^spatial.{field}"):
            MetaSpatial(**{field: value})

    def test_fields_that_contradict_each_other(self) -> None:
        spatial = MetaSpatial(spacing=[1])
        with pytest.raises(ValueError, match=r"spatial\.affine"):
            spatial.affine = [[1, 0], [0, 1]]
        assert spatial.affine is None
        spatial.spacing = None
        spatial.affine = [[1, 0], [0, 1]]
        with pytest.raises(ValueError, match=r"spatial\.affine"):
            MetaSpatial(origin=[1], affine=[[1, 0], [0, 1]])
        boxes = MetaBbox(bboxes=[[[0, 1]]])
        with pytest.raises(ValueError, match=r"bbox\.scores: length 2, expected 1"):
            boxes.scores = [0.1, 0.2]

    def test_enum_members_are_stored_as_text(self) -> None:
        spatial = MetaSpatial(
            axis_labels=[AxisLabel.channel, "spatial"], coord_system=CoordSystem.RAS_PLUS
        )
        assert spatial.axis_labels == ["channel", "spatial"]
        assert [type(label) for label in spatial.axis_labels or []] == [str, str]
        assert spatial.coord_system == "RAS+"

    def test_the_librarys_fields_are_read_only(self) -> None:
        meta = Meta()
        for section, field in [
            (meta.spatial, "shape"),
            (meta.blosc2, "chunk_size"),
            (meta._has_array, "has_array"),
            (meta._mlarray_version, "mlarray_version"),
        ]:
            with pytest.raises(AttributeError, match="read-only"):
                setattr(section, field, None)
        for name in ("blosc2", "_blosc2", "_has_array", "_image_meta_format"):
            with pytest.raises(AttributeError, match="read-only"):
                setattr(meta, name, None)

    def test_unknown_names(self) -> None:
        with pytest.raises(TypeError, match="spcing"):
            MetaSpatial(spcing=[1])
        with pytest.raises(AttributeError, match="spcing"):
            MetaSpatial().spcing = [1]  # type: ignore[attr-defined]
        with pytest.raises(AttributeError):
            _ = MetaSpatial().spcing  # type: ignore[attr-defined]
        with pytest.raises(KeyError, match="spcing"):
            MetaSpatial.from_mapping({"spcing": [1]})
        with pytest.raises(AttributeError, match="None"):
            del MetaSpatial().spacing

    def test_arguments_by_position(self) -> None:
        assert MetaStatistics(1, 2.5).to_mapping(include_none=False) == {"min": 1, "max": 2.5}
        with pytest.raises(TypeError, match="multiple values for argument 'min'"):
            MetaStatistics(1, min=2)  # type: ignore[misc]
        with pytest.raises(TypeError, match="positional arguments but 3"):
            MetaIsSeg(True, False)  # type: ignore[call-arg]

    def test_fields_have_a_docstring(self) -> None:
        assert "per spatial axis" in (MetaSpatial.spacing.__doc__ or "")


class TestSectionsOfOneValue:
    def test_source_behaves_like_its_dict(self, capsys: pytest.CaptureFixture[str]) -> None:
        meta = Meta(original={"patient_id": "123"})
        assert meta.original == {"patient_id": "123"}
        assert meta.original != {"patient_id": "124"}
        meta.original["study_id"] = np.int8(7)
        assert "study_id" in meta.original
        assert dict(meta.original.items()) == {"patient_id": "123", "study_id": 7}
        assert meta.original.get("x", 5) == 5
        assert list(meta.original) == ["patient_id", "study_id"]
        assert len(meta.original) == 2
        del meta.original["study_id"]
        print(meta.original, repr(meta.original))
        assert capsys.readouterr().out == "{'patient_id': '123'} {'patient_id': '123'}\n"
        with pytest.raises(TypeError, match=r"source\.k"):
            meta.original["k"] = {1}
        with pytest.raises(AttributeError):
            _ = meta.original.nonsense

    def test_is_seg_behaves_like_its_bool(self, capsys: pytest.CaptureFixture[str]) -> None:
        meta = Meta(is_seg=True)
        print(meta.is_seg)
        assert capsys.readouterr().out == "True\n"
        assert meta.is_seg
        assert meta.is_seg == True  # noqa: E712
        meta.is_seg = False
        assert not meta.is_seg
        assert meta.is_seg == False  # noqa: E712
        assert meta.is_seg.is_seg is False
        assert meta.is_seg.value is False
        meta.is_seg.value = True
        assert meta.is_seg == MetaIsSeg(True)
        meta.is_seg.set(None)
        assert meta.is_seg == None  # noqa: E711
        assert (len(meta.is_seg), list(meta.is_seg), 1 in meta.is_seg) == (0, [], False)
        with pytest.raises(TypeError, match="is_seg"):
            meta.is_seg = 1

    def test_wrapped_and_plain_values(self) -> None:
        assert MetaIsSeg.from_mapping({"is_seg": True}) == MetaIsSeg.from_mapping(True)
        assert MetaSource.from_mapping({"data": {"a": 1}}) == {"a": 1}
        assert MetaSource.from_mapping({"data": 5}) == {"data": 5}
        assert MetaSource.from_mapping({"a": 1, "data": {}}) == {"a": 1, "data": {}}
        assert MetaIsSeg.from_mapping({}) == None  # noqa: E711
        assert MetaHasArray() == False  # noqa: E712
        assert MetaVersion.ensure("v0").mlarray_version == "v0"
        assert MetaSource().to_mapping() == {"data": {}}
        assert MetaIsSeg().to_mapping(include_none=False) == {}
        assert MetaOriginal is MetaSource
