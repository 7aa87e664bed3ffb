"""The metadata classes. That files keep metadata is tested where files are."""

from __future__ import annotations

import copy
import pickle
import runpy
import subprocess
import sys
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest

from mlarray import MLArray, _core
from mlarray.meta import (
    AxisLabel,
    CoordSystem,
    Meta,
    MetaBbox,
    MetaBlosc2,
    MetaHasArray,
    MetaIsSeg,
    MetaOriginal,
    MetaSource,
    MetaSpatial,
    MetaStatistics,
    MetaVersion,
)

ROOT = Path(__file__).parents[2]
NAN = float("nan")


def test_the_annotations_are_those_of_the_table() -> None:
    tool = runpy.run_path(str(ROOT / "tools" / "generate_meta_fields.py"))
    text = tool["TARGET"].read_text(encoding="utf-8")
    assert tool["renewed"](text) == text, "run tools/generate_meta_fields.py"
    assert {row.kind for row in _core.metadata_fields()} <= set(tool["TYPES"])


def test_every_field_is_in_the_documentation() -> None:
    text = (ROOT / "docs" / "metadata.md").read_text(encoding="utf-8")
    for row in _core.metadata_fields():
        lines = [line for line in text.splitlines() if line.startswith(f"| `{row.name}` |")]
        assert lines, f"{row.section}.{row.name}"
        assert any(row.doc in line for line in lines), row.doc


def test_enums_are_those_of_the_core() -> None:
    assert [label.value for label in AxisLabel] == _core.axis_roles()
    assert [system.value for system in CoordSystem] == _core.coord_systems()
    assert MetaSpatial.AxisLabel.channel == "channel"


def test_importing_needs_no_numpy() -> None:
    script = "import sys, mlarray.meta; sys.exit('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


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
        with pytest.raises(TypeError, match="twice"):
            MetaStatistics(1, min=2)
        with pytest.raises(TypeError, match="1 fields, got 2"):
            MetaIsSeg(True, False)

    def test_fields_have_a_docstring(self) -> None:
        assert "per spatial axis" in (MetaSpatial.spacing.__doc__ or "")


class TestUserData:
    @pytest.mark.parametrize(
        "value",
        [
            None,
            True,
            -(2**80),
            2**64,
            1.5,
            float("inf"),
            "text \u00e4 \ud800",
            [1, [2, (3,)]],
            {"a": {1: 2, None: 3, 1.5: 4, False: 5}},
        ],
    )
    def test_plain_values_stay_what_they_are(self, value: Any) -> None:
        kept = MetaSource({"k": value}).data["k"]
        assert kept == value
        assert type(kept) is type(value)

    def test_others_become_plain(self) -> None:
        class Number(float):
            def __str__(self) -> str:
                return "not a number"

        class Big(int):
            def __str__(self) -> str:
                return "not a number"

        data = {
            "scalar": np.float32(1.5),
            "flag": np.bool_(True),
            "text": np.str_("x"),
            "array": np.arange(4).reshape(2, 2),
            "number": Number(2),
            "big": Big(2**70),
            "mapping": MappingProxyType({"a": 1}),
        }
        kept = MetaSource(data).data
        assert kept == {
            "scalar": 1.5,
            "flag": True,
            "text": "x",
            "array": [[0, 1], [2, 3]],
            "number": 2.0,
            "big": 2**70,
            "mapping": {"a": 1},
        }
        assert [type(item) for item in kept.values()] == [
            float, bool, str, list, float, int, dict,
        ]  # fmt: skip

    @pytest.mark.parametrize(
        ("value", "path"),
        [
            ({"a": [0, {1}]}, r"source\.a\[1\]: .*'?set"),
            ({"a": object()}, r"source\.a: .*object"),
            ({"a": {"b": b"x"}}, r"source\.a\.b: .*bytes"),
            ({"a": np.datetime64("2020-01-01")}, r"source\.a: .*date"),
            ({("x",): 1}, r"source\["),
            ([1], "source: "),
        ],
    )
    def test_what_json_lacks_is_refused_by_path(self, value: Any, path: str) -> None:
        with pytest.raises(TypeError, match=path):
            Meta().source = value
        with pytest.raises(TypeError):
            MetaSource(value)

    def test_what_contains_itself_is_refused(self) -> None:
        data: dict[str, Any] = {"a": []}
        data["a"].append(data)
        with pytest.raises(ValueError, match=r"source\.a\[0\].*contains itself"):
            MetaSource(data)
        deep: list[Any] = []
        for _ in range(10_000):
            deep = [deep]
        with pytest.raises(ValueError, match="nested"):
            MetaSource({"a": deep})

    def test_a_container_twice_is_no_cycle(self) -> None:
        shared = [1]
        assert MetaSource({"a": shared, "b": shared}).data == {"a": [1], "b": [1]}

    def test_a_list_that_changes_while_it_is_read(self) -> None:
        items: list[Any] = []

        class Shrinks:
            dtype = None

            def tolist(self) -> int:
                items.clear()
                return 1

        items.extend([Shrinks(), 2, 3])
        assert MetaSource({"a": items}).data == {"a": [1]}

    def test_dicts_are_copied(self) -> None:
        data: dict[str, Any] = {"a": [1]}
        meta = Meta(source=data, extra=data)
        data["a"].append(2)
        assert meta.source.data == {"a": [1]}
        meta.source["a"].append(3)
        assert meta.extra.data == {"a": [1]}
        assert data == {"a": [1, 2]}


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


class TestMeta:
    def test_names_of_both_generations(self) -> None:
        meta = Meta(original={"a": 1})
        assert meta.source is meta.original
        assert meta._blosc2 is meta.blosc2
        meta.original = {"b": 2}
        assert meta.source == {"b": 2}
        with pytest.raises(TypeError, match="source twice"):
            Meta(original={}, source={})
        with pytest.raises(TypeError, match="sauce"):
            Meta(sauce={})
        with pytest.raises(AttributeError, match="sauce"):
            meta.sauce = {}  # type: ignore[attr-defined]

    def test_round_trip(self) -> None:
        meta = Meta(
            source={"a": [1, NAN]},
            spatial={"spacing": [1, 2], "axis_labels": ["spatial", "spatial"]},
            stats=MetaStatistics(max=3),
            bbox={"bboxes": [[[0, 1], [2, 3]]], "labels": ["a"]},
            is_seg=False,
        )
        for include_none in (True, False):
            again = Meta.from_mapping(meta.to_mapping(include_none=include_none))
            assert _core.Metadata(again.to_mapping()) == _core.Metadata(meta.to_mapping())
        assert set(meta.to_mapping()) == {row.name for row in _core.metadata_sections()}
        assert meta.to_mapping()["stats"]["min"] is None
        assert meta.to_mapping()["is_seg"] == {"is_seg": False}

    def test_mappings_are_copies(self) -> None:
        meta = Meta(source={"a": [1]})
        meta.to_mapping()["source"]["data"]["a"].append(2)
        meta.to_plain()["source"]["a"].append(2)
        assert meta.source == {"a": [1]}

    def test_older_mappings(self) -> None:
        meta = Meta.from_mapping(
            {
                "original": {"data": {"a": 1}},
                "spatial": {"spacing": [1, 1], "shape": [5, 6, 7], "channel_axis": 2},
                "_blosc2": {"patch_size": [8, 8]},
                "_has_array": {"has_array": True},
                "_mlarray_version": "v0",
            }
        )
        assert meta.source == {"a": 1}
        assert meta.spatial.axis_labels == ["spatial", "spatial", "channel"]
        assert meta.blosc2.patch_size == [8, 8]
        assert meta._has_array.has_array is True
        assert MetaSpatial.from_mapping({"channel_axis": None}).axis_labels is None

    def test_wrong_mappings(self) -> None:
        with pytest.raises(KeyError, match="sauce"):
            Meta.from_mapping({"sauce": {}})
        with pytest.raises(KeyError, match="spcing"):
            Meta.from_mapping({"spatial": {"spcing": [1]}})
        with pytest.raises(TypeError, match="dict"):
            Meta.from_mapping([1])  # type: ignore[arg-type]
        with pytest.raises(TypeError, match="dict"):
            Meta(spatial=5)

    def test_plain_data(self) -> None:
        meta = Meta(source={"a": 1}, is_seg=True, stats={"max": 2})
        assert meta.to_plain() == {"source": {"a": 1}, "is_seg": True, "stats": {"max": 2}}
        plain = meta.to_plain(include_none=True)
        assert plain["bbox"] is None
        assert plain["stats"]["min"] is None
        assert str(meta) == str(meta.to_plain())
        assert repr(meta.stats) == "MetaStatistics(max=2)"
        assert repr(meta).startswith("Meta(source={'a': 1}, stats=")

    def test_copies_share_nothing(self) -> None:
        meta = Meta(source={"a": [1]}, spatial={"spacing": [1]})
        for twin in (copy.copy(meta), copy.deepcopy(meta), pickle.loads(pickle.dumps(meta))):
            assert twin == meta
            twin.source["a"].append(2)
            twin.spatial.spacing.append(2)
            assert twin != meta
            assert meta.source == {"a": [1]}
            assert meta.spatial.spacing == [1]

    def test_default_and_reset(self) -> None:
        meta = Meta()
        assert meta.is_default()
        meta.stats.max = 1
        assert not meta.is_default()
        assert not meta.stats.is_default()
        meta.stats.reset()
        assert meta.is_default()
        meta.extra["a"] = 1
        meta.reset()
        assert meta == Meta()

    def test_copy_from_fills_what_is_unset(self) -> None:
        base = Meta(
            source={"a": [1]}, spatial={"spacing": [1], "origin": [2]}, stats={"max": 3}
        )
        base.spatial._store("shape", [4])
        meta = Meta(spatial={"spacing": [9]}, is_seg=True)
        meta.copy_from(base)
        assert meta.spatial.to_mapping(include_none=False) == {"spacing": [9], "origin": [2]}
        assert (meta.source, meta.stats.max, meta.is_seg) == ({"a": [1]}, 3, True)
        meta.source["a"].append(2)
        assert base.source == {"a": [1]}
        meta.copy_from(base, overwrite=True)
        assert meta.spatial.spacing == [1]
        assert meta.is_seg == None  # noqa: E711
        with pytest.raises(TypeError):
            meta.copy_from({})  # type: ignore[arg-type]
        with pytest.raises(TypeError):
            meta.stats.copy_from(meta.spatial)  # type: ignore[arg-type]

    def test_ensure(self) -> None:
        meta = Meta()
        assert Meta.ensure(meta) is meta
        assert Meta.ensure(None) == meta
        assert Meta.ensure({"is_seg": True}).is_seg == True  # noqa: E712
        assert MetaStatistics.ensure({"max": 1}).max == 1

    def test_setters_can_be_chained(self) -> None:
        meta = (
            Meta()
            .set_source({"a": 1})
            .update_source({"b": 2})
            .set_extra({})
            .update_extra({"c": np.int8(3)})
            .set_spatial({"spacing": [1]})
            .set_stats({"max": 1})
            .set_is_seg(True)
            .set_bbox([[[0, 1]]])
        )
        assert meta.source == {"a": 1, "b": 2}
        assert meta.extra == {"c": 3}
        assert meta.bbox.bboxes == [[[0, 1]]]
        assert meta.set_bbox({"bboxes": []}).bbox.bboxes == []
        with pytest.raises(TypeError):
            meta.update_source(5)  # type: ignore[arg-type]
        held = meta.source.data
        meta.update_source({"z": 1})
        assert held["z"] == 1

    def test_boxes(self) -> None:
        meta = Meta().add_bbox([[0, 1]], score=0.5, label="a").add_bbox(((2, 3),), 0.25, 7)
        assert meta.bbox.to_mapping() == {
            "bboxes": [[[0, 1]], [[2, 3]]],
            "scores": [0.5, 0.25],
            "labels": ["a", 7],
        }
        before = meta.bbox.to_mapping()
        with pytest.raises(ValueError, match=r"bbox\.labels"):
            meta.add_bbox([[0, 1]], score=1)
        with pytest.raises(ValueError, match=r"bbox\.bboxes\[2\]"):
            meta.add_bbox([[0, 1, 2]], 1, 1)
        assert meta.bbox.to_mapping() == before
        with pytest.raises(ValueError, match=r"bbox\.scores"):
            Meta().add_bbox([[0, 1]]).add_bbox([[0, 1]], score=1)

    def test_channel_axis(self) -> None:
        spatial = MetaSpatial(spacing=[1, 1], channel_axis=0)
        assert spatial.axis_labels == ["channel", "spatial", "spatial"]
        assert spatial.channel_axis == 0
        spatial.channel_axis = -1
        assert spatial.channel_axis == 2
        spatial.channel_axis = None
        assert spatial.axis_labels is None
        assert MetaSpatial(axis_labels=["channel", "temporal"]).channel_axis is None
        with pytest.raises(ValueError, match="number of axes"):
            MetaSpatial(channel_axis=0)
        with pytest.raises(ValueError, match="only one"):
            MetaSpatial(axis_labels=["channel"], channel_axis=0)
        with pytest.raises(ValueError, match="channel_axis"):
            spatial.channel_axis = 7


class TestOfAFile:
    """What `Meta` does with trees that no caller could give."""

    tree = {  # noqa: RUF012
        "source": {"data": {"when": "?"}},
        "spatial": {"spacing": "wide", "newer": [1]},
        "stats": 5,
        "future": {"x": 1},
    }

    def test_everything_is_kept(self) -> None:
        meta = Meta._from_stored(self.tree)
        assert _core.Metadata(meta.to_mapping(include_none=False)) == _core.Metadata(self.tree)
        for twin in (copy.deepcopy(meta), pickle.loads(pickle.dumps(meta))):
            assert twin == meta
            assert twin.to_mapping() == meta.to_mapping()

    def test_wrong_values_hinder_only_themselves(self) -> None:
        meta = Meta._from_stored(self.tree)
        assert meta.spatial.spacing == "wide"  # type: ignore[comparison-overlap]
        meta.spatial.origin = [1, 2]
        meta.source["more"] = 1
        with pytest.raises(TypeError, match=r"spatial\.spacing"):
            _core.metadata_check(meta.to_mapping(), 2)
        meta.spatial.spacing = [1, 1]
        with pytest.raises(TypeError, match="stats"):
            _core.metadata_check(meta.to_mapping(), 2)
        meta.stats.max = 1
        _core.metadata_check(meta.to_mapping(), 2)
        assert meta.to_mapping(include_none=False)["stats"] == {"max": 1}
        assert meta.to_mapping()["future"] == {"x": 1}
        assert meta.to_mapping()["spatial"]["newer"] == [1]

    def test_other_metadata_takes_it_along(self) -> None:
        meta = Meta()
        meta.copy_from(Meta._from_stored(self.tree))
        assert meta.to_mapping()["spatial"]["newer"] == [1]


class TestOpaqueValues:
    """Objects of a pickle that are no plain data."""

    @staticmethod
    def opaque(name: str = "datetime.date") -> _core.OpaqueValue:
        value = _core.OpaqueValue.__new__(_core.OpaqueValue)
        value.__setstate__((name, [b"x", 1]))
        return value

    def test_they_name_their_class(self) -> None:
        value = self.opaque()
        assert value.class_name == "datetime.date"
        assert "datetime.date" in repr(value)
        for twin in (copy.deepcopy(value), pickle.loads(pickle.dumps(value)), self.opaque()):
            assert twin == value
            assert hash(twin) == hash(value)
        assert value != self.opaque("datetime.time")
        assert value != 5
        with pytest.raises(TypeError, match="list"):
            _core.OpaqueValue.__new__(_core.OpaqueValue).__setstate__(("x", 5))  # type: ignore[arg-type]

    def test_they_are_kept_and_not_saved(self, tmp_path: Path) -> None:
        tree = {"source": {"data": {"when": self.opaque(), "a": 1}}}
        meta = Meta._from_stored(tree)
        assert meta.source["a"] == 1
        assert copy.deepcopy(meta) == meta
        assert _core.Metadata(meta.to_mapping(include_none=False)).to_tree() == tree
        with pytest.raises(TypeError, match=r"source\.when.*datetime\.date"):
            MLArray(np.zeros(3), meta=meta).save(tmp_path / "a.mla")
        del meta.source["when"]
        MLArray(np.zeros(3), meta=meta).save(tmp_path / "a.mla")


class TestOnAnImage:
    def test_edits_in_place_are_checked_when_saving(self, tmp_path: Path) -> None:
        image = MLArray(np.zeros((4, 4)), spacing=[1, 1])
        assert image.spacing is not None
        image.spacing[1] = "wide"  # type: ignore[call-overload]
        with pytest.raises(TypeError, match=r"spatial\.spacing\[1\]"):
            image.save(tmp_path / "a.mla")
        image.spacing[1] = 2
        image.spacing.append(3)
        with pytest.raises(ValueError, match=r"spatial\.spacing.*length 3.*expected length 2"):
            image.save(tmp_path / "a.mla")
        assert not (tmp_path / "a.mla").exists()

    def test_a_bad_edit_in_place_loses_no_other(self, tmp_path: Path) -> None:
        path = tmp_path / "a.mla"
        MLArray(np.zeros((4, 4)), spacing=[1, 1]).save(path)
        image = MLArray.open(path, mmap="r+")
        image.meta.source["k"] = 1
        image.meta.source["when"] = 2
        image.close()
        assert MLArray(path).meta.source == {"k": 1, "when": 2}

    def test_nan_is_no_edit(self, tmp_path: Path) -> None:
        path = tmp_path / "a.mla"
        MLArray(np.zeros((4, 4)), meta={"nan": NAN}).save(path)
        before = path.read_bytes()
        image = MLArray.open(path, mmap="r+")
        _ = image.meta.source["nan"]
        image.close()
        assert path.read_bytes() == before

    def test_legacy_refuses_what_it_cannot_hold(self, tmp_path: Path) -> None:
        image = MLArray(np.zeros((4, 4)), meta={"big": [0, 2**64]})
        with pytest.raises(RuntimeError, match=r"source\.big\[1\].*64 bits"):
            image.save(tmp_path / "a.mla", metadata_format="legacy")
        image.save(tmp_path / "a.mla")
        assert MLArray(tmp_path / "a.mla").meta.source == {"big": [0, 2**64]}

    def test_blosc2_section_is_that_of_the_file(self, tmp_path: Path) -> None:
        path = tmp_path / "a.mla"
        MLArray(np.zeros((4, 4))).save(path, chunk_size=(4, 2), block_size=(2, 2))
        blosc2 = MLArray(path).meta.blosc2
        assert isinstance(blosc2, MetaBlosc2)
        assert (blosc2.chunk_size, blosc2.block_size) == ([4, 2], [2, 2])
