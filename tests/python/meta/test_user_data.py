"""Users' own data among the metadata, and objects that a file may hold."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest

from mlarray import MLArray, _core
from mlarray.meta import Meta, MetaSource


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
