"""dask over an image: chunks of the file, read from any thread and process."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mlarray import MLArray

da = pytest.importorskip("dask.array", reason="dask is not installed")


@pytest.mark.parametrize("scheduler", ["synchronous", "threads", "processes"])
def test_from_array(saved: Path, volume: Any, scheduler: str) -> None:
    with MLArray.open(saved) as image:
        array = da.from_array(image, chunks=image.chunks, lock=False)
        assert array.chunksize == image.chunks
        assert array.dtype == volume.dtype
        found = (array.astype("f8") ** 2).sum(axis=0).compute(scheduler=scheduler)
        np.testing.assert_array_equal(found, (volume.astype("f8") ** 2).sum(axis=0))
        np.testing.assert_array_equal(
            array[::3, 5:9, -1].compute(scheduler=scheduler), volume[::3, 5:9, -1]
        )


def test_names_tell_states_apart(saved: Path, volume: Any) -> None:
    def name(image: MLArray) -> str:
        return str(da.from_array(image, chunks=(16, 20, 24)).name)

    with MLArray.open(saved) as image:
        before = name(image)
        with MLArray.open(saved) as again:
            assert name(again) == before
    with MLArray.open(saved, mmap="r+") as image:
        assert name(image) != before
        image[0] += 1
    with MLArray.open(saved) as image:
        assert name(image) != before
    assert name(MLArray(volume)) == name(MLArray(volume.copy()))
    assert name(MLArray(volume)) != name(MLArray(volume + 1))


def test_store_into_a_new_image(tmp_path: Path, saved: Path, volume: Any) -> None:
    with MLArray.open(saved) as image:
        array = da.from_array(image, chunks=image.chunks, lock=False) * 2
        with MLArray.create(
            tmp_path / "b.mla",
            image.shape,
            "i2",
            chunk_size=(16, 20, 24),
            block_size=(8, 8, 12),
        ) as target:
            da.store(array, target, lock=False)
    np.testing.assert_array_equal(MLArray(tmp_path / "b.mla"), volume * 2)
