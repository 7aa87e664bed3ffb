"""dask over an image: chunks of the file, read from any thread and process."""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mlarray import Meta, MLArray
from mlarray.errors import ClosedError

dask = pytest.importorskip("dask", reason="dask is not installed")
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


class Holder:
    """Of which dask knows nothing."""

    def __init__(self, image: MLArray) -> None:
        self.image = image


def token(image: MLArray) -> str:
    return str(dask.base.tokenize(image))


def test_a_name_is_of_what_the_image_shows(saved: Path, volume: Any) -> None:
    """Not of what lies at its path by now."""
    with MLArray.open(saved) as old:
        before = token(old)
        MLArray(volume + 1).save(saved)
        with MLArray.open(saved) as new:
            assert token(old) == before != token(new)
            merged = da.stack([da.from_array(image, chunks=16) for image in (old, new)])
            np.testing.assert_array_equal(merged.compute(), [volume, volume + 1])
        assert old.refresh()
        with MLArray.open(saved) as new:
            assert token(old) == token(new) != before
        with MLArray.open(saved, mmap="r+") as writer:
            writer[0] = 7
        with MLArray.open(saved) as new:
            assert token(old) != token(new)
        saved.unlink()
        assert token(old) != before


def test_what_holds_images_has_another_name_too(saved: Path, volume: Any) -> None:
    """dask names it by its pickle, in which an image is its path."""
    with MLArray.open(saved) as old:
        MLArray(volume + 1).save(saved)
        with MLArray.open(saved) as new, MLArray.open(saved) as again:
            names = [str(dask.base.tokenize(Holder(image))) for image in (old, new, again)]
    assert names[0] != names[1] == names[2]
    assert pickle.loads(pickle.dumps(old)).shape == volume.shape  # closed by now


def test_a_file_at_another_time_has_another_name(tmp_path: Path) -> None:
    """Where size, times and inode say nothing."""
    path = tmp_path / "a.mla"
    names = []
    for value in range(1, 6):
        MLArray(np.full((64, 64), value, "u1")).save(path, cparams={"clevel": 0})
        os.utime(path, ns=(10**18, 10**18))
        with MLArray.open(path) as image:
            names.append(token(image))
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("edited", [False, True])
def test_files_of_other_writers(tmp_path: Path, edited: bool) -> None:
    """No checksum says what they hold: no other image has the name of this one."""
    path = tmp_path / "a.b2nd"
    sizes: dict[str, Any] = {"chunk_size": (32, 32), "block_size": (32, 32)}
    names = []
    for value in (1, 2):
        array = np.full((32, 64), value, "u1")
        MLArray(array).save(tmp_path / "b.b2nd", cparams={"clevel": 0}, **sizes)
        raw = bytearray((tmp_path / "b.b2nd").read_bytes())
        raw[-17:] = bytes(17)  # the seal, as another writer leaves it
        path.write_bytes(raw)
        if edited:  # a commit seals chunks of which it has no sums
            with MLArray.open(path, mmap="r+") as image:
                image[:, 32:] = 5
        os.utime(path, ns=(10**18, 10**18))
        with MLArray.open(path) as image:
            names.append(token(image))
            assert token(image) == names[-1]
            assert image[0, 0] == value
    assert names[0] != names[1]


@pytest.mark.parametrize("mode", ["r+", "c", "plain", "compressed"])
def test_edits_have_names(saved: Path, volume: Any, mode: str) -> None:
    if mode in ("r+", "c"):
        image = MLArray.open(saved, mmap_mode=mode)
    else:
        image = MLArray(volume.copy(), compressed=mode == "compressed")
    names = [token(image)]
    image[0, 0, 0] += 1
    names.append(token(image))
    image.meta.extra["name"] = "b"
    names.append(token(image))
    image.meta.extra["name"] = ("b",)
    names.append(token(image))
    image.meta.extra["name"] = ["b"]
    names.append(token(image))
    assert len(set(names)) == len(names)
    image.close()


@pytest.mark.filterwarnings("ignore:the metadata of")
def test_metadata_edited_while_reading(saved: Path) -> None:
    with MLArray.open(saved) as image:
        before = token(image)
        image.meta.extra["a"] = 1
        assert token(image) != before
        del image.meta.extra["a"]
        assert token(image) == before
    with pytest.raises(ClosedError):
        token(image)


def test_names_of_arrays_in_memory() -> None:
    array = np.arange(16, dtype="<i2").reshape(4, 4)
    alike = [
        array,
        array.T,
        array[::-1],
        array.reshape(2, 8),
        array.view(">i2"),
        array.view("<u2"),
        array.view("<f2"),
        array.view([("a", "i1"), ("b", "i1")]),
        array.view([("b", "i1"), ("a", "i1")]),
        array[:0],
        array[:, :0],
        array[0, 0],
        array[0, 1],
    ]
    names = [token(MLArray(np.asarray(voxels))) for voxels in alike]
    names += [token(MLArray(array, spacing=[1, 2])), token(MLArray(array, spacing=[1, 3]))]
    names += [token(MLArray(meta=Meta(is_seg=flag))) for flag in (True, False)]
    assert len(set(names)) == len(names)
    assert token(MLArray(array.T)) == token(MLArray(np.ascontiguousarray(array.T)))


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
