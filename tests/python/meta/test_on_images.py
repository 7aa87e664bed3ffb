"""Metadata of files and of images."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path

import numpy as np
import pytest

from mlarray import MLArray, _core
from mlarray.meta import Meta, MetaBlosc2

NAN = float("nan")


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
