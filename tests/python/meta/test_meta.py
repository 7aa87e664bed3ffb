"""`Meta` as a whole. That files keep metadata is tested where files are."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

from mlarray import _core
from mlarray.meta import Meta, MetaSpatial, MetaStatistics

NAN = float("nan")


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
