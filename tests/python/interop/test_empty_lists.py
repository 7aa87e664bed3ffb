"""Empty lists: python-blosc2 fails on them in msgpack metadata; ours are written otherwise."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mlarray import MLArray

if TYPE_CHECKING:
    from pathlib import Path


def test_older_reference_reads_empty_lists(peer: Any, tmp_path: Path) -> None:
    path = tmp_path / "ours.mla"
    voxels = np.arange(24, dtype="<i2").reshape(2, 3, 4)
    extra = {"empty": [], "nested": [[], {"deep": []}], "full": [1]}
    image = MLArray(voxels)
    for key, value in extra.items():
        image.meta.extra[key] = value
    image.save(path, metadata_format="legacy")
    found, meta = peer("mlarray-0.0.33").voxels_after("reference_read", path=path, mapped=True)
    assert found.tobytes() == voxels.tobytes()
    # Tuples are lists in the answer, which is JSON.
    assert meta["extra"]["data"] == extra
    ours = MLArray(path).meta.extra
    assert ours["empty"] == []
    assert ours["nested"] == [[], {"deep": []}]
    assert ours["full"] == [1]
