"""Files that change while they are open: cut short, overwritten, replaced, committed to."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from mlarray import MLArray
from mlarray.errors import ClosedError, CorruptionError, InvalidUseError, NotFoundError

if TYPE_CHECKING:
    from pathlib import Path

# Threads read until the file is cut; then every one has met an error, and nothing was wrong.
CUT = """
import faulthandler, os, sys, threading
import numpy as np
from mlarray import MLArray
from mlarray.errors import CorruptionError

path, mmap, late, size = sys.argv[1], sys.argv[2], sys.argv[3] == "late", int(sys.argv[4])
expected = np.load(sys.argv[5])
image = MLArray.open(path, mmap_mode="r" if mmap == "mapped" else None, num_threads=2)
if late:
    faulthandler.enable()
reads, problems, errors = [0], [], []
started = threading.Event()

def read(seed):
    rng = np.random.default_rng(seed)
    for i in range(100_000):
        low = rng.integers(0, np.array(expected.shape) - 1)
        box = tuple(slice(a, a + 9) for a in low)
        try:
            voxels = image[box]
        except CorruptionError as error:
            errors.append(str(error))
            return
        if not np.array_equal(voxels, expected[box]):
            problems.append(box)
        reads[0] += 1
        if reads[0] > 1000:
            started.set()
    problems.append("the cut was not noticed")

threads = [threading.Thread(target=read, args=(seed,)) for seed in range(4)]
for thread in threads:
    thread.start()
started.wait()
os.truncate(path, size)
for thread in threads:
    thread.join()
assert not problems, problems[:3]
assert len(errors) == 4, errors
for error in errors:
    assert path in error and "open it again" in error, error
for again in range(100):
    try:
        image[...]
    except CorruptionError as error:
        assert str(size) in str(error) and sys.argv[6] in str(error), error
    else:
        raise AssertionError("read a file that was cut")
print(reads[0])
"""


@pytest.mark.parametrize("faulthandler", ["off", "early", "late"])
@pytest.mark.parametrize("access", ["mapped", "buffered"])
def test_a_file_cut_short_under_readers(
    saved: Path, volume: Any, tmp_path: Path, access: str, faulthandler: str
) -> None:
    np.save(tmp_path / "expected.npy", volume)
    size = saved.stat().st_size
    options = ["-X", "faulthandler"] if faulthandler == "early" else []
    for left in (0, 5000, size - 1000):
        path = tmp_path / "cut.mla"
        shutil.copyfile(saved, path)
        arguments = [path, access, faulthandler, left, tmp_path / "expected.npy", size]
        result = subprocess.run(
            [sys.executable, *options, "-c", CUT, *map(str, arguments)],
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert result.returncode == 0, result.stderr
        assert result.stderr == ""
        assert int(result.stdout) >= 1000


@pytest.mark.parametrize("mmap_mode", ["r", None])
@pytest.mark.parametrize("verify", [True, False])
def test_a_file_overwritten_in_place(
    saved: Path, volume: Any, tmp_path: Path, mmap_mode: Any, verify: bool
) -> None:
    other = tmp_path / "other.mla"
    MLArray(volume + 1).save(other)
    image = MLArray.open(saved, mmap_mode=mmap_mode, verify=verify)
    np.testing.assert_array_equal(image[...], volume)
    shutil.copyfile(other, saved)
    with pytest.raises(CorruptionError, match=r"overwritten|cut short") as caught:
        image[3:9, 10:20]
    assert str(saved) in str(caught.value)
    with pytest.raises(CorruptionError):
        _ = image.meta.source
    assert image.refresh()
    np.testing.assert_array_equal(image[...], volume + 1)


# --- refresh ------------------------------------------------------------------------------


def test_refresh_follows_a_file_that_is_saved_over(saved: Path, volume: Any) -> None:
    image = MLArray.open(saved)
    before = image.meta
    assert before.source["patient_id"] == "123"
    assert not image.refresh()
    assert image.meta is before
    MLArray(volume * 2, spacing=(1.0, 1.0, 9.0)).save(saved, patch_size=16)
    np.testing.assert_array_equal(image[...], volume)
    assert image.refresh()
    np.testing.assert_array_equal(image[...], volume * 2)
    assert image.spacing == [1.0, 1.0, 9.0]
    assert dict(before.source) == {"patient_id": "123"}
    assert not image.refresh()


def test_refresh_of_every_kind(saved: Path, volume: Any) -> None:
    assert not MLArray(volume).refresh()
    assert not MLArray(saved).refresh()
    copy, edited = MLArray.open(saved, mmap="c"), MLArray.open(saved, mmap="c")
    renamed = MLArray.open(saved, mmap="c")
    edited[0] = 1
    renamed.meta.source["patient_id"] = "124"
    reader = MLArray.open(saved)
    with MLArray.open(saved, mmap="r+") as writer:
        writer[...] = 7
        writer.meta.source["by"] = "writer"
        assert not writer.refresh()
        assert reader.refresh()  # what this process has written is committed first
        assert (reader[...] == 7).all()
        assert reader.meta.source["by"] == "writer"
    assert copy.refresh()
    copy[0] = 8
    assert (copy[0] == 8).all()
    for image in (edited, renamed):
        with pytest.raises(InvalidUseError, match="mode 'c'"):
            image.refresh()
    reader.close()
    with pytest.raises(ClosedError):
        reader.refresh()


def test_refresh_says_what_it_cannot_follow(saved: Path, volume: Any, tmp_path: Path) -> None:
    image = MLArray.open(saved)
    MLArray(volume.astype(np.uint16)).save(saved)
    with pytest.raises(InvalidUseError, match=r"<u2.*open the path again"):
        image.refresh()
    saved.unlink()
    with pytest.raises(NotFoundError, match="volume"):
        image.refresh()
    np.testing.assert_array_equal(image[...], volume)


def test_refresh_warns_of_edits_that_were_not_to_be_saved(saved: Path, volume: Any) -> None:
    image = MLArray.open(saved)
    image.meta.source["patient_id"] = "124"
    assert not image.refresh()
    assert image.meta.source["patient_id"] == "124"
    MLArray(volume + 1).save(saved)
    with pytest.warns(UserWarning, match="edited"):
        assert image.refresh()
    assert "patient_id" not in image.meta.source


def test_one_indexing_sees_one_commit(saved: Path) -> None:
    """Keys of many boxes, and metadata, while other threads refresh."""
    with MLArray.open(saved, mmap="r+") as writer:
        writer[...] = 0
        writer.flush()
        image = MLArray.open(saved)
        done = threading.Event()
        keys = [np.s_[::5, ::7, 3::4], np.s_[[0, 9, 36], :, ::9]]

        def read(number: int) -> bool:
            last = 0
            while not done.is_set():
                voxels = image[keys[number % 2]]
                if not (voxels == voxels.flat[0]).all() or voxels.flat[0] < last:
                    return False
                last = voxels.flat[0]
                if number == 3:
                    image.refresh()
            return True

        with ThreadPoolExecutor(4) as pool:
            readers = [pool.submit(read, number) for number in range(4)]
            for value in range(1, 40):
                writer[...] = value
                writer.flush()
                image.refresh()
            done.set()
            assert all(reader.result() for reader in readers)
        assert (image[...] == 39).all()


COMMITS = 150


def _commit(path: str, all_open: Any) -> None:
    all_open.wait(60)
    for part in range(3):
        with MLArray.open(path, mmap="r+") as image:
            for number in range(part * COMMITS // 3, (part + 1) * COMMITS // 3):
                image[...] = number + 1
                image.meta.source["number"] = number + 1
                image.flush()
        image = MLArray.open(path)
        image.save(path)  # by rename
        image.close()


def _follow(path: str, mmap_mode: str | None, all_open: Any, answers: Any) -> None:
    image = MLArray.open(path, mmap_mode=mmap_mode)
    all_open.wait(60)
    number, changes = int(image[0, 0, 0]), 0
    while number < COMMITS:
        changed = image.refresh()
        changes += changed
        voxels = image[...]
        before, number = number, int(voxels.flat[0])
        if not (
            (voxels == number).all()
            and image.meta.source.get("number", 0) == number
            and number >= before
            and (changed or number == before)
        ):
            answers.put(f"{voxels.min()} to {voxels.max()}, {image.meta.source}, {before}")
            return
    answers.put(changes)


@pytest.mark.parametrize("mmap_mode", ["r", None])
def test_readers_of_other_processes_see_whole_commits(tmp_path: Path, mmap_mode: Any) -> None:
    path = str(tmp_path / "a.mla")
    MLArray(np.zeros((8, 20, 20), np.int16)).save(
        path, chunk_size=(4, 20, 20), block_size=(4, 10, 10)
    )
    context = multiprocessing.get_context("spawn")
    answers, all_open = context.Queue(), context.Barrier(3)
    readers = [
        context.Process(target=_follow, args=(path, mmap_mode, all_open, answers))
        for _ in range(2)
    ]
    writer = context.Process(target=_commit, args=(path, all_open))
    for process in (*readers, writer):
        process.start()
    results = [answers.get(timeout=120) for _ in readers]
    for process in (*readers, writer):
        process.join(60)
        assert process.exitcode == 0
    assert all(isinstance(result, int) and result > 0 for result in results), results


def test_an_image_of_an_unsealed_file_is_always_read_anew(saved: Path, volume: Any) -> None:
    data = bytearray(saved.read_bytes())
    data[-17:] = bytes(17)  # as other Blosc2 writers leave it
    saved.write_bytes(data)
    image = MLArray.open(saved)
    assert image.refresh()
    assert image.refresh()
    np.testing.assert_array_equal(image[...], volume)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system has no fork")
def test_a_child_refreshes_what_it_inherited(saved: Path, volume: Any) -> None:
    with MLArray.open(saved, mmap="r+") as writer:
        image = MLArray.open(saved)
        ready, answer = os.pipe()
        child = os.fork()
        if child == 0:
            os.read(ready, 1)
            good = image.refresh() and bool((image[...] == 5).all())
            good = good and writer.refresh() and bool((writer[...] == 5).all())
            os._exit(0 if good else 1)
        writer[...] = 5
        writer.flush()
        os.write(answer, b"x")
        assert os.waitpid(child, 0)[1] == 0
        os.close(ready)
        os.close(answer)
        np.testing.assert_array_equal(image[...], volume)
