"""``source`` and ``extra``, which are dicts, and ``is_seg`` where it is not set."""

from __future__ import annotations

import copy
import json
import pickle
from collections.abc import Mapping

import pytest

from mlarray import Meta
from mlarray.meta import MetaSource


class TestDicts:
    def test_json(self) -> None:
        meta = Meta(source={"a": [1, {"b": None}]}, extra={"c": 2})
        assert isinstance(meta.source, Mapping)
        assert json.loads(json.dumps(meta.source)) == {"a": [1, {"b": None}]}
        assert json.loads(json.dumps(meta.extra, indent=1)) == {"c": 2}
        assert json.dumps(Meta().source) == "{}"

    def test_every_way_to_add_is_checked(self) -> None:
        source = MetaSource({"a": 1})
        source["b"] = (2,)
        source.update(c=3)
        source.update({"d": 4})
        source.update([("e", 5)])
        source |= {"f": 6}
        assert source.setdefault("g", 7) == 7
        assert source.setdefault("a", 9) == 1
        assert source == {"a": 1, "b": (2,), "c": 3, "d": 4, "e": 5, "f": 6, "g": 7}
        before = dict(source)
        with pytest.raises(TypeError, match=r"source\.x"):
            source["x"] = {1}
        with pytest.raises(TypeError, match=r"source\.x"):
            source.update(x={1})
        with pytest.raises(TypeError, match=r"source\.x"):
            source.setdefault("x", {1})
        with pytest.raises(TypeError, match=r"source\.x"):
            source |= {"x": {1}}
        assert source == before

    def test_data_is_the_dict_itself(self) -> None:
        meta = Meta(source={"a": 1})
        meta.source.data["b"] = 2
        meta.source.data.update(c=3)
        del meta.source["a"]
        assert meta.source.pop("c") == 3
        assert meta.source == meta.source.data == {"b": 2}
        meta.source.data = meta.source.data
        assert meta.source == {"b": 2}
        meta.source.data = {"d": 4}
        assert meta.source.value == {"d": 4}
        meta.source = None
        assert not meta.source
        assert meta.is_default()

    def test_nothing_is_shared(self) -> None:
        meta = Meta(source={"a": [1]})
        assert meta.source is not None
        twins = [Meta(source=meta.source), Meta(source=meta.source.data), copy.deepcopy(meta)]
        twins.append(pickle.loads(pickle.dumps(meta)))
        for twin in twins:
            assert twin == meta
            twin.source["a"].append(2)
        assert meta.source == {"a": [1]}
        plain = meta.to_mapping()["source"]["data"]
        assert type(plain) is type(meta.source.to_plain()) is type(meta.source.copy()) is dict

    def test_what_a_file_holds_instead(self) -> None:
        meta = Meta._from_stored({"source": {"data": 5}})
        assert meta.source.value == 5
        assert meta.to_mapping()["source"] == {"data": 5}
        with pytest.raises(TypeError, match=r"source: the file holds 5"):
            meta.source["a"] = 1
        meta.source = {"a": 1}
        assert meta.source == {"a": 1}


class TestIsSeg:
    def test_unset_does_not_print_as_none(self) -> None:
        # `is None` cannot be true of it: programs of other versions ask `.is_seg.is_seg`.
        meta = Meta()
        assert str(meta.is_seg) == repr(meta.is_seg) == "MetaIsSeg(is_seg=None)"
        assert meta.is_seg.is_seg is None
        assert meta.is_seg.value is None
        meta.is_seg = False
        assert str(meta.is_seg) == "False"


class TestMisspelt:
    def test_the_error_says_what_was_meant(self) -> None:
        with pytest.raises(TypeError, match="did you mean 'spatial'"):
            Meta(spatal={})  # type: ignore[arg-type]
        with pytest.raises(AttributeError, match="did you mean 'spacing'"):
            Meta().spatial.spcing = [1]  # type: ignore[attr-defined]
        with pytest.raises(AttributeError, match="did you mean 'spatial'"):
            Meta().spatal = {}  # type: ignore[attr-defined]
        with pytest.raises(KeyError, match="did you mean 'stats'"):
            Meta.from_mapping({"stat": {}})
