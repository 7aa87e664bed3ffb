"""Reading files that are not in the system's cache, where bytes are requested ahead."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np
import pytest

from mlarray import MLArray

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(
    not hasattr(os, "posix_fadvise"), reason="this system has no posix_fadvise"
)


def drop(path: Path) -> None:
    """Take a file out of the cache, as far as its file system lets us."""
    with path.open("rb+") as stream:
        os.fsync(stream.fileno())
        os.posix_fadvise(stream.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


@pytest.mark.parametrize("mmap", ["r", None])
@pytest.mark.parametrize(
    ("chunk", "block", "params"),
    [
        ((16, 16, 16), (8, 8, 8), {}),
        ((8, 8, 8), (2, 2, 2), {}),  # thousands of blocks
        ((16, 16, 16), (8, 8, 8), {"clevel": 0}),  # stored as they are
        ((16, 16, 16), (8, 8, 8), {"codec": 5, "filters": [2]}),  # not as byte planes
    ],
)
def test_a_cold_file_reads_as_a_warm_one(
    tmp_path: Path,
    mmap: str | None,
    chunk: tuple[int, ...],
    block: tuple[int, ...],
    params: dict[str, object],
) -> None:
    voxels = np.random.default_rng(1).integers(0, 200, (40, 44, 50), "int16")
    voxels[:16] = 0  # chunks that the index alone describes
    path = tmp_path / "a.mla"
    MLArray(voxels).save(path, chunk_size=chunk, block_size=block, cparams=params or None)
    for key in [(slice(3, 39), slice(5, 41), slice(7, 44)), ..., (20, 21, 22)]:
        drop(path)
        with MLArray.open(path, mmap_mode=mmap) as image:
            np.testing.assert_array_equal(image[key], voxels[key])
    drop(path)
    with MLArray.open(path) as image:
        assert not image.verify().damage
